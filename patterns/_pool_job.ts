import type { Actor } from "../_internal/actor.ts";
import { cancellationOf, cancelScope } from "../_internal/cancellation.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import type { Frame } from "../_internal/frame.ts";
import type { Prioritized } from "../_internal/priority_line.ts";
import { linkSignal } from "../_internal/signal.ts";
import { spawn } from "../_internal/spawn.ts";
import type { PolicyContext } from "./policy.ts";

/** What a job of a `WorkerPool` receives. */
export interface WorkerPoolJob extends PolicyContext {
  /** Which worker does it: a number from 0. */
  readonly worker: number;
}

/** How a job is made. */
export interface PoolJobPlan<T> {
  readonly fn: (job: WorkerPoolJob) => T | PromiseLike<T>;
  readonly name: string | undefined;
}

/** Whom a job turns to. */
export interface PoolJobOwner {
  readonly label: string;
  /** It was given up before it had a worker. */
  leaveLine(job: PoolJob): void;
  /** It has ended. */
  ended(job: PoolJob): void;
}

/**
 * A job that waits for a worker, or has one.
 *
 * With a task from the start it waits as a task that is held; without, its caller
 * waits, and the task is made when there is a worker.
 */
export class PoolJob implements Prioritized<PoolJob>, Line {
  prev: PoolJob | undefined = undefined;
  next: PoolJob | undefined = undefined;
  readonly priority: number;
  worker: number | undefined = undefined;
  actor: Actor | undefined = undefined;
  /** How many jobs this one waits for that stand in line. */
  blockers = 0;
  readonly #owner: PoolJobOwner;
  #isInLine = true;
  #isAborted = false;
  #claim: Claim<void> | undefined = undefined;
  /** The job that waits for this one to leave the line. */
  #blocked: PoolJob | undefined = undefined;

  constructor(priority: number, owner: PoolJobOwner) {
    this.priority = priority;
    this.#owner = owner;
  }

  get name(): string {
    return this.actor?.name ?? "a job";
  }

  /**
   * Makes the task of the job. It runs in the caller's context, and in a scope below
   * the root: it belongs to the pool, and not to the caller's deadline.
   */
  spawn<T>(frame: Frame, { fn, name }: PoolJobPlan<T>): Actor<T> {
    const held = this.#isInLine;
    const view = new JobView(this);
    const actor = spawn<T>(frame.loop.root, () => fn(view), {
      name,
      held,
      onEnd: () => this.#owner.ended(this),
    });
    this.actor = actor as Actor;
    if (held) actor.scope.onStruck = () => this.#owner.leaveLine(this);
    if (this.#isAborted) this.abort();
    return actor;
  }

  /** Lets the caller wait for a worker, in line. */
  wait(frame: Frame, signal: AbortSignal | undefined): Promise<void> {
    const claim = new Claim<void>(frame, this.#owner);
    claim.line = this;
    this.#claim = claim;
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /** The caller does not wait any more. */
  withdraw(): void {
    this.#owner.leaveLine(this);
  }

  /** Leaves the line: the job begins, or its task ends since it was cancelled. */
  begin(): void {
    this.#isInLine = false;
    if (this.#blocked !== undefined) this.#blocked.blockers--;
    this.#blocked = undefined;
    const claim = this.#claim;
    if (claim !== undefined) {
      claim.line = undefined;
      claim.grant(undefined);
    } else if (this.actor !== undefined) {
      this.actor.scope.onStruck = undefined;
      this.actor.loop.defer(this.actor);
    }
  }

  /** Cancels the job: the pool is stopped. */
  abort(): void {
    const reason = "the pool was stopped";
    this.#isAborted = true;
    if (this.actor !== undefined) cancelScope(this.actor.scope, reason);
    else if (this.#isInLine && this.#claim !== undefined) {
      this.#claim.fail(cancellationOf(this.#claim.frame.scope, reason));
    }
  }

  /** Says that another job waits for this one, as long as it stands in line. */
  keepWaiting(outer: PoolJob | undefined): void {
    if (outer === undefined || !this.#isInLine) return;
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
    return (this.#job.actor as Actor).scope.signal;
  }
}
