/**
 * Futures: values that somebody will set later.
 *
 * ```ts
 * import { Future } from "@ilmek/async/future";
 *
 * const future = new Future<string>();
 * setTimeout(() => future.setResult("here"), 1);
 * console.log(await future);
 * ```
 *
 * @module
 */
import { cancellationOf } from "../_internal/cancellation.ts";
import { checkFunction, isThenable, show } from "../_internal/check.ts";
import { DoneCallbacks } from "../_internal/done_callbacks.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import {
  Outcome,
  type Producer,
  registerOutcome,
} from "../_internal/outcome.ts";
import { makePrintable } from "../_internal/printable.ts";
import { watchFailure } from "../_internal/unobserved.ts";

/** Options of {@linkcode Future}. */
export interface FutureOptions {
  /** How reports call the future. */
  name?: string;
  /**
   * Takes over when the future is to be cancelled: it ends what computes the
   * value, and sets the future when that has ended. It returns whether there was
   * something to end. Without it the future is cancelled at once.
   */
  onCancel?: (error: CancelledError) => boolean;
}

/**
 * A value that is set once, from outside, and that any number may await.
 *
 * `await future` is a wait: if the one who waits is cancelled and nobody else
 * waits, the future is cancelled.
 *
 * @typeParam T The type of the value.
 *
 * @example Set a value once
 * ```ts
 * import { Future } from "@ilmek/async/future";
 * import { InvalidStateError } from "@ilmek/async/errors";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const future = new Future<number>();
 * future.setResult(1);
 *
 * assertEquals(await future, 1);
 * assertThrows(() => future.setResult(2), InvalidStateError);
 * ```
 */
export class Future<T> implements PromiseLike<T> {
  readonly #pledge: Pledge<T>;
  readonly #loop: EventLoop = currentFrame().loop;
  #callbacks: DoneCallbacks<Future<T>> | undefined;

  static {
    makePrintable(this.prototype);
    registerOutcome((value) =>
      #pledge in value ? value.#pledge.outcome as Outcome<unknown> : undefined
    );
  }

  /** Creates a future that is pending. */
  constructor(options: FutureOptions = {}) {
    const { name = "unnamed", onCancel } = options;
    if (onCancel !== undefined) {
      checkFunction(onCancel, "create a future", "onCancel");
    }
    this.#pledge = new Pledge(name, this.#loop, onCancel);
  }

  /** How reports call the future. */
  get name(): string {
    return this.#pledge.name;
  }

  /** Whether the future has a result or an error, or was cancelled. */
  get done(): boolean {
    return !this.#pledge.outcome.pending;
  }

  /** Whether the future was cancelled. */
  get cancelled(): boolean {
    return this.#pledge.outcome.state === "cancelled";
  }

  /**
   * The value.
   *
   * @returns The value.
   * @throws {InvalidStateError} If the future is pending.
   * @throws The error that was set, or the cancellation.
   */
  result(): T {
    const outcome = this.#settled("read the result of");
    if (outcome.state === "done") return outcome.value as T;
    throw outcome.value;
  }

  /**
   * The error that was set.
   *
   * @returns The error, or `undefined` if there is a value.
   * @throws {InvalidStateError} If the future is pending.
   * @throws {CancelledError} If the future was cancelled.
   */
  exception(): unknown {
    const outcome = this.#settled("read the exception of");
    if (outcome.state === "cancelled") throw outcome.value;
    return outcome.state === "failed" ? outcome.value : undefined;
  }

  /**
   * Sets the value, and wakes all who wait, in the order in which they came.
   *
   * @param value The value; a promise is refused.
   * @throws {InvalidStateError} If the future is not pending.
   * @throws {TypeError} If `value` is a promise, a task or a future.
   */
  setResult(value: T extends PromiseLike<unknown> ? never : T): void {
    if (isThenable(value)) {
      throw new TypeError(
        `Cannot set the result of a future as "value" must not be awaitable: current value is ${
          show(value)
        }`,
      );
    }
    this.#mustBePending("set the result of");
    this.#pledge.outcome.resolve(value as T);
  }

  /**
   * Sets the error, and wakes all who wait.
   *
   * @param error What those who wait get thrown.
   * @throws {InvalidStateError} If the future is not pending.
   */
  setException(error: unknown): void {
    this.#mustBePending("set the exception of");
    const { outcome, label } = this.#pledge;
    outcome.reject(error);
    if (outcome.state === "failed") watchFailure(outcome, this.#loop, label);
  }

  /**
   * Cancels the future: all who wait get a `CancelledError`.
   *
   * @param reason What to tell those who wait.
   * @returns `false` if the future is not pending.
   */
  cancel(reason?: unknown): boolean {
    const { outcome, name } = this.#pledge;
    if (!outcome.pending) return false;
    const { scope } = currentFrame();
    return outcome.cancel(cancellationOf(scope, reason, { scope: name }));
  }

  /**
   * Calls `fn` once the future is done, in the context of the caller.
   *
   * Callbacks run in the order in which they were added, never inside of this
   * call or of `setResult`. What they throw goes to the loop's exception handler.
   *
   * @param fn What to call; it receives the future.
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    (this.#callbacks ??= new DoneCallbacks()).add(
      this.#pledge.outcome,
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
  removeDoneCallback(fn: (future: Future<T>) => void): number {
    return this.#callbacks?.remove(this.#pledge.outcome, fn) ?? 0;
  }

  /**
   * Waits for the value; see the class. Called by `await`.
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
    return this.#pledge.outcome.join(currentFrame()).then(onDone, onError);
  }

  /**
   * Waits for the value, and handles the error.
   *
   * @typeParam B What `onError` returns.
   * @param onError Called with the error.
   * @returns A promise for the value, or for what `onError` returns.
   */
  catch<B = never>(
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<T | B> {
    return this.#pledge.outcome.join(currentFrame()).catch(onError);
  }

  /** The tag of the class. */
  get [Symbol.toStringTag](): string {
    return "Future";
  }

  /**
   * Prints the future: its name and its state.
   *
   * @returns A line such as `<Future "answer" pending>`.
   */
  toString(): string {
    return `<Future ${
      JSON.stringify(this.name)
    } ${this.#pledge.outcome.state}>`;
  }

  #mustBePending(doing: string): void {
    const { state } = this.#pledge.outcome;
    if (state === "pending") return;
    throw new InvalidStateError(
      `Cannot ${doing} future "${this.name}": it is ${state} already`,
    );
  }

  #settled(doing: string): Outcome<T> {
    const { outcome } = this.#pledge;
    if (outcome.pending) {
      throw new InvalidStateError(
        `Cannot ${doing} future "${this.name}": it is pending`,
      );
    }
    outcome.observe();
    return outcome;
  }
}

/** What stands behind a future: nothing, or whoever has promised to set it. */
class Pledge<T> implements Producer {
  readonly name: string;
  readonly outcome: Outcome<T> = new Outcome<T>(this);
  readonly #loop: EventLoop;
  readonly #onCancel: ((error: CancelledError) => boolean) | undefined;

  constructor(
    name: string,
    loop: EventLoop,
    onCancel: ((error: CancelledError) => boolean) | undefined,
  ) {
    this.name = name;
    this.#loop = loop;
    this.#onCancel = onCancel;
  }

  get label(): string {
    return `future "${this.name}"`;
  }

  cancelWith(error: CancelledError): boolean {
    if (this.#onCancel === undefined) return this.outcome.reject(error);
    try {
      return this.#onCancel(error);
    } catch (exception) {
      this.#loop.report({
        message: 'The function "onCancel" of a future has thrown',
        exception,
      });
      return this.outcome.reject(error);
    }
  }
}
