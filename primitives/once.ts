/**
 * Work that is done once, however many ask for it.
 *
 * ```ts
 * import { Once } from "@ilmek/async/once";
 *
 * const config = new Once(() => ({ port: 8000 }));
 * const { port } = await config.get();
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { checkFunction } from "../_internal/check.ts";
import { Claim, ClaimList, type LineOwner } from "../_internal/claim.ts";
import { type CancelledError, DeadlockError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { spawn } from "../_internal/spawn.ts";

export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode Once}. */
export interface OnceOptions {
  /** How reports and errors call the work. */
  name?: string;
  /**
   * Keeps the error if the work fails: nobody tries again.
   *
   * @default {false}
   */
  keepsErrors?: boolean;
}

/** Options of {@linkcode Once.get}. */
export interface OnceGetOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Where the work of a {@linkcode Once} stands. */
export type OnceState = "idle" | "running" | "done" | "failed";

type Result<T> = { readonly value: T } | { readonly error: unknown };

/**
 * A value that is computed when it is first asked for, and kept.
 *
 * The work runs as a task of its own, detached from whoever was first: that one's
 * deadline does not end it. It sees the context variables of that caller. Those who
 * ask meanwhile wait for the same work; one who is cancelled leaves alone. When all
 * have left, the work is cancelled, and the next who asks begins anew. So it is
 * after a failure, which all who wait are given.
 *
 * @typeParam T The type of the value.
 *
 * @example Load a file once
 * ```ts
 * import { Once } from "@ilmek/async/once";
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout, TimeoutError } from "@ilmek/async/timeout";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * let loads = 0;
 * const file = new Once(async () => {
 *   loads++;
 *   await sleep(5);
 *   return "text";
 * });
 * const patient = file.get();
 * await assertRejects(() => timeout(1, () => file.get()), TimeoutError);
 *
 * assertEquals(await patient, "text");
 * assertEquals(await file.get(), "text");
 * assertEquals(loads, 1);
 * ```
 */
export class Once<T> {
  readonly #fn: () => T | PromiseLike<T>;
  readonly #name: string;
  readonly #keepsErrors: boolean;
  #result: Result<T> | undefined = undefined;
  #flight: Flight<T> | undefined = undefined;

  /**
   * Creates a value that is not computed yet.
   *
   * @param fn Computes it.
   * @param options Additional options.
   * @throws {TypeError} If `fn` is not a function.
   */
  constructor(fn: () => T | PromiseLike<T>, options: OnceOptions = {}) {
    const { name, keepsErrors = false } = options;
    checkFunction(fn, "create a lazy value");
    this.#fn = fn;
    this.#name = name ?? (fn.name === "" ? "once" : fn.name);
    this.#keepsErrors = keepsErrors;
  }

  /** Where the work stands; `failed` only if errors are kept. */
  get state(): OnceState {
    if (this.#result !== undefined) {
      return "value" in this.#result ? "done" : "failed";
    }
    return this.#flight === undefined ? "idle" : "running";
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#flight?.line.size ?? 0;
  }

  /**
   * Gives the value, and computes it if nobody has.
   *
   * @param options Additional options.
   * @returns The value.
   * @throws What the work fails with.
   * @throws {DeadlockError} If the work itself asks, and nothing would end the wait.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  get(options: OnceGetOptions = {}): Promise<T> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "wait for a value", signal);
    if (refused !== undefined) return refused;
    const result = this.#result;
    if (result !== undefined) {
      return "value" in result
        ? frame.loop.pass(Promise.resolve(result.value), frame)
        : Promise.reject(result.error);
    }
    try {
      const fault = this.#selfFault(frame, signal);
      if (fault !== undefined) throw fault;
      const { line, actor } = this.#fly(frame);
      const claim = new Claim<T>(frame, actor);
      line.push(claim as Claim);
      linkSignal(claim as Claim, signal);
      return claim.wait();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Waiting for the value, as a choice of `select`. The work begins when it is
   * waited for; if that was the only wait, choosing otherwise ends the work.
   *
   * @returns The operation; it gives the value.
   */
  getOp(): Operation<T> {
    return new Operation<T>({
      label: `the value of ${JSON.stringify(this.#name)}`,
      attempt: () => {
        const result = this.#result;
        if (result === undefined || "value" in result) return result;
        throw result.error;
      },
      park: (claim) => this.#fly(claim.frame).line.push(claim as Claim),
    });
  }

  /**
   * The value, if it is there.
   *
   * @returns The value, or `undefined`.
   */
  peek(): T | undefined {
    const result = this.#result;
    return result !== undefined && "value" in result ? result.value : undefined;
  }

  /**
   * Forgets the value: the next who asks computes it anew. Work that is under way
   * goes on for those who wait for it, and is not kept.
   */
  reset(): void {
    this.#result = undefined;
    this.#flight = undefined;
  }

  /** The work under way, which is begun if there is none. */
  #fly(frame: Frame): Flight<T> {
    return this.#flight ??= new Flight<T>(
      frame,
      this.#fn,
      this.#name,
      (flight, result) => {
        if (this.#flight !== flight) return;
        this.#flight = undefined;
        if (result === undefined) return;
        if ("value" in result || this.#keepsErrors) this.#result = result;
      },
    );
  }

  #selfFault(
    frame: Frame,
    signal: AbortSignal | undefined,
  ): DeadlockError | undefined {
    const { actor } = frame;
    if (actor === undefined || actor !== this.#flight?.actor) return undefined;
    if (signal !== undefined) return undefined;
    if (frame.scope.live().effectiveDeadline < Infinity) return undefined;
    return new DeadlockError(
      `Cannot wait for the value of ${
        JSON.stringify(this.#name)
      }: its own work waits for it`,
    );
  }
}

/** Work under way, and who waits for it. */
class Flight<T> implements LineOwner {
  readonly actor: Actor;
  readonly line: ClaimList = new ClaimList(this);
  readonly #onEnd: (flight: Flight<T>, result: Result<T> | undefined) => void;

  constructor(
    { loop }: Frame,
    fn: () => T | PromiseLike<T>,
    name: string,
    onEnd: (flight: Flight<T>, result: Result<T> | undefined) => void,
  ) {
    this.#onEnd = onEnd;
    this.actor = spawn<T>(loop.root, fn, { name }) as Actor;
    const { outcome } = this.actor;
    outcome.observe();
    outcome.subscribe(loop, () => this.#land());
  }

  holders(): Iterable<Actor> {
    return [this.actor];
  }

  /** When the last one has left, nobody needs the work. */
  withdrawn(): void {
    if (this.line.size > 0 || !this.actor.outcome.pending) return;
    this.#onEnd(this, undefined);
    const { scope, outcome } = this.actor;
    outcome.cancel(cancellationOf(scope, undefined, { kind: "given-up" }));
  }

  #land(): void {
    const { state, value } = this.actor.outcome;
    const isDone = state === "done";
    const isCancelled = state === "cancelled";
    const result = isDone ? { value: value as T } : { error: value };
    this.#onEnd(this, isCancelled ? undefined : result);
    for (let c = this.line.shift(); c !== undefined; c = this.line.shift()) {
      if (isDone) c.grant(value);
      else if (isCancelled) c.cancel(value as CancelledError);
      else c.fail(value);
    }
  }
}

/**
 * Makes a function that does its work once; see {@linkcode Once}.
 *
 * @typeParam T What `fn` returns.
 * @param fn The work.
 * @param options Additional options.
 * @returns A function that gives the result of the one call.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example Connect once
 * ```ts
 * import { once } from "@ilmek/async/once";
 * import { assertEquals } from "@std/assert";
 *
 * let connections = 0;
 * const connect = once(() => ++connections);
 *
 * assertEquals(await Promise.all([connect(), connect()]), [1, 1]);
 * ```
 */
export function once<T>(
  fn: () => T | PromiseLike<T>,
  options: OnceOptions = {},
): (options?: OnceGetOptions) => Promise<T> {
  const value = new Once(fn, options);
  return (options = {}) => value.get(options);
}
