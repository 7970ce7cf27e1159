import { show } from "../_internal/check.ts";
import { uncancellable } from "./uncancellable.ts";

/** With what a body has ended that did not succeed. */
export interface ContextFailure {
  /** What it has thrown. */
  readonly error: unknown;
}

/**
 * What is called when a context is left: with the failure of the body, or with
 * `undefined` if it has succeeded. If it gives `true`, the failure is swallowed.
 */
export type ContextExit = (
  failure?: ContextFailure,
) => boolean | void | PromiseLike<boolean | void>;

/** A context that was entered, and is to be left. */
export interface EnteredContext<T> {
  /** What the body is given. */
  readonly value: T;
  /** Leaves the context. */
  readonly exit: ContextExit;
  /**
   * Says that `exit` runs its cleanup in `uncancellable` by itself; otherwise
   * whoever leaves the context sees to it.
   *
   * @default {false}
   */
  readonly shielded?: boolean;
}

/**
 * Something to enter before a body, and to leave after it.
 *
 * Each call of `enter` is an entry of its own: what belongs to one is kept in what
 * it gives, so that the manager can be used by several at once.
 */
export interface AsyncContextManager<T> {
  /** Enters. If it throws, there is nothing to leave. */
  enter(): EnteredContext<T> | PromiseLike<EnteredContext<T>>;
}

/** Thrown if a body or an exit has failed, and a later exit as well. */
export class ContextExitError extends AggregateError {
  static {
    this.prototype.name = "ContextExitError";
  }

  /** Creates the error; `errors` is in the order of failure. */
  constructor(errors: Iterable<unknown>, name?: string) {
    const list = [...errors];
    const which = name === undefined ? "the context" : `"${name}"`;
    super(
      list,
      `Cannot leave ${which}: ${list.length} errors came up`,
      list.length > 0 ? { cause: list[0] } : undefined,
    );
  }
}

/** How exits are bounded, and called in reports. */
export interface ExitBounds {
  readonly graceMs: number;
  readonly name: string | undefined;
}

/** How far a chain of causes is followed. */
const MAX_CAUSES = 32;

/** Enters a context manager, or what is disposable, as a context of its own. */
export async function enterAny<T>(
  manager: AsyncContextManager<T> | AsyncDisposable | Disposable,
): Promise<EnteredContext<T>> {
  if (isObject(manager)) {
    if ("enter" in manager && typeof manager.enter === "function") {
      return await manager.enter();
    }
    if (Symbol.asyncDispose in manager) {
      return {
        value: manager as T,
        exit: async () => void await manager[Symbol.asyncDispose](),
      };
    }
    if (Symbol.dispose in manager) {
      return { value: manager as T, exit: () => manager[Symbol.dispose]() };
    }
  }
  throw new TypeError(
    `Cannot enter a context as "manager" must have "enter" or be disposable: current value is ${
      show(manager)
    }`,
  );
}

/**
 * The way out of contexts: each exit sees the latest failure, may swallow all that
 * has come up, and adds what it throws.
 */
export class Unwinding {
  /** In the order of failure. */
  readonly #errors: unknown[] = [];

  constructor(failure?: ContextFailure) {
    if (failure !== undefined) this.#errors.push(failure.error);
  }

  /** Leaves one context. It never rejects. */
  async leave(
    { exit, shielded = false }: Omit<EnteredContext<unknown>, "value">,
    { graceMs, name }: ExitBounds,
  ): Promise<void> {
    const failure = this.#errors.length === 0
      ? undefined
      : { error: this.#errors.at(-1) };
    const options = name === undefined ? { graceMs } : { graceMs, name };
    try {
      const swallowed = shielded
        ? await exit(failure)
        : await uncancellable(() => exit(failure), options);
      if (swallowed === true) this.#errors.length = 0;
    } catch (error) {
      this.#add(error);
    }
  }

  /** Throws what is left. */
  finish(name?: string): void {
    if (this.#errors.length === 0) return;
    if (this.#errors.length === 1) throw this.#errors[0];
    throw new ContextExitError(this.#errors, name);
  }

  #add(error: unknown): void {
    if (this.#errors.length > 0) {
      const latest = this.#errors.at(-1);
      // Whoever names it as the cause has replaced it, and kept it.
      if (error === latest || isCausedBy(error, latest)) this.#errors.pop();
    }
    this.#errors.push(error);
  }
}

function isCausedBy(error: unknown, wanted: unknown): boolean {
  let link = error;
  for (let i = 0; i < MAX_CAUSES && link instanceof Error; i++) {
    if (!("cause" in link)) return false;
    link = link.cause;
    if (link === wanted) return true;
  }
  return false;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" || typeof value === "function") &&
    value !== null;
}
