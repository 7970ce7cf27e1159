/**
 * Semaphores: only so many at a time.
 *
 * ```ts
 * import { Semaphore } from "@ilmek/async/semaphore";
 *
 * const semaphore = new Semaphore(3);
 * await semaphore.run(() => {
 *   // At most three are in here.
 * });
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  checkMoment,
  type Duration,
  isThenable,
  toMs,
} from "../_internal/check.ts";
import { Claim } from "../_internal/claim.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import type { Permit } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { labelOf } from "./_ownership.ts";
import { checkShares, type Need, Shares } from "./_shares.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";
export { SemaphoreReleaseError } from "./_shares.ts";

const DONE: Promise<void> = Promise.resolve();

/** Options of {@linkcode BoundedSemaphore}. */
export interface BoundedSemaphoreOptions {
  /** How reports and errors call the semaphore. */
  name?: string;
  /**
   * How long one must have waited to be served like a newcomer whose priority is
   * higher by one. With `Infinity` a low priority may wait for ever.
   *
   * @default {Infinity}
   */
  agingMs?: Duration;
}

/** Options of {@linkcode Semaphore}. */
export interface SemaphoreOptions extends BoundedSemaphoreOptions {
  /**
   * How many permits there may be at most; to release more is an error.
   *
   * @default {Infinity}
   */
  max?: number;
}

/** Options of {@linkcode Semaphore.acquire}. */
export interface SemaphoreAcquireOptions {
  /**
   * Who has more is served first; among equals, whoever came first.
   *
   * @default {0}
   */
  priority?: number;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Semaphore.run}. */
export interface SemaphoreRunOptions extends SemaphoreAcquireOptions {
  /**
   * How many permits are taken.
   *
   * @default {1}
   */
  count?: number;
}

/**
 * A number of permits, which callers take and give back.
 *
 * Whoever waits is served in the order of the calls. One who waits for several
 * gets all of them at once, and keeps those behind from overtaking meanwhile. A
 * wait that is cancelled leaves the line, and holds nothing.
 *
 * Nobody owns a permit: `release()` adds one wherever it is called, also beyond
 * the number at the beginning. Permits of `using` are given back once.
 *
 * @example At most two at a time
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { Semaphore } from "@ilmek/async/semaphore";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const semaphore = new Semaphore(2);
 * let inside = 0;
 * let most = 0;
 * const work = async () => {
 *   using _permit = await semaphore.acquire();
 *   most = Math.max(most, ++inside);
 *   await sleep(1);
 *   inside--;
 * };
 * await gather([work, work, work, work]);
 *
 * assertEquals(most, 2);
 * ```
 */
export class Semaphore {
  readonly #shares: Shares;
  readonly #agingMs: number;

  /**
   * Creates a semaphore.
   *
   * @param value How many permits there are at the beginning.
   * @param options Additional options.
   * @throws {RangeError} If `value` is not an integer >= 0, or above `options.max`.
   */
  constructor(value = 1, options: SemaphoreOptions = {}) {
    const { name, agingMs = Infinity, max = Infinity } = options;
    const doing = "create a semaphore";
    checkCount(value, doing, "value", 0);
    checkCount(max, doing, "max", 0);
    if (value > max) {
      throw new RangeError(
        `Cannot ${doing} as "value" must be an integer <= ${max}: current value is ${value}`,
      );
    }
    this.#agingMs = toMs(agingMs, doing, "agingMs");
    if (this.#agingMs === 0) {
      throw new RangeError(
        `Cannot ${doing} as "agingMs" must be a number > 0: current value is 0`,
      );
    }
    this.#shares = new Shares(labelOf("semaphore", name), value, max);
  }

  /** Whether a caller would have to wait for a permit. */
  get locked(): boolean {
    return this.#shares.free === 0 || this.waiting > 0;
  }

  /** How many permits nobody holds. */
  get available(): number {
    return this.#shares.free;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#shares.line.size;
  }

  /**
   * Waits for a permit, or for several at once.
   *
   * @param count How many.
   * @param options Additional options.
   * @returns One permit, which stands for all of them.
   * @throws {RangeError} If `count` is not an integer >= 1, or there can never be
   * so many.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  acquire(
    count = 1,
    options: SemaphoreAcquireOptions = {},
  ): Promise<Permit> {
    const { priority = 0, signal } = options;
    let need: Need;
    try {
      need = this.#need(count, priority);
    } catch (error) {
      return Promise.reject(error);
    }
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a permit", signal);
    if (refused !== undefined) return refused;
    const permit = this.#shares.tryTake(need);
    return permit === undefined
      ? this.#wait(frame, need, signal)
      : frame.loop.pass(Promise.resolve(permit), frame);
  }

  /**
   * Takes a permit, or several, if they are there and nobody waits for them.
   *
   * @param count How many.
   * @returns One permit for all, or `undefined`.
   * @throws {RangeError} If `count` is not an integer >= 1, or there can never be
   * so many.
   */
  tryAcquire(count = 1): Permit | undefined {
    const need = this.#need(count, 0);
    // Whoever does not wait comes after all who do.
    return this.waiting > 0 ? undefined : this.#shares.tryTake(need);
  }

  /**
   * Taking permits, as a choice of `select`.
   *
   * @param count How many.
   * @param options Additional options.
   * @returns The operation; it gives one permit for all.
   * @throws {RangeError} If `count` is not an integer >= 1, or there can never be
   * so many.
   *
   * @example Take whichever is free
   * ```ts
   * import { select } from "@ilmek/async/select";
   * import { Semaphore } from "@ilmek/async/semaphore";
   * import { assertEquals } from "@std/assert";
   *
   * const [near, far] = [new Semaphore(0), new Semaphore(1)];
   * const { key, value: permit } = await select({
   *   near: near.acquireOp(),
   *   far: far.acquireOp(),
   * });
   * permit.release();
   *
   * assertEquals(key, "far");
   * ```
   */
  acquireOp(
    count = 1,
    options: Pick<SemaphoreAcquireOptions, "priority"> = {},
  ): Operation<Permit> {
    const { priority = 0 } = options;
    this.#need(count, priority);
    return new Operation<Permit>({
      label: this.#shares.label,
      attempt: () => {
        const permit = this.#shares.tryTake(this.#need(count, priority));
        return permit === undefined ? undefined : { value: permit };
      },
      park: (claim) =>
        this.#shares.park(
          claim as Claim,
          this.#need(count, priority),
        ),
    });
  }

  /**
   * Adds a permit, or several, and serves those who wait.
   *
   * @param count How many.
   * @throws {RangeError} If `count` is not an integer >= 1.
   * @throws {SemaphoreReleaseError} If there would be more than `max`.
   */
  release(count = 1): void {
    if (count !== 1) checkShares(count, "release permits", Infinity);
    this.#shares.give(count);
  }

  /**
   * Runs `fn` while holding a permit, or several.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode Semaphore.acquire} throws.
   */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    options: SemaphoreRunOptions = {},
  ): Promise<T> {
    checkFunction(fn, "run with a permit");
    const { count = 1, priority = 0, signal } = options;
    const need = this.#need(count, priority);
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a permit", signal);
    if (refused !== undefined) return refused;
    let permit = this.#shares.tryTake(need);
    if (permit === undefined) permit = await this.#wait(frame, need, signal);
    else await frame.loop.pass(DONE, frame);
    try {
      const result = fn();
      return isThenable(result) ? await result : result;
    } finally {
      permit.release();
    }
  }

  #wait(
    frame: Frame,
    need: Need,
    signal: AbortSignal | undefined,
  ): Promise<Permit> {
    const claim = new Claim<Permit>(frame, this.#shares.label);
    this.#shares.park(claim as Claim, need);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  #need(count: number, priority: number): Need {
    const { max } = this.#shares;
    if (count !== 1 || max < 1) checkShares(count, "acquire permits", max);
    if (priority !== 0) {
      checkMoment(priority, "acquire a permit", '"priority"');
    }
    // Who waits gains on newcomers at the same rate: the order never changes.
    const age = this.#agingMs === Infinity
      ? 0
      : currentFrame().loop.time() / this.#agingMs;
    return this.#shares.need(count, age - priority);
  }
}

/**
 * A semaphore that never has more permits than at the beginning.
 *
 * @example Find a permit that is given back twice
 * ```ts
 * import {
 *   BoundedSemaphore,
 *   SemaphoreReleaseError,
 * } from "@ilmek/async/semaphore";
 * import { assertThrows } from "@std/assert";
 *
 * const semaphore = new BoundedSemaphore(1);
 * await semaphore.acquire();
 * semaphore.release();
 *
 * assertThrows(() => semaphore.release(), SemaphoreReleaseError);
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  /**
   * Creates a semaphore.
   *
   * @param value How many permits there are, at the beginning and at most.
   * @param options Additional options.
   * @throws {RangeError} If `value` is not an integer >= 0.
   */
  constructor(value = 1, options: BoundedSemaphoreOptions = {}) {
    super(value, { ...options, max: value });
  }
}
