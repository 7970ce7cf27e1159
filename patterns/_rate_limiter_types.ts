import type { Duration } from "../_internal/check.ts";
import type { RateLimitedError } from "./_rate_limited_error.ts";
import type { RateAlgorithmFactory } from "./rate_algorithms.ts";

/** What is done with one more caller when the line is full. */
export type RateLimiterOverflow = "reject" | "drop-oldest" | "drop-lowest";

/** A take, as `onTake` learns of it. */
export interface RateLimiterTakeEvent {
  /** How much was taken. */
  readonly cost: number;
  /** How long the caller has waited. */
  readonly waitedMs: number;
  /** How much is left. */
  readonly remaining: number;
}

/** The begin of a wait, as `onWait` learns of it. */
export interface RateLimiterWaitEvent {
  /** How much is waited for. */
  readonly cost: number;
  /** For how long, as it looks now. */
  readonly waitMs: number;
}

/** A freeze, as `onFreeze` learns of it. */
export interface RateLimiterFreezeEvent {
  /** For how long nothing is let through from now on. */
  readonly ms: number;
}

/**
 * Who is told of what a limiter does, after it was done. What a hook throws goes
 * to the exception handler of the loop.
 */
export interface RateLimiterHooks {
  /** Called when something was let through. */
  onTake?: (event: RateLimiterTakeEvent) => void;
  /** Called when something was refused. */
  onReject?: (error: RateLimitedError) => void;
  /** Called when somebody begins to wait. */
  onWait?: (event: RateLimiterWaitEvent) => void;
  /** Called when nothing is let through for some time. */
  onFreeze?: (event: RateLimiterFreezeEvent) => void;
}

/** How a limiter keeps those who wait. */
export interface RateLimiterLineOptions extends RateLimiterHooks {
  /**
   * How errors and reports call it.
   *
   * @default {"rate-limiter"}
   */
  name?: string;
  /**
   * How long a caller waits at most; 0 refuses at once what cannot go at once.
   *
   * @default {Infinity}
   */
  maxWaitMs?: Duration;
  /**
   * How many may wait.
   *
   * @default {1024}
   */
  maxQueue?: number;
  /**
   * Who is refused when the line is full: the newcomer, the one who has waited
   * longest, or the last in line by priority.
   *
   * @default {"reject"}
   */
  overflow?: RateLimiterOverflow;
  /**
   * How long one must have waited to go before a newcomer whose priority is higher
   * by 1.
   *
   * @default {1000}
   */
  agingMs?: Duration;
}

/** Options of `RateLimiter`. */
export interface RateLimiterOptions extends RateLimiterLineOptions {
  /** How much is allowed in each `perMs`. */
  limit: number;
  /** The length of time that `limit` is for. */
  perMs: Duration;
  /**
   * How much may be taken at one moment, after a time of rest.
   *
   * @default {limit}
   */
  burst?: number;
  /**
   * How to count: `gcra`, `tokenBucket`, `slidingWindowLog`, `slidingWindow` or
   * `fixedWindow` of `rate-algorithms`, or one of your own.
   *
   * @default {gcra}
   */
  algorithm?: RateAlgorithmFactory;
}

/** Options of `RateLimiter.acquire` and `RateLimiter.take`. */
export interface RateLimiterAcquireOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
  /** How long to wait at most. The default is that of the limiter. */
  maxWaitMs?: Duration;
  /**
   * Who has a higher one goes before others who came at the same time.
   *
   * @default {0}
   */
  priority?: number;
  /** For whom it is: while many wait, tenants take turns. */
  tenant?: unknown;
}

/** Options of `RateLimiter.observeResponse`. */
export interface RateLimiterObserveOptions {
  /**
   * What `RateLimiter.epoch` was when the request was sent. An answer to
   * a request of an earlier epoch does not slow down once more.
   */
  epoch?: number;
}

/** What `RateLimiter.snapshot` tells. */
export interface RateLimiterSnapshot {
  /** What errors and reports call it. */
  readonly name: string;
  /** Each limit: how it is counted, and what is left of it. */
  readonly limits: readonly RateLimitSnapshot[];
  /** How many callers wait. */
  readonly waiting: number;
  /** How many calls were let through. */
  readonly taken: number;
  /** How many calls were refused. */
  readonly refused: number;
  /** How often the server has complained. */
  readonly epoch: number;
  /** Whether it was closed. */
  readonly closed: boolean;
}

/** One limit in a {@linkcode RateLimiterSnapshot}. */
export interface RateLimitSnapshot {
  /** The name of the algorithm. */
  readonly algorithm: string;
  /** How much is allowed in each `perMs`. */
  readonly limit: number;
  /** The length of time that `limit` is for. */
  readonly perMs: number;
  /** How much may be taken at one moment. */
  readonly burst: number;
  /** How much is left. */
  readonly remaining: number;
  /** For how long nothing is let through. */
  readonly frozenMs: number;
  /** Which part of the rate is in use, from 0 to 1. */
  readonly pace: number;
}
