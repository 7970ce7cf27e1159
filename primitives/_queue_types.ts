import type { Duration } from "../_internal/check.ts";
import type { QueueOrder } from "./_queue_store.ts";

/** Options of a queue. */
export interface QueueOptions<T> {
  /**
   * How many items fit; those who put more wait.
   *
   * @default {Infinity}
   */
  capacity?: number;
  /**
   * In which order the items come out. What a comparison throws is thrown to whoever
   * puts or takes; no item is lost by that.
   *
   * @default {"fifo"}
   */
  order?: QueueOrder<T>;
}

/** Options of the waits of a queue. */
export interface QueueWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `Queue.getBatch`. */
export interface QueueGetBatchOptions extends QueueWaitOptions {
  /**
   * How many items there must be.
   *
   * @default {1}
   */
  min?: number;
  /**
   * How long to wait for `min` items; after that it gives what there is, which
   * may be nothing.
   *
   * @default {Infinity}
   */
  withinMs?: Duration;
}

/** Options of `Queue.shutdown`. */
export interface QueueShutdownOptions {
  /**
   * Drops what is in the queue.
   *
   * @default {false}
   */
  immediate?: boolean;
}

/** An item that is done with when it is disposed of; see `Queue.jobs`. */
export interface QueueJob<T> extends Disposable {
  /** The item. */
  readonly value: T;
}
