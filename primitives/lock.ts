/**
 * A lock: one at a time, first come, first served.
 *
 * ```ts
 * import { Lock } from "@ilmek/async/lock";
 *
 * const lock = new Lock();
 * await lock.run(() => {
 *   // Nobody else is in here meanwhile.
 * });
 * ```
 *
 * @module
 */
import { currentFrame } from "../_internal/frame.ts";
import type { Operation } from "../_internal/operation.ts";
import { Permit } from "../_internal/permit.ts";
import { labelOf, Ownership } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";
export { BrokenLockError } from "./_ownership.ts";

/** Options of {@linkcode Lock}. */
export interface LockOptions {
  /** How reports and errors call the lock. */
  name?: string;
  /**
   * Lets the lock belong to whoever has the permit, and not to a task.
   *
   * It can be released anywhere, and does not notice that a task waits for itself,
   * or has ended without releasing.
   *
   * @default {false}
   */
  unowned?: boolean;
}

/** Options of {@linkcode Lock.acquire} and {@linkcode Lock.run}. */
export interface LockAcquireOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * A lock, which one caller holds at a time.
 *
 * Whoever waits gets it in the order of the calls: it is handed straight to the
 * first in line, and a newcomer never overtakes. A wait that is cancelled leaves
 * the line; a cancellation that comes after the lock was handed over changes
 * nothing.
 *
 * The task that acquires it owns it. If it acquires it again, it would wait for
 * itself: that throws a `DeadlockError`, unless a deadline or a signal ends the
 * wait. Code that runs side by side in one task (`Promise.all`) counts as the same
 * owner; give it tasks of its own, as `gather` does, or make the lock `unowned`.
 *
 * @example Change what takes several steps
 * ```ts
 * import { checkpoint } from "@ilmek/async/checkpoint";
 * import { gather } from "@ilmek/async/gather";
 * import { Lock } from "@ilmek/async/lock";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new Lock();
 * let balance = 100;
 * const withdraw = async () => {
 *   using _permit = await lock.acquire();
 *   const before = balance;
 *   await checkpoint();
 *   balance = before - 10;
 * };
 * await gather([withdraw, withdraw]);
 *
 * assertEquals(balance, 80);
 * ```
 */
export class Lock {
  readonly #core: Ownership;

  /** Creates a lock that nobody holds. */
  constructor(options: LockOptions = {}) {
    const { name, unowned = false } = options;
    this.#core = new Ownership(labelOf("lock", name), { unowned });
  }

  /** Whether somebody holds the lock. */
  get locked(): boolean {
    return this.#core.permit !== undefined;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#core.line.size;
  }

  /** The name of the task that holds the lock, if it is a task. */
  get owner(): string | undefined {
    return this.#core.owner?.name;
  }

  /**
   * Waits until the lock is free, and takes it.
   *
   * It is given back by the permit, at the end of a `using` block, or by
   * `release()`.
   *
   * @param options Additional options.
   * @returns The permit.
   * @throws {DeadlockError} If the task holds the lock already, and nothing would
   * end the wait.
   * @throws {BrokenLockError} If the task that holds the lock has ended, or ends
   * without releasing it.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  acquire(options: LockAcquireOptions = {}): Promise<Permit> {
    return this.#core.acquire(options.signal);
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns The permit, or `undefined` if somebody holds the lock.
   */
  tryAcquire(): Permit | undefined {
    return this.#core.tryAcquire(currentFrame());
  }

  /**
   * Taking the lock, as a choice of `select`.
   *
   * @returns The operation; it gives the permit.
   *
   * @example Wait for a lock, but not for long
   * ```ts
   * import { Lock } from "@ilmek/async/lock";
   * import { select } from "@ilmek/async/select";
   * import { sleepOp } from "@ilmek/async/sleep";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * using _permit = await lock.acquire();
   * const { key } = await select({
   *   lock: lock.acquireOp(),
   *   tooLate: sleepOp(1),
   * });
   *
   * assertEquals(key, "tooLate");
   * ```
   */
  acquireOp(): Operation<Permit> {
    return this.#core.acquireOp();
  }

  /**
   * Gives the lock back, to the first who waits for it.
   *
   * @throws {InvalidStateError} If nobody holds the lock, or another task does.
   */
  release(): void {
    Permit.revoke(this.#core.own("release"));
    this.#core.passOn();
  }

  /**
   * Runs `fn` while holding the lock.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode Lock.acquire} throws.
   */
  run<T>(
    fn: () => T | PromiseLike<T>,
    options: LockAcquireOptions = {},
  ): Promise<T> {
    return this.#core.run(fn, options.signal);
  }

  /**
   * What is behind a lock.
   *
   * @internal
   */
  static coreOf(lock: Lock): Ownership {
    return lock.#core;
  }
}
