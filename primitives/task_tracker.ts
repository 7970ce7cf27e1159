/**
 * Task trackers: knowing when the tasks that were begun here and there are gone.
 *
 * ```ts
 * import { TaskTracker } from "@ilmek/async/task-tracker";
 *
 * const background = new TaskTracker();
 * background.createTask(async () => {});
 * background.close();
 * await background.wait();
 * ```
 *
 * @module
 */
import { ScopeClosedError } from "../_internal/errors.ts";
import type { Operation } from "../_internal/operation.ts";
import { createTask, type CreateTaskOptions, type Task } from "./task.ts";
import { WaitGroup } from "./wait_group.ts";

export type { Operation } from "../_internal/operation.ts";
export type { CreateTaskOptions, Task } from "./task.ts";

/** Options of {@linkcode TaskTracker.wait}. */
export interface TaskTrackerWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * Bare tasks that are counted, for an end in good order: close the tracker, then
 * wait until the last is gone.
 *
 * It does nothing else: a task that fails is reported like any bare task that
 * nobody awaits, and no other is cancelled for it. What must succeed together
 * belongs into a `TaskGroup`.
 *
 * @example Let requests end before the database is closed
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { TaskTracker } from "@ilmek/async/task-tracker";
 * import { assertEquals } from "@std/assert";
 *
 * const requests = new TaskTracker();
 * requests.createTask(() => sleep(1));
 * requests.createTask(() => sleep(2));
 * requests.close();
 * await requests.wait();
 *
 * assertEquals(requests.size, 0);
 * ```
 */
export class TaskTracker implements Disposable {
  /** What is under way, and one more as long as the tracker is open. */
  readonly #group = new WaitGroup({ name: "the tasks of a tracker" });
  #closed = false;

  /** Creates a tracker that is open. */
  constructor() {
    this.#group.add();
  }

  /** How many of the tasks have not ended. */
  get size(): number {
    return this.#group.count - (this.#closed ? 0 : 1);
  }

  /** Whether the tracker was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Starts a task that is counted; see {@linkcode createTask}.
   *
   * It may be called after `close()` as long as another task is under way, by that
   * one.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The task.
   * @throws {ScopeClosedError} If the tracker is closed, and nothing is under way.
   * @throws {TypeError} If `fn` is not a function.
   */
  createTask<T>(
    fn: () => T | PromiseLike<T>,
    options: CreateTaskOptions = {},
  ): Task<T> {
    if (this.#closed && this.#group.count === 0) {
      throw new ScopeClosedError(
        "Cannot create a task: the tracker was closed, and all its tasks have ended",
      );
    }
    this.#group.add();
    try {
      const task = createTask(fn, options);
      task.addDoneCallback(() => this.#group.done());
      return task;
    } catch (error) {
      this.#group.done();
      throw error;
    }
  }

  /** Says that nothing more will come from outside. Twice does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#group.done();
  }

  /** Closes the tracker. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Waits until the tracker is closed and all tasks have ended, however they did.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled before; the tasks go
   * on.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: TaskTrackerWaitOptions = {}): Promise<void> {
    return this.#group.wait(options);
  }

  /**
   * Waiting for the end, as a choice of `select`.
   *
   * @returns The operation; it gives nothing.
   */
  waitOp(): Operation<void> {
    return this.#group.waitOp();
  }
}
