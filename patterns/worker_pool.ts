/**
 * A fixed number of workers that do jobs.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { WorkerPool } from "@ilmek/async/worker-pool";
 *
 * await using pool = new WorkerPool({ workers: 3 });
 * console.log(await pool.run(() => sleep(1, { value: "done" })));
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import {
  checkCount,
  checkFunction,
  checkMoment,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { type CancelledError, DeadlockError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { PriorityLine } from "../_internal/priority_line.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { linkSignal, listen } from "../_internal/signal.ts";
import { Task } from "../primitives/task.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import {
  PoolJob,
  type PoolJobOwner,
  type PoolJobPlan,
  type WorkerPoolJob,
} from "./_pool_job.ts";
import type { Policy } from "./policy.ts";
import {
  type SubmittedJob,
  WorkerPoolFullError,
  type WorkerPoolJoinOptions,
  type WorkerPoolOptions,
  type WorkerPoolStopOptions,
  WorkerPoolStoppedError,
  type WorkerPoolSubmitOptions,
} from "./_worker_pool_types.ts";

export type { Duration } from "../_internal/check.ts";
export type { WorkerPoolJob } from "./_pool_job.ts";
export * from "./_worker_pool_types.ts";

const DONE: Promise<void> = Promise.resolve();

/**
 * A pool of workers: it does so many jobs at once, and the others wait in line.
 *
 * Each job is a task, so that its value or its error reaches whoever submitted it;
 * a failure that nobody looks at is reported. A job that fails or is cancelled ends
 * alone: its worker takes the next one. Jobs run in the context of whoever
 * submitted them, but in no scope of theirs: they belong to the pool. A pool is a
 * policy, too, and takes part in `compose`.
 *
 * @example Submit jobs, and take their results
 * ```ts
 * import { WorkerPool } from "@ilmek/async/worker-pool";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const pool = new WorkerPool({ workers: 2, capacity: 10 });
 * const jobs = [];
 * for (const ms of [3, 2, 1]) {
 *   jobs.push(await pool.submit(() => sleep(ms, { value: ms * ms })));
 * }
 * await pool.stop();
 *
 * assertEquals(jobs.map(({ task }) => task.result()), [9, 4, 1]);
 * ```
 */
export class WorkerPool implements Policy<WorkerPoolJob>, AsyncDisposable {
  readonly #name: string;
  readonly #workers: number;
  readonly #capacity: number;
  /** Who has nothing to do, the longest first. */
  readonly #idle = new Ring<number>();
  /** Invariant: empty as long as a worker is idle. */
  readonly #line = new PriorityLine<PoolJob>();
  readonly #running = new Set<PoolJob>();
  /** Who waits to submit a job. */
  readonly #submitters = new ClaimList();
  /** Who waits until all is done. */
  readonly #joiners = new ClaimList();
  /** Places that were granted, and are not used yet. */
  #granted = 0;
  readonly #owner: PoolJobOwner;
  #unfinished = 0;
  #completed = 0;
  #state: "created" | "started" | "stopped" | "aborted" = "created";

  /** Creates a pool. */
  constructor(options: WorkerPoolOptions) {
    const { workers, capacity = 1024, autoStart = true, name = "pool" } =
      options;
    this.#workers = checkCount(workers, "create a pool", "workers");
    if (workers === Infinity) {
      throw new RangeError(
        'Cannot create a pool as "workers" must be finite: current value is Infinity',
      );
    }
    this.#capacity = checkCount(capacity, "create a pool", "capacity", 0);
    this.#name = name;
    this.#owner = {
      label: `a worker of pool "${name}"`,
      leaveLine: (job) => this.#leaveLine(job),
      ended: (job) => this.#onEnd(job),
    };
    if (autoStart) this.start();
  }

  /** How reports call the pool. */
  get name(): string {
    return this.#name;
  }

  /** How many jobs are done at once. */
  get workers(): number {
    return this.#workers;
  }

  /** How many jobs may wait for a worker. */
  get capacity(): number {
    return this.#capacity;
  }

  /** How many jobs wait for a worker. */
  get queued(): number {
    return this.#line.size;
  }

  /** How many jobs are under way. */
  get running(): number {
    return this.#running.size;
  }

  /** How many jobs have not ended. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** How many jobs have ended, in whatever way. */
  get completed(): number {
    return this.#completed;
  }

  /** How many callers wait to submit a job. */
  get waiting(): number {
    return this.#submitters.size;
  }

  /** Whether the pool was started, and not stopped since. */
  get started(): boolean {
    return this.#state === "started";
  }

  /** Whether the pool was stopped: it accepts no more jobs. */
  get stopped(): boolean {
    return this.#state === "stopped" || this.#state === "aborted";
  }

  /**
   * Starts the workers. Starting twice does nothing.
   *
   * @throws {WorkerPoolStoppedError} If the pool was stopped.
   */
  start(): void {
    if (this.#state === "started") return;
    if (this.#state !== "created") throw this.#stoppedFault("start");
    this.#state = "started";
    for (let id = 0; id < this.#workers; id++) this.#idle.push(id);
    this.#dispatch();
  }

  /**
   * Does a job, and gives its result: waits for room, for a worker, and for the
   * end of the job.
   *
   * If the caller is cancelled, so is the job, and its end is waited for.
   *
   * @typeParam T What `fn` returns.
   * @param fn The job.
   * @param options Additional options; the signal cancels the job, too.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   * @throws {WorkerPoolStoppedError} If the pool is stopped, also while it waits
   * for room.
   * @throws {DeadlockError} If all workers do jobs that wait for others in the line.
   */
  async run<T>(
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: WorkerPoolSubmitOptions = {},
  ): Promise<T> {
    const { signal, priority = 0, name } = options;
    const frame = currentFrame();
    const room = this.#room(frame, fn, options);
    if (room !== undefined) {
      await room;
      this.#granted--;
    }
    const job = new PoolJob(priority, this.#owner);
    this.#unfinished++;
    if (this.#state === "aborted") job.abort();
    if (!this.#giveWorker(job)) await this.#standInLine(job, frame, signal);
    const actor = this.#spawn(job, frame, { fn, name });
    let aborted: CancelledError | undefined;
    const unlisten = signal === undefined ? undefined : listen(signal, () => {
      aborted = cancellationOf(actor.scope, signal.reason, { kind: "signal" });
      actor.scope.cancel(aborted);
    });
    try {
      return await actor.outcome.join(frame, { owns: true });
    } catch (error) {
      throw aborted !== undefined && error === aborted ? signal?.reason : error;
    } finally {
      unlisten?.();
    }
  }

  /**
   * Submits a job, and waits for room if too many wait for a worker.
   *
   * Those who wait are served in the order of their calls. Once a job is submitted,
   * a cancellation of the caller has nothing to do with it.
   *
   * @typeParam T What `fn` returns.
   * @param fn The job.
   * @param options Additional options.
   * @returns The task of the job, in an object.
   * @throws {WorkerPoolStoppedError} If the pool is stopped, also while it waits.
   * @throws {CancelledError} If the ambient scope is cancelled before there is room.
   */
  async submit<T>(
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: WorkerPoolSubmitOptions = {},
  ): Promise<SubmittedJob<T>> {
    const frame = currentFrame();
    const room = this.#room(frame, fn, options);
    if (room !== undefined) {
      await room;
      this.#granted--;
    }
    const task = Task.of(this.#accept(frame, fn, options));
    if (room === undefined) await frame.loop.pass(DONE, frame);
    return { task };
  }

  /**
   * Submits a job at once.
   *
   * @typeParam T What `fn` returns.
   * @param fn The job.
   * @param options Additional options.
   * @returns The task of the job.
   * @throws {WorkerPoolFullError} If too many jobs wait for a worker.
   * @throws {WorkerPoolStoppedError} If the pool is stopped.
   */
  submitNowait<T>(
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: Omit<WorkerPoolSubmitOptions, "signal"> = {},
  ): Task<T> {
    const task = this.trySubmit(fn, options);
    if (task !== undefined) return task;
    throw new WorkerPoolFullError(
      `Cannot submit a job to pool "${this.#name}": ${
        this.#line.size + this.#granted
      } wait already`,
      { policy: this.#name },
    );
  }

  /**
   * Submits a job if there is room.
   *
   * @typeParam T What `fn` returns.
   * @param fn The job.
   * @param options Additional options.
   * @returns The task of the job, or `undefined` if too many wait for a worker.
   * @throws {WorkerPoolStoppedError} If the pool is stopped.
   */
  trySubmit<T>(
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: Omit<WorkerPoolSubmitOptions, "signal"> = {},
  ): Task<T> | undefined {
    checkJob(fn, options);
    if (this.stopped) throw this.#stoppedFault("submit a job to");
    if (this.#places <= 0) return undefined;
    return Task.of(this.#accept(currentFrame(), fn, options));
  }

  /**
   * Waits until every job that was submitted has ended, in whatever way.
   *
   * @param options Additional options.
   * @throws {DeadlockError} If a job of the pool calls it.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  join(options: WorkerPoolJoinOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "join a pool", signal);
    if (refused !== undefined) return refused;
    if (this.#jobOf(frame) !== undefined) {
      return Promise.reject(
        new DeadlockError(
          `Cannot join pool "${this.#name}" in a job of its own: the job would wait for itself`,
        ),
      );
    }
    if (this.#left === 0) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, {
      label: `the last job of pool "${this.#name}"`,
    });
    this.#joiners.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Stops the pool: from now on it accepts no jobs, and it waits for those that it
   * has.
   *
   * Callers that wait for room get a `WorkerPoolStoppedError`. A pool that was
   * never started does nothing: its jobs are cancelled. Stopping twice waits twice;
   * a limit that is shorter counts. If the caller is cancelled, the pool goes on to
   * empty.
   *
   * @param options Additional options.
   * @throws {DeadlockError} If a job of the pool calls it.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async stop(options: WorkerPoolStopOptions = {}): Promise<void> {
    const { timeoutMs = null, graceMs = 5000 } = options;
    const limitMs = toLimitMs(timeoutMs, "stop a pool", "timeoutMs");
    const grace = toMs(graceMs, "stop a pool", "graceMs");
    const isStarted = this.#state !== "created";
    this.#close();
    if (isStarted && limitMs > 0) {
      const { timedOut } = await moveOnAfter(limitMs, () => this.join());
      if (!timedOut) return;
    }
    this.#cancelAll();
    const { timedOut } = await moveOnAfter(grace, () => this.join());
    if (timedOut) this.#giveUp(grace);
  }

  /**
   * Cancels what has not ended, and waits until it is gone. Jobs
   * that are lost by that are reported; call `stop()` before to have them done.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const lost = this.#left;
    this.#close();
    if (lost === 0) return;
    const { loop } = currentFrame();
    loop.report({
      message:
        `Cannot do ${lost} jobs of pool "${this.#name}": the pool was left without stop()`,
    });
    await uncancellable(() => this.stop({ timeoutMs: 0 }), {
      name: `the end of pool "${this.#name}"`,
      graceMs: Infinity,
    });
  }

  /** How many more jobs may be submitted at once. */
  get #places(): number {
    const places = this.#idle.size + this.#capacity;
    return places - this.#line.size - this.#granted;
  }

  /** How many jobs there are, with those whose submitter has a place. */
  get #left(): number {
    return this.#unfinished + this.#granted;
  }

  /**
   * Waits until there is room for another job, and counts it as granted. If there is
   * room at once there is nothing to wait for.
   */
  #room(
    frame: Frame,
    fn: unknown,
    options: WorkerPoolSubmitOptions,
  ): Promise<void> | undefined {
    const { signal } = options;
    checkJob(fn, options);
    const refused = refusal(frame, "submit a job", signal);
    if (refused !== undefined) return refused;
    if (this.stopped) throw this.#stoppedFault("submit a job to");
    // Whoever finds room finds nobody in line: what is freed goes to the line.
    if (this.#places > 0) return undefined;
    return this.#waitForRoom(frame, signal);
  }

  async #waitForRoom(
    frame: Frame,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const outer = this.#outerJob(frame, signal);
    const claim = new Claim<void>(frame, {
      label: `room in pool "${this.#name}"`,
    });
    this.#submitters.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    if (outer !== undefined) outer.blockers++;
    try {
      await claim.wait();
    } finally {
      if (outer !== undefined) outer.blockers--;
    }
  }

  /** Makes a job with a task, which the caller need not wait for. */
  #accept<T>(
    frame: Frame,
    fn: (job: WorkerPoolJob) => T | PromiseLike<T>,
    options: WorkerPoolSubmitOptions,
  ): Actor<T> {
    const { priority = 0, name } = options;
    const job = new PoolJob(priority, this.#owner);
    this.#unfinished++;
    const actor = this.#spawn(job, frame, { fn, name });
    this.#line.push(job);
    if (this.#state === "aborted") job.abort();
    else if (actor.scope.struck !== undefined) this.#leaveLine(job);
    else this.#dispatch();
    return actor;
  }

  #spawn<T>(job: PoolJob, frame: Frame, plan: PoolJobPlan<T>): Actor<T> {
    try {
      return job.spawn(frame, plan);
    } catch (error) {
      // Its run has ended: the worker is for others.
      this.#onEnd(job);
      throw error;
    }
  }

  /** Gives a worker to a job at once, if one is idle. */
  #giveWorker(job: PoolJob): boolean {
    if (this.#idle.size === 0) return false;
    job.worker = this.#idle.shift();
    this.#running.add(job);
    job.begin();
    return true;
  }

  /** Lets the caller wait for a worker. */
  #standInLine(
    job: PoolJob,
    frame: Frame,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let outer: PoolJob | undefined;
    try {
      outer = this.#outerJob(frame, signal);
    } catch (error) {
      this.#onEnd(job);
      throw error;
    }
    job.keepWaiting(outer);
    this.#line.push(job);
    const turn = job.wait(frame, signal);
    if (this.#state === "aborted") job.abort();
    return turn;
  }

  /** A job was cancelled before it had a worker. */
  #leaveLine(job: PoolJob): void {
    this.#line.remove(job);
    const { actor } = job;
    job.begin();
    // A task tells by itself that it has ended.
    if (actor === undefined) this.#onEnd(job);
    this.#offerRoom();
  }

  /** Gives jobs to idle workers, and their places to those who wait for room. */
  #dispatch(): void {
    while (this.#idle.size > 0) {
      const job = this.#line.shift();
      if (job === undefined) break;
      job.worker = this.#idle.shift();
      this.#running.add(job);
      job.begin();
    }
    this.#offerRoom();
  }

  #offerRoom(): void {
    while (this.#submitters.size > 0 && this.#places > 0) {
      this.#granted++;
      this.#submitters.shift()?.grant(undefined);
    }
  }

  #onEnd(job: PoolJob): void {
    this.#unfinished--;
    this.#completed++;
    if (job.worker !== undefined) {
      this.#running.delete(job);
      this.#idle.push(job.worker);
      this.#dispatch();
    }
    this.#settle();
  }

  /** Wakes those who wait until all is done, if it is. */
  #settle(): void {
    if (this.#left > 0) return;
    for (let c = this.#joiners.shift(); c; c = this.#joiners.shift()) {
      c.grant(undefined);
    }
  }

  #close(): void {
    if (this.#state === "aborted") return;
    this.#state = this.#state === "created" ? "aborted" : "stopped";
    for (let c = this.#submitters.shift(); c; c = this.#submitters.shift()) {
      c.fail(this.#stoppedFault("submit a job to"));
    }
  }

  #cancelAll(): void {
    this.#state = "aborted";
    for (const job of [...this.#line, ...this.#running]) job.abort();
  }

  #giveUp(graceMs: number): void {
    const names = [...this.#running].map(({ name }) => name);
    currentFrame().loop.report({
      message:
        `Cannot wait longer for the jobs of pool "${this.#name}": the grace of ${graceMs} ms is over for ${
          names.map((name) => JSON.stringify(name)).join(", ")
        }`,
    });
  }

  /** The job of this pool that the code belongs to, if it does. */
  #jobOf({ actor }: Frame): PoolJob | undefined {
    if (actor === undefined) return undefined;
    for (const job of this.#running) if (job.actor === actor) return job;
    return undefined;
  }

  /**
   * The job that is about to wait for another one of the same pool. If no worker
   * would be left that could ever do that, and nothing ends the wait, it is refused.
   */
  #outerJob(
    frame: Frame,
    signal: AbortSignal | undefined,
  ): PoolJob | undefined {
    const outer = this.#jobOf(frame);
    if (outer === undefined || signal !== undefined) return outer;
    const { effectiveDeadline } = frame.scope;
    if (this.#idle.size > 0 || effectiveDeadline !== Infinity) return outer;
    for (const job of this.#running) {
      if (job !== outer && job.blockers === 0) return outer;
    }
    throw new DeadlockError(
      `Cannot run a job in a job of pool "${this.#name}": all ${this.#workers} workers wait for jobs in its line`,
    );
  }

  #stoppedFault(doing: string): WorkerPoolStoppedError {
    return new WorkerPoolStoppedError(
      `Cannot ${doing} pool "${this.#name}": it was stopped`,
      { policy: this.#name, retryAfterMs: Infinity },
    );
  }
}

function checkJob(
  fn: unknown,
  { priority = 0 }: WorkerPoolSubmitOptions,
): void {
  checkFunction(fn, "submit a job");
  checkMoment(priority, "submit a job", '"priority"');
}
