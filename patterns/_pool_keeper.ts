import type { EventLoop } from "../_internal/event_loop.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import {
  LEAST_KEEPALIVE,
  LEAST_LIFETIME,
  type PoolEntry,
} from "./_pool_entry.ts";
import type { PoolPlan } from "./_pool_options.ts";

/** How long the keeper sleeps at most. */
const MAX_PERIOD_MS = 30_000;

/** What a keeper looks after, and what it may do. */
export interface Kept<T> {
  readonly plan: PoolPlan<T>;
  readonly loop: EventLoop;
  readonly entries: ReadonlySet<PoolEntry<T>>;
  /** How many entries are not about to go. */
  readonly live: number;
  /** Ends an idle resource. */
  evict(entry: PoolEntry<T>): void;
  /** Validates an idle resource. */
  check(entry: PoolEntry<T>): void;
  tellLeak(entry: PoolEntry<T>, heldMs: number): void;
  revoke(entry: PoolEntry<T>, why: string): void;
  /** Creates what is missing. */
  changed(): void;
}

/**
 * Looks after what nobody touches: resources that are idle or in use for too long.
 *
 * It wakes when the next limit is reached. No limit that comes into being meanwhile
 * can be earlier than the period, so that acquiring never has to set a timer.
 */
export class PoolKeeper<T> {
  readonly #pool: Kept<T>;
  readonly #periodMs: number;
  #timer: Timer | undefined = undefined;

  constructor(pool: Kept<T>) {
    this.#pool = pool;
    const { idleMs, maxLifetimeMs, keepaliveMs } = pool.plan;
    const { leakAfterMs, maxLeaseMs } = pool.plan;
    const shortest = Math.min(
      idleMs,
      maxLifetimeMs * LEAST_LIFETIME,
      keepaliveMs * LEAST_KEEPALIVE,
      leakAfterMs,
      maxLeaseMs,
    );
    this.#periodMs = Math.max(1, Math.min(MAX_PERIOD_MS, shortest));
  }

  /** Begins to look, as long as there is anything to look after. */
  start(): void {
    if (this.#timer === undefined) this.#arm(this.#pool.loop.time());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(now: number, next = Infinity): void {
    const when = Math.min(next, now + this.#periodMs);
    const label = `the upkeep of ${this.#pool.plan.name}`;
    const expire = (): void => this.#look(when);
    // It is not worth keeping the process alive.
    this.#timer = this.#pool.loop.timers.at(when, { label, expire }, {
      idle: true,
    });
  }

  #look(expected: number): void {
    const { loop, entries } = this.#pool;
    this.#timer = undefined;
    const now = loop.time();
    // The process was asleep: what was idle is most likely dead at the other end.
    const hasJumped = now - expected > MAX_PERIOD_MS;
    let next = Infinity;
    for (const entry of [...entries]) {
      if (entry.state === "idle") {
        next = Math.min(next, this.#lookAtIdle(entry, now, hasJumped));
      } else if (entry.state === "leased") {
        next = Math.min(next, this.#lookAtLeased(entry, now));
      }
    }
    this.#pool.changed();
    this.stop();
    if (entries.size > 0) this.#arm(now, next);
  }

  /** Tells when to look at it again. */
  #lookAtIdle(entry: PoolEntry<T>, now: number, hasJumped: boolean): number {
    const { plan, live } = this.#pool;
    const isSurplus = live > plan.min;
    const idleUntil = isSurplus ? entry.usedAt + plan.idleMs : Infinity;
    const keptUntil = entry.aliveAt + entry.keepaliveMs;
    const until = Math.min(idleUntil, entry.expiresAt);
    if (hasJumped || now >= until) this.#pool.evict(entry);
    else if (now >= keptUntil) this.#pool.check(entry);
    else return Math.min(until, keptUntil);
    return Infinity;
  }

  /** Tells when to look at it again. */
  #lookAtLeased(entry: PoolEntry<T>, now: number): number {
    const { leakAfterMs, maxLeaseMs } = this.#pool.plan;
    // Moments are compared as they are set: differences of them are rounded.
    const revokedAt = entry.leasedAt + maxLeaseMs;
    if (now >= revokedAt) {
      this.#pool.revoke(entry, `it was held longer than ${maxLeaseMs} ms`);
      return Infinity;
    }
    if (entry.isLeakTold) return revokedAt;
    const leakAt = entry.leasedAt + leakAfterMs;
    if (now < leakAt) return Math.min(revokedAt, leakAt);
    entry.isLeakTold = true;
    this.#pool.tellLeak(entry, now - entry.leasedAt);
    return revokedAt;
  }
}
