import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom } from "../_internal/random.ts";

/** How small the limit of a wait may be that all callers of a pool share. */
const MIN_ACQUIRE_TIMEOUT_MS = 250;

/**
 * Options of `ResourcePool`.
 *
 * Hooks run outside of the scopes of those who acquire, and each is limited in
 * time; when that is over, the ambient scope of the hook is cancelled.
 *
 * @typeParam T The type of the resources.
 */
export interface ResourcePoolOptions<T> {
  /**
   * How reports and errors call the pool.
   *
   * @default {"pool"}
   */
  name?: string;
  /**
   * How many resources there may be, counted from the creation until they are
   * destroyed.
   *
   * @default {10}
   */
  max?: number;
  /**
   * How many resources are kept. They are created with the pool.
   *
   * @default {0}
   */
  min?: number;
  /**
   * Ends a resource.
   *
   * @default {calls Symbol.asyncDispose or Symbol.dispose, if it is there}
   */
  destroy?: (resource: T) => void | PromiseLike<void>;
  /**
   * Tells whether a resource is still fit for use. To throw means that it is not.
   * It is asked before a resource is given away that was not used for
   * `validateAfterMs`.
   */
  validate?: (resource: T) => boolean | PromiseLike<boolean>;
  /** Makes a resource ready for the next user. If it throws, it is destroyed. */
  reset?: (resource: T) => void | PromiseLike<void>;
  /**
   * Tells whether a resource that failed with this error must be destroyed.
   *
   * @default {() => false}
   */
  isFatal?: (error: unknown) => boolean;
  /**
   * Which idle resource is given away: `lifo` lets the pool shrink, `fifo` uses
   * all of them in turn.
   *
   * @default {"lifo"}
   */
  order?: "lifo" | "fifo";
  /**
   * How long callers wait, at least 250; `null` for ever.
   *
   * @default {30_000}
   */
  acquireTimeoutMs?: Duration | null;
  /**
   * How long a resource above `min` may be idle; `null` for ever.
   *
   * @default {600_000}
   */
  idleMs?: Duration | null;
  /**
   * How old a resource may become, less up to 2.5 % by chance, so that not all
   * expire together; `null` for ever.
   *
   * @default {1_800_000}
   */
  maxLifetimeMs?: Duration | null;
  /**
   * How often an idle resource is validated, less up to 10 % by chance.
   *
   * @default {null, which is never}
   */
  keepaliveMs?: Duration | null;
  /**
   * How long after its last use a resource is given away without a validation.
   *
   * @default {500}
   */
  validateAfterMs?: Duration;
  /**
   * How long a creation may take. A resource that comes later is destroyed.
   *
   * @default {30_000}
   */
  createTimeoutMs?: Duration;
  /**
   * How long a validation or a reset may take.
   *
   * @default {5000}
   */
  validateTimeoutMs?: Duration;
  /**
   * How long a destruction may take. After that its place is free again.
   *
   * @default {5000}
   */
  destroyTimeoutMs?: Duration;
  /**
   * How many resources may be created at the same time.
   *
   * @default {2}
   */
  createConcurrency?: number;
  /**
   * How many more attempts are made after a failed creation, before those who wait
   * are told.
   *
   * @default {2}
   */
  createRetries?: number;
  /**
   * How long the pause after the first failed creation is. It doubles, up to
   * `maxBackoffMs`, and is up to one half shorter by chance.
   *
   * @default {100}
   */
  backoffMs?: Duration;
  /**
   * How long a pause between attempts can become.
   *
   * @default {10_000}
   */
  maxBackoffMs?: Duration;
  /**
   * After how long the loop's exception handler is told of a lease that is still
   * held, with where it was acquired.
   *
   * @default {null, which is never}
   */
  leakAfterMs?: Duration | null;
  /**
   * After how long a lease is taken back, and its resource destroyed.
   *
   * @default {null, which is never}
   */
  maxLeaseMs?: Duration | null;
  /** Where chance comes from: numbers from 0 up to 1. */
  random?: () => number;
}

/** Options that were checked, with durations as numbers. */
export type PoolPlan<T> =
  & {
    readonly [
      K in Exclude<
        keyof ResourcePoolOptions<T>,
        "validate" | "reset" | `${string}Ms`
      >
    ]-?: ResourcePoolOptions<T>[K] & NonNullable<unknown>;
  }
  & {
    readonly [K in Extract<keyof ResourcePoolOptions<T>, `${string}Ms`>]-?:
      number;
  }
  & {
    readonly create: () => T | PromiseLike<T>;
    readonly validate: ResourcePoolOptions<T>["validate"];
    readonly reset: ResourcePoolOptions<T>["reset"];
  };

const DOING = "create a pool";

/** Checks the options of a pool. */
export function planOf<T>(
  create: () => T | PromiseLike<T>,
  options: ResourcePoolOptions<T>,
): PoolPlan<T> {
  const { name = "pool", destroy = dispose, isFatal = never } = options;
  const { validate, reset, random = defaultRandom } = options;
  const { max = 10, min = 0, order = "lifo" } = options;
  const { createConcurrency = 2, createRetries = 2 } = options;
  checkFunction(create, DOING, "create");
  checkFunction(destroy, DOING, "destroy");
  checkFunction(isFatal, DOING, "isFatal");
  checkFunction(random, DOING, "random");
  if (validate !== undefined) checkFunction(validate, DOING, "validate");
  if (reset !== undefined) checkFunction(reset, DOING, "reset");
  checkCount(max, DOING, "max");
  checkCount(min, DOING, "min", 0);
  if (min > max) {
    throw new RangeError(
      `Cannot create a pool as "min" must be at most "max", which is ${max}: current value is ${min}`,
    );
  }
  if (order !== "lifo" && order !== "fifo") {
    throw new TypeError(
      `Cannot create a pool as "order" must be "lifo" or "fifo": current value is ${
        show(order)
      }`,
    );
  }
  const times = timesOf(options);
  if (times.keepaliveMs !== Infinity && validate === undefined) {
    throw new TypeError(
      'Cannot create a pool as "keepaliveMs" needs "validate": it is undefined',
    );
  }
  return {
    ...{ create, destroy, validate, reset, isFatal, random },
    ...{ name, max, min, order },
    createConcurrency: checkCount(
      createConcurrency,
      DOING,
      "createConcurrency",
    ),
    createRetries: checkCount(createRetries, DOING, "createRetries", 0),
    ...times,
  };
}

type Times = Pick<
  PoolPlan<unknown>,
  Extract<keyof PoolPlan<unknown>, `${string}Ms`>
>;

function timesOf(options: ResourcePoolOptions<never>): Times {
  const { acquireTimeoutMs = 30_000, idleMs = 600_000 } = options;
  const { maxLifetimeMs = 1_800_000, keepaliveMs = null } = options;
  const { validateAfterMs = 500, createTimeoutMs = 30_000 } = options;
  const { validateTimeoutMs = 5000, destroyTimeoutMs = 5000 } = options;
  const { backoffMs = 100, maxBackoffMs = 10_000 } = options;
  const { leakAfterMs = null, maxLeaseMs = null } = options;
  const limit = (value: Duration | null, name: string): number =>
    toLimitMs(value, DOING, name);
  const length = (value: Duration, name: string): number =>
    toMs(value, DOING, name);
  const acquireMs = limit(acquireTimeoutMs, "acquireTimeoutMs");
  if (acquireMs < MIN_ACQUIRE_TIMEOUT_MS) {
    throw new RangeError(
      `Cannot create a pool as "acquireTimeoutMs" must be >= ${MIN_ACQUIRE_TIMEOUT_MS}: current value is ${acquireMs}`,
    );
  }
  return {
    acquireTimeoutMs: acquireMs,
    idleMs: limit(idleMs, "idleMs"),
    maxLifetimeMs: limit(maxLifetimeMs, "maxLifetimeMs"),
    keepaliveMs: limit(keepaliveMs, "keepaliveMs"),
    validateAfterMs: length(validateAfterMs, "validateAfterMs"),
    createTimeoutMs: length(createTimeoutMs, "createTimeoutMs"),
    validateTimeoutMs: length(validateTimeoutMs, "validateTimeoutMs"),
    destroyTimeoutMs: length(destroyTimeoutMs, "destroyTimeoutMs"),
    backoffMs: length(backoffMs, "backoffMs"),
    maxBackoffMs: length(maxBackoffMs, "maxBackoffMs"),
    leakAfterMs: limit(leakAfterMs, "leakAfterMs"),
    maxLeaseMs: limit(maxLeaseMs, "maxLeaseMs"),
  };
}

function never(): boolean {
  return false;
}

function dispose(resource: unknown): void | PromiseLike<void> {
  if (typeof resource !== "object" || resource === null) return;
  const { [Symbol.asyncDispose]: end, [Symbol.dispose]: endNow } =
    resource as Partial<AsyncDisposable & Disposable>;
  if (end !== undefined) return end.call(resource);
  endNow?.call(resource);
}
