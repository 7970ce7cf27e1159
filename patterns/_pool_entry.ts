import type { Actor } from "../_internal/actor.ts";
import type { Linked } from "../_internal/linked_list.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import type { PoolLease } from "./_pool_lease.ts";

/** What chance leaves of a lifetime, at least. */
export const LEAST_LIFETIME = 0.975;
/** What chance leaves of the time between two looks at an idle resource. */
export const LEAST_KEEPALIVE = 0.9;

/** Where an entry stands. It counts toward the maximum until it is gone. */
export type PoolEntryState =
  | "creating"
  | "idle"
  | "validating"
  | "leased"
  | "resetting"
  | "destroying"
  | "gone";

/** A place in a pool, and the resource in it. Times are the loop's. */
export class PoolEntry<T> implements Linked<PoolEntry<T>> {
  prev: PoolEntry<T> | undefined = undefined;
  next: PoolEntry<T> | undefined = undefined;
  state: PoolEntryState = "creating";
  /** Absent while it is created. */
  resource: T | undefined = undefined;
  /** Ends its creation early, when the pool is closed. */
  giveUpHook: ((error: unknown) => void) | undefined = undefined;
  /** Runs while a creation that was given up may still give something. */
  lateTimer: Timer | undefined = undefined;
  /** When it is too old to be used again. */
  expiresAt: number = Infinity;
  /** How long it may be idle before it is looked after. */
  keepaliveMs: number = Infinity;
  /** When it was last given back. */
  usedAt = 0;
  /** When it was last known to be alive: used, validated or created. */
  aliveAt = 0;
  /** When it was last validated. */
  checkedAt: number = -Infinity;
  /** Invariant: set while it is leased, as what follows. */
  lease: PoolLease<T> | undefined = undefined;
  leasedAt = 0;
  holder: Actor | undefined = undefined;
  site: string | undefined = undefined;
  isLeakTold = false;
}
