import type { Actor } from "../_internal/actor.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import type { Frame } from "../_internal/frame.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import type { PoolLease } from "./_pool_lease.ts";

/** A caller who waits for a resource, and for how long. */
export class PoolWaiter<T> extends Claim<PoolLease<T>> {
  /** The loop's time of the call. */
  readonly since: number;
  /** Where the call was made, if that is recorded. */
  readonly site: string | undefined;
  readonly #onTimeout: (waiter: PoolWaiter<T>) => void;

  constructor(frame: Frame, options: {
    readonly target: string;
    readonly since: number;
    readonly site: string | undefined;
    readonly onTimeout: (waiter: PoolWaiter<T>) => void;
  }) {
    super(frame, options.target);
    this.since = options.since;
    this.site = options.site;
    this.#onTimeout = options.onTimeout;
  }

  /** Its time is over. */
  override expire(): void {
    this.#onTimeout(this);
  }
}

/** Those who wait, first come, first served. */
export class PoolLine<T> implements Line {
  readonly #waiters = new LinkedList<Claim>();
  readonly #onEmpty: () => void;

  /** `onEmpty` is called when nobody waits any more. */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** The tasks that wait. */
  *actors(): Generator<Actor | undefined> {
    for (let w = this.#waiters.head; w !== undefined; w = w.next) {
      yield w.frame.actor;
    }
  }

  push(waiter: PoolWaiter<T>): void {
    waiter.line = this;
    this.#waiters.push(waiter as Claim);
  }

  shift(): PoolWaiter<T> | undefined {
    const waiter = this.#waiters.shift() as PoolWaiter<T> | undefined;
    if (waiter === undefined) return undefined;
    waiter.line = undefined;
    if (this.#waiters.size === 0) this.#onEmpty();
    return waiter;
  }

  withdraw(waiter: Claim): void {
    this.#waiters.remove(waiter);
    if (this.#waiters.size === 0) this.#onEmpty();
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (let w = this.shift(); w !== undefined; w = this.shift()) w.fail(error);
  }
}
