/**
 * A lock for each key.
 *
 * ```ts
 * import { KeyedLock } from "@ilmek/async/keyed-lock";
 *
 * const users = new KeyedLock<string>();
 * await users.run("ada", () => {
 *   // Nobody else works on "ada" meanwhile.
 * });
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { Permit } from "../_internal/permit.ts";
import { labelOf, Ownership } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";
export { BrokenLockError } from "./_ownership.ts";

/** Options of {@linkcode KeyedLock}. */
export interface KeyedLockOptions {
  /** How reports and errors call the lock. */
  name?: string;
  /**
   * Lets each lock belong to whoever has the permit; see `LockOptions`.
   *
   * @default {false}
   */
  unowned?: boolean;
}

/** Options of {@linkcode KeyedLock.acquire} and {@linkcode KeyedLock.run}. */
export interface KeyedLockAcquireOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * Locks by key: one caller at a time for each, and different keys do not know of
 * each other.
 *
 * Nothing is kept for a key that nobody holds. Keys are compared as those of a
 * `Map`. What is said of {@linkcode Lock} holds for each.
 *
 * @typeParam K The keys.
 *
 * @example One request at a time for each user
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { KeyedLock } from "@ilmek/async/keyed-lock";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const users = new KeyedLock<string>();
 * const log: string[] = [];
 * const serve = (user: string, request: number) => () =>
 *   users.run(user, async () => {
 *     await sleep(1);
 *     log.push(`${user} ${request}`);
 *   });
 * await gather([serve("ada", 1), serve("ada", 2), serve("grace", 1)]);
 *
 * assertEquals(log, ["ada 1", "grace 1", "ada 2"]);
 * assertEquals(users.size, 0);
 * ```
 */
export class KeyedLock<K> {
  readonly #name: string | undefined;
  readonly #unowned: boolean;
  /** Invariant: all of them are held. */
  readonly #cores = new Map<K, Ownership>();

  /** Creates a lock of which nobody holds any key. */
  constructor(options: KeyedLockOptions = {}) {
    const { name, unowned = false } = options;
    this.#name = name;
    this.#unowned = unowned;
  }

  /** How many keys are held. */
  get size(): number {
    return this.#cores.size;
  }

  /** Whether somebody holds the key. */
  locked(key: K): boolean {
    return this.#cores.has(key);
  }

  /** How many callers wait for the key. */
  waiting(key: K): number {
    return this.#cores.get(key)?.line.size ?? 0;
  }

  /** The keys that are held. */
  keys(): IterableIterator<K> {
    return this.#cores.keys();
  }

  /**
   * Waits until the key is free, and takes it.
   *
   * @param key The key.
   * @param options Additional options.
   * @returns The permit.
   * @throws What {@linkcode Lock.acquire} throws.
   */
  acquire(key: K, options: KeyedLockAcquireOptions = {}): Promise<Permit> {
    return this.#with(key, (core) => core.acquire(options.signal));
  }

  /**
   * Takes the key if it is free.
   *
   * @param key The key.
   * @returns The permit, or `undefined` if somebody holds the key.
   */
  tryAcquire(key: K): Permit | undefined {
    return this.#with(key, (core) => core.tryAcquire(currentFrame()));
  }

  /**
   * Taking a key, as a choice of `select`.
   *
   * @param key The key.
   * @returns The operation; it gives the permit.
   */
  acquireOp(key: K): Operation<Permit> {
    const stepsOf = (core: Ownership) => Operation.stepsOf(core.acquireOp());
    return new Operation<Permit>({
      label: this.#labelOf(key),
      attempt: (frame) =>
        this.#with(key, (core) => stepsOf(core).attempt(frame)),
      park: (claim) => this.#with(key, (core) => stepsOf(core).park(claim)),
    });
  }

  /**
   * Gives a key back, to the first who waits for it.
   *
   * @param key The key.
   * @throws {InvalidStateError} If nobody holds the key, or another task does.
   */
  release(key: K): void {
    const core = this.#cores.get(key);
    if (core === undefined) {
      throw new InvalidStateError(
        `Cannot release ${this.#labelOf(key)}: nobody holds it`,
      );
    }
    Permit.revoke(core.own("release"));
    core.passOn();
  }

  /**
   * Runs `fn` while holding the key.
   *
   * @typeParam T What `fn` returns.
   * @param key The key.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode Lock.acquire} throws.
   */
  run<T>(
    key: K,
    fn: () => T | PromiseLike<T>,
    options: KeyedLockAcquireOptions = {},
  ): Promise<T> {
    return this.#with(key, (core) => core.run(fn, options.signal));
  }

  /** Does something with the lock of a key, which is kept if it is held then. */
  #with<R>(key: K, use: (core: Ownership) => R): R {
    const known = this.#cores.get(key);
    if (known !== undefined) return use(known);
    const core = new Ownership(this.#labelOf(key), {
      unowned: this.#unowned,
      onIdle: () => this.#cores.delete(key),
    });
    const result = use(core);
    if (core.permit !== undefined) this.#cores.set(key, core);
    return result;
  }

  #labelOf(key: K): string {
    return `key ${show(key)} of ${labelOf("lock", this.#name)}`;
  }
}
