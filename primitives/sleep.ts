/**
 * Waiting for time to pass.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await sleep(1); // Only the caller waits.
 * ```
 *
 * @module
 */
import { checkMoment, type Duration, toMs } from "../_internal/check.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import type { Job, JobKind } from "../_internal/job.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode sleep}. */
export interface SleepOptions<T> {
  /** What the promise resolves with. */
  value?: T;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
  /**
   * Does not keep the process alive for this wait.
   *
   * @default {false}
   */
  idle?: boolean;
}

/**
 * Waits until `ms` milliseconds have passed.
 *
 * `sleep(0)` gives way for one turn of the loop: timers and I/O get to run.
 * `sleep(Infinity)` waits until it is cancelled.
 *
 * @typeParam T The type of `options.value`.
 * @param ms How long to wait: milliseconds, or a `Temporal.Duration`.
 * @param options Additional options.
 * @returns `options.value`.
 * @throws {RangeError} If `ms` is negative or not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws The reason of `options.signal`, if it aborts before the time has come.
 *
 * @example Wait, and resolve with a value
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await sleep(1, { value: "ready" }), "ready");
 * ```
 */
export function sleep(
  ms: Duration,
  options?: SleepOptions<undefined>,
): Promise<void>;
/**
 * Waits until `ms` milliseconds have passed, and resolves with a value.
 *
 * @typeParam T The type of `options.value`.
 * @param ms How long to wait.
 * @param options Additional options.
 * @returns `options.value`.
 */
export function sleep<T>(ms: Duration, options: SleepOptions<T>): Promise<T>;
export function sleep<T>(
  ms: Duration,
  options: SleepOptions<T> = {},
): Promise<T | void> {
  let length: number;
  try {
    length = toMs(ms, "sleep");
  } catch (error) {
    return Promise.reject(error);
  }
  const frame = currentFrame();
  return refusal(frame, "sleep", options.signal) ??
    rest(frame, frame.loop.time() + length, length, options);
}

/**
 * Waits until the loop's time is `when`; a moment that is past takes one turn.
 *
 * @param when The moment, in milliseconds of the loop's time.
 * @param options Additional options.
 * @throws {RangeError} If `when` is not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Wait for a moment
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { sleepUntil } from "@ilmek/async/sleep";
 *
 * const loop = getRunningLoop();
 * await sleepUntil(loop.time() + 1);
 * ```
 */
export function sleepUntil(
  when: number,
  options: Omit<SleepOptions<undefined>, "value"> = {},
): Promise<void> {
  try {
    checkMoment(when, "sleep", '"when"');
  } catch (error) {
    return Promise.reject(error);
  }
  const frame = currentFrame();
  const length = Math.max(0, when - frame.loop.time());
  return refusal(frame, "sleep", options.signal) ??
    rest(frame, when, length, options);
}

/**
 * A sleep that has not begun: for {@linkcode select}, as a time limit.
 *
 * The time counts from the call of `select`.
 *
 * @param ms How long to wait.
 * @returns The operation; it gives nothing.
 * @throws {RangeError} If `ms` is negative or not a number.
 *
 * @example Wait for an item, but not for long
 * ```ts
 * import { Future } from "@ilmek/async/future";
 * import { select } from "@ilmek/async/select";
 * import { sleepOp } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = new Future<string>();
 * const { key } = await select({ answer, tooLate: sleepOp(1) });
 *
 * assertEquals(key, "tooLate");
 * ```
 */
export function sleepOp(ms: Duration): Operation<void> {
  const length = toMs(ms, "sleep");
  return new Operation<void>({
    label: "time to pass",
    attempt: () => undefined,
    park(claim) {
      if (length === Infinity) return;
      claim.line = claim.frame.loop.timers.after(length, claim);
    },
  });
}

function rest<T>(
  frame: Frame,
  when: number,
  ms: number,
  options: SleepOptions<T>,
): Promise<T> {
  const { value, signal, idle = false } = options;
  const claim = new Claim<T>(
    frame,
    ms === 0 ? "the next turn" : "time to pass",
  );
  claim.value = value;
  const { timers } = frame.loop;
  if (ms === 0) frame.loop.turn(new TurnWait(claim as Claim));
  else if (ms === Infinity) claim.line = undefined;
  else {
    claim.line = idle
      ? timers.at(when, claim, { idle })
      : timers.after(ms, claim);
  }
  linkSignal(claim as Claim, signal);
  return claim.wait();
}

/** A wait for the next turn: a cancellation is told when the turn comes. */
class TurnWait implements Line, Job {
  readonly #claim: Claim;
  #struck: CancelledError | undefined = undefined;

  constructor(claim: Claim) {
    this.#claim = claim;
    claim.line = this;
  }

  get kind(): JobKind {
    return "turn";
  }

  get label(): string {
    return this.#claim.label;
  }

  withdraw(): void {}

  strike(_claim: Claim, error: CancelledError): void {
    // A second strike comes from further out.
    this.#struck = error;
  }

  run(): void {
    this.#claim.endTurn(this.#struck);
  }
}
