/**
 * Something to do before a body, and something after it, however it ends.
 *
 * ```ts
 * import { asyncContextManager } from "@ilmek/async/context-manager";
 *
 * const resource = asyncContextManager(async function* (name: string) {
 *   console.log(`${name} is opened`);
 *   try {
 *     yield name;
 *   } finally {
 *     console.log(`${name} is closed`);
 *   }
 * });
 *
 * await resource("db").use((name) => console.log(`${name} is used`));
 * ```
 *
 * @module
 */
import {
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Once } from "../_internal/once.ts";
import { refusal } from "../_internal/refuse.ts";
import {
  type AsyncContextManager,
  type ContextFailure,
  enterAny,
  type EnteredContext,
  type ExitBounds,
  Unwinding,
} from "./_contexts.ts";
import { uncancellable } from "./uncancellable.ts";

export type { Duration } from "../_internal/check.ts";
export {
  type AsyncContextManager,
  type ContextExit,
  ContextExitError,
  type ContextFailure,
  type EnteredContext,
} from "./_contexts.ts";

/** Options of {@linkcode asyncContextManager} and {@linkcode withContext}. */
export interface ContextOptions {
  /**
   * How long the cleanup may go on once its scope is cancelled.
   *
   * @default {5000}
   */
  graceMs?: Duration;
  /**
   * How errors and reports call the context.
   *
   * @default {the name of the function}
   */
  name?: string;
}

/**
 * Makes a context manager of a generator: what stands before its `yield` is done on
 * entry, what it yields is given to the body, and what stands after is done on exit.
 *
 * An error of the body is thrown at the `yield`. It goes on to the caller, unless
 * the generator catches it and returns: then it is swallowed. An error that the
 * generator throws instead replaces it if it names it as its `cause`; otherwise both
 * come out in a {@linkcode ContextExitError}, so that none is lost.
 *
 * The exit may wait although its scope was cancelled, for as long as its grace.
 * Each entry has a generator of its own: one manager may be used by several at once.
 *
 * @typeParam A The arguments.
 * @typeParam T What the body is given.
 * @param fn The generator function, which yields once.
 * @param options Additional options.
 * @returns A function that makes a manager for its arguments.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {RangeError} If `options.graceMs` is negative or not a number.
 *
 * @example Commit, or roll back
 * ```ts
 * import { asyncContextManager } from "@ilmek/async/context-manager";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const log: string[] = [];
 * const transaction = asyncContextManager(async function* () {
 *   try {
 *     yield (sql: string) => log.push(sql);
 *     log.push("commit");
 *   } catch (error) {
 *     log.push("rollback");
 *     throw error;
 *   }
 * });
 *
 * await transaction().use((run) => run("insert"));
 * await assertRejects(() =>
 *   transaction().use(() => {
 *     throw new RangeError("no");
 *   }), RangeError);
 *
 * assertEquals(log, ["insert", "commit", "rollback"]);
 * ```
 *
 * @example Leave it at the end of a block
 * ```ts
 * import { asyncContextManager } from "@ilmek/async/context-manager";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const resource = asyncContextManager(async function* (name: string) {
 *   yield name;
 *   log.push(`${name} is closed`);
 * });
 * {
 *   await using db = await resource("db").enter();
 *   log.push(`${db.value} is used`);
 * }
 *
 * assertEquals(log, ["db is used", "db is closed"]);
 * ```
 */
export function asyncContextManager<A extends unknown[], T>(
  fn: (...args: A) => AsyncGenerator<T, unknown, unknown>,
  options: ContextOptions = {},
): (...args: A) => GeneratorContextManager<T> {
  checkFunction(fn, "make a context manager");
  const bounds = boundsOf(options, "make a context manager", fn.name);
  return (...args) => new ManagerOfGenerator(() => fn(...args), bounds);
}

/** A context manager made by {@linkcode asyncContextManager}. */
export interface GeneratorContextManager<T> extends AsyncContextManager<T> {
  /**
   * Enters.
   *
   * @returns The context, to be left by `await using`, or by its `exit`.
   * @throws {InvalidStateError} If the generator does not yield.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  enter(): Promise<GeneratorContext<T>>;
  /**
   * Enters, runs `fn`, and leaves with what came of it.
   *
   * @typeParam R What `fn` returns.
   * @param fn The body.
   * @returns What `fn` returns, or `undefined` if its error was swallowed.
   * @throws {InvalidStateError} If the generator does not yield, or yields twice.
   * @throws {ContextExitError} If both `fn` and the exit have failed.
   */
  use<R>(fn: (value: T) => R | PromiseLike<R>): Promise<R | undefined>;
}

/** A generator that was entered, and is to be left. */
export interface GeneratorContext<T>
  extends EnteredContext<T>, AsyncDisposable {
  /**
   * Leaves. Whoever calls it again gets what came of the first call.
   *
   * @param failure With what the body has failed, if it has.
   * @returns Whether the failure was swallowed.
   * @throws {InvalidStateError} If the generator yields again.
   */
  readonly exit: (failure?: ContextFailure) => Promise<boolean>;
  /**
   * Leaves as if the body had succeeded: `await using` does not tell of its errors.
   * A generator that must know of them is for `use`.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Enters a context manager, runs `fn`, and leaves it with what came of it.
 *
 * What is disposable is a context manager as well, and gives itself. The exit runs
 * in `uncancellable`, so that it may wait although the scope was cancelled.
 *
 * @typeParam T What the manager gives.
 * @typeParam R What `fn` returns.
 * @param manager The context manager, or something disposable.
 * @param fn The body.
 * @param options Additional options.
 * @returns What `fn` returns, or `undefined` if its error was swallowed.
 * @throws {TypeError} If `manager` can be neither entered nor disposed of, or `fn` is
 * not a function.
 * @throws {ContextExitError} If both `fn` and the exit have failed.
 * @throws {CancelledError} If the ambient scope is cancelled before it enters.
 *
 * @example Write a context manager by hand
 * ```ts
 * import { withContext } from "@ilmek/async/context-manager";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const ignoringErrors = {
 *   enter: () => ({
 *     value: "value",
 *     exit: (failure?: { error: unknown }) => {
 *       log.push(String(failure?.error));
 *       return true;
 *     },
 *   }),
 * };
 * await withContext(ignoringErrors, (value) => {
 *   throw new RangeError(value);
 * });
 *
 * assertEquals(log, ["RangeError: value"]);
 * ```
 */
export function withContext<T, R>(
  manager: AsyncContextManager<T>,
  fn: (value: T) => R | PromiseLike<R>,
  options?: ContextOptions,
): Promise<R | undefined>;
/** The same for what is disposable, which never swallows an error. */
export function withContext<D extends AsyncDisposable | Disposable, R>(
  disposable: D,
  fn: (value: D) => R | PromiseLike<R>,
  options?: ContextOptions,
): Promise<R>;
export async function withContext<T, R>(
  manager: AsyncContextManager<T> | AsyncDisposable | Disposable,
  fn: (value: T) => R | PromiseLike<R>,
  options: ContextOptions = {},
): Promise<R | undefined> {
  checkFunction(fn, "enter a context");
  const bounds = boundsOf(options, "enter a context");
  return await runInside(() => enterAny<T>(manager), fn, bounds);
}

class ManagerOfGenerator<T> implements GeneratorContextManager<T> {
  readonly #start: () => AsyncGenerator<T, unknown, unknown>;
  readonly #bounds: ExitBounds;

  constructor(
    start: () => AsyncGenerator<T, unknown, unknown>,
    bounds: ExitBounds,
  ) {
    this.#start = start;
    this.#bounds = bounds;
  }

  async enter(): Promise<GeneratorContext<T>> {
    await refusal(currentFrame(), "enter a context");
    const generator = this.#start();
    const { name } = this.#bounds;
    if (typeof generator?.next !== "function") {
      throw new TypeError(
        `Cannot enter ${
          titleOf(name)
        } as "fn" must be a generator function: it gave ${show(generator)}`,
      );
    }
    const first = await generator.next();
    if (first.done !== true) {
      return new EnteredGenerator(first.value, generator, this.#bounds);
    }
    throw new InvalidStateError(
      `Cannot enter ${titleOf(name)}: its generator ended without a yield`,
    );
  }

  async use<R>(fn: (value: T) => R | PromiseLike<R>): Promise<R | undefined> {
    checkFunction(fn, "use a context");
    return await runInside(() => this.enter(), fn, this.#bounds);
  }
}

class EnteredGenerator<T> implements GeneratorContext<T> {
  readonly value: T;
  readonly shielded = true;
  readonly #generator: AsyncGenerator<T, unknown, unknown>;
  readonly #bounds: ExitBounds;
  readonly #leaving = new Once<boolean>("a context that is being left");

  constructor(
    value: T,
    generator: AsyncGenerator<T, unknown, unknown>,
    bounds: ExitBounds,
  ) {
    this.value = value;
    this.#generator = generator;
    this.#bounds = bounds;
  }

  readonly exit = (failure?: ContextFailure): Promise<boolean> => {
    const { graceMs, name } = this.#bounds;
    const leave = () =>
      failure === undefined ? this.#resume() : this.#throw(failure.error);
    return uncancellable(
      () =>
        this.#leaving.begun ? this.#leaving.join() : this.#leaving.begin(leave),
      { graceMs, ...(name === undefined ? {} : { name }) },
    );
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exit();
  }

  async #resume(): Promise<boolean> {
    const { done } = await this.#generator.next();
    if (done !== true) await this.#refuseSecond();
    return false;
  }

  async #throw(error: unknown): Promise<boolean> {
    let done: boolean | undefined;
    try {
      ({ done } = await this.#generator.throw(error));
    } catch (thrown) {
      if (thrown === error) return false;
      throw thrown;
    }
    if (done !== true) await this.#refuseSecond();
    return true;
  }

  async #refuseSecond(): Promise<never> {
    await this.#generator.return(undefined);
    throw new InvalidStateError(
      `Cannot leave ${
        titleOf(this.#bounds.name)
      }: its generator yielded a second time`,
    );
  }
}

async function runInside<T, R>(
  enter: () => Promise<EnteredContext<T>>,
  fn: (value: T) => R | PromiseLike<R>,
  bounds: ExitBounds,
): Promise<R | undefined> {
  await refusal(currentFrame(), "enter a context");
  const entered = await enter();
  let result: R | undefined;
  let unwinding: Unwinding;
  try {
    result = await fn(entered.value);
    unwinding = new Unwinding();
  } catch (error) {
    unwinding = new Unwinding({ error });
  }
  await unwinding.leave(entered, bounds);
  unwinding.finish(bounds.name);
  return result;
}

function boundsOf(
  { graceMs = 5000, name }: ContextOptions,
  doing: string,
  usualName = "",
): ExitBounds {
  return {
    graceMs: toMs(graceMs, doing, "graceMs"),
    name: name ?? (usualName === "" ? undefined : usualName),
  };
}

function titleOf(name: string | undefined): string {
  return name === undefined ? "the context" : JSON.stringify(name);
}
