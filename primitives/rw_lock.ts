/**
 * A lock that many hold to read, or one to write.
 *
 * ```ts
 * import { RwLock } from "@ilmek/async/rw-lock";
 *
 * const lock = new RwLock();
 * await lock.read(() => {
 *   // Others may read meanwhile, and nobody writes.
 * });
 * ```
 *
 * @module
 */
import { currentFrame } from "../_internal/frame.ts";
import type { Operation } from "../_internal/operation.ts";
import type { Permit } from "../_internal/permit.ts";
import { labelOf } from "./_ownership.ts";
import { RwOwnership } from "./_rw_ownership.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";
export { BrokenLockError } from "./_ownership.ts";

/** Options of {@linkcode RwLock}. */
export interface RwLockOptions {
  /** How reports and errors call the lock. */
  name?: string;
}

/** Options of the waits of an {@linkcode RwLock}. */
export interface RwLockAcquireOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * A lock that any number of readers hold at once, or a single writer.
 *
 * The line is first come, first served: readers that stand side by side in it go in
 * together, and one who comes while a writer waits stands behind that writer. A
 * writer that leaves the line lets the readers behind it pass.
 *
 * A task that waits for itself throws a `DeadlockError`, unless a deadline or a
 * signal ends the wait; see {@linkcode Lock}.
 *
 * @example Many read, one writes
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { RwLock } from "@ilmek/async/rw-lock";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RwLock();
 * let most = 0;
 * const read = () =>
 *   lock.read(async () => {
 *     most = Math.max(most, lock.readers);
 *     await sleep(1);
 *   });
 * const write = () => lock.write(() => assertEquals(lock.readers, 0));
 * await gather([read, read, write, read]);
 *
 * assertEquals(most, 2);
 * ```
 */
export class RwLock {
  readonly #core: RwOwnership;

  /** Creates a lock that nobody holds. */
  constructor(options: RwLockOptions = {}) {
    const { name } = options;
    this.#core = new RwOwnership(labelOf("lock", name));
  }

  /** How many readers hold the lock. */
  get readers(): number {
    return this.#core.writer === undefined ? this.#core.holds.size : 0;
  }

  /** Whether a writer holds the lock. */
  get writing(): boolean {
    return this.#core.writer !== undefined;
  }

  /** How many callers wait, to read and to write. */
  get waiting(): number {
    return this.#core.line.size;
  }

  /**
   * Waits until nobody writes, nor waits to, and takes the lock to read.
   *
   * @param options Additional options.
   * @returns The permit.
   * @throws {DeadlockError} If the task holds the lock already, and nothing would
   * end the wait.
   * @throws {BrokenLockError} If a task that holds the lock has ended, or ends
   * without releasing it.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  acquireRead(options: RwLockAcquireOptions = {}): Promise<Permit> {
    return this.#core.acquire("read", options.signal);
  }

  /**
   * Waits until nobody holds the lock, and takes it to write.
   *
   * @param options Additional options.
   * @returns The permit.
   * @throws What {@linkcode RwLock.acquireRead} throws.
   */
  acquireWrite(options: RwLockAcquireOptions = {}): Promise<Permit> {
    return this.#core.acquire("write", options.signal);
  }

  /**
   * Takes the lock to read, if nobody writes, nor waits.
   *
   * @returns The permit, or `undefined`.
   */
  tryAcquireRead(): Permit | undefined {
    return this.#core.tryTake("read", currentFrame());
  }

  /**
   * Takes the lock to write, if nobody holds it.
   *
   * @returns The permit, or `undefined`.
   */
  tryAcquireWrite(): Permit | undefined {
    return this.#core.tryTake("write", currentFrame());
  }

  /**
   * Taking the lock to read, as a choice of `select`.
   *
   * @returns The operation; it gives the permit.
   */
  acquireReadOp(): Operation<Permit> {
    return this.#core.acquireOp("read");
  }

  /**
   * Taking the lock to write, as a choice of `select`.
   *
   * @returns The operation; it gives the permit.
   */
  acquireWriteOp(): Operation<Permit> {
    return this.#core.acquireOp("write");
  }

  /**
   * Runs `fn` while holding the lock to read.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode RwLock.acquireRead} throws.
   */
  read<T>(
    fn: () => T | PromiseLike<T>,
    options: RwLockAcquireOptions = {},
  ): Promise<T> {
    return this.#core.run("read", fn, options.signal);
  }

  /**
   * Runs `fn` while holding the lock to write.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode RwLock.acquireRead} throws.
   */
  write<T>(
    fn: () => T | PromiseLike<T>,
    options: RwLockAcquireOptions = {},
  ): Promise<T> {
    return this.#core.run("write", fn, options.signal);
  }

  /**
   * Turns a permit to write into one to read, without letting a writer in between.
   * Readers at the head of the line are let in.
   *
   * @param permit The permit to write. It is worth nothing any more.
   * @returns The permit to read.
   * @throws {InvalidStateError} If the permit is no valid one to write.
   *
   * @example Go on reading what was written
   * ```ts
   * import { RwLock } from "@ilmek/async/rw-lock";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RwLock();
   * const writing = await lock.acquireWrite();
   * using _reading = lock.downgrade(writing);
   *
   * assertEquals([lock.writing, lock.readers], [false, 1]);
   * ```
   */
  downgrade(permit: Permit): Permit {
    return this.#core.downgrade(permit);
  }

  /**
   * Turns a permit to read into one to write, if nobody else reads.
   *
   * It goes before writers that wait: what was read has not changed meanwhile.
   *
   * @param permit The permit to read. If this succeeds, it is worth nothing any more.
   * @returns The permit to write, or `undefined` if others read: then the permit to
   * read is still valid.
   * @throws {InvalidStateError} If the permit is no valid one to read.
   */
  tryUpgrade(permit: Permit): Permit | undefined {
    return this.#core.tryUpgrade(permit);
  }
}
