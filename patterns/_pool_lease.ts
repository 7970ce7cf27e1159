import type { PoolEntry } from "./_pool_entry.ts";
import { PoolLeaseError } from "./_pool_errors.ts";

/** Who lends, and takes back. */
export interface LeaseOwner<T> {
  readonly name: string;
  giveBack(entry: PoolEntry<T>, error: unknown): void;
  /** Is told of a second release. */
  releasedTwice(): void;
}

const DONE: Promise<void> = Promise.resolve();

let revoke: (lease: PoolLease<unknown>, why: string) => void;
let ownerOf: (lease: PoolLease<unknown>) => LeaseOwner<never>;

/**
 * The right to use a resource of a pool, until it is released.
 *
 * Releasing twice does nothing: the resource may be with somebody else by then. A
 * lease is released at the end of its block if it is declared with `using` or
 * `await using`.
 *
 * @typeParam T The type of the resource.
 *
 * @example Release at the end of the block
 * ```ts
 * import { ResourcePool } from "@ilmek/async/resource-pool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ResourcePool(() => ({ id: 1 }));
 * {
 *   await using lease = await pool.acquire();
 *   assertEquals(lease.resource.id, 1);
 * }
 * assertEquals(pool.idle, 1);
 * ```
 */
export class PoolLease<T> implements Disposable, AsyncDisposable {
  readonly #owner: LeaseOwner<T>;
  /** Invariant: set as long as the lease is held. */
  #entry: PoolEntry<T> | undefined;
  #revokedSince: string | undefined = undefined;

  static {
    revoke = (lease, why) => {
      lease.#entry = undefined;
      lease.#revokedSince = why;
    };
    ownerOf = (lease) => lease.#owner as LeaseOwner<never>;
  }

  /**
   * Leases come from a pool.
   *
   * @internal
   */
  constructor(owner: LeaseOwner<T>, entry: PoolEntry<T>) {
    this.#owner = owner;
    this.#entry = entry;
  }

  /**
   * The resource.
   *
   * @throws {PoolLeaseError} If the lease was released, or taken back.
   */
  get resource(): T {
    if (this.#entry !== undefined) return this.#entry.resource as T;
    const why = this.#revokedSince ?? "its lease was released";
    throw new PoolLeaseError(
      `Cannot use a resource of the pool "${this.#owner.name}": ${why}`,
    );
  }

  /** Whether the resource was given back, or taken back by the pool. */
  get released(): boolean {
    return this.#entry === undefined;
  }

  /**
   * Gives the resource back, at once. Releasing twice does nothing.
   *
   * @param error Why the use of the resource has failed, if it has: an error that is
   * fatal for the pool destroys the resource.
   */
  release(error?: unknown): void {
    const entry = this.#entry;
    if (entry === undefined) {
      if (this.#revokedSince === undefined) this.#owner.releasedTwice();
      return;
    }
    this.#entry = undefined;
    this.#owner.giveBack(entry, error);
  }

  /** Gives the resource back, if that was not done before. */
  [Symbol.dispose](): void {
    if (this.#entry !== undefined) this.release();
  }

  /** Gives the resource back, if that was not done before. */
  [Symbol.asyncDispose](): Promise<void> {
    if (this.#entry !== undefined) this.release();
    return DONE;
  }
}

/** Takes a lease back from its holder, whose next use of it throws. */
export function revokeLease<T>(lease: PoolLease<T>, why: string): void {
  revoke(lease as PoolLease<unknown>, why);
}

/** Whether it is a lease, and of that owner. */
export function isLeaseOf<T>(value: unknown, owner: LeaseOwner<T>): boolean {
  return value instanceof PoolLease && ownerOf(value) === owner;
}
