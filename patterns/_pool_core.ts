import type { Actor } from "../_internal/actor.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { listen } from "../_internal/signal.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import type { PoolEntry } from "./_pool_entry.ts";
import {
  PoolClosedError,
  PoolTimeoutError,
  PoolUnavailableError,
} from "./_pool_errors.ts";
import { type Kept, PoolKeeper } from "./_pool_keeper.ts";
import { type LeaseOwner, PoolLease, revokeLease } from "./_pool_lease.ts";
import { type LineOwner, PoolLine, PoolWaiter } from "./_pool_line.ts";
import type { PoolPlan } from "./_pool_options.ts";
import { type PoolSnapshot, PoolStats } from "./_pool_stats.ts";
import { PoolStock, type StockOwner } from "./_pool_stock.ts";

/** A resource that was still in use when its pool was closed. */
export interface PoolHolding {
  /** How long it was in use, in milliseconds. */
  readonly heldMs: number;
  /** The name of the task that acquired it, if it was a task. */
  readonly task: string | undefined;
  /** Where it was acquired, if the pool looks for leaks, or in debug mode. */
  readonly site: string | undefined;
}

/** Who gets what exists, and gives it back. */
export class PoolCore<T>
  implements LeaseOwner<T>, LineOwner<T>, Kept<T>, StockOwner<T> {
  readonly plan: PoolPlan<T>;
  readonly loop: EventLoop;
  readonly #stock: PoolStock<T>;
  readonly #stats = new PoolStats();
  readonly #keeper: PoolKeeper<T>;
  /** Invariant: empty while somebody waits. */
  readonly #idle = new LinkedList<PoolEntry<T>>();
  readonly #line = new PoolLine<T>(this);
  readonly #gone = new ClaimList();
  readonly #tracesLeases: boolean;
  readonly #target: string;
  #retry: Timer | undefined = undefined;
  #leased = 0;
  #isSupplying = false;
  #hasWarned = false;

  constructor(frame: Frame, plan: PoolPlan<T>) {
    this.plan = plan;
    this.loop = frame.loop;
    this.#stock = new PoolStock(frame, plan, this.#stats, this);
    this.#keeper = new PoolKeeper(this);
    this.#target = `a resource of the pool "${plan.name}"`;
    this.#tracesLeases = plan.leakAfterMs !== Infinity;
  }

  get name(): string {
    return this.plan.name;
  }

  get limitMs(): number {
    return this.plan.acquireTimeoutMs;
  }

  get closed(): boolean {
    return this.#stock.closed;
  }

  get entries(): ReadonlySet<PoolEntry<T>> {
    return this.#stock.entries;
  }

  get live(): number {
    return this.#stock.entries.size - this.#stock.destroying;
  }

  get idle(): number {
    return this.#idle.size;
  }

  get leased(): number {
    return this.#leased;
  }

  get waiting(): number {
    return this.#line.size;
  }

  snapshot(): PoolSnapshot {
    const { entries, creating, coming, destroying, gate } = this.#stock;
    return {
      name: this.name,
      size: entries.size,
      idle: this.#idle.size,
      leased: this.#leased,
      creating,
      checking: coming - creating,
      destroying,
      waiting: this.#line.size,
      unavailable: gate.unavailable,
      ...this.#stats.snapshot(),
    };
  }

  /** Takes an idle resource, unless others wait for one. */
  take(frame: Frame): PoolLease<T> | undefined {
    if (this.#line.size > 0) return undefined;
    const now = this.loop.time();
    const entry = this.#nextFit(now);
    if (entry === undefined) return undefined;
    return this.#lend(entry, frame.actor, now, this.#site());
  }

  /** Stands in line for a resource. */
  wait(
    frame: Frame,
    limitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<PoolLease<T>> {
    if (this.closed) return Promise.reject(new PoolClosedError(this.name));
    const waiter = new PoolWaiter<T>(frame, this.#target);
    waiter.since = this.loop.time();
    waiter.limitMs = limitMs;
    waiter.site = this.#site();
    this.#line.push(waiter);
    if (signal !== undefined) this.#listen(waiter, signal);
    const promise = waiter.wait();
    // Otherwise all that can be done is to wait for what is in use.
    if (this.#idle.size > 0 || this.entries.size < this.plan.max) {
      this.changed();
    }
    if (this.loop.debug && waiter.pending) this.#warnOfNesting(frame.actor);
    return promise;
  }

  giveBack(entry: PoolEntry<T>, error: unknown): void {
    const now = this.loop.time();
    this.#endLease(entry, now);
    entry.usedAt = now;
    entry.aliveAt = now;
    const isOver = this.closed || now >= entry.expiresAt;
    if (isOver || (error !== undefined && this.#isFatal(error))) {
      this.#stock.destroy(entry);
    } else if (this.plan.reset !== undefined) this.#stock.reset(entry);
    else this.ready(entry, now);
  }

  releasedTwice(): void {
    if (!this.loop.debug) return;
    this.loop.report({
      message: `Cannot release a lease of the pool "${this.name}" twice`,
    });
  }

  /** Gives a resource to the first in line, or puts it aside. */
  ready(entry: PoolEntry<T>, now: number): void {
    const waiter = this.#line.shift();
    if (waiter === undefined) {
      entry.state = "idle";
      this.#idle.push(entry);
      return;
    }
    this.#stats.wait.add(now - waiter.since);
    waiter.grant(this.#lend(entry, waiter.frame.actor, now, waiter.site));
  }

  /** Gets those who wait what can be had, and keeps the minimum. */
  changed(): void {
    // What hooks do at once is seen by the loops below.
    if (this.#isSupplying) return;
    this.#isSupplying = true;
    try {
      this.#supply(this.loop.time());
    } finally {
      this.#isSupplying = false;
    }
    if (!this.closed || this.entries.size > 0) return;
    for (let c = this.#gone.shift(); c; c = this.#gone.shift()) {
      c.grant(undefined);
    }
  }

  timeOut(waiter: PoolWaiter<T>): void {
    const { cause } = this.#stock.gate;
    const others = this.#line.size - 1;
    const state =
      `${this.#leased} of ${this.plan.max} resources are in use, and ${others} others wait`;
    this.#stats.timeouts++;
    this.#warnOfNesting(waiter.frame.actor);
    waiter.fail(
      new PoolTimeoutError(
        this.name,
        waiter.limitMs,
        state,
        cause === undefined ? {} : { cause },
      ),
    );
  }

  lineIsEmpty(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  evict(entry: PoolEntry<T>): void {
    this.#idle.remove(entry);
    this.#stock.destroy(entry);
  }

  check(entry: PoolEntry<T>): void {
    this.#idle.remove(entry);
    this.#stock.validate(entry);
  }

  tellLeak(entry: PoolEntry<T>, heldMs: number): void {
    const { holder, site } = entry;
    const who = holder === undefined
      ? ""
      : `: it was acquired by "${holder.name}"`;
    this.#stats.leaks++;
    this.loop.report({
      message:
        `A lease of the pool "${this.name}" was not released for ${heldMs} ms${who}`,
      ...(site === undefined ? {} : { createdAt: site }),
    });
  }

  revoke(entry: PoolEntry<T>, why: string): void {
    const { lease } = entry;
    if (lease === undefined) return;
    this.#endLease(entry, this.loop.time());
    this.#stats.revoked++;
    revokeLease(lease, why);
    this.#stock.destroy(entry);
  }

  /** Refuses whoever waits or comes, and ends what is not in use. */
  shut(): void {
    if (this.closed) return;
    this.#keeper.stop();
    this.#stock.close();
    this.#line.fail(new PoolClosedError(this.name));
    for (let e = this.#idle.head; e !== undefined; e = this.#idle.head) {
      this.evict(e);
    }
  }

  /** Takes back all that is in use. */
  revokeAll(): PoolHolding[] {
    const now = this.loop.time();
    const held: PoolHolding[] = [];
    for (const entry of [...this.entries]) {
      if (entry.state !== "leased") continue;
      const { leasedAt, holder, site } = entry;
      held.push({ heldMs: now - leasedAt, task: holder?.name, site });
      this.revoke(entry, "the pool was closed");
    }
    return held;
  }

  /** Waits until nothing is left. */
  gone(frame: Frame): Promise<void> {
    if (this.entries.size === 0) return Promise.resolve();
    const claim = new Claim<void>(frame, `the end of the pool "${this.name}"`);
    this.#gone.push(claim as Claim);
    return claim.wait();
  }

  #supply(now: number): void {
    const stock = this.#stock;
    while (this.#line.size > stock.coming) {
      const { coming } = stock;
      const entry = this.#nextFit(now);
      if (entry !== undefined) this.ready(entry, now);
      else if (stock.coming <= coming && !stock.create(now)) break;
    }
    while (this.live < this.plan.min && stock.create(now));
    if (this.entries.size > 0 && !this.closed) this.#keeper.start();
    if (this.#line.size > stock.coming) this.#giveUpOrRetry(now);
  }

  /** Nothing can be created for those who wait. */
  #giveUpOrRetry(now: number): void {
    const { gate, coming, entries } = this.#stock;
    const { retryAt, cause } = gate;
    // What there is will come back.
    if (coming > 0 || now >= retryAt) return;
    if (gate.unavailable && this.#leased === 0) {
      const retryAfterMs = retryAt - now;
      this.#line.fail(
        new PoolUnavailableError(this.name, { cause, retryAfterMs }),
      );
    } else if (entries.size < this.plan.max) {
      this.#retry ??= this.loop.timers.at(retryAt, {
        label: `the next creation in ${this.name}`,
        expire: () => {
          this.#retry = undefined;
          this.changed();
        },
      });
    }
  }

  #listen(waiter: PoolWaiter<T>, signal: AbortSignal): void {
    const unlisten = listen(signal, (reason) => waiter.fail(reason));
    const { cleanup } = waiter;
    waiter.cleanup = () => {
      cleanup?.();
      unlisten();
    };
  }

  /** Takes out an idle resource that can be used at once. */
  #nextFit(now: number): PoolEntry<T> | undefined {
    const { order, validate, validateAfterMs } = this.plan;
    for (;;) {
      const entry = order === "lifo" ? this.#idle.tail : this.#idle.head;
      if (entry === undefined) return undefined;
      this.#idle.remove(entry);
      if (now >= entry.expiresAt) this.#stock.destroy(entry);
      else if (
        validate === undefined || entry.checkedAt >= now ||
        now - entry.aliveAt < validateAfterMs
      ) return entry;
      else {
        this.#stock.validate(entry);
        // It is idle again if the answer was there at once.
        if (entry.state === "validating") return undefined;
      }
    }
  }

  #lend(
    entry: PoolEntry<T>,
    holder: Actor | undefined,
    now: number,
    site: string | undefined,
  ): PoolLease<T> {
    entry.state = "leased";
    entry.leasedAt = now;
    entry.holder = holder;
    entry.site = site;
    entry.isLeakTold = false;
    this.#leased++;
    this.#stats.acquired++;
    return entry.lease = new PoolLease(this, entry);
  }

  #endLease(entry: PoolEntry<T>, now: number): void {
    this.#leased--;
    this.#stats.usage.add(now - entry.leasedAt);
    entry.lease = undefined;
    entry.holder = undefined;
    entry.site = undefined;
  }

  #isFatal(error: unknown): boolean {
    try {
      return this.plan.isFatal(error);
    } catch (exception) {
      this.loop.report({
        message: `The "isFatal" of the pool "${this.name}" has thrown`,
        exception,
      });
      return true;
    }
  }

  /** Tasks that hold one each, and wait for another, wait for each other. */
  #warnOfNesting(actor: Actor | undefined): void {
    if (this.#hasWarned || actor === undefined) return;
    if (this.#leased < this.plan.max) return;
    const holders = new Set<Actor | undefined>();
    for (const { holder } of this.entries) holders.add(holder);
    if (!holders.has(actor)) return;
    for (const waiting of this.#line.actors()) holders.delete(waiting);
    if (holders.size > 0) return;
    this.#hasWarned = true;
    this.loop.report({
      message:
        `Cannot go on: "${actor.name}" waits for a resource of the pool "${this.name}", and so does whoever holds one`,
    });
  }

  #site(): string | undefined {
    if (!this.#tracesLeases && !this.loop.debug) return undefined;
    return (new TypeError("acquired").stack ?? "").split("\n").slice(4)
      .join("\n");
  }
}
