/**
 * Limiting how many calls are under way at once.
 *
 * ```ts
 * import { limit } from "@ilmek/async/limit";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * const limited = limit(2);
 * const pages = [1, 2, 3].map((n) =>
 *   limited(() => sleep(1, { value: `page ${n}` }))
 * );
 * console.log(await Promise.all(pages));
 * ```
 *
 * @module
 */
import { checkCount, checkFunction, isThenable } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";

/** Options of the calls of a {@linkcode Limited}. */
export interface LimitedOptions {
  /** Ends the wait for a place when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** A function that calls others, so many at once; see {@linkcode limit}. */
export interface Limited {
  /**
   * Calls `fn` when there is a place for it, in the caller's async context.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to call.
   * @param options Additional options.
   * @returns What `fn` returns.
   */
  <T>(
    fn: () => T | PromiseLike<T>,
    options?: LimitedOptions,
  ): Promise<T>;
  /** How many calls may be under way at once. */
  readonly concurrency: number;
  /** How many calls are under way. */
  readonly active: number;
  /** How many calls wait for a place. */
  readonly waiting: number;
}

const DONE: Promise<void> = Promise.resolve();

/**
 * Makes a function that calls others, and of which so many are under way at once.
 *
 * Calls begin in the order in which they were made. A call that is cancelled while
 * it waits never begins; one that is under way keeps its place until it has ended.
 *
 * @param concurrency How many calls may be under way at once.
 * @returns The function.
 * @throws {RangeError} If `concurrency` is not an integer >= 1.
 *
 * @example Two at a time
 * ```ts
 * import { limit } from "@ilmek/async/limit";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const limited = limit(2);
 * const calls = [1, 2, 3].map((n) => limited(() => sleep(1, { value: n })));
 * assertEquals([limited.active, limited.waiting], [2, 1]);
 *
 * assertEquals(await Promise.all(calls), [1, 2, 3]);
 * ```
 */
export function limit(concurrency: number): Limited {
  checkCount(concurrency, "create a limit", "concurrency");
  const places = new Places(concurrency);
  const limited = <T>(
    fn: () => T | PromiseLike<T>,
    options?: LimitedOptions,
  ): Promise<T> => places.call(fn, options?.signal);
  return Object.defineProperties(limited, {
    concurrency: { value: concurrency, enumerable: true },
    active: { get: () => places.active, enumerable: true },
    waiting: { get: () => places.line.size, enumerable: true },
  }) as Limited;
}

/** The places of a limit, and the line before them. */
class Places {
  readonly #concurrency: number;
  /** Invariant: empty unless all places are taken. */
  readonly line = new ClaimList();
  active = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  call<T>(
    fn: () => T | PromiseLike<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      checkFunction(fn, "call");
    } catch (error) {
      return Promise.reject(error);
    }
    const frame = currentFrame();
    const refused = refusal(frame, "call", signal);
    if (refused !== undefined) return refused;
    if (this.active < this.#concurrency) {
      this.active++;
      const passed = frame.loop.pass(DONE, frame);
      return passed === DONE ? this.#run(fn) : passed.then(() => this.#run(fn));
    }
    const claim = new Claim<void>(frame, "a place within a limit");
    this.line.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    // Whoever frees the place runs in another context; `then` keeps the caller's.
    return claim.wait().then(() => this.#run(fn));
  }

  #run<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    try {
      const result = fn();
      if (isThenable(result)) return this.#settle(result);
      this.#leave();
      return Promise.resolve(result as T);
    } catch (error) {
      this.#leave();
      return Promise.reject(error);
    }
  }

  async #settle<T>(result: PromiseLike<T>): Promise<T> {
    try {
      return await result;
    } finally {
      this.#leave();
    }
  }

  /** Gives the place to the next in line. */
  #leave(): void {
    const next = this.line.shift();
    if (next === undefined) this.active--;
    else next.grant(undefined);
  }
}
