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
import { cancellationOf, cancelScope } from "../_internal/cancellation.ts";
import {
  checkCount,
  checkFunction,
  type Duration,
  isThenable,
  show,
  toLimitMs,
} from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import {
  CancelledError,
  InvalidStateError,
  ScopeClosedError,
} from "../_internal/errors.ts";
import { currentFrame, type Frame, runIn } from "../_internal/frame.ts";
import { Nursery } from "../_internal/nursery.ts";
import { Outcome, outcomeOf } from "../_internal/outcome.ts";
import { Ring } from "../_internal/ring.ts";
import { refusal } from "../_internal/signal.ts";
import { spawn, withScopeOf } from "../_internal/spawn.ts";
import { Context } from "./context_var.ts";
import { type CreateTaskOptions, Task, type TaskOutcome } from "./task.ts";
import { timeout } from "./timeout.ts";
import { TaskGroupError } from "./task_group_error.ts";

/** Options of {@linkcode TaskGroup}. */
export interface TaskGroupOptions {
  /** How reports and cancellations call the group. */
  name?: string;
  /**
   * How many members run at once; more wait for their turn.
   *
   * @default {Infinity}
   */
  limit?: number;
  /**
   * Makes the group a supervisor: a member that fails is told to this function,
   * and to nobody else.
   */
  onChildError?: (error: unknown, task: Task<unknown> | undefined) => void;
  /**
   * Forgets members as they end, for groups that live long: `waitAll` and
   * `results` give nothing.
   *
   * @default {false}
   */
  discard?: boolean;
}

/** Options of {@linkcode TaskGroup.waitAll}. */
export interface WaitAllOptions {
  /**
   * How long to wait; after that all members are cancelled.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
}

/** A member that has ended, and how; see {@linkcode TaskGroup.results}. */
export type GroupResult = TaskOutcome<unknown> & {
  /** The member. */
  readonly task: Task<unknown>;
};

/** What a function that is started with {@linkcode TaskGroup.start} receives. */
export interface StartStatus<S> {
  /** Says that the start is done, and hands over what the starter waits for. */
  started(value: S): void;
}

/** Several functions: a list, or a record whose names the results keep. */
export type GroupEntries =
  | readonly (() => unknown)[]
  | { readonly [name: string]: () => unknown };

/** The results of functions, in their shape. */
export type GroupValues<E extends GroupEntries> = {
  -readonly [K in keyof E]: E[K] extends () => infer R ? Awaited<R> : never;
};

/** How functions ended, in their shape. */
export type GroupOutcomes<E extends GroupEntries> = {
  -readonly [K in keyof E]: E[K] extends () => infer R ? TaskOutcome<Awaited<R>>
    : never;
};

/** Options of {@linkcode TaskGroup.all}. */
export interface TaskGroupAllOptions {
  /**
   * Waits for all, and gives how each has ended, instead of the values.
   *
   * @default {false}
   */
  settle?: boolean;
}

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
  readonly #nursery: Nursery;
  readonly #frame: Frame;
  readonly #limit: number;
  readonly #onChildError: TaskGroupOptions["onChildError"];
  readonly #name: string | undefined;
  /** All members that were made by `createTask`, in the order of creation. */
  readonly #kept: Actor[] | undefined;
  /** Those of them that have ended, until `results` gives them. */
  readonly #unread = new Ring<Actor>();
  readonly #readers = new ClaimList();
  /** Members for whom there was no slot yet, in the order of creation. */
  readonly #held = new Set<Actor>();
  /** Members that ended before they got a slot. */
  readonly #unbegun = new WeakSet<Actor>();
  readonly #slots = new ClaimList();
  readonly #errors: unknown[] = [];
  /** Members that nobody waits for. */
  #background: Nursery | undefined;
  #running = 0;
  #ended = false;

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
    this.#name = name;
    this.#limit = limit;
    this.#onChildError = onChildError;
    this.#kept = discard ? undefined : [];
    this.#nursery = new Nursery(outer, { name });
    this.#frame = withScopeOf(outer, this.#nursery.node);
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
    return this.#name ?? "";
  }

  /** How many members have not ended. */
  get size(): number {
    return this.#nursery.live + (this.#background?.live ?? 0);
  }

  /** How many members run at once at most. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether the group was cancelled: by itself, by a failure, or from outside. */
  get cancelled(): boolean {
    return this.#nursery.node.struck !== undefined;
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
    const free = this.#running < this.#limit;
    this.#nursery.entered();
    if (free) this.#running++;
    const actor = spawn<T>(this.#nursery.node, fn, {
      name,
      eager: eager && free,
      held: !free,
      context: context === undefined ? undefined : Context.storeOf(context),
      onEnd: this.#onEnd,
    });
    if (!free) this.#hold(actor as Actor);
    this.#kept?.push(actor as Actor);
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
    if (this.#running >= this.#limit) return undefined;
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
    if (this.#ended) this.#mustBeOpen("start a member");
    const frame = currentFrame();
    const { node } = this.#nursery;
    let result: unknown;
    try {
      result = frame.scope === node
        ? fn()
        : runIn(withScopeOf(frame, node), fn);
    } catch (error) {
      if (!(error instanceof CancelledError)) this.#fail(error, undefined);
      return;
    }
    if (!isThenable(result)) return;
    this.#nursery.entered();
    this.#running++;
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
    const nursery = this.#background ??= new Nursery(this.#frame, {
      name: `background of ${this.#name ?? "a group"}`,
    });
    nursery.entered();
    return Task.of(
      spawn<T>(nursery.node, fn, {
        name,
        eager,
        context: context === undefined ? undefined : Context.storeOf(context),
        onEnd: (actor) => {
          this.#judge(actor);
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
    this.#nursery.entered();
    this.#running++;
    const status = {
      started: (value: S): void => {
        if (!started.resolve({ value })) {
          throw new InvalidStateError(
            `Cannot start ${actor.label} again: it has started`,
          );
        }
        actor.scope.moveTo(this.#nursery.node);
      },
    };
    const actor: Actor = spawn<unknown>(frame.scope, () => fn(status), {
      name,
      context: context === undefined ? undefined : Context.storeOf(context),
      onEnd: (actor) => {
        if (started.pending) endUnstarted(actor, started);
        else this.#judge(actor);
        this.#free();
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
    const refused = refusal(frame, "wait for a slot");
    if (refused !== undefined) return refused;
    if (this.#running < this.#limit) {
      return frame.loop.pass(Promise.resolve(), frame);
    }
    const claim = new Claim<void>(frame, `a slot of group "${this.name}"`);
    this.#slots.push(claim as Claim);
    return claim.wait();
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
      if (ms === Infinity) await this.#joinAll();
      else await timeout(ms, () => this.#joinAll(), { label: this.name });
    } finally {
      await this.#leave(frame);
    }
    this.#throwErrors();
    return (this.#kept ?? []).map((actor) => actor.outcome)
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
    return cancelScope(this.#nursery.node, reason);
  }

  /**
   * Gives the members as they end, until none is left.
   *
   * Each is given once. Leaving the loop early cancels the others. A member that
   * fails is given, too, and is the group's failure all the same.
   *
   * @returns What `for await` can go over.
   */
  async *results(): AsyncGenerator<GroupResult, void, void> {
    let left = true;
    try {
      for (;;) {
        const actor = this.#unread.shift();
        if (actor !== undefined) {
          const task = Task.of(actor);
          yield { task, ...howEnded(task) };
        } else if (this.#nursery.live === 0) {
          left = false;
          return;
        } else {
          const frame = currentFrame();
          await refusal(frame, "wait for the next result");
          const claim = new Claim<void>(frame, "the next result");
          this.#readers.push(claim as Claim);
          await claim.wait();
        }
      }
    } finally {
      if (left) this.cancelAll("its results are not wanted any more");
    }
  }

  /**
   * Cancels the members that have not ended, and waits until they are gone. It
   * never rejects: what is lost by that is reported.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const { loop, live } = this.#nursery;
    const lost = live;
    this.cancelAll("the group was left");
    await this.#leave(currentFrame());
    if (lost > 0) {
      loop.report({
        message:
          `Cannot keep ${lost} tasks: the group was left without waitAll()`,
      });
    }
    for (const error of this.#errors) {
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
      value = await runIn(this.#frame, () => {
        const result = fn(this);
        const outcome = outcomeOf(result);
        return outcome === undefined ? result : outcome.join(this.#frame);
      }) as T;
    } catch (error) {
      thrown = { error };
      // The body's error comes last, behind those of the members.
      if (!(error instanceof CancelledError)) this.#cancelFor(error);
      else if (!this.cancelled) this.cancelAll("its function was cancelled");
    }
    await this.#leave(outer);
    if (thrown !== undefined && !(thrown.error instanceof CancelledError)) {
      this.#errors.push(thrown.error);
    }
    this.#throwErrors();
    const struck = outer.scope.live().struck;
    if (struck !== undefined) throw struck;
    if (thrown !== undefined) throw thrown.error;
    return value as T;
  }

  /** Waits for all members as one outcome: whoever gives up cancels them. */
  #joinAll(): Promise<void> {
    const { node } = this.#nursery;
    const all = new Outcome<void>({
      label: `group "${this.name}"`,
      cancelWith: (error) => node.cancel(error),
    });
    this.#nursery.gone(this.#frame).then(() => {
      const { cancelledBy } = node;
      if (cancelledBy === undefined || this.#errors.length > 0) all.resolve();
      else all.reject(cancelledBy);
    });
    return all.join(currentFrame());
  }

  /** Waits until nothing is left of the group. */
  async #leave(frame: Frame): Promise<void> {
    await this.#nursery.gone(frame);
    const background = this.#background;
    if (background !== undefined) {
      cancelScope(background.node, "the group has ended");
      await background.gone(frame);
      background.node.exit();
      await this.#nursery.gone(frame);
    }
    this.#ended = true;
    this.#nursery.node.exit();
  }

  #throwErrors(): void {
    if (this.#errors.length === 0) return;
    throw new TaskGroupError(this.#errors, this.#name);
  }

  #mustBeOpen(doing: string): void {
    if (!this.#ended) return;
    throw new ScopeClosedError(
      `Cannot ${doing}: the group "${this.name}" has ended`,
    );
  }

  /** Lets a member wait for a slot. One that is cancelled before ends unbegun. */
  #hold(actor: Actor): void {
    const { scope, loop } = actor;
    const giveUp = (): void => {
      this.#unbegun.add(actor);
      loop.defer(actor);
    };
    if (scope.struck !== undefined) return giveUp();
    this.#held.add(actor);
    scope.onStruck = () => {
      if (this.#held.delete(actor)) giveUp();
    };
  }

  readonly #onEnd = (actor: Actor): void => {
    this.#judge(actor);
    if (this.#kept !== undefined) this.#unread.push(actor);
    this.#readers.shift()?.grant(undefined);
    if (this.#unbegun.delete(actor)) this.#memberGone();
    else this.#free();
  };

  /** Gives a slot back, to the next in line. */
  #free(): void {
    this.#running--;
    this.#memberGone();
    if (this.#running >= this.#limit) return;
    for (const actor of this.#held) {
      this.#held.delete(actor);
      actor.scope.onStruck = undefined;
      this.#running++;
      actor.loop.defer(actor);
      return;
    }
    this.#offerSlot();
  }

  /**
   * Tells the next in line that there is a slot. Whoever is told need not use it:
   * a turn later the one behind is told, if there still is one.
   */
  #offerSlot(): void {
    if (this.#running >= this.#limit) return;
    const claim = this.#slots.shift();
    if (claim === undefined) return;
    claim.grant(undefined);
    if (this.#slots.size === 0) return;
    this.#nursery.loop.turn({
      kind: "turn",
      label: "a free slot",
      run: () => this.#offerSlot(),
    });
  }

  #memberGone(): void {
    this.#nursery.left();
    if (this.#nursery.live > 0) return;
    for (let c = this.#readers.shift(); c; c = this.#readers.shift()) {
      c.grant(undefined);
    }
  }

  /** Takes note of how a member has ended. */
  #judge(actor: Actor): void {
    const { outcome } = actor;
    if (outcome.state !== "failed") return;
    outcome.observe();
    this.#fail(outcome.value, actor);
  }

  #fail(error: unknown, actor: Actor | undefined): void {
    const onChildError = this.#onChildError;
    if (onChildError === undefined) {
      this.#errors.push(error);
      return this.#cancelFor(error);
    }
    try {
      onChildError(error, actor === undefined ? undefined : Task.of(actor));
    } catch (exception) {
      this.#nursery.loop.report({
        message: 'The function "onChildError" of a group has thrown',
        exception,
      });
    }
  }

  #cancelFor(error: unknown): void {
    const { node } = this.#nursery;
    if (node.cancelledBy !== undefined || node.exited) return;
    node.cancel(
      cancellationOf(node, undefined, { kind: "sibling-failed", cause: error }),
    );
  }

  readonly #goDone = (): void => this.#free();

  readonly #goFailed = (error: unknown): void => {
    if (!(error instanceof CancelledError)) this.#fail(error, undefined);
    this.#free();
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
