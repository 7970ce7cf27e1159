/**
 * Events: waiting until something has happened.
 *
 * ```ts
 * import { Event } from "@ilmek/async/event";
 *
 * const ready = new Event();
 * ready.set();
 * await ready.wait();
 * ```
 *
 * @module
 */
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { labelOf } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode Event}, {@linkcode AutoResetEvent}, {@linkcode Latch}. */
export interface EventOptions {
  /** How reports call it. */
  name?: string;
}

/** Options of {@linkcode Event.wait} and its kin. */
export interface EventWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

const WAIT = "wait for an event";
const TRUE: Promise<true> = Promise.resolve(true);
const HAPPENED = { value: true } as const;

/**
 * Something that has happened or not: those who wait go on when it is set.
 *
 * Whoever waits when it is set goes on, even if it is cleared right after that. An
 * event is an object, and as such always true: ask `isSet`.
 *
 * @example Let several begin at once
 * ```ts
 * import { Event } from "@ilmek/async/event";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const begin = new Event();
 * const log: string[] = [];
 * const runners = ["ada", "grace"].map((name) =>
 *   createTask(async () => {
 *     await begin.wait();
 *     log.push(name);
 *   })
 * );
 * begin.set();
 * for (const runner of runners) await runner;
 *
 * assertEquals(log, ["ada", "grace"]);
 * ```
 */
export class Event {
  readonly #line = new ClaimList();
  readonly #label: string;
  #isSet = false;

  /** Creates an event that has not happened. */
  constructor(options: EventOptions = {}) {
    const { name } = options;
    this.#label = labelOf("event", name);
  }

  /** Whether it has happened. */
  get isSet(): boolean {
    return this.#isSet;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Says that it has happened: all who wait go on, in the order of their calls. */
  set(): void {
    this.#isSet = true;
    grantAll(this.#line);
  }

  /** Says that it has not happened any more: later calls wait. */
  clear(): void {
    this.#isSet = false;
  }

  /**
   * Waits until it has happened.
   *
   * @param options Additional options.
   * @returns Always `true`.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: EventWaitOptions = {}): Promise<true> {
    const { signal } = options;
    const frame = currentFrame();
    return refusal(frame, WAIT, signal) ??
      (this.#isSet
        ? frame.loop.pass(TRUE, frame)
        : waitIn(this.#line, this.#label, frame, signal));
  }

  /**
   * Waiting until it has happened, as a choice of `select`.
   *
   * @returns The operation; it gives `true`.
   *
   * @example Wait for an event, but not for long
   * ```ts
   * import { Event } from "@ilmek/async/event";
   * import { select } from "@ilmek/async/select";
   * import { sleepOp } from "@ilmek/async/sleep";
   * import { assertEquals } from "@std/assert";
   *
   * const ready = new Event();
   * const { key } = await select({
   *   ready: ready.waitOp(),
   *   tooLate: sleepOp(1),
   * });
   *
   * assertEquals(key, "tooLate");
   * ```
   */
  waitOp(): Operation<true> {
    return new Operation<true>({
      label: this.#label,
      attempt: () => this.#isSet ? HAPPENED : undefined,
      park: (claim) => this.#line.push(claim as Claim),
    });
  }
}

/**
 * An event that lets one caller pass each time it is set.
 *
 * Setting it lets the first in line go on. If nobody waits, it stays set for the
 * next who does; to set it twice meanwhile lets one pass all the same.
 *
 * @example Wake one worker
 * ```ts
 * import { AutoResetEvent } from "@ilmek/async/event";
 * import { assertFalse } from "@std/assert";
 *
 * const bell = new AutoResetEvent();
 * bell.set();
 * await bell.wait();
 *
 * assertFalse(bell.isSet);
 * ```
 */
export class AutoResetEvent {
  readonly #line = new ClaimList();
  readonly #label: string;
  /** Invariant: nobody waits as long as it is set. */
  #isSet = false;

  /** Creates an event that is not set. */
  constructor(options: EventOptions = {}) {
    const { name } = options;
    this.#label = labelOf("event", name);
  }

  /** Whether the next caller can pass. */
  get isSet(): boolean {
    return this.#isSet;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Lets the first in line pass, or else the next who comes. */
  set(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#isSet = true;
    else next.grant(true);
  }

  /** Takes it back, if nobody has passed yet. */
  clear(): void {
    this.#isSet = false;
  }

  /**
   * Waits until it is set, and resets it.
   *
   * @param options Additional options.
   * @returns Always `true`.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: EventWaitOptions = {}): Promise<true> {
    const { signal } = options;
    const frame = currentFrame();
    return refusal(frame, WAIT, signal) ??
      (this.#take()
        ? frame.loop.pass(TRUE, frame)
        : waitIn(this.#line, this.#label, frame, signal));
  }

  /**
   * Waiting until it is set, as a choice of `select`. It is reset only if that is
   * the choice that is made.
   *
   * @returns The operation; it gives `true`.
   */
  waitOp(): Operation<true> {
    return new Operation<true>({
      label: this.#label,
      attempt: () => this.#take() ? HAPPENED : undefined,
      park: (claim) => this.#line.push(claim as Claim),
    });
  }

  #take(): boolean {
    const wasSet = this.#isSet;
    this.#isSet = false;
    return wasSet;
  }
}

/**
 * A door that opens for those who stand before it, and closes behind them.
 *
 * @example Let those pass who wait by now
 * ```ts
 * import { Latch } from "@ilmek/async/event";
 * import { assertEquals } from "@std/assert";
 *
 * const latch = new Latch();
 * const waits = [latch.wait(), latch.wait()];
 * assertEquals(latch.release(), 2);
 * await Promise.all(waits);
 *
 * assertEquals(latch.release(), 0);
 * ```
 */
export class Latch {
  readonly #line = new ClaimList();
  readonly #label: string;

  /** Creates a latch that is closed. */
  constructor(options: EventOptions = {}) {
    const { name } = options;
    this.#label = labelOf("latch", name);
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Lets all pass who wait now, in the order of their calls.
   *
   * @returns How many they are.
   */
  release(): number {
    return grantAll(this.#line);
  }

  /**
   * Waits for the next call of `release()`.
   *
   * @param options Additional options.
   * @returns Always `true`.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: EventWaitOptions = {}): Promise<true> {
    const { signal } = options;
    const frame = currentFrame();
    return refusal(frame, WAIT, signal) ??
      waitIn(this.#line, this.#label, frame, signal);
  }

  /**
   * Waiting for the next call of `release()`, as a choice of `select`.
   *
   * @returns The operation; it gives `true`.
   */
  waitOp(): Operation<true> {
    return new Operation<true>({
      label: this.#label,
      attempt: () => undefined,
      park: (claim) => this.#line.push(claim as Claim),
    });
  }
}

function waitIn(
  line: ClaimList,
  label: string,
  frame: Frame,
  signal: AbortSignal | undefined,
): Promise<true> {
  const claim = new Claim<true>(frame, label);
  line.push(claim as Claim);
  linkSignal(claim as Claim, signal);
  return claim.wait();
}

/** Lets all go on who wait now, and tells how many they are. */
function grantAll(line: ClaimList): number {
  let count = 0;
  for (let claim = line.shift(); claim !== undefined; claim = line.shift()) {
    claim.grant(true);
    count++;
  }
  return count;
}
