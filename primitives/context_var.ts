/**
 * Variables that each task has for itself.
 *
 * ```ts
 * import { ContextVar } from "@ilmek/async/context-var";
 *
 * const requestId = new ContextVar<string>("requestId");
 * requestId.run("r-1", () => console.log(requestId.get()));
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import type { Context as ContextStore } from "../_internal/context.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, runIn } from "../_internal/frame.ts";

let restore: (
  token: Token<never>,
  variable: ContextVar<never>,
  context: ContextStore,
) => void;

/** Thrown by {@linkcode ContextVar.get} if there is neither value nor default. */
export class MissingValueError extends ReferenceError {
  static {
    this.prototype.name = "MissingValueError";
  }
}

/**
 * What {@linkcode ContextVar.set} gives back, to undo it once.
 *
 * @typeParam T The type of the variable's values.
 *
 * @example Set a variable for a while
 * ```ts
 * import { ContextVar } from "@ilmek/async/context-var";
 * import { assertEquals } from "@std/assert";
 *
 * const depth = new ContextVar("depth", { defaultValue: 0 });
 * const token = depth.set(1);
 * depth.reset(token);
 *
 * assertEquals(depth.get(), 0);
 * ```
 */
export class Token<T> {
  /** The variable that was set. */
  readonly variable: ContextVar<T>;
  readonly #context: ContextStore;
  readonly #before: { readonly value: unknown } | undefined;
  #used = false;

  /**
   * Tokens come from `ContextVar.set`.
   *
   * @internal
   */
  constructor(
    variable: ContextVar<T>,
    context: ContextStore,
    before: { readonly value: unknown } | undefined,
  ) {
    this.variable = variable;
    this.#context = context;
    this.#before = before;
  }

  static {
    restore = (token, variable, context) => {
      if (token.variable !== variable) {
        throw new TypeError(
          `Cannot reset "${variable.name}": the token belongs to "${token.variable.name}"`,
        );
      }
      if (token.#context !== context) {
        throw new InvalidStateError(
          `Cannot reset "${variable.name}": the token was created in another context`,
        );
      }
      if (token.#used) {
        throw new InvalidStateError(
          `Cannot reset "${variable.name}": the token has been used already`,
        );
      }
      token.#used = true;
      if (token.#before === undefined) context.delete(variable);
      else context.set(variable, token.#before.value);
    };
  }
}

/** Options of {@linkcode ContextVar}. */
export interface ContextVarOptions<T> {
  /** What `get` gives where no value was set. */
  defaultValue?: T;
}

/**
 * A variable whose value belongs to the task in which it was set.
 *
 * A task starts with a copy of its creator's values; what it sets, its creator
 * does not see. A function that is called or awaited directly shares them.
 *
 * @typeParam T The type of the values.
 *
 * @example Follow a request through tasks
 * ```ts
 * import { ContextVar } from "@ilmek/async/context-var";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const user = new ContextVar("user", { defaultValue: "nobody" });
 * const task = user.run("ada", () => createTask(() => user.get()));
 *
 * assertEquals(await task, "ada");
 * assertEquals(user.get(), "nobody");
 * ```
 */
export class ContextVar<T> {
  /** The name of the variable, for reports. */
  readonly name: string;
  readonly #default: { readonly value: T } | undefined;

  /** Creates a variable. */
  constructor(name: string, options: ContextVarOptions<T> = {}) {
    if (typeof name !== "string") {
      throw new TypeError(
        `Cannot create a context variable as "name" must be a string: current value is ${
          show(name)
        }`,
      );
    }
    this.name = name;
    this.#default = "defaultValue" in options
      ? { value: options.defaultValue as T }
      : undefined;
  }

  /**
   * The value in the present context.
   *
   * @param fallback What to give where no value was set, before the default.
   * @returns The value.
   * @throws {MissingValueError} If there is no value, no fallback and no default.
   */
  get(...fallback: [fallback: T] | []): T {
    const { context } = currentFrame();
    if (context.has(this)) return context.get(this) as T;
    if (fallback.length > 0) return fallback[0] as T;
    if (this.#default !== undefined) return this.#default.value;
    throw new MissingValueError(
      `Cannot read "${this.name}": it has no value in this context, and no default`,
    );
  }

  /**
   * Sets the value in the present context.
   *
   * @param value The new value.
   * @returns A token that takes the change back.
   */
  set(value: T): Token<T> {
    const { context } = currentFrame();
    const before = context.has(this) ? { value: context.get(this) } : undefined;
    context.set(this, value);
    return new Token<T>(this, context, before);
  }

  /**
   * Takes back what one `set` has changed.
   *
   * @param token What that `set` gave back.
   * @throws {TypeError} If the token belongs to another variable.
   * @throws {InvalidStateError} If the token was used, or comes from another context.
   */
  reset(token: Token<T>): void {
    restore(token as Token<never>, this as never, currentFrame().context);
  }

  /**
   * Calls `fn` with the variable set, in a context of its own.
   *
   * @typeParam R What `fn` returns.
   * @param value The value for `fn`.
   * @param fn What to call.
   * @returns What `fn` returns.
   */
  run<R>(value: T, fn: () => R): R {
    checkFunction(fn, "run with a context variable");
    const frame = currentFrame();
    const context = frame.context.copy();
    context.set(this, value);
    const { loop, scope, actor } = frame;
    return runIn({ loop, scope, actor, context }, fn);
  }
}

/**
 * The values of all context variables at one moment; see
 * {@linkcode copyContext}.
 *
 * @example Keep what a function sets apart
 * ```ts
 * import { ContextVar, copyContext } from "@ilmek/async/context-var";
 * import { assertEquals } from "@std/assert";
 *
 * const level = new ContextVar("level", { defaultValue: 0 });
 * const context = copyContext();
 * context.run(() => level.set(5));
 *
 * assertEquals(context.get(level), 5);
 * assertEquals(level.get(), 0);
 * ```
 */
export class Context {
  readonly #store: ContextStore;

  /**
   * Contexts come from `copyContext`.
   *
   * @internal
   */
  constructor(store: ContextStore) {
    this.#store = store;
  }

  /**
   * What the library keeps behind a context.
   *
   * @internal
   */
  static storeOf(context: Context | undefined): ContextStore | undefined {
    if (context === undefined) return undefined;
    if (!(#store in context)) {
      throw new TypeError(
        `Cannot run in a context as "context" must come from copyContext(): current value is ${
          show(context)
        }`,
      );
    }
    return context.#store;
  }

  /**
   * The value of a variable in this context.
   *
   * @typeParam T The type of the value.
   * @param variable The variable.
   * @returns The value, or `undefined` if it was not set in here.
   */
  get<T>(variable: ContextVar<T>): T | undefined {
    return this.#store.get(variable) as T | undefined;
  }

  /**
   * Tells whether a variable was set in this context.
   *
   * @param variable The variable.
   * @returns `true` if it was set.
   */
  has(variable: ContextVar<never> | ContextVar<unknown>): boolean {
    return this.#store.has(variable);
  }

  /**
   * Calls `fn` in this context; what it sets stays in here.
   *
   * @typeParam R What `fn` returns.
   * @param fn What to call.
   * @returns What `fn` returns.
   */
  run<R>(fn: () => R): R {
    checkFunction(fn, "run in a context");
    const { loop, scope, actor } = currentFrame();
    return runIn({ loop, scope, actor, context: this.#store }, fn);
  }
}

/**
 * Copies the present context.
 *
 * @returns A context with the present values of all variables.
 *
 * @example Run a task in a context that is kept
 * ```ts
 * import { ContextVar, copyContext } from "@ilmek/async/context-var";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const step = new ContextVar<number>("step");
 * const context = copyContext();
 * await createTask(() => step.set(1), { context });
 *
 * assertEquals(context.get(step), 1);
 * ```
 */
export function copyContext(): Context {
  return new Context(currentFrame().context.copy());
}
