import type { Actor } from "../_internal/actor.ts";
import type { Frame } from "../_internal/frame.ts";
import type { Prioritized } from "../_internal/priority_line.ts";
import { spawn } from "../_internal/spawn.ts";
import type { PolicyContext } from "./policy.ts";

/** What a job of a `WorkerPool` receives. */
export interface WorkerPoolJob extends PolicyContext {
  /** Which worker does it: a number from 0. */
  readonly worker: number;
}

/** A job that waits for a worker, or has one. */
export class PoolJob<T = unknown> implements Prioritized<PoolJob> {
  prev: PoolJob | undefined = undefined;
  next: PoolJob | undefined = undefined;
  readonly priority: number;
  readonly actor: Actor<T>;
  worker: number | undefined = undefined;
  /** How many jobs this one waits for that stand in line. */
  blockers = 0;
  #isInLine = true;
  /** The job that waits for this one to leave the line. */
  #blocked: PoolJob | undefined = undefined;

  /**
   * The job runs in the caller's context, and in a scope below the root: it
   * belongs to the pool, and not to the caller's deadline.
   */
  constructor(
    frame: Frame,
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: {
      readonly priority: number;
      readonly name: string | undefined;
      readonly onEnd: (job: PoolJob) => void;
    },
  ) {
    const { priority, name, onEnd } = options;
    this.priority = priority;
    const view = new JobView(this as PoolJob);
    this.actor = spawn<T>(frame.loop.root, () => fn(view), {
      name,
      held: true,
      onEnd: () => onEnd(this as PoolJob),
    });
  }

  /** Lets the job begin, or end if it was cancelled before. */
  begin(): void {
    this.#isInLine = false;
    if (this.#blocked !== undefined) this.#blocked.blockers--;
    this.#blocked = undefined;
    this.actor.scope.onStruck = undefined;
    this.actor.loop.defer(this.actor as Actor);
  }

  /** Says that another job waits for this one, as long as it stands in line. */
  keepWaiting(outer: PoolJob): void {
    if (!this.#isInLine) return;
    outer.blockers++;
    this.#blocked = outer;
  }
}

class JobView implements WorkerPoolJob {
  readonly attempt = 1;
  /** The pool knows of none: the job is not in its submitter's scope. */
  readonly deadline = Infinity;
  readonly #job: PoolJob;

  constructor(job: PoolJob) {
    this.#job = job;
  }

  get worker(): number {
    // Nobody sees it before there is a worker.
    return this.#job.worker ?? -1;
  }

  get signal(): AbortSignal {
    return this.#job.actor.scope.signal;
  }
}
