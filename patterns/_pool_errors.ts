import { InvalidStateError, TimeoutError } from "../_internal/errors.ts";
import { PolicyError } from "./policy.ts";

/** Thrown where a pool was closed: to those who wait, and to those who come. */
export class PoolClosedError extends PolicyError {
  static {
    this.prototype.name = "PoolClosedError";
  }

  /** Creates the error of a pool. */
  constructor(pool: string) {
    super(`Cannot acquire from the pool "${pool}": it was closed`, {
      policy: pool,
      retryAfterMs: Infinity,
    });
  }
}

/** Thrown if nothing came free in time. Its `cause` is why nothing was made. */
export class PoolTimeoutError extends TimeoutError {
  static {
    this.prototype.name = "PoolTimeoutError";
  }
  /** The name of the pool. */
  readonly policy: string;
  /** The work was never begun, as with a `PolicyError`. */
  readonly rejected = true;

  /** Creates the error of a pool, with what it looked like at that time. */
  constructor(pool: string, ms: number, state: string, options: ErrorOptions) {
    super(ms, { ...options, label: pool });
    this.policy = pool;
    this.message =
      `Cannot acquire from the pool "${pool}" in time: ${ms} ms have passed, ${state}`;
  }
}

/** What is known when a pool has nothing to give. */
export interface PoolUnavailableErrorOptions extends ErrorOptions {
  /** How many milliseconds it takes until the pool tries again. */
  retryAfterMs: number;
}

/**
 * Thrown if a pool is empty and cannot make what it is to give. Its `cause` is the
 * error of the last attempt.
 */
export class PoolUnavailableError extends PolicyError {
  static {
    this.prototype.name = "PoolUnavailableError";
  }
  /** How many milliseconds it takes until the pool tries again. */
  declare readonly retryAfterMs: number;

  /** Creates the error of a pool. */
  constructor(pool: string, options: PoolUnavailableErrorOptions) {
    const { retryAfterMs, cause } = options;
    super(
      `Cannot acquire from the pool "${pool}": its resources cannot be created`,
      { cause, policy: pool, retryAfterMs },
    );
  }
}

/** Thrown where a lease is used that was released, or taken back. */
export class PoolLeaseError extends InvalidStateError {
  static {
    this.prototype.name = "PoolLeaseError";
  }
}
