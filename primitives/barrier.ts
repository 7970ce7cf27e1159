/**
 * Barriers: going on together.
 *
 * ```ts
 * import { Barrier } from "@ilmek/async/barrier";
 *
 * const barrier = new Barrier(2);
 * await Promise.all([barrier.wait(), barrier.wait()]);
 * ```
 *
 * @module
 */
import { checkCount } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { labelOf } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode Barrier}. */
export interface BarrierOptions {
  /** How reports and errors call the barrier. */
  name?: string;
}

/** Options of {@linkcode Barrier.wait}. */
export interface BarrierWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Thrown by waits at a barrier that was aborted, or reset meanwhile. */
export class BrokenBarrierError extends InvalidStateError {
  static {
    this.prototype.name = "BrokenBarrierError";
  }
}

/**
 * A place at which a number of callers wait for each other.
 *
 * When the last of them comes, all go on, and the barrier is there for as many
 * again. A wait that is cancelled frees its place, and leaves the barrier whole.
 *
 * @example Finish a step together before the next
 * ```ts
 * import { Barrier } from "@ilmek/async/barrier";
 * import { gather } from "@ilmek/async/gather";
 * import { assertEquals } from "@std/assert";
 *
 * const barrier = new Barrier(2);
 * const log: string[] = [];
 * const work = (name: string) => async () => {
 *   log.push(`${name} loads`);
 *   await barrier.wait();
 *   log.push(`${name} computes`);
 * };
 * await gather([work("ada"), work("grace")]);
 *
 * assertEquals(log.slice(0, 2), ["ada loads", "grace loads"]);
 * ```
 */
export class Barrier {
  readonly #parties: number;
  readonly #label: string;
  /** Invariant: shorter than the number of parties. */
  readonly #line = new ClaimList();
  /** Callers of `select` who have come. */
  readonly #choosing = new WeakSet<Claim>();
  #broken = false;

  /**
   * Creates a barrier.
   *
   * @param parties How many callers go on together.
   * @param options Additional options.
   * @throws {RangeError} If `parties` is not an integer >= 1.
   */
  constructor(parties: number, options: BarrierOptions = {}) {
    const { name } = options;
    this.#parties = checkCount(parties, "create a barrier", "parties");
    this.#label = labelOf("barrier", name);
  }

  /** How many callers go on together. */
  get parties(): number {
    return this.#parties;
  }

  /** How many callers wait; asyncio calls it `n_waiting`. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Whether the barrier was aborted. */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Waits until as many wait as there are parties.
   *
   * @param options Additional options.
   * @returns The place in the order of arrival, from 0: it is another for each.
   * @throws {BrokenBarrierError} If the barrier is broken, or is aborted or reset
   * meanwhile.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: BarrierWaitOptions = {}): Promise<number> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "wait at a barrier", signal);
    if (refused !== undefined) return refused;
    if (this.#broken) return Promise.reject(this.#fault("it is broken"));
    if (this.#complete()) {
      return frame.loop.pass(Promise.resolve(this.#parties - 1), frame);
    }
    const claim = new Claim<number>(frame, this.#label);
    this.#line.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Waiting at the barrier, as a choice of `select`. Whoever chooses otherwise frees
   * the place.
   *
   * @returns The operation; it gives the place in the order of arrival.
   */
  waitOp(): Operation<number> {
    return new Operation<number>({
      label: this.#label,
      attempt: () => {
        if (this.#broken) throw this.#fault("it is broken");
        return this.#complete() ? { value: this.#parties - 1 } : undefined;
      },
      park: (claim) => {
        // However many of its choices are this one, a caller is one party.
        const { waiter } = claim as Claim;
        if (this.#choosing.has(waiter)) return;
        this.#choosing.add(waiter);
        this.#line.push(claim as Claim);
      },
    });
  }

  /**
   * Breaks the barrier: those who wait, and all who come, get a
   * `BrokenBarrierError`, until it is reset.
   */
  abort(): void {
    this.#broken = true;
    this.#failAll("it was aborted");
  }

  /** Makes the barrier whole again; those who wait get a `BrokenBarrierError`. */
  reset(): void {
    this.#broken = false;
    this.#failAll("it was reset");
  }

  /** Lets all go on, if the one who comes is the last. */
  #complete(): boolean {
    if (this.#line.size + 1 < this.#parties) return false;
    for (let index = 0; index < this.#parties - 1; index++) {
      this.#line.shift()?.grant(index);
    }
    return true;
  }

  #failAll(why: string): void {
    for (let c = this.#line.shift(); c !== undefined; c = this.#line.shift()) {
      c.fail(this.#fault(why));
    }
  }

  #fault(why: string): BrokenBarrierError {
    return new BrokenBarrierError(`Cannot wait at ${this.#label}: ${why}`);
  }
}
