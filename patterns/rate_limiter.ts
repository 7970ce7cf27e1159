/**
 * Limits how often something happens: waits for a turn, or refuses.
 *
 * ```ts
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 *
 * const limiter = new RateLimiter({ limit: 10, perMs: 1000 });
 * const page = await limiter.run(() => "what `fn` returns");
 * console.log(page);
 * ```
 *
 * @module
 */
import { type Duration, toMs } from "../_internal/check.ts";
import type { Claim } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { defineLayers, runStep, type Step } from "./_layers.ts";
import { type GateRequest, RateGate } from "./_rate_gate.ts";
import {
  ACQUIRING,
  checkFinite,
  layerOf,
  lineOf,
  meterFor,
} from "./_rate_limiter_setup.ts";
import type {
  RateLimiterAcquireOptions,
  RateLimiterLineOptions,
  RateLimiterObserveOptions,
  RateLimiterOptions,
  RateLimiterSnapshot,
} from "./_rate_limiter_types.ts";
import type { Meter } from "./_rate_meter.ts";
import type { Policy, PolicyContext, PolicyRunOptions } from "./policy.ts";
import {
  parseRateLimitHeaders,
  type RateLimitResponse,
} from "./rate_limit_headers.ts";
import { checkCost, wholeRemaining } from "./_rate_cost.ts";
import type { RateLimitResult } from "./rate_step.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";
export type {
  RateLimiterAcquireOptions,
  RateLimiterFreezeEvent,
  RateLimiterHooks,
  RateLimiterLineOptions,
  RateLimiterObserveOptions,
  RateLimiterOptions,
  RateLimiterOverflow,
  RateLimiterSnapshot,
  RateLimiterTakeEvent,
  RateLimiterWaitEvent,
  RateLimitSnapshot,
} from "./_rate_limiter_types.ts";
export {
  RateLimitedError,
  type RateLimitedErrorOptions,
  type RateLimitedReason,
} from "./_rate_limited_error.ts";
export type {
  Rate,
  RateAlgorithm,
  RateAlgorithmFactory,
} from "./rate_algorithms.ts";
export type {
  RateLimitHeaderSource,
  RateLimitResponse,
} from "./rate_limit_headers.ts";
export type { RateLimitResult } from "./rate_step.ts";
export {
  type Policy,
  type PolicyContext,
  PolicyError,
  type PolicyErrorOptions,
  type PolicyRunOptions,
  type PolicyTypes,
} from "./policy.ts";

/** Options of a {@linkcode RateLimiter} that combines others. */
export interface CombinedRateLimiterOptions extends RateLimiterLineOptions {
  /** The limiters from which each call takes: from all at once, or from none. */
  limiters: Iterable<RateLimiter>;
}

let gateOf: (limiter: RateLimiter) => RateGate;

/**
 * Lets so much through in each stretch of time; the rest waits, or is refused.
 *
 * Who waits is served in the order of the calls. Nobody polls: each sleeps until
 * its turn, and what is taken counts from the moment at which the caller really
 * goes on, so that a thread that was blocked does not let a crowd through at once.
 * A wait that ends early leaves no trace, and those behind move up.
 *
 * By default `burst` calls pass at once after a rest, and then `limit` in each
 * `perMs`, evenly spread. Where no stretch of `perMs` may ever see more than
 * `limit`, use the algorithm `slidingWindowLog`.
 *
 * Where calls come in a rush, and the burst is 64 or more, up to a 64th of it
 * counts as taken a little later than it was, and never earlier.
 *
 * As a policy it refuses with a `RateLimitedError`, which breakers ignore.
 *
 * @example Three at once, and then one each third of a second
 * ```ts
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 * import { runVirtual } from "@ilmek/async/virtual";
 * import { assertEquals } from "@std/assert";
 *
 * const times: number[] = [];
 * await runVirtual(async (virtual) => {
 *   const limiter = new RateLimiter({ limit: 3, perMs: 1000 });
 *   for (let i = 0; i < 5; i++) {
 *     await limiter.acquire();
 *     times.push(Math.round(virtual.now));
 *   }
 * });
 *
 * assertEquals(times, [0, 0, 0, 333, 667]);
 * ```
 *
 * @example Refuse instead of waiting, and say when to come again
 * ```ts
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const limiter = new RateLimiter({ limit: 1, perMs: 60_000 });
 * const first = limiter.tryTake();
 * const second = limiter.tryTake();
 *
 * assertEquals([first.ok, second.ok], [true, false]);
 * assert(second.retryAfterMs > 59_000);
 * ```
 *
 * @example One limiter for each client
 * ```ts
 * import { keyed } from "@ilmek/async/keyed";
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 * import { assertEquals } from "@std/assert";
 *
 * const limiters = keyed((client: string) =>
 *   new RateLimiter({ name: client, limit: 100, perMs: 60_000 })
 * );
 * limiters.get("ada").tryTake(100);
 *
 * assertEquals(limiters.get("ada").tryTake().ok, false);
 * assertEquals(limiters.get("bob").tryTake().ok, true);
 * ```
 */
export class RateLimiter implements Policy {
  readonly #gate: RateGate;
  readonly #step: Step;

  static {
    gateOf = (limiter) => limiter.#gate;
  }

  /**
   * Creates a limiter of which nothing was taken.
   *
   * @param options The rate, or the limiters that it combines, and more.
   * @throws {RangeError} If a number lies outside its range.
   * @throws {TypeError} If an option has the wrong type.
   */
  constructor(options: RateLimiterOptions | CombinedRateLimiterOptions) {
    this.#gate = new RateGate(metersOf(options), lineOf(options));
    this.#step = defineLayers(this, [layerOf(this.#gate)]);
  }

  /**
   * Makes one limiter of several: what it lets through is taken from all of them
   * at once, or from none.
   *
   * Who waits for several never holds up others that could go without delaying
   * it, and is not delayed by those who came later.
   *
   * @param limiters The limiters; each stays usable by itself.
   * @param options How those who wait for all of them are kept.
   * @returns The limiter.
   * @throws {TypeError} If there is none.
   *
   * @example At most 2 each second, and 3 each minute
   * ```ts
   * import { RateLimiter } from "@ilmek/async/rate-limiter";
   * import { assertEquals } from "@std/assert";
   *
   * const both = RateLimiter.all([
   *   new RateLimiter({ limit: 2, perMs: 1000 }),
   *   new RateLimiter({ limit: 3, perMs: 60_000 }),
   * ]);
   *
   * assertEquals(both.tryTake(2).ok, true);
   * assertEquals(both.tryTake(2).ok, false);
   * ```
   */
  static all(
    limiters: Iterable<RateLimiter>,
    options: RateLimiterLineOptions = {},
  ): RateLimiter {
    return new RateLimiter({ ...options, limiters });
  }

  /** How errors and reports call it. */
  get name(): string {
    return this.#gate.options.name;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#gate.waiting;
  }

  /** How much may be taken at one moment. */
  get burst(): number {
    return this.#gate.burst;
  }

  /** How often the server has complained; see {@linkcode observeResponse}. */
  get epoch(): number {
    return this.#gate.epoch;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#gate.closed;
  }

  /** Whether it is as it was when it was made: `keyed` may drop it then. */
  get pristine(): boolean {
    const now = currentFrame().loop.time();
    return !this.closed &&
      this.#gate.meters.every((meter) => meter.isInitial(now));
  }

  /**
   * Waits for a turn.
   *
   * Who cannot have it within `maxWaitMs`, or before the deadline of the ambient
   * scope, is refused at once. A cancellation that comes after the turn changes
   * nothing: it was taken.
   *
   * @param cost How much to take.
   * @param options Additional options.
   * @throws {RateLimitedError} If the turn would come too late, the line is full,
   * or the limiter is closed.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   * @throws {CancelledError} If the ambient scope is cancelled before the turn.
   * @throws The reason of `options.signal`, if it aborts before the turn.
   */
  acquire(
    cost: number = 1,
    options: RateLimiterAcquireOptions = {},
  ): Promise<void> {
    return this.#acquire(cost, options, false) as Promise<void>;
  }

  /**
   * Waits for a turn like {@linkcode acquire}, and tells what is left after it.
   *
   * @param cost How much to take.
   * @param options Additional options.
   * @returns What is left.
   * @throws {RateLimitedError} If the turn would come too late, the line is full,
   * or the limiter is closed.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   * @throws {CancelledError} If the ambient scope is cancelled before the turn.
   * @throws The reason of `options.signal`, if it aborts before the turn.
   */
  take(
    cost: number = 1,
    options: RateLimiterAcquireOptions = {},
  ): Promise<RateLimitResult> {
    return this.#acquire(cost, options, true) as Promise<RateLimitResult>;
  }

  /**
   * Waits for a turn as one of the choices of `select`.
   *
   * If another choice is first, nothing is taken, and those behind move up.
   *
   * @param cost How much to take.
   * @param options Additional options.
   * @returns The operation, which fails as {@linkcode acquire} rejects.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   *
   * @example Take the turn of whichever limiter is first
   * ```ts
   * import { RateLimiter } from "@ilmek/async/rate-limiter";
   * import { select } from "@ilmek/async/select";
   * import { assertEquals } from "@std/assert";
   *
   * const busy = new RateLimiter({ limit: 1, perMs: 60_000 });
   * const free = new RateLimiter({ limit: 1, perMs: 60_000 });
   * busy.tryAcquire();
   * const { key } = await select({
   *   busy: busy.acquireOp(),
   *   free: free.acquireOp(),
   * });
   *
   * assertEquals(key, "free");
   * ```
   */
  acquireOp(
    cost: number = 1,
    options: Omit<RateLimiterAcquireOptions, "signal"> = {},
  ): Operation<void> {
    const gate = this.#gate;
    const request = this.#requestOf(cost, options);
    return new Operation<void>({
      label: gate.label,
      attempt: (frame) =>
        gate.attempt(frame, cost, request) ? { value: undefined } : undefined,
      park: (claim) => gate.park(claim as Claim, cost, request),
    });
  }

  /**
   * Takes if that needs no wait.
   *
   * A refusal changes nothing, and nobody who waits is overtaken.
   *
   * @param cost How much to take.
   * @returns Whether it was taken, what is left, and when to try again.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   */
  tryTake(cost: number = 1): RateLimitResult {
    checkCost(cost, this.#gate.burst, ACQUIRING);
    return this.#gate.tryTake(cost, currentFrame().loop);
  }

  /**
   * Takes if that needs no wait, and tells nothing more: the fastest way.
   *
   * @param cost How much to take.
   * @returns Whether it was taken.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   */
  tryAcquire(cost: number = 1): boolean {
    checkCost(cost, this.#gate.burst, ACQUIRING);
    if (this.#gate.takeBlindly(cost)) return true;
    const { loop } = currentFrame();
    return this.#gate.takeNow(cost, loop.time(), loop) ||
      this.#gate.tryTake(cost, loop).ok;
  }

  /**
   * Tells what {@linkcode tryTake} would say, and takes nothing.
   *
   * @param cost How much it would take.
   * @returns Whether it would be taken, and what is left now.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   */
  peek(cost: number = 1): RateLimitResult {
    checkCost(cost, this.#gate.burst, "peek into a rate limiter");
    return this.#gate.peek(cost, currentFrame().loop);
  }

  /**
   * Gives back what was taken for something that did not happen.
   *
   * @param cost How much.
   * @throws {RangeError} If `cost` is more than the burst, or not > 0.
   */
  refund(cost: number = 1): void {
    checkCost(cost, this.#gate.burst, "refund");
    const now = currentFrame().loop.time();
    for (const meter of this.#gate.meters) meter.refund(cost, now);
    this.#gate.serve();
  }

  /**
   * Lets nothing through for some time. Whoever waits already waits longer; a
   * shorter penalty does not end a longer one.
   *
   * @param ms How long.
   * @throws {RangeError} If `ms` is negative or not a number.
   */
  penalize(ms: Duration): void {
    const length = toMs(ms, "penalize");
    const { loop } = currentFrame();
    this.#gate.freeze(loop.time() + length, loop);
  }

  /** Forgets what was taken, penalties, and what servers have said. */
  reset(): void {
    const now = currentFrame().loop.time();
    for (const meter of this.#gate.meters) meter.reset(now);
    this.#gate.epoch++;
    this.#gate.serve();
  }

  /**
   * Learns from what a server has answered.
   *
   * After "Retry-After", or if "RateLimit" says that nothing is left, nothing is
   * let through until then, not even those who wait already. After a status of 429
   * the rate shrinks to 0.7 of what it was, without bursts, and comes back by a
   * tenth of the limit in each `perMs`. An answer to an old request never ends a
   * newer freeze.
   *
   * @param response The response, or what has its status and headers.
   * @param options Additional options.
   *
   * @example Do as the server says
   * ```ts
   * import { RateLimiter } from "@ilmek/async/rate-limiter";
   * import { assert } from "@std/assert";
   *
   * const limiter = new RateLimiter({ limit: 10, perMs: 1000 });
   * const { epoch } = limiter;
   * const response = new Response(null, {
   *   status: 429,
   *   headers: { "Retry-After": "30" },
   * });
   * limiter.observeResponse(response, { epoch });
   *
   * assert(limiter.tryTake().retryAfterMs > 29_000);
   * ```
   */
  observeResponse(
    response: RateLimitResponse,
    options: RateLimiterObserveOptions = {},
  ): void {
    const gate = this.#gate;
    const { epoch = gate.epoch } = options;
    const { loop } = currentFrame();
    const now = loop.time();
    const { retryAfterMs = 0 } = parseRateLimitHeaders(response.headers);
    if (retryAfterMs > 0) gate.freeze(now + retryAfterMs, loop);
    if (response.status !== 429 || epoch !== gate.epoch) return;
    gate.epoch++;
    for (const meter of gate.meters) meter.slowDown(now);
    gate.serve();
  }

  /**
   * Runs `fn` when it is its turn.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run, in the async context of the caller.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {RateLimitedError} If the turn would come too late, the line is full,
   * or the limiter is closed; `fn` is not called then.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * What can be told of the limiter at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): RateLimiterSnapshot {
    const { meters, waiting, taken, refused, epoch, closed } = this.#gate;
    const now = currentFrame().loop.time();
    const limits = meters.map((meter) => ({
      algorithm: meter.algorithm.name,
      limit: meter.algorithm.limit,
      perMs: meter.algorithm.perMs,
      burst: meter.algorithm.burst,
      remaining: wholeRemaining(meter.remaining(now)),
      frozenMs: Math.max(0, meter.frozenUntil - now),
      pace: meter.paceAt(now),
    }));
    return { name: this.name, limits, waiting, taken, refused, epoch, closed };
  }

  /**
   * Lets nothing through any more: who waits, and whoever comes, is refused with a
   * `RateLimitedError`. Closing twice does nothing.
   */
  close(): void {
    this.#gate.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Prints the name, and what is left. */
  toString(): string {
    const { limits, waiting } = this.snapshot();
    const left = limits.map(({ remaining, burst }) => `${remaining}/${burst}`);
    return `<RateLimiter "${this.name}" ${
      left.join(", ")
    }, ${waiting} waiting>`;
  }

  #acquire(
    cost: number,
    options: RateLimiterAcquireOptions,
    isDetailed: boolean,
  ): Promise<unknown> {
    try {
      const frame = currentFrame();
      const request = this.#requestOf(cost, options);
      return refusal(frame, ACQUIRING, request.signal) ??
        this.#gate.acquire(frame, cost, isDetailed, request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #requestOf(cost: number, options: RateLimiterAcquireOptions): GateRequest {
    checkCost(cost, this.#gate.burst, ACQUIRING);
    const { signal, priority = 0, tenant } = options;
    const maxWaitMs = options.maxWaitMs === undefined
      ? this.#gate.options.maxWaitMs
      : toMs(options.maxWaitMs, ACQUIRING, "maxWaitMs");
    if (priority !== 0) checkFinite(priority, ACQUIRING, "priority");
    return { maxWaitMs, priority, tenant, signal };
  }
}

function metersOf(
  options: RateLimiterOptions | CombinedRateLimiterOptions,
): readonly [Meter, ...Meter[]] {
  if (!("limiters" in options)) return [meterFor(options)];
  const gates = Array.from(options.limiters, gateOf);
  const meters = new Set(gates.flatMap(({ meters }) => meters));
  const [first, ...others] = meters;
  if (first !== undefined) return [first, ...others];
  throw new TypeError(
    'Cannot create a rate limiter as "limiters" must have at least one: current value is an empty list',
  );
}
