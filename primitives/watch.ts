/**
 * A value that changes, and who waits for that.
 *
 * ```ts
 * import { Watch } from "@ilmek/async/watch";
 *
 * const config = new Watch({ port: 8000 });
 * config.set({ port: 9000 });
 * const { port } = await config.until(({ port }) => port === 9000);
 * ```
 *
 * @module
 */
import { checkCount, checkFunction } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { linkSignal } from "../_internal/signal.ts";
import { Judge } from "./_judge.ts";
import { labelOf } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode Watch}. */
export interface WatchOptions<T> {
  /** How reports and errors call the value. */
  name?: string;
  /**
   * Tells whether a value is no other than the one before: to set it is no change.
   *
   * @default {Object.is}
   */
  equals?: (before: T, after: T) => boolean;
}

/** Options of {@linkcode Watch.changedOp}. */
export interface WatchChangeOptions {
  /**
   * The version that the caller knows: any later one counts as a change. Without it,
   * it is the present one.
   */
  since?: number;
}

/** Options of {@linkcode Watch.changed}. */
export interface WatchChangedOptions extends WatchChangeOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Watch.untilOp}. */
export interface WatchPredicateOptions {
  /**
   * Waits for the step from a value that does not fit to one that does; otherwise
   * the present value will do.
   *
   * @default {false}
   */
  edge?: boolean;
}

/** Options of {@linkcode Watch.until}. */
export interface WatchUntilOptions extends WatchPredicateOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Thrown where a watched value was closed, and will not change any more. */
export class WatchClosedError extends InvalidStateError {
  static {
    this.prototype.name = "WatchClosedError";
  }
}

/**
 * A value of which only the latest counts.
 *
 * Those who wait see each change that comes while they wait; one who is slow misses
 * values in between, and never the last.
 *
 * @typeParam T The type of the value.
 *
 * @example Follow a value
 * ```ts
 * import { createTask } from "@ilmek/async/task";
 * import { Watch } from "@ilmek/async/watch";
 * import { assertEquals } from "@std/assert";
 *
 * const progress = new Watch(0);
 * const bar = createTask(async () => {
 *   const seen: number[] = [];
 *   for await (const percent of progress) seen.push(percent);
 *   return seen.at(-1);
 * });
 * progress.set(50);
 * progress.set(100);
 * progress.close();
 *
 * assertEquals(await bar, 100);
 * ```
 */
export class Watch<T> implements AsyncIterable<T>, Disposable {
  readonly #label: string;
  readonly #equals: (before: T, after: T) => boolean;
  readonly #line = new ClaimList();
  readonly #judges = new Set<Judge<T>>();
  /** What was set, and was not shown to all of them yet. */
  readonly #unjudged = new Ring<T>();
  #value: T;
  #version = 0;
  #closed = false;

  /**
   * Creates a value that is watched.
   *
   * @param value The value at the beginning.
   * @param options Additional options.
   * @throws {TypeError} If `options.equals` is not a function.
   */
  constructor(value: T, options: WatchOptions<T> = {}) {
    const { name, equals = Object.is } = options;
    checkFunction(equals, "create a watch", "equals");
    this.#label = labelOf("watch", name);
    this.#equals = equals;
    this.#value = value;
  }

  /** The latest value. */
  get value(): T {
    return this.#value;
  }

  /** How often it has changed. */
  get version(): number {
    return this.#version;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#line.size + this.#judges.size;
  }

  /**
   * Changes the value, and wakes those who wait for that.
   *
   * @param value The new value.
   * @returns `false` if it is no other than before.
   * @throws {WatchClosedError} If it was closed.
   */
  set(value: T): boolean {
    if (this.#closed) throw this.#closedFault("set");
    if (this.#equals(this.#value, value)) return false;
    this.#value = value;
    this.#version++;
    for (let c = this.#line.shift(); c !== undefined; c = this.#line.shift()) {
      c.grant(value);
    }
    this.#judge(value);
    return true;
  }

  /**
   * Changes the value to what `fn` makes of the present one.
   *
   * @param fn Gives the new value.
   * @returns `false` if it is no other than before.
   * @throws {WatchClosedError} If it was closed.
   * @throws {TypeError} If `fn` is not a function.
   */
  update(fn: (value: T) => T): boolean {
    checkFunction(fn, "update a watch");
    return this.set(fn(this.#value));
  }

  /**
   * Says that it will not change any more: those who wait for a change get a
   * `WatchClosedError`, and iterations end. Twice does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (let c = this.#line.shift(); c !== undefined; c = this.#line.shift()) {
      c.fail(this.#closedFault("wait for"));
    }
    for (const judge of [...this.#judges]) {
      judge.fail(this.#closedFault("wait for"));
    }
  }

  /** Says that it will not change any more. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Waits until the value has changed.
   *
   * @param options Additional options.
   * @returns The value after the change.
   * @throws {WatchClosedError} If it was closed without a change.
   * @throws {RangeError} If `options.since` is not an integer >= 0.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  changed(options: WatchChangedOptions = {}): Promise<T> {
    const { since = this.#version, signal } = options;
    const frame = currentFrame();
    try {
      checkCount(since, "wait for a change", "since", 0);
      const refused = refusal(frame, "wait for a change", signal);
      if (refused !== undefined) return refused;
      if (this.#isAfter(since)) {
        return frame.loop.pass(Promise.resolve(this.#value), frame);
      }
      const claim = new Claim<T>(frame, this.#label);
      this.#line.push(claim as Claim);
      linkSignal(claim as Claim, signal);
      return claim.wait();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Waiting for a change, as a choice of `select`.
   *
   * @param options Additional options.
   * @returns The operation; it gives the value after the change. Without `since` it
   * waits for a change after the call of `select`.
   * @throws {RangeError} If `options.since` is not an integer >= 0.
   */
  changedOp(options: WatchChangeOptions = {}): Operation<T> {
    const { since } = options;
    if (since !== undefined) {
      checkCount(since, "wait for a change", "since", 0);
    }
    return new Operation<T>({
      label: this.#label,
      attempt: () =>
        this.#isAfter(since ?? this.#version)
          ? { value: this.#value }
          : undefined,
      park: (claim) => this.#line.push(claim as Claim),
    });
  }

  /**
   * Waits until the value fits.
   *
   * No value is missed while it waits. It may have changed again when the caller
   * goes on.
   *
   * @param predicate Tells whether a value fits. It runs in the caller's scope and
   * context, when the value is set.
   * @param options Additional options.
   * @returns The value that fitted.
   * @throws What `predicate` throws.
   * @throws {TypeError} If `predicate` is not a function.
   * @throws {WatchClosedError} If it was closed before.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  until<S extends T>(
    predicate: (value: T) => value is S,
    options?: WatchUntilOptions,
  ): Promise<S>;
  /**
   * Waits until the value fits.
   *
   * @param predicate Tells whether a value fits.
   * @param options Additional options.
   * @returns The value that fitted.
   */
  until(
    predicate: (value: T) => boolean,
    options?: WatchUntilOptions,
  ): Promise<T>;
  until(
    predicate: (value: T) => boolean,
    options: WatchUntilOptions = {},
  ): Promise<T> {
    const { edge = false, signal } = options;
    const frame = currentFrame();
    try {
      checkFunction(predicate, "wait for a value", "predicate");
      const refused = refusal(frame, "wait for a value", signal);
      if (refused !== undefined) return refused;
      const fits = predicate(this.#value);
      if (fits && !edge) {
        return frame.loop.pass(Promise.resolve(this.#value), frame);
      }
      if (this.#closed) throw this.#closedFault("wait for");
      // The predicate is foreign code: it may have ended this wait.
      const ended = refusal(frame, "wait for a value", signal);
      if (ended !== undefined) return ended;
      const claim = new Claim<T>(frame, this.#label);
      this.#enter(claim, predicate, !fits);
      linkSignal(claim as Claim, signal);
      return claim.wait();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Waiting until the value fits, as a choice of `select`.
   *
   * @param predicate Tells whether a value fits.
   * @param options Additional options.
   * @returns The operation; it gives the value that fitted.
   * @throws {TypeError} If `predicate` is not a function.
   */
  untilOp(
    predicate: (value: T) => boolean,
    options: WatchPredicateOptions = {},
  ): Operation<T> {
    const { edge = false } = options;
    checkFunction(predicate, "wait for a value", "predicate");
    return new Operation<T>({
      label: this.#label,
      attempt: () => {
        const value = this.#value;
        if (!edge && predicate(value)) return { value };
        if (this.#closed) throw this.#closedFault("wait for");
        return undefined;
      },
      park: (claim) =>
        this.#enter(claim, predicate, !edge || !predicate(this.#value)),
    });
  }

  /** Gives the value, and then the latest one after each change, until it is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      const seen = this.#version;
      yield this.#value;
      try {
        await this.changed({ since: seen });
      } catch (error) {
        if (error instanceof WatchClosedError && this.#closed) return;
        throw error;
      }
    }
  }

  /** Shows a value to those who wait for one that fits. */
  #judge(value: T): void {
    this.#unjudged.push(value);
    // A predicate is foreign code: it may change the value again, which is shown
    // when all have seen this one, or end waits.
    if (this.#unjudged.size > 1) return;
    for (; this.#unjudged.size > 0; this.#unjudged.shift()) {
      const next = this.#unjudged.at(0) as T;
      for (const judge of [...this.#judges]) {
        if (this.#judges.has(judge)) judge.look(next);
      }
    }
  }

  #enter(
    claim: Claim<T>,
    predicate: (value: T) => boolean,
    armed: boolean,
  ): void {
    const judge = new Judge(claim, predicate, armed, this.#judges);
    claim.line = judge;
    this.#judges.add(judge);
  }

  /** Whether the value is a later one; throws if it never will be. */
  #isAfter(version: number): boolean {
    if (this.#version > version) return true;
    if (this.#closed) throw this.#closedFault("wait for");
    return false;
  }

  #closedFault(doing: string): WatchClosedError {
    return new WatchClosedError(
      `Cannot ${doing} ${this.#label}: it was closed`,
    );
  }
}
