/**
 * A lock that its owner may take again.
 *
 * ```ts
 * import { ReentrantLock } from "@ilmek/async/reentrant-lock";
 * import { run } from "@ilmek/async/run";
 *
 * const lock = new ReentrantLock();
 * await run(() => lock.run(() => lock.run(() => {})));
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { checkFunction } from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { Permit, type PermitSource } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { labelOf, Ownership } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";
export { BrokenLockError } from "./_ownership.ts";

/** Options of {@linkcode ReentrantLock}. */
export interface ReentrantLockOptions {
  /** How reports and errors call the lock. */
  name?: string;
}

/** Options of {@linkcode ReentrantLock.acquire} and {@linkcode ReentrantLock.run}. */
export interface ReentrantLockAcquireOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * A lock that counts how often its task has taken it, and is free when it was given
 * back as often.
 *
 * The owner is a task, so it can only be acquired in one. Code that runs side by
 * side in one task (`Promise.all`) is the same owner, and not kept apart: in debug
 * mode it is refused while other code of the task waits for something. Give such
 * code tasks of its own, as `gather` does.
 *
 * @example Call a method that locks from another that does
 * ```ts
 * import { ReentrantLock } from "@ilmek/async/reentrant-lock";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * class Account {
 *   balance = 0;
 *   readonly #lock = new ReentrantLock();
 *
 *   deposit(amount: number): Promise<void> {
 *     return this.#lock.run(() => void (this.balance += amount));
 *   }
 *
 *   depositTwice(amount: number): Promise<void> {
 *     return this.#lock.run(async () => {
 *       await this.deposit(amount);
 *       await this.deposit(amount);
 *     });
 *   }
 * }
 *
 * const account = new Account();
 * const task = createTask(() => account.depositTwice(5));
 * await task;
 *
 * assertEquals(account.balance, 10);
 * ```
 */
export class ReentrantLock {
  readonly #levels: Levels;

  /** Creates a lock that nobody holds. */
  constructor(options: ReentrantLockOptions = {}) {
    const { name } = options;
    this.#levels = new Levels(labelOf("reentrant lock", name));
  }

  /** Whether somebody holds the lock. */
  get locked(): boolean {
    return this.depth > 0;
  }

  /** How often its owner has to give it back. */
  get depth(): number {
    return this.#levels.depth;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#levels.core.line.size;
  }

  /** The name of the task that holds the lock. */
  get owner(): string | undefined {
    return this.#levels.core.owner?.name;
  }

  /**
   * Waits until the lock is free, or the caller's own, and takes it.
   *
   * @param options Additional options.
   * @returns The permit of this acquisition.
   * @throws {InvalidStateError} If it is called outside of a task.
   * @throws {BrokenLockError} If the task that holds the lock has ended, or ends
   * without releasing it.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  acquire(options: ReentrantLockAcquireOptions = {}): Promise<Permit> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      const refused = refusal(frame, "acquire a lock", signal);
      if (refused !== undefined) return refused;
      const permit = this.#levels.enter(frame);
      const acquiring = permit === undefined
        ? this.#levels.core.acquire(signal)
        : frame.loop.pass(Promise.resolve(permit), frame);
      if (frame.loop.debug) this.#levels.follow(frame, acquiring);
      return acquiring;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes the lock if it is free, or the caller's own.
   *
   * @returns The permit, or `undefined` if another task holds the lock.
   * @throws {InvalidStateError} If it is called outside of a task.
   */
  tryAcquire(): Permit | undefined {
    const frame = currentFrame();
    return this.#levels.enter(frame) ?? this.#levels.core.tryAcquire(frame);
  }

  /**
   * Taking the lock, as a choice of `select`.
   *
   * @returns The operation; it gives the permit.
   */
  acquireOp(): Operation<Permit> {
    const inner = Operation.stepsOf(this.#levels.core.acquireOp());
    return new Operation<Permit>({
      label: inner.label,
      attempt: (frame) => {
        const permit = this.#levels.enter(frame);
        return permit === undefined ? inner.attempt(frame) : { value: permit };
      },
      park: inner.park,
    });
  }

  /**
   * Gives the lock back once.
   *
   * @throws {InvalidStateError} If nobody holds the lock, or another task does.
   */
  release(): void {
    this.#levels.core.own("release");
    this.#levels.leave();
  }

  /**
   * Runs `fn` while holding the lock.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode ReentrantLock.acquire} throws.
   */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    options: ReentrantLockAcquireOptions = {},
  ): Promise<T> {
    checkFunction(fn, "run under a lock");
    const permit = await this.acquire(options);
    try {
      return await fn();
    } finally {
      permit.release();
    }
  }
}

/** How often the owner of a lock has taken it. */
class Levels implements PermitSource {
  readonly core: Ownership;
  /** Invariant: empty unless the lock is held. */
  readonly #further: Permit[] = [];
  /** In debug mode: how many have been let in, and have not gone on yet. */
  #entering = 0;

  constructor(label: string) {
    this.core = new Ownership(label, { source: this });
  }

  get depth(): number {
    return this.core.permit === undefined ? 0 : 1 + this.#further.length;
  }

  /** One level more, if the caller is the owner. */
  enter(frame: Frame): Permit | undefined {
    const { actor } = frame;
    if (actor === undefined || actor.state === "ended") {
      throw new InvalidStateError(
        `Cannot acquire ${this.core.label} outside of a task: nobody would own it`,
      );
    }
    if (this.core.owner !== actor) return undefined;
    if (frame.loop.debug && (this.#entering > 0 || isWaiting(actor))) {
      throw new InvalidStateError(
        `Cannot acquire ${this.core.label} again: other code of ${actor.label} runs side by side with this`,
      );
    }
    const permit = new Permit(this);
    this.#further.push(permit);
    return permit;
  }

  /** Takes note of one who was let in at once, until that one goes on. */
  follow(frame: Frame, acquiring: Promise<Permit>): void {
    if (this.core.owner !== frame.actor) return;
    const goesOn = (): void => void this.#entering--;
    this.#entering++;
    acquiring.then(goesOn, goesOn);
  }

  /** One level less: that which was entered last. */
  leave(): void {
    const permit = this.#further.pop() ?? this.core.permit;
    if (permit === undefined) return;
    Permit.revoke(permit);
    if (permit === this.core.permit) this.core.passOn();
  }

  takeBack(permit: Permit): void {
    if (permit === this.core.permit) {
      // Levels may end in any order: any other permit keeps the lock as well.
      const other = this.#further.pop();
      if (other === undefined) this.core.passOn();
      else this.core.permit = other;
    } else {
      const index = this.#further.indexOf(permit);
      if (index !== -1) this.#further.splice(index, 1);
    }
  }
}

/** Whether code of the task is parked somewhere. */
function isWaiting(actor: Actor): boolean {
  return actor.waits().next().done === false;
}
