/**
 * A pool of resources that are costly to make and can be used by one at a time.
 *
 * ```ts ignore
 * const pool = new ResourcePool(() => connect(url), { max: 5 });
 * {
 *   await using lease = await pool.acquire();
 *   await lease.resource.query("select 1");
 * }
 * await pool.close();
 * ```
 *
 * @module
 */
import {
  checkFunction,
  type Duration,
  show,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { PoolCore, type PoolHolding } from "./_pool_core.ts";
import { isLeaseOf, type PoolLease } from "./_pool_lease.ts";
import { planOf, type ResourcePoolOptions } from "./_pool_options.ts";
import type { PoolSnapshot } from "./_pool_stats.ts";

export type { Duration } from "../_internal/check.ts";
export type { PoolHolding } from "./_pool_core.ts";
export {
  PoolClosedError,
  PoolLeaseError,
  PoolTimeoutError,
  PoolUnavailableError,
  type PoolUnavailableErrorOptions,
} from "./_pool_errors.ts";
export { PoolLease } from "./_pool_lease.ts";
export type { ResourcePoolOptions } from "./_pool_options.ts";
export type { PoolHistogram, PoolSnapshot } from "./_pool_stats.ts";

/** Options of {@linkcode ResourcePool.acquire} and {@linkcode ResourcePool.use}. */
export interface PoolAcquireOptions {
  /** How long to wait, instead of what the pool says; `null` for ever. */
  timeoutMs?: Duration | null;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode ResourcePool.close}. */
export interface PoolCloseOptions {
  /**
   * How long resources may stay in use. After that their leases are taken back.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/** What {@linkcode ResourcePool.close} has found. */
export interface PoolCloseReport {
  /** What was still in use when the grace was over. */
  readonly held: readonly PoolHolding[];
}

const NO_OPTIONS: PoolAcquireOptions = {};

/**
 * A pool of resources, each used by one holder at a time.
 *
 * - Never more than `max` exist, from the first step of the creation until the
 *   destruction is done.
 * - Whoever waits is served in the order of the calls: what is given back goes to
 *   the first in line at once. A wait that ends early takes nothing along.
 * - Resources are created outside of the scopes of those who wait. If a caller gives
 *   up, the resource goes to the next.
 * - If creations fail, the whole pool pauses, and tries again one at a time. When
 *   `createRetries` are used up and nothing is in use, those who wait get the cause
 *   at once.
 * - An idle resource is validated before it is given away, and ends when it is idle
 *   for too long, too old, or when the process was asleep.
 *
 * @typeParam T The type of the resources.
 *
 * @example Share two connections between many callers
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { ResourcePool } from "@ilmek/async/resource-pool";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * let made = 0;
 * await using pool = new ResourcePool(() => ({ id: ++made }), { max: 2 });
 * const work = () => pool.use(({ id }) => sleep(1, { value: id }));
 * await gather([work, work, work, work, work]);
 *
 * assertEquals(made, 2);
 * assertEquals(pool.idle, 2);
 * ```
 */
export class ResourcePool<T> implements AsyncDisposable {
  readonly #core: PoolCore<T>;
  #held: PoolHolding[] = [];

  /**
   * Creates a pool.
   *
   * @param create Makes a resource.
   * @param options Additional options.
   * @throws {TypeError} If a function or an option has the wrong type.
   * @throws {RangeError} If a number lies outside its range.
   */
  constructor(
    create: () => T | PromiseLike<T>,
    options: ResourcePoolOptions<T> = {},
  ) {
    this.#core = new PoolCore(currentFrame(), planOf(create, options));
    if (this.#core.plan.min > 0) this.#core.changed();
  }

  /** How reports and errors call the pool. */
  get name(): string {
    return this.#core.name;
  }

  /** How many resources there may be. */
  get max(): number {
    return this.#core.plan.max;
  }

  /** How many places are taken, from the creation until the end. */
  get size(): number {
    return this.#core.entries.size;
  }

  /** How many resources wait to be used. */
  get idle(): number {
    return this.#core.idle;
  }

  /** How many resources are in use. */
  get leased(): number {
    return this.#core.leased;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** Whether the pool was closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /**
   * Waits for a resource.
   *
   * @param options Additional options.
   * @returns The lease, to be released by the caller.
   * @throws {PoolTimeoutError} If nothing comes free in time.
   * @throws {PoolUnavailableError} If the pool is empty, and creations fail.
   * @throws {PoolClosedError} If the pool is closed, also while it waits.
   * @throws {RangeError} If `options.timeoutMs` is negative or not a number.
   * @throws {CancelledError} If the ambient scope is cancelled before the grant.
   * @throws The reason of `options.signal`, if it aborts before the grant.
   */
  acquire(options: PoolAcquireOptions = NO_OPTIONS): Promise<PoolLease<T>> {
    const { timeoutMs, signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a resource", signal);
    if (refused !== undefined) return refused;
    const core = this.#core;
    let ms = core.plan.acquireTimeoutMs;
    if (timeoutMs !== undefined) {
      try {
        ms = toLimitMs(timeoutMs, "acquire a resource", "timeoutMs");
      } catch (fault) {
        return Promise.reject(fault);
      }
    }
    const lease = core.take(frame);
    if (lease === undefined) return core.wait(frame, ms, signal);
    return frame.loop.pass(Promise.resolve(lease), frame);
  }

  /**
   * Takes an idle resource at once. One that has to be validated first counts as
   * idle only if `validate` answers without a promise.
   *
   * @returns The lease, or `undefined` if there is none, or others wait.
   */
  tryAcquire(): PoolLease<T> | undefined {
    return this.#core.take(currentFrame());
  }

  /**
   * Calls `fn` with a resource, which is released when `fn` has ended.
   *
   * @typeParam R What `fn` returns.
   * @param fn What to do; its error is looked at by `isFatal`.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `acquire` and `fn` throw.
   *
   * @example Destroy what has failed for good
   * ```ts
   * import { ResourcePool } from "@ilmek/async/resource-pool";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * await using pool = new ResourcePool(() => ({}), {
   *   isFatal: (error) => error instanceof TypeError,
   * });
   * await assertRejects(() =>
   *   pool.use(() => {
   *     throw new TypeError("broken pipe");
   *   })
   * );
   *
   * assertEquals(pool.idle, 0);
   * ```
   */
  async use<R>(
    fn: (resource: T) => R | PromiseLike<R>,
    options: PoolAcquireOptions = NO_OPTIONS,
  ): Promise<R> {
    checkFunction(fn, "use a resource");
    const lease = await this.acquire(options);
    let failure: { readonly error: unknown } | undefined;
    try {
      return await fn(lease.resource);
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      if (!lease.released) lease.release(failure?.error);
    }
  }

  /**
   * Gives a lease back; see {@linkcode PoolLease.release}.
   *
   * @param lease The lease.
   * @param error Why the use of the resource has failed, if it has.
   * @throws {TypeError} If it is not a lease of this pool.
   */
  release(lease: PoolLease<T>, error?: unknown): void {
    if (!isLeaseOf(lease, this.#core)) {
      throw new TypeError(
        `Cannot release into the pool "${this.name}" as "lease" must be a lease of it: current value is ${
          show(lease)
        }`,
      );
    }
    lease.release(error);
  }

  /** What the pool looks like, and what it has done. To look changes nothing. */
  snapshot(): PoolSnapshot {
    return this.#core.snapshot();
  }

  /**
   * Closes the pool: refuses whoever waits or comes, ends what is idle, waits until
   * the rest was given back and is destroyed, and takes back what is not in time.
   *
   * It also runs to its end in a scope that was cancelled. Closing twice waits twice.
   *
   * @param options Additional options.
   * @returns What was still in use when the grace was over.
   * @throws {RangeError} If `options.graceMs` is negative or not a number.
   */
  async close(options: PoolCloseOptions = {}): Promise<PoolCloseReport> {
    const { graceMs = 5000 } = options;
    const ms = toMs(graceMs, "close a pool", "graceMs");
    const core = this.#core;
    core.shut();
    await uncancellable(async () => {
      await moveOnAfter(ms, () => core.gone(currentFrame()));
      this.#held.push(...core.revokeAll());
      await core.gone(currentFrame());
    }, { name: `the end of the pool "${this.name}"`, graceMs: Infinity });
    return { held: [...this.#held] };
  }

  /** Closes the pool. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
