import type { Duration } from "../_internal/check.ts";
import type { Task } from "../primitives/task.ts";
import { PolicyError } from "./policy.ts";

/** Options of `WorkerPool`. */
export interface WorkerPoolOptions {
  /** How many jobs are done at once. */
  workers: number;
  /**
   * How many jobs may wait for a worker; those who submit more wait.
   *
   * @default {1024}
   */
  capacity?: number;
  /**
   * Whether jobs are done from the start. Otherwise they wait for `start()`.
   *
   * @default {true}
   */
  autoStart?: boolean;
  /**
   * How reports call the pool.
   *
   * @default {"pool"}
   */
  name?: string;
}

/** Options of `WorkerPool.submit` and its kin. */
export interface WorkerPoolSubmitOptions {
  /**
   * Jobs of a higher priority go first. Among equals the first comes first.
   *
   * @default {0}
   */
  priority?: number;
  /** The name of the job's task. */
  name?: string;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `WorkerPool.join`. */
export interface WorkerPoolJoinOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `WorkerPool.stop`. */
export interface WorkerPoolStopOptions {
  /**
   * How long the jobs that were submitted may take; what is left then is
   * cancelled. With `0` all are cancelled at once; `null` sets no limit.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
  /**
   * How long jobs may take to end when they were cancelled. Those that take longer
   * are reported by name, and given up.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/** A job that was submitted. */
export interface SubmittedJob<T> {
  /** The task of the job: await it for the result, or cancel it. */
  readonly task: Task<T>;
}

/** Thrown by `WorkerPool.submitNowait` if no more jobs may wait. */
export class WorkerPoolFullError extends PolicyError {
  static {
    this.prototype.name = "WorkerPoolFullError";
  }
}

/** Thrown where a pool was stopped: the job will never begin. */
export class WorkerPoolStoppedError extends PolicyError {
  static {
    this.prototype.name = "WorkerPoolStoppedError";
  }
}
