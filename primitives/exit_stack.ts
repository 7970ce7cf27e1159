/**
 * Cleanup that is collected on the way, and done in reverse order.
 *
 * ```ts
 * import { AsyncExitStack } from "@ilmek/async/exit-stack";
 *
 * await AsyncExitStack.run((stack) => {
 *   for (const name of ["a", "b"]) {
 *     console.log(`${name} is opened`);
 *     stack.callback(() => console.log(`${name} is closed`));
 *   }
 * });
 * ```
 *
 * @module
 */
import { checkFunction, type Duration, toMs } from "../_internal/check.ts";
import { DeadlockError, InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Once } from "../_internal/once.ts";
import { refusal } from "../_internal/refuse.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";
import {
  type AsyncContextManager,
  type ContextExit,
  type ContextFailure,
  enterAny,
  type EnteredContext,
  Unwinding,
} from "./_contexts.ts";

export type { Duration } from "../_internal/check.ts";
export {
  type AsyncContextManager,
  type ContextExit,
  ContextExitError,
  type ContextFailure,
  type EnteredContext,
} from "./_contexts.ts";

/** Options of {@linkcode AsyncExitStack}. */
export interface AsyncExitStackOptions {
  /**
   * How long each exit may go on once its scope is cancelled.
   *
   * @default {5000}
   */
  graceMs?: Duration;
  /** How errors and reports call the stack. */
  name?: string;
}

/** One thing to be done on the way out. */
type Exit = Omit<EnteredContext<unknown>, "value">;

/**
 * A stack of exits.
 *
 * They run in reverse order, all of them, even if some fail, and each in
 * `uncancellable`. An exit sees the latest failure. If it gives `true`, all that
 * came up before is swallowed; if it throws, that is what the next one sees. What is
 * left in the end is thrown: a single error as it is, several in a
 * {@linkcode ContextExitError}, in the order of failure.
 *
 * @example Open as many resources as there are
 * ```ts
 * import { AsyncExitStack } from "@ilmek/async/exit-stack";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const open = (name: string) => ({
 *   name,
 *   [Symbol.dispose]: () => void log.push(`close ${name}`),
 * });
 *
 * await AsyncExitStack.run(async (stack) => {
 *   for (const name of ["a", "b"]) {
 *     const resource = await stack.enterAsyncContext(open(name));
 *     log.push(`use ${resource.name}`);
 *   }
 * });
 *
 * assertEquals(log, ["use a", "use b", "close b", "close a"]);
 * ```
 *
 * @example Keep what was opened, unless opening fails half way
 * ```ts
 * import { AsyncExitStack } from "@ilmek/async/exit-stack";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const kept = await AsyncExitStack.run((stack) => {
 *   stack.callback(() => log.push("closed"));
 *   return { stack: stack.popAll() };
 * });
 * assertEquals(log, []);
 *
 * await kept?.stack.aclose();
 * assertEquals(log, ["closed"]);
 * ```
 */
export class AsyncExitStack
  implements AsyncDisposable, AsyncContextManager<AsyncExitStack> {
  readonly #graceMs: number;
  readonly #name: string | undefined;
  #exits: Exit[] = [];
  readonly #closing = new Once<boolean>("a stack that is being closed");
  /** In which the exit runs that is under way. */
  #exitScope: ScopeNode | undefined;
  #closed = false;

  /** Creates an empty stack. */
  constructor(options: AsyncExitStackOptions = {}) {
    const { graceMs = 5000, name } = options;
    this.#graceMs = toMs(graceMs, "create an exit stack", "graceMs");
    this.#name = name;
  }

  /**
   * Runs `fn` with a new stack, and then its exits, which see what `fn` has thrown.
   *
   * @typeParam R What `fn` returns.
   * @param fn The body.
   * @param options Additional options.
   * @returns What `fn` returns, or `undefined` if its error was swallowed.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {ContextExitError} If several of `fn` and the exits have failed.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  static async run<R>(
    fn: (stack: AsyncExitStack) => R | PromiseLike<R>,
    options: AsyncExitStackOptions = {},
  ): Promise<R | undefined> {
    checkFunction(fn, "run an exit stack");
    const stack = new AsyncExitStack(options);
    await refusal(currentFrame(), "run an exit stack");
    let result: R | undefined;
    let failure: ContextFailure | undefined;
    try {
      result = await fn(stack);
    } catch (error) {
      failure = { error };
    }
    const swallowed = await stack.#close(failure);
    return swallowed ? undefined : result;
  }

  /** How many exits are to be run. */
  get size(): number {
    return this.#exits.length;
  }

  /** Whether the stack was closed, with all exits done. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Enters a context manager, or takes something disposable, and leaves it with the
   * stack. If it cannot be entered, the stack stays as it is.
   *
   * @typeParam T What the manager gives.
   * @param manager The context manager, or something disposable.
   * @returns What the manager gives, or the disposable itself.
   * @throws {TypeError} If `manager` can be neither entered nor disposed of.
   * @throws {InvalidStateError} If the stack was closed, also while it enters: then
   * what was entered is left.
   * @throws {CancelledError} If the ambient scope is cancelled before it enters.
   */
  enterAsyncContext<T>(manager: AsyncContextManager<T>): Promise<T>;
  /** The same for what is disposable. */
  enterAsyncContext<D extends AsyncDisposable | Disposable>(
    disposable: D,
  ): Promise<D>;
  async enterAsyncContext<T>(
    manager: AsyncContextManager<T> | AsyncDisposable | Disposable,
  ): Promise<T> {
    this.#checkOpen("enter a context");
    await refusal(currentFrame(), "enter a context");
    const entered = await enterAny<T>(manager);
    if (!this.#closed) {
      this.#exits.push(entered);
      return entered.value;
    }
    const unwinding = new Unwinding({
      error: this.#closedFault("keep a context"),
    });
    await unwinding.leave(
      { ...entered, exit: () => entered.exit() },
      this.#bounds,
    );
    unwinding.finish(this.#name);
    return entered.value;
  }

  /**
   * Adds an exit.
   *
   * @param exit Called with the latest failure, or without one; if it gives `true`,
   * that is swallowed.
   * @returns The same function.
   * @throws {TypeError} If `exit` is not a function.
   * @throws {InvalidStateError} If the stack was closed.
   */
  push<E extends ContextExit>(exit: E): E {
    checkFunction(exit, "push an exit", "exit");
    this.#checkOpen("push an exit");
    this.#exits.push({ exit });
    return exit;
  }

  /**
   * Adds a function to be called with these arguments. It sees no failure, and
   * swallows none.
   *
   * @typeParam A The arguments.
   * @param fn The function.
   * @param args What it is called with.
   * @returns The same function.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {InvalidStateError} If the stack was closed.
   */
  callback<A extends unknown[]>(
    fn: (...args: A) => unknown,
    ...args: A
  ): (...args: A) => unknown {
    checkFunction(fn, "push a callback");
    this.#checkOpen("push a callback");
    this.#exits.push({ exit: async () => void await fn(...args) });
    return fn;
  }

  /**
   * Moves all exits to a new stack, and leaves this one empty.
   *
   * @returns The new stack, to be closed by the caller.
   * @throws {InvalidStateError} If the stack was closed.
   */
  popAll(): AsyncExitStack {
    this.#checkOpen("move exits");
    const stack = new AsyncExitStack({
      graceMs: this.#graceMs,
      ...(this.#name === undefined ? {} : { name: this.#name }),
    });
    stack.#exits = this.#exits;
    this.#exits = [];
    return stack;
  }

  /**
   * Runs the exits at once, as if a body had succeeded. Nothing can be added any
   * more. Whoever calls it again gets what came of the first call.
   *
   * @throws {ContextExitError} If several exits have failed.
   * @throws {DeadlockError} If one of the exits calls it.
   */
  async aclose(): Promise<void> {
    await this.#close();
  }

  /**
   * Runs the exits as if the body had succeeded: `await using` does not tell of its
   * errors. Exits that must know of them are for `run`.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  /** The stack as a context, so that another stack can hold it. */
  enter(): EnteredContext<AsyncExitStack> {
    this.#checkOpen("enter a context");
    return {
      value: this,
      shielded: true,
      exit: (failure) => this.#close(failure),
    };
  }

  get #bounds(): { graceMs: number; name: string | undefined } {
    return { graceMs: this.#graceMs, name: this.#name };
  }

  #close(failure?: ContextFailure): Promise<boolean> {
    if (!this.#closing.begun) {
      return this.#closing.begin(() => this.#unwind(failure));
    }
    if (!this.#isInExit()) return this.#join(failure);
    return Promise.reject(
      new DeadlockError(
        "Cannot close the stack: it is being closed, and waits for this exit",
      ),
    );
  }

  /** Waits for the end of a stack that was closed without knowing of `failure`. */
  async #join(failure: ContextFailure | undefined): Promise<boolean> {
    const unwinding = new Unwinding(failure);
    const exit = async () => void await this.#closing.join();
    await unwinding.leave({ exit }, this.#bounds);
    unwinding.finish(this.#name);
    return false;
  }

  #isInExit(): boolean {
    if (this.#exitScope === undefined) return false;
    let scope: ScopeNode | undefined = currentFrame().scope;
    while (scope !== undefined && scope !== this.#exitScope) {
      scope = scope.parent;
    }
    return scope !== undefined;
  }

  /** Notes the scope that is opened for an exit. */
  #noting(entry: Exit): Exit {
    if (entry.shielded) return entry;
    return {
      exit: (failure) => {
        this.#exitScope = currentFrame().scope;
        return entry.exit(failure);
      },
    };
  }

  /** Tells whether the failure was swallowed. */
  async #unwind(failure: ContextFailure | undefined): Promise<boolean> {
    const unwinding = new Unwinding(failure);
    // An exit may push others: they come next.
    for (let exit = this.#exits.pop(); exit; exit = this.#exits.pop()) {
      await unwinding.leave(this.#noting(exit), this.#bounds);
      this.#exitScope = undefined;
    }
    this.#closed = true;
    unwinding.finish(this.#name);
    return failure !== undefined;
  }

  #checkOpen(doing: string): void {
    if (this.#closed) throw this.#closedFault(doing);
  }

  #closedFault(doing: string): InvalidStateError {
    return new InvalidStateError(`Cannot ${doing}: the stack was closed`);
  }
}
