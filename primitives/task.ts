/**
 * Tasks: functions that run beside their creator.
 *
 * ```ts
 * import { createTask } from "@ilmek/async/task";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * const task = createTask(() => sleep(1, { value: "done" }), { name: "nap" });
 * console.log(await task);
 * ```
 *
 * @module
 */
import { Actor } from "../_internal/actor.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { checkFunction } from "../_internal/check.ts";
import { Claim, UNTIL_GONE } from "../_internal/claim.ts";
import { DeadlockError, InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { DoneCallbacks } from "../_internal/done_callbacks.ts";
import { type Outcome, registerOutcome } from "../_internal/outcome.ts";
import { makePrintable } from "../_internal/printable.ts";
import { spawn, withScopeOf } from "../_internal/spawn.ts";
import { Context } from "./context_var.ts";

/** Options of {@linkcode createTask}. */
export interface CreateTaskOptions {
  /** How the task is called in reports; `Task-<id>` if it is not given. */
  name?: string;
  /** Runs in this very context, instead of a copy of the present one. */
  context?: Context;
  /** Ties the task to the ambient scope, instead of the root of the run. */
  scope?: "current";
  /**
   * Runs the task up to its first wait before `createTask` returns.
   *
   * @default {false}
   */
  eager?: boolean;
}

/** Where a task stands. */
export type TaskState =
  | "pending"
  | "running"
  | "cancelling"
  | "done"
  | "failed"
  | "cancelled";

/** How a task ended; see {@linkcode Task.outcome}. */
export type TaskOutcome<T> =
  | { readonly state: "done"; readonly value: T }
  | { readonly state: "failed" | "cancelled"; readonly error: unknown };

/**
 * A function at work, in a scope and a context of its own.
 *
 * `await task` is a wait: if the one who waits is cancelled and nobody else
 * waits, the task is cancelled, too, and its end is waited for. An async function
 * that returns a task awaits it, as it would a promise.
 *
 * @typeParam T What the task's function returns.
 *
 * @example Look at a task, and cancel it
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const task = createTask(() => sleep(60_000), { name: "nap" });
 * assertEquals(task.state, "pending");
 * task.cancel("no time");
 * const { state } = await task.outcome();
 *
 * assertEquals(state, "cancelled");
 * assertEquals(String(task), '<Task "nap" cancelled>');
 * ```
 */
export class Task<T> implements PromiseLike<T>, AsyncDisposable {
  readonly #actor: Actor<T>;
  #callbacks: DoneCallbacks<Task<T>> | undefined;

  static {
    makePrintable(this.prototype);
    registerOutcome((value) =>
      #actor in value ? value.#actor.outcome as Outcome<unknown> : undefined
    );
  }

  /**
   * Tasks come from `createTask` and from groups.
   *
   * @internal
   */
  constructor(actor: Actor<T>) {
    if (!(actor instanceof Actor)) {
      throw new TypeError("Cannot create a task by itself: use createTask()");
    }
    this.#actor = actor;
    actor.handle = this;
  }

  /**
   * The task of an actor: there is one for each.
   *
   * @internal
   */
  static of<T>(actor: Actor<T>): Task<T> {
    return (actor.handle ?? new Task(actor)) as Task<T>;
  }

  /** A number that no other task of this process has. */
  get id(): number {
    return this.#actor.id;
  }

  /** How the task is called in reports. It may be set at any time. */
  get name(): string {
    return this.#actor.name;
  }

  set name(name: string) {
    this.#actor.name = String(name);
  }

  /** Where the task stands. States never go back. */
  get state(): TaskState {
    const { outcome, state } = this.#actor;
    if (outcome.state !== "pending") return outcome.state;
    if (this.cancelling) return "cancelling";
    return state === "created" ? "pending" : "running";
  }

  /** Whether the task has ended, in whatever way. */
  get done(): boolean {
    return !this.#actor.outcome.pending;
  }

  /** Whether the task has ended by a cancellation. */
  get cancelled(): boolean {
    return this.#actor.outcome.state === "cancelled";
  }

  /** Whether the task was asked to end; it stays so, whatever comes of it. */
  get cancelling(): boolean {
    const { scope } = this.#actor;
    return scope.cancelledBy !== undefined || scope.struck !== undefined;
  }

  /**
   * What the task's function returned.
   *
   * @returns The value.
   * @throws {InvalidStateError} If the task has not ended.
   * @throws What the task's function threw.
   */
  result(): T {
    const outcome = this.#ended("read the result of");
    if (outcome.state === "done") return outcome.value as T;
    throw outcome.value;
  }

  /**
   * What the task's function threw.
   *
   * @returns The error, or `undefined` if there was none.
   * @throws {InvalidStateError} If the task has not ended.
   * @throws {CancelledError} If the task was cancelled.
   */
  exception(): unknown {
    const outcome = this.#ended("read the exception of");
    if (outcome.state === "cancelled") throw outcome.value;
    return outcome.state === "failed" ? outcome.value : undefined;
  }

  /**
   * Cancels the task: its next wait throws.
   *
   * The first cancellation counts. A task that has not begun never begins.
   *
   * @param reason What to tell the task.
   * @returns `false` if the task has ended.
   */
  cancel(reason?: unknown): boolean {
    const { outcome, scope } = this.#actor;
    if (!outcome.pending) return false;
    scope.cancel(cancellationOf(scope, reason));
    return true;
  }

  /**
   * Calls `fn` once the task has ended, in the context of the caller.
   *
   * Callbacks run in the order in which they were added, never inside of this
   * call. What they throw goes to the loop's exception handler.
   *
   * @param fn What to call; it receives the task.
   */
  addDoneCallback(fn: (task: Task<T>) => void): void {
    (this.#callbacks ??= new DoneCallbacks()).add(
      this.#actor.outcome,
      this,
      fn,
    );
  }

  /**
   * Takes back all callbacks that were added with this function.
   *
   * @param fn What was given to `addDoneCallback`.
   * @returns How many there were.
   */
  removeDoneCallback(fn: (task: Task<T>) => void): number {
    return this.#callbacks?.remove(this.#actor.outcome, fn) ?? 0;
  }

  /**
   * Waits for the task; see the class. Called by `await`.
   *
   * @typeParam A What `onDone` returns.
   * @typeParam B What `onError` returns.
   * @param onDone Called with the value.
   * @param onError Called with the error.
   * @returns A promise for what the called function returns.
   */
  then<A = T, B = never>(
    onDone?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#join().then(onDone, onError);
  }

  /**
   * Waits for the task, and handles its error.
   *
   * @typeParam B What `onError` returns.
   * @param onError Called with the error.
   * @returns A promise for the value, or for what `onError` returns.
   */
  catch<B = never>(
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<T | B> {
    return this.#join().catch(onError);
  }

  /**
   * Waits for the task, and calls `fn` in any case.
   *
   * @param fn Called when the task has ended.
   * @returns A promise for the value.
   */
  finally(fn?: (() => void) | null): Promise<T> {
    return this.#join().finally(fn);
  }

  /**
   * A view of the task as a promise. Whoever awaits it never cancels the task.
   *
   * @returns A promise for the value.
   */
  toPromise(): Promise<T> {
    const { outcome, loop } = this.#actor;
    outcome.observe();
    const frame = withScopeOf(currentFrame(), loop.root);
    const claim = new Claim<T>(frame, outcome);
    claim.line = UNTIL_GONE;
    const promise = claim.wait();
    outcome.subscribe(frame.loop, () => {
      if (outcome.state === "done") claim.grant(outcome.value as T);
      else claim.fail(outcome.value);
    });
    return promise;
  }

  /**
   * Waits for the end of the task, and tells how it ended. It rejects only if
   * the one who waits is cancelled.
   *
   * @returns How the task ended.
   */
  async outcome(): Promise<TaskOutcome<T>> {
    const { outcome } = this.#actor;
    await this.#join().catch((error) => {
      if (outcome.pending) throw error;
    });
    return outcome.state === "done"
      ? { state: "done", value: outcome.value as T }
      : {
        state: outcome.state === "failed" ? "failed" : "cancelled",
        error: outcome.value,
      };
  }

  /** Cancels the task and waits until it is gone. It never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { outcome } = this.#actor;
    if (!outcome.pending) return;
    this.cancel();
    // A task cannot wait for its own end.
    if (currentFrame().actor === this.#actor as Actor) return;
    const claim = new Claim<void>(currentFrame(), outcome);
    claim.line = UNTIL_GONE;
    outcome.observe();
    outcome.subscribe(currentFrame().loop, () => claim.grant());
    await claim.wait();
  }

  /** The tag of the class. */
  get [Symbol.toStringTag](): string {
    return "Task";
  }

  /**
   * Prints the task: its name, its state and what came of it.
   *
   * @returns A line such as `<Task "fetch" running>`.
   */
  toString(): string {
    const { outcome } = this.#actor;
    const end = outcome.state === "failed" ? `: ${outcome.value}` : "";
    return `<Task ${JSON.stringify(this.name)} ${this.state}${end}>`;
  }

  #join(): Promise<T> {
    const frame = currentFrame();
    if (frame.actor === this.#actor as Actor) {
      return Promise.reject(
        new DeadlockError(
          `Cannot await task "${this.name}": it is the task that would wait`,
        ),
      );
    }
    return this.#actor.outcome.join(frame);
  }

  #ended(doing: string): Outcome<T> {
    const { outcome } = this.#actor;
    if (outcome.pending) {
      throw new InvalidStateError(
        `Cannot ${doing} task "${this.name}": it has not ended`,
      );
    }
    outcome.observe();
    return outcome;
  }
}

/**
 * Starts `fn` as a task, in a fresh microtask.
 *
 * Tasks begin in the order in which they were created. A task belongs to the root
 * of the run, and outlives its creator; use a `TaskGroup` for work that does not.
 * If it fails and nobody looks at it, the loop's exception handler is told.
 *
 * @typeParam T What `fn` returns.
 * @param fn What to run.
 * @param options Additional options.
 * @returns The task.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {ScopeClosedError} If the run has ended.
 *
 * @example Do two things at once
 * ```ts
 * import { createTask } from "@ilmek/async/task";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const one = createTask(() => sleep(2, { value: 1 }));
 * const two = createTask(() => sleep(1, { value: 2 }), { name: "two" });
 *
 * assertEquals(await one + await two, 3);
 * assertEquals(two.name, "two");
 * ```
 */
export function createTask<T>(
  fn: () => T | PromiseLike<T>,
  options: CreateTaskOptions = {},
): Task<T> {
  checkFunction(fn, "create a task");
  const { name, context, scope, eager } = options;
  const frame = currentFrame();
  const { loop } = frame;
  if (loop.debug && scope === undefined) warnOfDeadline(frame.scope, name);
  return Task.of(
    spawn(scope === "current" ? frame.scope : loop.root, fn, {
      name,
      eager,
      context: Context.storeOf(context),
    }),
  );
}

/**
 * The task that runs now.
 *
 * @returns The task, or `undefined` outside of all tasks.
 *
 * @example Ask a task for its name
 * ```ts
 * import { createTask, currentTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const task = createTask(() => currentTask()?.name, { name: "me" });
 *
 * assertEquals(await task.toPromise(), "me");
 * ```
 */
export function currentTask(): Task<unknown> | undefined {
  const { actor } = currentFrame();
  return actor === undefined ? undefined : Task.of(actor);
}

/**
 * All tasks of the running loop that have not ended.
 *
 * @returns A new set, in no particular order.
 *
 * @example Count what is running
 * ```ts
 * import { allTasks, createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const before = allTasks().size;
 * const task = createTask(() => {});
 *
 * assertEquals(allTasks().size, before + 1);
 * await task;
 * ```
 */
export function allTasks(): Set<Task<unknown>> {
  const tasks = new Set<Task<unknown>>();
  for (const actor of currentFrame().loop.actors()) tasks.add(Task.of(actor));
  return tasks;
}

function warnOfDeadline(
  scope: { effectiveDeadline: number; loop: Actor["loop"] },
  name = "unnamed",
): void {
  if (scope.effectiveDeadline === Infinity) return;
  scope.loop.report({
    message: `Task "${name}" will outlive the deadline under which it was ` +
      'created: use a TaskGroup, or { scope: "current" }',
  });
}
