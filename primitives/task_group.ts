/**
 * Tasks that belong together: they end together, and no error gets lost.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { TaskGroup } from "@ilmek/async/task-group";
 *
 * await TaskGroup.run(async (group) => {
 *   const one = group.createTask(() => sleep(1, { value: 1 }));
 *   const two = group.createTask(() => sleep(1, { value: 2 }));
 *   console.log(await one + await two);
 * });
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import {
  checkCount,
  checkFunction,
  isThenable,
  show,
  toLimitMs,
} from "../_internal/check.ts";
import {
  CancelledError,
  InvalidStateError,
  ScopeClosedError,
} from "../_internal/errors.ts";
import { currentFrame, type Frame, runIn } from "../_internal/frame.ts";
import { callJoined } from "../_internal/open_scope.ts";
import { Outcome, outcomeOf } from "../_internal/outcome.ts";
import { refusal } from "../_internal/refuse.ts";
import { spawn, withScopeOf } from "../_internal/spawn.ts";
import { Members } from "./_members.ts";
import { Seats } from "./_seats.ts";
import type {
  GroupEntries,
  GroupOutcomes,
  GroupResult,
  GroupValues,
  StartStatus,
  TaskGroupAllOptions,
  TaskGroupOptions,
  WaitAllOptions,
} from "./_task_group_types.ts";
import { Context } from "./context_var.ts";
import { type CreateTaskOptions, Task, type TaskOutcome } from "./task.ts";
import { timeout } from "./timeout.ts";

export type * from "./_task_group_types.ts";

/**
 * A group of tasks, in a scope of their own.
 *
 * The first member to fail cancels the others; all are waited for, and all errors
 * are kept. `TaskGroup.run` is the form to use; a group that is kept in a field is
 * made with `new`, and ended by `waitAll`. Either belongs to the scope in which it
 * was made.
 *
 * @example Keep a group in a field
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { TaskGroup } from "@ilmek/async/task-group";
 * import { assertEquals } from "@std/assert";
 *
 * await using group = new TaskGroup({ name: "naps", limit: 2 });
 * for (const ms of [3, 2, 1]) {
 *   group.createTask(() => sleep(ms, { value: ms }));
 * }
 *
 * assertEquals(group.size, 3);
 * assertEquals(await group.waitAll(), [3, 2, 1]);
 * ```
 */
export class TaskGroup implements AsyncDisposable {
  readonly #members: Members;
  readonly #seats: Seats;

  /** Creates a group that is kept in a field; its scope is below the present one. */
  constructor(options: TaskGroupOptions = {}) {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(
        `Cannot create a group as "options" must be an object: write new TaskGroup({ name: ${
          show(options)
        } })`,
      );
    }
    const { name, limit = Infinity, onChildError, discard = false } = options;
    checkCount(limit, "create a group", "limit");
    if (onChildError !== undefined) {
      checkFunction(onChildError, "create a group", "onChildError");
    }
    const outer = currentFrame();
    this.#members = new Members(outer, name, {
      kept: discard ? undefined : [],
      onError: onChildError === undefined
        ? undefined
        : (error, actor) =>
          onChildError(error, actor === undefined ? undefined : Task.of(actor)),
    });
    this.#seats = new Seats(outer.loop, limit);
  }

  /**
   * Runs `fn` with a group, in the group's scope, and waits for all members.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it receives the group.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TaskGroupError} If `fn` or a member failed.
   * @throws {CancelledError} If the group or a scope above it was cancelled.
   *
   * @example Fetch two things, or nothing
   * ```ts
   * import { sleep } from "@ilmek/async/sleep";
   * import { TaskGroup } from "@ilmek/async/task-group";
   * import { assertEquals } from "@std/assert";
   *
   * const page = await TaskGroup.run(async (group) => {
   *   const user = group.createTask(() => sleep(1, { value: "ada" }));
   *   const posts = group.createTask(() => sleep(1, { value: 7 }));
   *   return `${await user}: ${await posts}`;
   * });
   *
   * assertEquals(page, "ada: 7");
   * ```
   */
  static async run<T>(
    fn: (group: TaskGroup) => T | PromiseLike<T>,
    options: TaskGroupOptions = {},
  ): Promise<T> {
    checkFunction(fn, "run a group");
    const outer = currentFrame();
    const group = new TaskGroup(options);
    return await group.#runBody(outer, fn);
  }

  /**
   * Runs functions as one group, and gives their values in the same shape.
   *
   * The first failure cancels the others. With `settle` all are waited for, and
   * how each has ended is told; a cancellation of the caller comes out all the
   * same.
   *
   * @typeParam E The functions.
   * @param entries A list or a record of functions.
   * @param options Additional options.
   * @returns The values, in the shape of `entries`.
   * @throws {TaskGroupError} If any failed.
   * @throws {TypeError} If `entries` holds anything but functions.
   *
   * @example Name the values
   * ```ts
   * import { TaskGroup } from "@ilmek/async/task-group";
   * import { assertEquals } from "@std/assert";
   *
   * const { one, two } = await TaskGroup.all({ one: () => 1, two: () => "2" });
   *
   * assertEquals([one, two], [1, "2"]);
   * ```
   */
  static all<const E extends GroupEntries>(
    entries: E,
    options?: TaskGroupAllOptions & { settle?: false },
  ): Promise<GroupValues<E>>;
  /**
   * Runs functions as one group, and tells how each has ended.
   *
   * @typeParam E The functions.
   * @param entries A list or a record of functions.
   * @param options Additional options.
   * @returns How each ended, in the shape of `entries`.
   */
  static all<const E extends GroupEntries>(
    entries: E,
    options: TaskGroupAllOptions,
  ): Promise<GroupOutcomes<E>>;
  static async all(
    entries: GroupEntries,
    options: TaskGroupAllOptions = {},
  ): Promise<unknown> {
    const { settle = false } = options;
    checkGroupEntries(entries);
    const names = Object.keys(entries);
    const tasks = await TaskGroup.run(
      (group) => Object.values(entries).map((fn) => group.createTask(fn)),
      settle ? { onChildError: () => {} } : {},
    );
    const values = tasks.map((task) => settle ? howEnded(task) : task.result());
    if (Array.isArray(entries)) return values;
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  }

  /** The name of the group; empty if it was given none. */
  get name(): string {
    return this.#members.name ?? "";
  }

  /** How many members have not ended. */
  get size(): number {
    return this.#members.size;
  }

  /** How many members run at once at most. */
  get limit(): number {
    return this.#seats.limit;
  }

  /** Whether the group was cancelled: by itself, by a failure, or from outside. */
  get cancelled(): boolean {
    return this.#members.node.struck !== undefined;
  }

  /**
   * Starts `fn` as a member of the group.
   *
   * It returns at once; with a `limit` the task is pending until there is a slot.
   * In a group that was cancelled the task ends before it begins.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The task.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {ScopeClosedError} If the group has ended.
   */
  createTask<T>(
    fn: () => T | PromiseLike<T>,
    options: Omit<CreateTaskOptions, "scope"> = {},
  ): Task<T> {
    checkFunction(fn, "create a task");
    this.#mustBeOpen("create a task");
    const { name, context, eager = false } = options;
    const { free } = this.#seats;
    this.#members.nursery.entered();
    if (free) this.#seats.take();
    const actor = spawn<T>(this.#members.node, fn, {
      name,
      eager: eager && free,
      held: !free,
      context: Context.storeOf(context),
      onEnd: this.#onEnd,
    });
    if (!free) this.#seats.hold(actor as Actor);
    this.#members.kept?.push(actor as Actor);
    return Task.of(actor);
  }

  /**
   * Starts `fn` as a member, if there is a slot for it.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The task, or `undefined` if it would have to wait.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {ScopeClosedError} If the group has ended.
   */
  tryCreateTask<T>(
    fn: () => T | PromiseLike<T>,
    options: Omit<CreateTaskOptions, "scope"> = {},
  ): Task<T> | undefined {
    checkFunction(fn, "create a task");
    if (!this.#seats.free) return undefined;
    return this.createTask(fn, options);
  }

  /**
   * Calls `fn` at once, as a member without a task: the cheapest way to fan out.
   *
   * It runs in the group's own scope and in the caller's context. It ignores the
   * `limit`. Its failure is the group's.
   *
   * @param fn What to call.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {ScopeClosedError} If the group has ended.
   */
  go(fn: () => unknown): void {
    if (typeof fn !== "function") checkFunction(fn, "start a member");
    if (this.#members.ended) this.#mustBeOpen("start a member");
    const frame = currentFrame();
    const { node } = this.#members;
    let result: unknown;
    try {
      const inner = frame.scope === node ? frame : withScopeOf(frame, node);
      result = inner === frame ? fn() : runIn(inner, fn);
      if (!(result instanceof Promise)) {
        result = outcomeOf(result)?.join(inner) ?? result;
      }
    } catch (error) {
      if (!(error instanceof CancelledError)) {
        this.#members.fail(error, undefined);
      }
      return;
    }
    if (!isThenable(result)) return;
    this.#members.nursery.entered();
    this.#seats.take();
    result.then(this.#goDone, this.#goFailed);
  }

  /**
   * Starts `fn` as a member that the group does not wait for: it is cancelled when
   * all others have ended. Its failure is the group's.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The task.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {ScopeClosedError} If the group has ended.
   */
  background<T>(
    fn: () => T | PromiseLike<T>,
    options: Omit<CreateTaskOptions, "scope"> = {},
  ): Task<T> {
    checkFunction(fn, "create a task");
    this.#mustBeOpen("create a task");
    const { name, context, eager } = options;
    const nursery = this.#members.background;
    nursery.entered();
    return Task.of(
      spawn<T>(nursery.node, fn, {
        name,
        eager,
        context: Context.storeOf(context),
        onEnd: (actor) => {
          this.#members.judge(actor);
          nursery.left();
        },
      }),
    );
  }

  /**
   * Starts `fn` as a member, and waits until it says that it has started.
   *
   * Until then it belongs to the caller: if the caller is cancelled, so is `fn`,
   * and nobody else. After that it belongs to the group.
   *
   * @typeParam S What `fn` hands over by `status.started`.
   * @param fn What to run; it receives the status.
   * @param options Additional options.
   * @returns What `fn` handed over.
   * @throws What `fn` threw, if it failed before it had started.
   * @throws {InvalidStateError} If `fn` ended without having started.
   */
  async start<S>(
    fn: (status: StartStatus<S>) => unknown,
    options: Omit<CreateTaskOptions, "scope"> = {},
  ): Promise<S> {
    checkFunction(fn, "start a member");
    this.#mustBeOpen("start a member");
    const frame = currentFrame();
    const refused = refusal(frame, "start a member");
    if (refused !== undefined) return await refused;
    const { name, context } = options;
    const started = new Outcome<{ value: S }>({
      label: `the start of "${name ?? "a member"}"`,
      cancelWith: (error) => actor.scope.cancel(error),
    });
    this.#members.nursery.entered();
    this.#seats.take();
    const status = {
      started: (value: S): void => {
        if (!started.resolve({ value })) {
          throw new InvalidStateError(
            `Cannot start ${actor.label} again: it has started`,
          );
        }
        actor.scope.moveTo(this.#members.node);
      },
    };
    const actor: Actor = spawn<unknown>(frame.scope, () => fn(status), {
      name,
      context: Context.storeOf(context),
      onEnd: (actor) => {
        if (started.pending) endUnstarted(actor, started);
        else this.#members.judge(actor);
        this.#seats.release();
        this.#members.left();
      },
    });
    return (await started.join(frame)).value;
  }

  /**
   * Waits until a member could begin at once: the back-pressure of a `limit`.
   *
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  slot(): Promise<void> {
    const frame = currentFrame();
    return refusal(frame, "wait for a slot") ??
      this.#seats.wait(frame, this.name);
  }

  /**
   * Waits for all members, and ends the group.
   *
   * Members may add others meanwhile. If the time runs out, all are cancelled, and
   * their end is waited for.
   *
   * @param options Additional options.
   * @returns The results of the members that were made by `createTask`, in the
   * order of their creation; those that were cancelled have none.
   * @throws {TaskGroupError} If any member failed, also if that was long ago.
   * @throws {TimeoutError} If the time ran out.
   */
  async waitAll(options: WaitAllOptions = {}): Promise<unknown[]> {
    const { timeoutMs = null } = options;
    const ms = toLimitMs(timeoutMs, "wait for a group", "timeoutMs");
    const frame = currentFrame();
    try {
      await timeout(ms, () => this.#members.join(currentFrame()), {
        label: this.name,
      });
    } finally {
      await this.#members.end(frame);
    }
    this.#members.throwErrors();
    return (this.#members.kept ?? []).map((actor) => actor.outcome)
      .filter((outcome) => outcome.state === "done")
      .map((outcome) => outcome.value);
  }

  /**
   * Cancels all members. The group can still be waited for.
   *
   * @param reason What to tell the members.
   * @returns `false` if the group was cancelled before, or has ended.
   */
  cancelAll(reason?: unknown): boolean {
    return cancelScope(this.#members.node, reason);
  }

  /**
   * Gives the members as they end, until none is left.
   *
   * Each is given once. Leaving the loop early cancels the others, and leaves the
   * group's own function alone. A member that
   * fails is given, too, and is the group's failure all the same.
   *
   * @returns What `for await` can go over.
   */
  async *results(): AsyncGenerator<GroupResult, void, void> {
    let left = true;
    try {
      for (
        let next = await this.#members.next();
        next !== undefined;
        next = await this.#members.next()
      ) {
        const task = Task.of(next.actor);
        yield { task, ...howEnded(task) };
      }
      left = false;
    } finally {
      if (left) this.#members.cancelEach("its result is not wanted any more");
    }
  }

  /**
   * Cancels the members that have not ended, and waits until they are gone. It
   * never rejects: what is lost by that is reported.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#members.ended) return;
    const { nursery: { loop, live: lost }, errors } = this.#members;
    this.cancelAll("the group was left");
    await this.#members.end(currentFrame());
    if (lost > 0) {
      loop.report({
        message:
          `Cannot keep ${lost} tasks: the group was left without waitAll()`,
      });
    }
    for (const error of errors) {
      loop.report({
        message: "A task failed in a group that was left without waitAll()",
        exception: error,
      });
    }
  }

  async #runBody<T>(
    outer: Frame,
    fn: (group: TaskGroup) => T | PromiseLike<T>,
  ): Promise<T> {
    let value: T | undefined;
    let thrown: { error: unknown } | undefined;
    try {
      value = await callJoined(this.#members.frame, fn, this);
    } catch (error) {
      thrown = { error };
      if (!(error instanceof CancelledError)) this.#members.cancelFor(error);
      else if (!this.cancelled) this.cancelAll("its function was cancelled");
    }
    await this.#members.end(outer);
    // The body's error comes last, behind those of the members.
    if (thrown !== undefined && !(thrown.error instanceof CancelledError)) {
      this.#members.errors.push(thrown.error);
    }
    this.#members.throwErrors();
    const struck = outer.scope.live().struck;
    if (struck !== undefined) throw struck;
    if (thrown !== undefined) throw thrown.error;
    return value as T;
  }

  #mustBeOpen(doing: string): void {
    const { ended, nursery } = this.#members;
    if (!ended && !nursery.loop.closed) return;
    throw new ScopeClosedError(
      `Cannot ${doing}: the group "${this.name}" has ended`,
    );
  }

  readonly #onEnd = (actor: Actor): void => {
    this.#members.judge(actor);
    this.#seats.leave(actor);
    this.#members.leave(actor);
  };

  readonly #goDone = (): void => {
    this.#seats.release();
    this.#members.left();
  };

  readonly #goFailed = (error: unknown): void => {
    if (!(error instanceof CancelledError)) {
      this.#members.fail(error, undefined);
    }
    this.#goDone();
  };
}

/** Tells the starter of a member that ended without having started. */
function endUnstarted(
  actor: Actor,
  started: Outcome<never> | Outcome<unknown>,
): void {
  const { outcome } = actor;
  outcome.observe();
  if (outcome.state === "done") {
    started.reject(
      new InvalidStateError(
        `Cannot start ${actor.label}: it ended without calling started()`,
      ),
    );
  } else started.reject(outcome.value);
}

function howEnded<T>(task: Task<T>): TaskOutcome<T> {
  try {
    return { state: "done", value: task.result() };
  } catch (error) {
    return { state: task.cancelled ? "cancelled" : "failed", error };
  }
}

function checkGroupEntries(entries: unknown): void {
  const isShape = typeof entries === "object" && entries !== null &&
    !isThenable(entries);
  if (!isShape) {
    throw new TypeError(
      `Cannot run a group as "entries" must be a list or a record of functions: current value is ${
        show(entries)
      }`,
    );
  }
  for (const fn of Object.values(entries)) checkFunction(fn, "run a group");
}
