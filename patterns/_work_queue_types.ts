import type { Duration } from "../_internal/check.ts";
import { PolicyError } from "./policy.ts";

/** Options of `WorkQueue`. */
export interface WorkQueueOptions<T> {
  /**
   * How many items may be in the queue, with those that are being worked on; more
   * are refused.
   *
   * @default {10000}
   */
  capacity?: number;
  /**
   * How long whoever got an item may keep it before somebody else does.
   *
   * @default {30000}
   */
  leaseMs?: Duration;
  /**
   * How often an item is handed out. After that it is dead.
   *
   * @default {5}
   */
  maxAttempts?: number;
  /**
   * How long an item that failed waits; a function gets the number of the attempt.
   *
   * @default {0}
   */
  retryDelayMs?: Duration | ((attempt: number) => Duration);
  /** Called when an item is dead, after it was put aside. */
  onDead?: (letter: DeadLetter<T>) => void;
  /**
   * How many dead items are kept; the oldest go first.
   *
   * @default {1000}
   */
  maxDead?: number;
  /**
   * How reports call the queue.
   *
   * @default {"work"}
   */
  name?: string;
}

/** Options of `WorkQueue.put`. */
export interface WorkQueuePutOptions {
  /**
   * How long the item waits before it can be got.
   *
   * @default {0}
   */
  delayMs?: Duration;
  /**
   * Items of a higher priority go first. Among equals the first comes first.
   *
   * @default {0}
   */
  priority?: number;
}

/** Options of the waits of a `WorkQueue`. */
export interface WorkQueueWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `WorkQueue.process`. */
export interface WorkQueueProcessOptions extends WorkQueueWaitOptions {
  /**
   * How many items are worked on at once.
   *
   * @default {1}
   */
  concurrency?: number;
}

/** Options of `WorkDelivery.nack`. */
export interface WorkDeliveryNackOptions {
  /** What went wrong: it is kept, should the item die. */
  error?: unknown;
  /** How long the item waits, in place of what the queue says. */
  delayMs?: Duration;
}

/**
 * An item of a `WorkQueue` in somebody's hands.
 *
 * @typeParam T The type of the item.
 */
export interface WorkDelivery<T> {
  /** The number of the item. */
  readonly id: number;
  /** The item. */
  readonly item: T;
  /** How often the item was handed out, with this time. */
  readonly attempt: number;
  /** Whether the item is in these hands no more. */
  readonly over: boolean;
  /** How long the item may still be kept, in milliseconds. */
  readonly remainingMs: number;

  /**
   * Says that the item is done.
   *
   * @returns `false` if it is in these hands no more: somebody else may do it again.
   */
  ack(): boolean;

  /**
   * Gives the item back: it is handed out again, or is dead.
   *
   * @param options Additional options.
   * @returns `false` if it is in these hands no more.
   */
  nack(options?: WorkDeliveryNackOptions): boolean;

  /**
   * Keeps the item for longer.
   *
   * @param ms How long from now; as long as at first by default.
   * @returns `false` if it is in these hands no more.
   */
  extend(ms?: Duration): boolean;
}

/** An item that could not be done. */
export interface DeadLetter<T> {
  /** The number of the item. */
  readonly id: number;
  /** The item. */
  readonly item: T;
  /** How often it was handed out. */
  readonly attempts: number;
  /** What went wrong last; `undefined` if a lease has ended. */
  readonly error: unknown;
}

/** Thrown by `WorkQueue.put` if there is no room. */
export class WorkQueueFullError extends PolicyError {
  static {
    this.prototype.name = "WorkQueueFullError";
  }
}

/** Thrown where a queue was closed: no item will come, or be taken. */
export class WorkQueueClosedError extends PolicyError {
  static {
    this.prototype.name = "WorkQueueClosedError";
  }
}
