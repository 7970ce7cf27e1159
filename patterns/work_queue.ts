/**
 * A queue whose items come back if they were not done.
 *
 * ```ts
 * import { WorkQueue } from "@ilmek/async/work-queue";
 *
 * const queue = new WorkQueue<string>({ leaseMs: 10_000 });
 * queue.put("a letter");
 * const delivery = await queue.get();
 * console.log(delivery.item);
 * delivery.ack();
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  checkMoment,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { PriorityLine } from "../_internal/priority_line.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { isCancelled } from "../primitives/errors.ts";
import { TaskGroup } from "../primitives/task_group.ts";
import { timeout } from "../primitives/timeout.ts";

import { Delivery, type DeliveryOwner, Lease, WorkEntry } from "./_delivery.ts";
import {
  type DeadLetter,
  type WorkDelivery,
  WorkQueueClosedError,
  WorkQueueFullError,
  type WorkQueueOptions,
  type WorkQueueProcessOptions,
  type WorkQueuePutOptions,
  type WorkQueueWaitOptions,
} from "./_work_queue_types.ts";

export type { Duration } from "../_internal/check.ts";
export * from "./_work_queue_types.ts";

const DONE: Promise<void> = Promise.resolve();

/**
 * A queue in memory whose items are done with when somebody says so.
 *
 * Whoever gets an item holds it for a while. If it is neither acknowledged nor given
 * back within that time, it is handed out again, so that nothing is lost with a
 * consumer; an item may therefore be worked on more than once. What was handed out
 * `maxAttempts` times is dead, and put aside.
 *
 * @typeParam T The type of the items.
 *
 * @example Work on items, and put aside what cannot be done
 * ```ts
 * import { WorkQueue } from "@ilmek/async/work-queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new WorkQueue<number>({ maxAttempts: 2 });
 * for (const n of [1, -2, 3]) queue.put(n);
 * queue.close();
 *
 * const roots: number[] = [];
 * await queue.process((n) => {
 *   if (n < 0) throw new RangeError("no root");
 *   roots.push(Math.sqrt(n));
 * });
 *
 * assertEquals(roots, [1, Math.sqrt(3)]);
 * assertEquals(queue.dead.map(({ item, attempts }) => [item, attempts]), [[-2, 2]]);
 * ```
 */
export class WorkQueue<T> {
  readonly #capacity: number;
  readonly #leaseMs: number;
  readonly #maxAttempts: number;
  readonly #delayOf: (attempt: number) => number;
  readonly #onDead: ((letter: DeadLetter<T>) => void) | undefined;
  readonly #maxDead: number;
  readonly #name: string;
  readonly #ready = new PriorityLine<WorkEntry<T>>();
  /** Items that wait for their time. */
  readonly #delayed = new Set<WorkEntry<T>>();
  readonly #leases = new Set<Lease<T>>();
  readonly #getters = new ClaimList();
  readonly #joiners = new ClaimList();
  #dead: DeadLetter<T>[] = [];
  #lastId = 0;
  #closed = false;

  /** Creates an empty queue. */
  constructor(options: WorkQueueOptions<T> = {}) {
    const doing = "create a work queue";
    const { capacity = 10_000, leaseMs = 30_000, maxAttempts = 5 } = options;
    const { retryDelayMs = 0, onDead, maxDead = 1000, name = "work" } = options;
    this.#capacity = checkCount(capacity, doing, "capacity");
    this.#leaseMs = toMs(leaseMs, doing, "leaseMs");
    this.#maxAttempts = checkCount(maxAttempts, doing, "maxAttempts");
    this.#delayOf = delayReader(retryDelayMs);
    if (onDead !== undefined) checkFunction(onDead, doing, "onDead");
    this.#onDead = onDead;
    this.#maxDead = checkCount(maxDead, doing, "maxDead", 0);
    this.#name = name;
  }

  /** How many items are there, with those that are delayed or being worked on. */
  get size(): number {
    return this.#ready.size + this.#delayed.size + this.#leases.size;
  }

  /** How many items can be got. */
  get ready(): number {
    return this.#ready.size;
  }

  /** How many items wait for their time. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** How many items are in somebody's hands. */
  get leased(): number {
    return this.#leases.size;
  }

  /** How many callers wait for an item. */
  get waiting(): number {
    return this.#getters.size;
  }

  /** Whether the queue was closed: it takes no more items. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What could not be done, the oldest first. */
  get dead(): readonly DeadLetter<T>[] {
    return [...this.#dead];
  }

  /**
   * Puts an item.
   *
   * @param item The item.
   * @param options Additional options.
   * @returns The number of the item.
   * @throws {WorkQueueFullError} If there is no room.
   * @throws {WorkQueueClosedError} If the queue was closed.
   */
  put(item: T, options: WorkQueuePutOptions = {}): number {
    const { delayMs = 0, priority = 0 } = options;
    const ms = toMs(delayMs, "put an item", "delayMs");
    checkMoment(priority, "put an item", '"priority"');
    const policy = this.#name;
    if (this.#closed) throw this.#closedFault("put an item");
    if (this.size >= this.#capacity) {
      throw new WorkQueueFullError(
        `Cannot put an item: the queue "${policy}" holds ${this.size} already`,
        { policy },
      );
    }
    const entry = new WorkEntry(++this.#lastId, item, priority);
    this.#enter(entry, currentFrame().loop, ms);
    return entry.id;
  }

  /**
   * Takes the next item, and waits for one if there is none.
   *
   * @param options Additional options.
   * @returns The item, to be acknowledged or given back.
   * @throws {WorkQueueClosedError} If the queue is closed and no item can come any
   * more, also while it waits.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  get(options: WorkQueueWaitOptions = {}): Promise<WorkDelivery<T>> {
    return this.#get(options);
  }

  /**
   * Takes the next item if there is one.
   *
   * @returns The item, or `undefined` if none can be got now.
   */
  tryGet(): WorkDelivery<T> | undefined {
    return this.#take(currentFrame().loop);
  }

  /**
   * Works on items until the queue is closed and empty.
   *
   * An item is acknowledged when `fn` has ended, and given back when it fails, or
   * when its lease ends: then `fn` is cancelled. A failure never ends the work on
   * others.
   *
   * @param fn What to call for each item.
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled; what was being
   * worked on is given back at once.
   */
  async process(
    fn: (item: T, delivery: WorkDelivery<T>) => unknown,
    options: WorkQueueProcessOptions = {},
  ): Promise<void> {
    const { concurrency = 1, ...wait } = options;
    checkFunction(fn, "process a queue");
    checkCount(concurrency, "process a queue", "concurrency");
    const work = async (): Promise<void> => {
      for (;;) {
        const delivery = await this.#next(wait);
        if (delivery === undefined) return;
        await this.#workOn(delivery, fn);
      }
    };
    if (concurrency === 1) return await work();
    const failures: unknown[] = [];
    await TaskGroup.run((group) => {
      for (let i = 0; i < concurrency; i++) {
        group.createTask(async () => {
          try {
            await work();
          } catch (error) {
            failures.push(error);
            group.cancelAll("another consumer has ended");
          }
        }, { name: `consumer ${i} of ${this.#name}` });
      }
    });
    throwIfCancelled();
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Puts a dead item back, with all of its attempts.
   *
   * @param id The number of the item.
   * @returns `false` if no dead item has that number.
   * @throws {WorkQueueClosedError} If the queue was closed.
   */
  revive(id: number): boolean {
    const letter = this.#dead.find((letter) => letter.id === id);
    if (letter === undefined) return false;
    if (this.#closed) throw this.#closedFault("put an item");
    this.#dead = this.#dead.filter((other) => other !== letter);
    this.#enter(new WorkEntry(id, letter.item, 0), currentFrame().loop, 0);
    return true;
  }

  /**
   * Waits until no item is left: each was acknowledged, or is dead.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  join(options: WorkQueueWaitOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "join a queue", signal);
    if (refused !== undefined) return refused;
    if (this.size === 0) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, {
      label: `the last item of queue "${this.#name}"`,
    });
    this.#joiners.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Takes no more items. Those that are there can be got, and come back if they are
   * not done. Closing twice does nothing.
   */
  close(): void {
    this.#closed = true;
    this.#settle();
  }

  /** No item can come any more: those in somebody's hands might come back. */
  get #isOver(): boolean {
    return this.#closed && this.size === 0;
  }

  #get(options: WorkQueueWaitOptions): Promise<Delivery<T>> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "get an item", signal);
    if (refused !== undefined) return refused;
    const delivery = this.#take(frame.loop);
    if (delivery !== undefined) {
      return frame.loop.pass(Promise.resolve(delivery), frame);
    }
    if (this.#isOver) return Promise.reject(this.#closedFault("get an item"));
    const claim = new Claim<Delivery<T>>(frame, {
      label: `an item of queue "${this.#name}"`,
    });
    this.#getters.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  #take(loop: EventLoop): Delivery<T> | undefined {
    if (this.#ready.size === 0) this.#rescue(loop);
    const entry = this.#ready.shift();
    return entry === undefined ? undefined : this.#handOut(entry, loop);
  }

  /** Takes back what waits for a time that will not come: that of a closed loop. */
  #rescue(loop: EventLoop): void {
    for (const entry of this.#delayed) {
      if (!entry.loop?.closed) continue;
      this.#delayed.delete(entry);
      this.#ready.push(entry);
    }
    for (const lease of this.#leases) {
      if (lease.loop.closed && this.#end(lease)) this.#again(lease, loop, 0);
    }
  }

  readonly #owner: DeliveryOwner<T> = {
    ack: (lease) => {
      if (!this.#end(lease)) return false;
      this.#settle();
      return true;
    },
    nack: (lease, error, delayMs) => {
      if (!this.#end(lease)) return false;
      lease.entry.lastError = error;
      this.#again(lease, lease.loop, delayMs);
      return true;
    },
    giveBack: (lease) => {
      if (!this.#end(lease)) return;
      lease.entry.attempts--;
      this.#enter(lease.entry, lease.loop, 0);
    },
    extend: (lease, ms) => {
      if (lease.isOver) return false;
      this.#watch(lease, ms ?? this.#leaseMs);
      return true;
    },
  };

  /** Puts an item into the line, now or when its time has come. */
  #enter(entry: WorkEntry<T>, loop: EventLoop, delayMs: number): void {
    if (delayMs > 0) {
      this.#delayed.add(entry);
      entry.loop = loop;
      entry.timer = loop.timers.after(delayMs, {
        label: `an item of queue "${this.#name}"`,
        expire: () => {
          entry.timer = undefined;
          this.#delayed.delete(entry);
          this.#enter(entry, loop, 0);
        },
      });
      return;
    }
    const getter = this.#getters.shift();
    if (getter === undefined) this.#ready.push(entry);
    else getter.grant(this.#handOut(entry, getter.frame.loop));
  }

  #handOut(entry: WorkEntry<T>, loop: EventLoop): Delivery<T> {
    const lease = new Lease(entry, loop);
    this.#leases.add(lease);
    this.#watch(lease, this.#leaseMs);
    return new Delivery(lease, this.#owner);
  }

  /** Takes an item back when its lease is over. */
  #watch(lease: Lease<T>, ms: number): void {
    const { entry, loop } = lease;
    entry.timer?.cancel();
    entry.timer = undefined;
    lease.until = loop.time() + ms;
    if (ms === Infinity) return;
    entry.timer = loop.timers.after(ms, {
      label: `the end of a lease of queue "${this.#name}"`,
      expire: () => {
        if (!this.#end(lease)) return;
        entry.lastError = undefined;
        this.#again(lease, loop, undefined);
      },
    });
  }

  #end(lease: Lease<T>): boolean {
    if (lease.isOver) return false;
    lease.isOver = true;
    this.#leases.delete(lease);
    lease.entry.timer?.cancel();
    lease.entry.timer = undefined;
    return true;
  }

  /** Hands an item out again, unless that was done too often. */
  #again(
    { entry }: Lease<T>,
    loop: EventLoop,
    delayMs: number | undefined,
  ): void {
    if (entry.attempts < this.#maxAttempts) {
      this.#enter(entry, loop, delayMs ?? this.#delayFor(entry, loop));
      return;
    }
    const { id, item, attempts, lastError: error } = entry;
    const letter = { id, item, attempts, error };
    this.#dead.push(letter);
    if (this.#dead.length > this.#maxDead) this.#dead.shift();
    this.#settle();
    this.#tell(() => this.#onDead?.(letter), "onDead", loop);
  }

  #delayFor(entry: WorkEntry<T>, loop: EventLoop): number {
    let ms = 0;
    this.#tell(() => ms = this.#delayOf(entry.attempts), "retryDelayMs", loop);
    return ms;
  }

  /** Calls a function of the user, which must not break the queue. */
  #tell(call: () => void, what: string, loop: EventLoop): void {
    try {
      call();
    } catch (exception) {
      loop.report({
        message: `The function "${what}" of queue "${this.#name}" has thrown`,
        exception,
      });
    }
  }

  /** Tells those who wait for items that cannot come, or for the end. */
  #settle(): void {
    if (this.size > 0) return;
    for (let c = this.#joiners.shift(); c; c = this.#joiners.shift()) {
      c.grant(undefined);
    }
    if (!this.#closed) return;
    for (let c = this.#getters.shift(); c; c = this.#getters.shift()) {
      c.fail(this.#closedFault("get an item"));
    }
  }

  async #next(
    options: WorkQueueWaitOptions,
  ): Promise<Delivery<T> | undefined> {
    try {
      return await this.#get(options);
    } catch (error) {
      if (error instanceof WorkQueueClosedError && this.#isOver) {
        return undefined;
      }
      throw error;
    }
  }

  async #workOn(
    delivery: Delivery<T>,
    fn: (item: T, delivery: WorkDelivery<T>) => unknown,
  ): Promise<void> {
    try {
      await timeout(this.#leaseMs, (limit) => {
        delivery.onExtend = (until) => limit.reschedule(until);
        return fn(delivery.item, delivery);
      }, { label: `an item of ${this.#name}` });
      delivery.ack();
    } catch (error) {
      const isOurs = isCancelled(error) && isStruck();
      if (!isOurs) return void delivery.nack({ error });
      // Nothing is wrong with an item whose consumer has to go.
      delivery.giveBack();
      throw error;
    }
  }

  #closedFault(doing: string): WorkQueueClosedError {
    return new WorkQueueClosedError(
      `Cannot ${doing}: the queue "${this.#name}" was closed`,
      { policy: this.#name, retryAfterMs: Infinity },
    );
  }
}

function isStruck(): boolean {
  return currentFrame().scope.live().struck !== undefined;
}

function delayReader(
  delay: Duration | ((attempt: number) => Duration),
): (attempt: number) => number {
  if (typeof delay === "function") {
    return (attempt) =>
      toMs(delay(attempt), "put an item back", "retryDelayMs");
  }
  const ms = toMs(delay, "create a work queue", "retryDelayMs");
  return () => ms;
}
