import type { Duration } from "../_internal/check.ts";
import { PolicyError } from "../patterns/policy.ts";

/** Options of `ThreadPool`. */
export interface ThreadPoolOptions {
  /**
   * How many threads there are at most.
   *
   * @default {one less than the machine has processors, and 1 at least}
   */
  maxThreads?: number;
  /**
   * How many threads are kept, even if they have nothing to do.
   *
   * @default {0}
   */
  minThreads?: number;
  /**
   * How many calls may wait for a thread; more are refused.
   *
   * @default {1024}
   */
  capacity?: number;
  /**
   * How long a thread may have nothing to do before it is ended.
   *
   * @default {30000}
   */
  idleMs?: Duration;
  /**
   * How often a thread that has nothing to do is asked for a sign of life.
   *
   * @default {10000}
   */
  heartbeatMs?: Duration;
  /**
   * After how many calls a thread is replaced. Threads differ by a tenth at random,
   * so that they are not all replaced at once.
   *
   * @default {Infinity}
   */
  maxTasks?: number;
  /**
   * At what age a thread is replaced, less a tenth at random.
   *
   * @default {Infinity}
   */
  maxAgeMs?: Duration;
  /**
   * At what size of its heap a thread is replaced, in bytes.
   *
   * @default {Infinity}
   */
  maxHeapBytes?: number;
  /**
   * Modules that each thread imports before its first call.
   *
   * @default {[]}
   */
  preload?: readonly (string | URL)[];
  /**
   * How many threads in a row may fail to start before the pool fails for good.
   *
   * @default {3}
   */
  maxBootFailures?: number;
  /**
   * How long the pool waits after a thread has failed to start; twice as long after
   * each one more.
   *
   * @default {100}
   */
  bootBackoffMs?: Duration;
  /**
   * How reports call the pool; threads have it in their names.
   *
   * @default {"pool"}
   */
  name?: string;
  /**
   * Where random numbers come from: from 0 up to 1.
   *
   * @default {Math.random}
   */
  random?: () => number;
}

/** Options of `ThreadPool.run`. */
export interface ThreadPoolRunOptions {
  /** Ends the call when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
  /** What of the arguments is handed over to the thread, instead of copied. */
  transfer?: readonly Transferable[];
  /**
   * Calls of a higher priority go first. Among equals the first comes first.
   *
   * @default {0}
   */
  priority?: number;
  /**
   * Whether the call may be made once more if its thread crashes. A call that
   * brings down a second one fails.
   *
   * @default {false}
   */
  idempotent?: boolean;
  /**
   * How long the call may wait for a thread.
   *
   * @default {Infinity}
   */
  queueTimeoutMs?: Duration;
  /**
   * How long the call may take once it has a thread.
   *
   * @default {Infinity}
   */
  taskTimeoutMs?: Duration;
  /**
   * How long the call may take to end when it was cancelled. After that its thread
   * is given up, and replaced.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/** Options of `ThreadPool.map`. */
export interface ThreadPoolMapOptions extends ThreadPoolRunOptions {
  /**
   * How many items are under way at once, in threads and in line.
   *
   * @default {twice the number of threads}
   */
  concurrency?: number;
}

/** Options of `ThreadPool.drain` and `ThreadPool.join`. */
export interface ThreadPoolWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `ThreadPool.stop`. */
export interface ThreadPoolStopOptions {
  /**
   * How long the calls that were made may take; what is left then is cancelled.
   * With `0` all are cancelled at once; `null` sets no limit.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
}

/** The functions of a module, as they are called in a thread. */
export type ThreadModule<M> = {
  readonly [
    K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never
  ]: M[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** Thrown by `ThreadPool.run` if too many calls wait for a thread. */
export class ThreadPoolFullError extends PolicyError {
  static {
    this.prototype.name = "ThreadPoolFullError";
  }
}

/** Thrown where a pool of threads was stopped: the call will never begin. */
export class ThreadPoolStoppedError extends PolicyError {
  static {
    this.prototype.name = "ThreadPoolStoppedError";
  }
}

/** Thrown where a pool has failed: its threads cannot be started. */
export class ThreadPoolBrokenError extends PolicyError {
  static {
    this.prototype.name = "ThreadPoolBrokenError";
  }
}
