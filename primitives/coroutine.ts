/**
 * Calls that have not begun: cold, single use, with a state to look at.
 *
 * ```ts
 * import { coroutine } from "@ilmek/async/coroutine";
 *
 * const call = coroutine((name: string) => `hello ${name}`, "ada");
 * console.log(call.state); // created
 * console.log(await call);
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { makePrintable } from "../_internal/printable.ts";
import { createTask, type CreateTaskOptions, type Task } from "./task.ts";

/** Where a coroutine stands. */
export type CoroutineState = "created" | "running" | "suspended" | "closed";

/** Options of {@linkcode Coroutine}. */
export interface CoroutineOptions {
  /** How reports call the coroutine; the name of the function by default. */
  name?: string;
}

/**
 * A call that has not begun. It begins when it is awaited, in the task that
 * awaits it, or when it is started as a task; and once only.
 *
 * One that is collected without having begun is reported: an `await` is missing.
 *
 * @typeParam T What the function returns.
 *
 * @example Start a call as a task
 * ```ts
 * import { Coroutine } from "@ilmek/async/coroutine";
 * import { assertEquals } from "@std/assert";
 *
 * const call = new Coroutine(() => 42, { name: "answer" });
 * const task = call.start();
 *
 * assertEquals(await task, 42);
 * assertEquals(call.state, "closed");
 * ```
 */
export class Coroutine<T> implements PromiseLike<T> {
  /** The name of the function. */
  readonly name: string;
  readonly #record: Record;
  #call: (() => T | PromiseLike<T>) | undefined;
  #state: CoroutineState = "created";

  static {
    makePrintable(this.prototype);
  }

  /** Creates a coroutine that will call `fn`; `coroutine()` takes arguments, too. */
  constructor(fn: () => T | PromiseLike<T>, options: CoroutineOptions = {}) {
    checkFunction(fn, "create a coroutine");
    const { name = fn.name || "anonymous" } = options;
    this.name = name;
    this.#call = fn;
    this.#record = { name, loop: currentFrame().loop, begun: false };
    forgotten.register(this, this.#record);
  }

  /** Where the coroutine stands. */
  get state(): CoroutineState {
    return this.#state;
  }

  /**
   * Starts the call as a task.
   *
   * @param options Additional options.
   * @returns The task.
   * @throws {InvalidStateError} If the coroutine has begun, or was closed.
   */
  start(options: CreateTaskOptions = {}): Task<T> {
    const call = this.#begin();
    const task = createTask(() => this.#follow(call), {
      name: this.name,
      ...options,
    });
    task.addDoneCallback(() => {
      this.#state = "closed";
    });
    return task;
  }

  /**
   * Begins the call in the present task, and waits for it. Called by `await`.
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
    let call: () => T | PromiseLike<T>;
    try {
      call = this.#begin();
    } catch (error) {
      return Promise.reject<T>(error).then(onDone, onError);
    }
    return this.#follow(call).then(onDone, onError);
  }

  /**
   * Gives the call up. It is not reported, and can not begin any more.
   *
   * @throws {InvalidStateError} If the call is under way: cancel its task instead.
   */
  close(): void {
    if (this.#state === "running" || this.#state === "suspended") {
      throw new InvalidStateError(
        `Cannot close coroutine "${this.name}": it is ${this.#state}, cancel its task instead`,
      );
    }
    this.#record.begun = true;
    this.#call = undefined;
    this.#state = "closed";
  }

  /** Closes the coroutine, if it has not begun. */
  [Symbol.dispose](): void {
    if (this.#state === "created") this.close();
  }

  /** The tag of the class. */
  get [Symbol.toStringTag](): string {
    return "Coroutine";
  }

  /**
   * Prints the coroutine: its name and its state.
   *
   * @returns A line such as `<Coroutine "fetchUser" created>`.
   */
  toString(): string {
    return `<Coroutine ${JSON.stringify(this.name)} ${this.#state}>`;
  }

  #begin(): () => T | PromiseLike<T> {
    const call = this.#call;
    if (call === undefined) {
      throw new InvalidStateError(
        `Cannot begin coroutine "${this.name}" again: it has begun, or was closed`,
      );
    }
    this.#record.begun = true;
    this.#call = undefined;
    return call;
  }

  async #follow(call: () => T | PromiseLike<T>): Promise<T> {
    try {
      this.#state = "running";
      const result = call();
      this.#state = "suspended";
      return await result;
    } finally {
      this.#state = "closed";
    }
  }
}

/**
 * Makes a coroutine of a function and its arguments.
 *
 * @typeParam A The arguments of `fn`.
 * @typeParam T What `fn` returns.
 * @param fn What to call, later.
 * @param args The arguments for `fn`.
 * @returns The coroutine.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example Look at a call before it begins
 * ```ts
 * import { coroutine } from "@ilmek/async/coroutine";
 * import { assertEquals } from "@std/assert";
 *
 * const call = coroutine((name: string) => `hello ${name}`, "ada");
 *
 * assertEquals(call.state, "created");
 * assertEquals(await call, "hello ada");
 * assertEquals(call.state, "closed");
 * ```
 */
export function coroutine<A extends unknown[], T>(
  fn: (...args: A) => T | PromiseLike<T>,
  ...args: A
): Coroutine<T> {
  checkFunction(fn, "create a coroutine");
  return new Coroutine<T>(() => fn(...args), { name: fn.name || "anonymous" });
}

/** What is left to tell when a coroutine is collected. */
interface Record {
  readonly name: string;
  readonly loop: EventLoop;
  begun: boolean;
}

const forgotten = new FinalizationRegistry<Record>((record) => {
  if (record.begun) return;
  record.loop.report({
    message: `Coroutine "${record.name}" was never awaited`,
  });
});
