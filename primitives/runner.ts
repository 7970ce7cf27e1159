/**
 * Running an async function from beginning to end, and leaving nothing behind.
 *
 * ```ts
 * import { Runner } from "@ilmek/async/runner";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await using runner = new Runner();
 * await runner.run(() => sleep(1));
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { cancellationOf, cancelScope } from "../_internal/cancellation.ts";
import { checkFunction, type Duration, toMs } from "../_internal/check.ts";
import { DeadlockWatch } from "../_internal/deadlock.ts";
import { InvalidStateError, ScopeClosedError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import {
  currentFrame,
  enclosingFrame,
  rootFrame,
  runIn,
} from "../_internal/frame.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";
import { spawn } from "../_internal/spawn.ts";
import { type ExceptionHandler, Loop, newLoop } from "./loop.ts";

/** Options of {@linkcode Runner}. */
export interface RunnerOptions {
  /** Makes the loop, instead of the policy in force. */
  loopFactory?: () => Loop;
  /** Puts the loop into debug mode. */
  debug?: boolean;
  /** Who is told what goes wrong where nobody waits for it. */
  exceptionHandler?: ExceptionHandler;
  /**
   * What is done with tasks that are left when the main function has ended.
   *
   * @default {"cancel"}
   */
  leftovers?: "cancel" | "wait";
  /**
   * How long cancelled leftovers may take; after that they are reported by name,
   * and left alone.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/**
 * A loop of its own, on which functions are run from beginning to end.
 *
 * When a function has ended, the tasks that it left are cancelled and waited for.
 * Context variables that it has set stay for the next run.
 *
 * @example Run twice on one loop
 * ```ts
 * import { Runner } from "@ilmek/async/runner";
 * import { assertEquals } from "@std/assert";
 *
 * await using runner = new Runner();
 * const one = await runner.run(() => 1);
 * const two = await runner.run(() => 2);
 *
 * assertEquals(one + two, 3);
 * ```
 */
export class Runner implements AsyncDisposable {
  readonly #loop: Loop;
  readonly #core: EventLoop;
  readonly #leftovers: "cancel" | "wait";
  readonly #graceMs: number;
  readonly #context = currentFrame().context.copy();
  #main: Actor | undefined;
  /** How the run that is under way was cancelled, if it was. */
  #cancelled: { readonly reason: unknown } | undefined;
  #onCancel: () => void = () => {};
  /** Tasks that have outlived their grace, and were reported. */
  readonly #givenUp = new WeakSet<Actor>();

  /** Creates a runner with a loop of its own. */
  constructor(options: RunnerOptions = {}) {
    const { loopFactory = newLoop, debug, exceptionHandler } = options;
    const { leftovers = "cancel", graceMs = 5000 } = options;
    checkFunction(loopFactory, "create a runner", "loopFactory");
    this.#graceMs = toMs(graceMs, "create a runner", "graceMs");
    this.#leftovers = leftovers;
    this.#loop = loopFactory();
    this.#core = Loop.coreOf(this.#loop);
    if (debug !== undefined) this.#loop.debug = debug;
    if (exceptionHandler !== undefined) {
      this.#loop.exceptionHandler = exceptionHandler;
    }
  }

  /** The loop of this runner. */
  get loop(): Loop {
    return this.#loop;
  }

  /**
   * Runs `main` as a task, and gives what it returns once all is over.
   *
   * The process stays alive until then. Runs are not nested: inside of a run,
   * await the function itself. If for some seconds all tasks wait, and nothing
   * that the loop knows of can wake one, the exception handler is told once who
   * waits for what, and who holds it.
   *
   * @typeParam T What `main` returns.
   * @param main What to run.
   * @returns What `main` returns.
   * @throws What `main` throws.
   * @throws {TypeError} If `main` is not a function.
   * @throws {InvalidStateError} If it is called inside of a run.
   * @throws {ScopeClosedError} If the runner was closed.
   */
  async run<T>(main: () => T | PromiseLike<T>): Promise<T> {
    checkFunction(main, "run", "main");
    const enclosing = enclosingFrame();
    if (enclosing !== undefined && enclosing.loop.running > 0) {
      throw new InvalidStateError(
        "Cannot start a run inside of another: await the function itself",
      );
    }
    if (this.#core.closed) {
      throw new ScopeClosedError("Cannot run: the runner was closed");
    }
    if (this.#main !== undefined) {
      throw new InvalidStateError("Cannot run: the runner runs already");
    }
    const watch = new DeadlockWatch(this.#core);
    const release = this.#core.clock.keepAlive(() => watch.look());
    this.#core.running++;
    try {
      const frame = rootFrame(this.#core, this.#context);
      return await runIn(frame, () => this.#runMain(main));
    } finally {
      this.#core.running--;
      this.#main = undefined;
      this.#cancelled = undefined;
      release();
    }
  }

  /**
   * Cancels the run that is under way, if there is one. What it leaves behind is
   * cancelled, too, whatever `leftovers` says.
   *
   * @param reason What to tell those who are cancelled.
   * @returns `false` if nothing runs, or it was cancelled before.
   */
  cancel(reason?: unknown): boolean {
    const main = this.#main;
    if (main === undefined || this.#cancelled !== undefined) return false;
    this.#cancelled = { reason };
    cancelScope(main.scope, reason, { kind: "shutdown" });
    this.#onCancel();
    return true;
  }

  /**
   * Cancels the run that is under way, and leaves no time for cleanup that waits.
   *
   * @param reason What to tell those who are cancelled.
   */
  cancelHard(reason?: unknown): void {
    const { root } = this.#core;
    root.cancelHard(cancellationOf(root, reason, { kind: "shutdown" }));
  }

  /**
   * Closes the loop: it takes no tasks any more, and drops the callbacks that are
   * planned. Closing twice does nothing.
   */
  async close(): Promise<void> {
    if (this.#core.closed) return;
    this.cancel("the runner was closed");
    await this.#end();
    this.#core.close();
  }

  /** Closes the runner. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #runMain<T>(main: () => T | PromiseLike<T>): Promise<T> {
    const actor = spawn<T>(this.#core.root, main, {
      name: "main",
      context: this.#context,
    });
    this.#main = actor as Actor;
    actor.outcome.observe();
    await settled(actor as Actor);
    await this.#end();
    if (actor.outcome.state === "done") return actor.outcome.value as T;
    throw actor.outcome.value;
  }

  /** Sees all tasks that are left to their end, and tells of failures. */
  async #end(): Promise<void> {
    const core = this.#core;
    if (this.#leftovers === "wait" && this.#cancelled === undefined) {
      await Promise.race([
        this.#allGone(Infinity),
        new Promise<void>((resolve) => this.#onCancel = resolve),
      ]);
    }
    const limit = core.time() + this.#graceMs;
    for (const { scope } of this.#unfinished()) {
      if (isProtected(scope)) continue;
      cancelScope(scope, this.#cancelled?.reason, { kind: "shutdown" });
    }
    await this.#allGone(limit);
    const left = this.#unfinished();
    for (const actor of left) this.#givenUp.add(actor);
    if (left.length > 0) {
      const names = left.map((actor) => `"${actor.name}"`).join(", ");
      core.report({
        message:
          `Cannot wait longer for ${names}: the grace of ${this.#graceMs} ms is over`,
      });
    }
    core.reportUnobserved();
    // What is left are waits without a task: detached work, and stragglers.
    const { root } = core;
    core.renewRoot(cancellationOf(root, undefined, { kind: "shutdown" }));
  }

  /** The tasks that have not ended, but for those that were given up before. */
  #unfinished(): Actor[] {
    return [...this.#core.actors()]
      .filter((actor) => !this.#givenUp.has(actor));
  }

  /** Waits until no task is left, or the loop's time is `limit`. */
  async #allGone(limit: number): Promise<void> {
    let left = this.#unfinished();
    while (left.length > 0 && this.#core.time() < limit) {
      await settledBefore(left, limit);
      left = this.#unfinished();
    }
  }
}

/** Whether a scope belongs to cleanup, which has a grace of its own. */
function isProtected(scope: ScopeNode): boolean {
  for (let s: ScopeNode | undefined = scope; s !== undefined; s = s.parent) {
    if (s.uncancellable) return true;
  }
  return false;
}

/** Waits for the end of an actor, without being a wait of the loop. */
function settled(actor: Actor): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  actor.outcome.subscribe(actor.loop, resolve);
  return promise;
}

function settledBefore(actors: Actor[], limit: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { loop } = actors[0] as Actor;
  const timer = limit === Infinity
    ? undefined
    : loop.timers.at(limit, { label: "the grace of a run", expire: resolve });
  Promise.all(actors.map(settled)).then(() => resolve());
  return promise.finally(() => timer?.cancel());
}
