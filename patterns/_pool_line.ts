import type { Actor } from "../_internal/actor.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import type { Timer, TimerTarget } from "../_internal/timer_queue.ts";
import type { PoolLease } from "./_pool_lease.ts";

/**
 * A caller who waits for a resource, and for how long. What it is told is set one by
 * one: an object of options would cost as much as the rest.
 */
export class PoolWaiter<T> extends Claim<PoolLease<T>> {
  /** The loop's time of the call. */
  since = 0;
  limitMs: number = Infinity;
  /** Where the call was made, if that is recorded. */
  site: string | undefined = undefined;
  /** Invariant: set if it has a timer of its own. */
  onExpire: (() => void) | undefined = undefined;

  override expire(): void {
    this.onExpire?.();
  }
}

/** What a line needs to know of its pool. */
export interface LineOwner<T> {
  readonly loop: EventLoop;
  /** How long a caller waits that says nothing about it. */
  readonly limitMs: number;
  /** The time of a waiter, who still stands in line, is over. */
  timeOut(waiter: PoolWaiter<T>): void;
  /** Nobody waits any more. */
  lineIsEmpty(): void;
}

/**
 * Those who wait, first come, first served.
 *
 * Those with the usual limit are due in the order of the line: one timer is enough
 * for all of them.
 */
export class PoolLine<T> implements Line, TimerTarget {
  readonly label = "the limit of waits for a pool";
  readonly #owner: LineOwner<T>;
  readonly #waiters: LinkedList<Claim> = new LinkedList<Claim>();
  /** Invariant: set while somebody waits with the usual limit. */
  #alarm: Timer | undefined = undefined;

  constructor(owner: LineOwner<T>) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** The tasks that wait. */
  *actors(): Generator<Actor | undefined> {
    for (const waiter of this.#all()) yield waiter.frame.actor;
  }

  push(waiter: PoolWaiter<T>): void {
    const { loop } = this.#owner;
    waiter.line = this;
    this.#waiters.push(waiter as Claim);
    if (waiter.limitMs === Infinity) return;
    if (this.#isUsual(waiter)) {
      this.#alarm ??= loop.timers.at(waiter.since + waiter.limitMs, this);
      return;
    }
    waiter.onExpire = () => this.#owner.timeOut(waiter);
    const timer = waiter.frame.loop.timers.after(waiter.limitMs, waiter);
    waiter.cleanup = () => timer.cancel();
  }

  shift(): PoolWaiter<T> | undefined {
    const waiter = this.#waiters.shift() as PoolWaiter<T> | undefined;
    if (waiter === undefined) return undefined;
    waiter.line = undefined;
    if (this.#waiters.size === 0) this.#empty();
    return waiter;
  }

  withdraw(waiter: Claim): void {
    this.#waiters.remove(waiter);
    if (this.#waiters.size === 0) this.#empty();
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (let w = this.shift(); w !== undefined; w = this.shift()) w.fail(error);
  }

  /** The one who has come first is due, unless it has left. */
  expire(): void {
    this.#alarm = undefined;
    const { loop } = this.#owner;
    const now = loop.time();
    for (const waiter of [...this.#all()]) {
      if (!waiter.pending || !this.#isUsual(waiter)) continue;
      const when = waiter.since + waiter.limitMs;
      if (when > now) {
        this.#alarm = loop.timers.at(when, this);
        return;
      }
      this.#owner.timeOut(waiter);
    }
  }

  #isUsual(waiter: PoolWaiter<T>): boolean {
    const { loop, limitMs } = this.#owner;
    return waiter.limitMs === limitMs && waiter.frame.loop === loop;
  }

  *#all(): Generator<PoolWaiter<T>> {
    for (let w = this.#waiters.head; w !== undefined; w = w.next) {
      yield w as PoolWaiter<T>;
    }
  }

  #empty(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#owner.lineIsEmpty();
  }
}
