/**
 * Conditions: waiting under a lock until something shared has changed.
 *
 * ```ts
 * import { Condition } from "@ilmek/async/condition";
 *
 * const items: string[] = ["first"];
 * const changed = new Condition();
 * await changed.run(async () => {
 *   await changed.waitFor(() => items.length > 0);
 *   console.log(items.shift());
 * });
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  isThenable,
  show,
} from "../_internal/check.ts";
import { Claim, ClaimList, type Line } from "../_internal/claim.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Permit } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { listen } from "../_internal/signal.ts";
import { labelOf, type Ownership } from "./_ownership.ts";
import { Lock, type LockAcquireOptions } from "./lock.ts";

export type { Permit } from "../_internal/permit.ts";
export type { Lock, LockAcquireOptions } from "./lock.ts";

/** Options of {@linkcode Condition}. */
export interface ConditionOptions {
  /** How reports and errors call the condition. */
  name?: string;
}

/** Options of {@linkcode Condition.wait} and {@linkcode Condition.waitFor}. */
export interface ConditionWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * A place to wait at, under a lock, for others to say that something has changed.
 *
 * Whoever waits gives the lock back meanwhile, and has it again when the wait ends,
 * however it ends: also a wait that is cancelled takes the lock before it throws.
 * Those who are notified join the line for the lock at once, in their order; a
 * cancellation that comes after that changes nothing. So no notification is lost.
 *
 * @example Wait for a place in a buffer
 * ```ts
 * import { Condition } from "@ilmek/async/condition";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer: number[] = [];
 * const changed = new Condition();
 * const consumer = createTask(async () => {
 *   using _permit = await changed.acquire();
 *   await changed.waitFor(() => buffer.length === 2);
 *   return buffer.splice(0);
 * });
 * for (const item of [1, 2]) {
 *   using _permit = await changed.acquire();
 *   buffer.push(item);
 *   changed.notify();
 * }
 *
 * assertEquals(await consumer, [1, 2]);
 * ```
 */
export class Condition {
  readonly #lock: Lock;
  readonly #core: Ownership;
  readonly #room: Room;
  readonly #label: string;

  /**
   * Creates a condition.
   *
   * @param lock The lock; several conditions may share one.
   * @param options Additional options.
   * @throws {TypeError} If `lock` is none.
   */
  constructor(lock: Lock = new Lock(), options: ConditionOptions = {}) {
    const { name } = options;
    if (!(lock instanceof Lock)) {
      throw new TypeError(
        `Cannot create a condition as "lock" must be a Lock: current value is ${
          show(lock)
        }`,
      );
    }
    this.#lock = lock;
    this.#core = Lock.coreOf(lock);
    this.#room = new Room(this.#core);
    this.#label = labelOf("condition", name);
  }

  /** Whether somebody holds the lock. */
  get locked(): boolean {
    return this.#lock.locked;
  }

  /** How many callers wait to be notified. */
  get waiting(): number {
    return this.#room.size;
  }

  /**
   * Waits for the lock; see {@linkcode Lock.acquire}.
   *
   * @param options Additional options.
   * @returns The permit.
   */
  acquire(options: LockAcquireOptions = {}): Promise<Permit> {
    return this.#lock.acquire(options);
  }

  /** Gives the lock back; see {@linkcode Lock.release}. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Runs `fn` while holding the lock; see {@linkcode Lock.run}.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   */
  run<T>(
    fn: () => T | PromiseLike<T>,
    options: LockAcquireOptions = {},
  ): Promise<T> {
    return this.#lock.run(fn, options);
  }

  /**
   * Gives the lock back, waits until it is notified, and takes the lock again.
   *
   * What was waited for may have changed again by then: look before you go on, as
   * `waitFor` does.
   *
   * @param options Additional options.
   * @returns Always `true`.
   * @throws {InvalidStateError} If the caller does not hold the lock.
   * @throws {BrokenLockError} If the lock cannot be had again; it is not held then.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: ConditionWaitOptions = {}): Promise<true> {
    const { signal } = options;
    const frame = currentFrame();
    let permit: Permit;
    try {
      permit = this.#core.own("wait under");
    } catch (error) {
      return Promise.reject(error);
    }
    const refused = refusal(frame, "wait for a condition", signal);
    if (refused !== undefined) return refused;
    const waiter = new Waiter(frame, this.#label, permit);
    this.#room.enter(waiter, signal);
    const waiting = waiter.wait();
    // Meanwhile there is nothing to give back.
    Permit.revoke(permit);
    this.#core.passOn();
    return waiting;
  }

  /**
   * Waits until `predicate` gives something true, and looks again each time that
   * it is notified.
   *
   * @typeParam T What `predicate` gives.
   * @param predicate Looks whether the time has come, while the lock is held. It
   * runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `predicate` gave.
   * @throws {TypeError} If `predicate` is not a function, or gives a promise.
   * @throws What {@linkcode Condition.wait} throws.
   */
  async waitFor<T>(
    predicate: () => T,
    options: ConditionWaitOptions = {},
  ): Promise<T> {
    checkFunction(predicate, "wait for a condition", "predicate");
    const frame = currentFrame();
    this.#core.own("wait under");
    const refused = refusal(frame, "wait for a condition", options.signal);
    if (refused !== undefined) return refused;
    for (;;) {
      const result = predicate();
      if (isThenable(result)) {
        throw new TypeError(
          `Cannot wait for a condition as "predicate" must give its answer at once: current value is ${
            show(result)
          }`,
        );
      }
      if (result) return result;
      await this.wait(options);
    }
  }

  /**
   * Wakes those who wait, in the order of their calls; they go on when it is their
   * turn to have the lock.
   *
   * @param count How many at most.
   * @throws {InvalidStateError} If the caller does not hold the lock.
   * @throws {RangeError} If `count` is not an integer >= 0.
   */
  notify(count = 1): void {
    checkCount(count, "notify", "count", 0);
    this.#core.own("notify under");
    for (let i = 0; i < count && this.#room.size > 0; i++) this.#room.call();
  }

  /**
   * Wakes all who wait.
   *
   * @throws {InvalidStateError} If the caller does not hold the lock.
   */
  notifyAll(): void {
    this.notify(Infinity);
  }
}

/** Where those wait who are to be notified. */
class Room implements Line {
  readonly #core: Ownership;
  readonly #line = new ClaimList();

  constructor(core: Ownership) {
    this.#core = core;
  }

  get size(): number {
    return this.#line.size;
  }

  enter(waiter: Waiter, signal: AbortSignal | undefined): void {
    this.#line.push(waiter as Claim);
    waiter.line = this;
    if (signal === undefined) return;
    waiter.cleanup = listen(signal, (reason) => {
      waiter.failure = { reason };
      this.#leave(waiter);
    });
  }

  /** Sends the first to the line for the lock. */
  call(): void {
    const waiter = this.#line.head;
    if (waiter !== undefined) this.#leave(waiter as unknown as Waiter);
  }

  withdraw(claim: Claim): void {
    this.#line.withdraw(claim);
  }

  /** Whoever gives up must have the lock before that is told. */
  strike(claim: Claim, error: CancelledError): void {
    const waiter = claim as unknown as Waiter;
    waiter.struckBy = error;
    this.#leave(waiter);
  }

  #leave(waiter: Waiter): void {
    this.#line.withdraw(waiter as Claim);
    const { cleanup } = waiter;
    waiter.cleanup = undefined;
    cleanup?.();
    waiter.value = waiter.permit;
    waiter.place.label = this.#core.label;
    this.#core.regain(waiter as Claim);
  }
}

/** One who waits to be notified, and then for the lock. */
class Waiter extends Claim<true> {
  /** What is valid again when the wait is over. */
  readonly permit: Permit;
  readonly place: { label: string };
  /** How it gave up, if it was not notified. */
  struckBy: CancelledError | undefined = undefined;
  failure: { readonly reason: unknown } | undefined = undefined;

  constructor(frame: Frame, label: string, permit: Permit) {
    const place = { label };
    super(frame, place);
    this.place = place;
    this.permit = permit;
  }

  /** The lock is there again: tells how the wait has ended. */
  override grant(): boolean {
    if (this.failure !== undefined) return super.fail(this.failure.reason);
    if (this.struckBy === undefined) return super.grant(true);
    // Meanwhile a scope further out may have been cancelled.
    return super.cancel(this.frame.scope.live().struck ?? this.struckBy);
  }
}
