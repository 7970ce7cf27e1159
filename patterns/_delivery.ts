import { type Duration, toMs } from "../_internal/check.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Prioritized } from "../_internal/priority_line.ts";
import type { Timer } from "../_internal/timer_queue.ts";

import type {
  WorkDelivery,
  WorkDeliveryNackOptions,
} from "./_work_queue_types.ts";

/** An item of a `WorkQueue`, wherever it is. */
export class WorkEntry<T> implements Prioritized<WorkEntry<T>> {
  prev: WorkEntry<T> | undefined = undefined;
  next: WorkEntry<T> | undefined = undefined;
  readonly id: number;
  readonly item: T;
  readonly priority: number;
  /** How often it was handed out. */
  attempts = 0;
  /** What went wrong with it last. */
  lastError: unknown = undefined;
  /** Its delay, or the end of its lease. */
  timer: Timer | undefined = undefined;
  /** The loop whose timer that is. */
  loop: EventLoop | undefined = undefined;

  constructor(id: number, item: T, priority: number) {
    this.id = id;
    this.item = item;
    this.priority = priority;
  }
}

/** What a delivery asks of its queue. */
export interface DeliveryOwner<T> {
  ack(lease: Lease<T>): boolean;
  nack(lease: Lease<T>, error: unknown, delayMs: number | undefined): boolean;
  /** Takes an item back as if it had not been handed out. */
  giveBack(lease: Lease<T>): void;
  extend(lease: Lease<T>, ms: number | undefined): boolean;
}

/** That an item is in somebody's hands, for a while. */
export class Lease<T> {
  readonly entry: WorkEntry<T>;
  readonly loop: EventLoop;
  readonly attempt: number;
  /** The loop's time at which it ends. */
  until = 0;
  isOver = false;

  constructor(entry: WorkEntry<T>, loop: EventLoop) {
    this.entry = entry;
    this.loop = loop;
    this.attempt = ++entry.attempts;
  }
}

/** What whoever got an item has of it. */
export class Delivery<T> implements WorkDelivery<T> {
  /** Told when the lease ends later than it was to. */
  onExtend: ((until: number) => void) | undefined = undefined;
  readonly #lease: Lease<T>;
  readonly #owner: DeliveryOwner<T>;

  constructor(lease: Lease<T>, owner: DeliveryOwner<T>) {
    this.#lease = lease;
    this.#owner = owner;
  }

  get id(): number {
    return this.#lease.entry.id;
  }

  get item(): T {
    return this.#lease.entry.item;
  }

  get attempt(): number {
    return this.#lease.attempt;
  }

  get over(): boolean {
    return this.#lease.isOver;
  }

  get remainingMs(): number {
    const { isOver, until, loop } = this.#lease;
    return isOver ? 0 : Math.max(0, until - loop.time());
  }

  ack(): boolean {
    return this.#owner.ack(this.#lease);
  }

  nack(options: WorkDeliveryNackOptions = {}): boolean {
    const { error, delayMs } = options;
    const ms = delayMs === undefined
      ? undefined
      : toMs(delayMs, "give an item back", "delayMs");
    return this.#owner.nack(this.#lease, error, ms);
  }

  giveBack(): void {
    this.#owner.giveBack(this.#lease);
  }

  extend(ms?: Duration): boolean {
    const forMs = ms === undefined ? undefined : toMs(ms, "keep an item");
    if (!this.#owner.extend(this.#lease, forMs)) return false;
    this.onExtend?.(this.#lease.until);
    return true;
  }
}
