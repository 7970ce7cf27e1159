/**
 * The ways to count a rate: pure steps over plain data, for
 * {@linkcode RateLimiter} and for stores that several processes share.
 *
 * ```ts
 * import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 *
 * const limiter = new RateLimiter({
 *   limit: 3,
 *   perMs: 1000,
 *   algorithm: slidingWindowLog,
 * });
 * await limiter.acquire();
 * ```
 *
 * @module
 */
import { Gcra, TokenBucket } from "./_rate_buckets.ts";
import {
  FixedWindow,
  SlidingWindow,
  SlidingWindowLog,
} from "./_rate_windows.ts";

/** How much is allowed in how long. */
export interface Rate {
  /** How much is allowed in each `perMs`. */
  readonly limit: number;
  /** The length of time that `limit` is for, in milliseconds. */
  readonly perMs: number;
  /** How much may be taken at one moment, after a time of rest. */
  readonly burst: number;
}

/**
 * A way to count what was taken.
 *
 * All of it is pure: a state is plain data that can be kept as JSON, and is never
 * changed, so that a limiter in one process and a script in a shared store can run
 * the same steps. Times are milliseconds of any clock that does not step back. A
 * state may lie ahead of that clock: then it holds what was booked.
 *
 * @typeParam S The state.
 */
export interface RateAlgorithm<S = unknown> extends Rate {
  /** What it is called, in kebab-case. */
  readonly name: string;
  /** The state of which nothing was taken. */
  readonly initial: S;
  /**
   * The moment from which `cost` fits, if nobody takes anything meanwhile. It has
   * come if it is not later than `now`.
   */
  readyAt(state: S, cost: number, now: number): number;
  /** The state after `cost` was taken at `now`. Whether it fits is not asked. */
  take(state: S, cost: number, now: number): S;
  /** The state after `cost` was given back. */
  refund(state: S, cost: number, now: number): S;
  /** How much fits at `now`; it may be a fraction. */
  remaining(state: S, now: number): number;
  /** The moment from which the state is like the initial one. */
  initialAt(state: S): number;
}

/** Makes the algorithm for a rate. */
export type RateAlgorithmFactory = (rate: Rate) => RateAlgorithm;

/**
 * The generic cell rate algorithm: a token bucket whose whole state is one number,
 * the moment at which the bucket will be full again.
 *
 * What is taken comes back evenly. No stretch of `w` ms sees more than
 * `burst + limit * w / perMs`.
 *
 * @param rate The rate.
 * @returns The algorithm.
 *
 * @example Tokens come back one by one
 * ```ts
 * import { gcra } from "@ilmek/async/rate-algorithms";
 * import { assertEquals } from "@std/assert";
 *
 * const algorithm = gcra({ limit: 10, perMs: 1000, burst: 2 });
 * let state = algorithm.take(algorithm.initial, 1, 5000);
 * state = algorithm.take(state, 1, 5000);
 *
 * assertEquals(algorithm.readyAt(state, 1, 5000), 5100);
 * assertEquals(algorithm.remaining(state, 5100), 1);
 * ```
 */
export function gcra(rate: Rate): RateAlgorithm<number> {
  return new Gcra(rate);
}

/** The state of {@linkcode tokenBucket}. */
export interface TokenBucketState {
  /** How many tokens there were. */
  readonly tokens: number;
  /** When that was. */
  readonly at: number;
}

/**
 * A bucket of at most `burst` tokens into which `limit` drop in each `perMs`,
 * evenly. It allows what {@linkcode gcra} allows, and shows its tokens.
 *
 * @param rate The rate.
 * @returns The algorithm.
 *
 * @example Look at the tokens
 * ```ts
 * import { tokenBucket } from "@ilmek/async/rate-algorithms";
 * import { assertEquals } from "@std/assert";
 *
 * const bucket = tokenBucket({ limit: 10, perMs: 1000, burst: 5 });
 * const state = bucket.take(bucket.initial, 2, 100);
 *
 * assertEquals(state, { tokens: 3, at: 100 });
 * assertEquals(bucket.remaining(state, 200), 4);
 * ```
 */
export function tokenBucket(rate: Rate): RateAlgorithm<TokenBucketState> {
  return new TokenBucket(rate);
}

/** The state of {@linkcode slidingWindowLog}. */
export interface SlidingWindowLogState {
  /** Moments and costs by turns, oldest first; those before `from` have left. */
  readonly log: readonly number[];
  /** Where in `log` the window begins. */
  readonly from: number;
  /** Where in `log` the window ends. */
  readonly to: number;
  /** The sum of the costs in the window. */
  readonly used: number;
}

/**
 * Remembers each take until it is `perMs` old.
 *
 * It is exact: no stretch of `perMs` sees more than `limit`, wherever it begins.
 * It needs memory for every take in the window.
 *
 * @param rate The rate. Its `burst` is the limit.
 * @returns The algorithm.
 * @throws {RangeError} If `rate.burst` is not the limit.
 *
 * @example The oldest makes room when it is one window old
 * ```ts
 * import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
 * import { assertEquals } from "@std/assert";
 *
 * const log = slidingWindowLog({ limit: 2, perMs: 1000, burst: 2 });
 * let state = log.take(log.initial, 1, 100);
 * state = log.take(state, 1, 900);
 *
 * assertEquals(log.readyAt(state, 1, 900), 1100);
 * assertEquals(log.readyAt(state, 2, 900), 1900);
 * ```
 */
export function slidingWindowLog(
  rate: Rate,
): RateAlgorithm<SlidingWindowLogState> {
  return new SlidingWindowLog(rate);
}

/** The state of {@linkcode slidingWindow}. */
export interface SlidingWindowState {
  /** When the present window began. */
  readonly start: number;
  /** How much was taken in the window before it. */
  readonly previous: number;
  /** How much was taken in the present one. */
  readonly used: number;
}

/**
 * Two counters: that of the present window, and that of the one before, which
 * counts the less the more the present one has advanced.
 *
 * It is cheap, and an estimate: it takes what came in the window before as spread
 * evenly. Traffic that is not may get through up to twice the limit.
 *
 * @param rate The rate. Its `burst` is the limit.
 * @returns The algorithm.
 * @throws {RangeError} If `rate.burst` is not the limit.
 *
 * @example The window before fades out
 * ```ts
 * import { slidingWindow } from "@ilmek/async/rate-algorithms";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = slidingWindow({ limit: 10, perMs: 1000, burst: 10 });
 * const state = counter.take(counter.initial, 10, 0);
 *
 * assertEquals(counter.readyAt(state, 1, 900), 1100);
 * assertEquals(counter.remaining(state, 1500), 5);
 * ```
 */
export function slidingWindow(rate: Rate): RateAlgorithm<SlidingWindowState> {
  return new SlidingWindow(rate);
}

/** The state of {@linkcode fixedWindow}. */
export interface FixedWindowState {
  /** When the window began. */
  readonly start: number;
  /** How much was taken in it. */
  readonly used: number;
}

/**
 * One counter that begins anew at each multiple of `perMs`.
 *
 * It is what many servers do. Around such a moment twice the limit can get
 * through in no time; the other algorithms do not allow that.
 *
 * @param rate The rate. Its `burst` is the limit.
 * @returns The algorithm.
 * @throws {RangeError} If `rate.burst` is not the limit.
 *
 * @example All is there again when the next window begins
 * ```ts
 * import { fixedWindow } from "@ilmek/async/rate-algorithms";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = fixedWindow({ limit: 10, perMs: 1000, burst: 10 });
 * const state = counter.take(counter.initial, 10, 999);
 *
 * assertEquals(counter.readyAt(state, 10, 999), 1000);
 * assertEquals(counter.remaining(state, 1000), 10);
 * ```
 */
export function fixedWindow(rate: Rate): RateAlgorithm<FixedWindowState> {
  return new FixedWindow(rate);
}
