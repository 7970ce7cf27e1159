/**
 * Queues between tasks.
 *
 * ```ts
 * import { Queue } from "@ilmek/async/queue";
 *
 * const queue = new Queue<string>({ capacity: 10 });
 * await queue.put("item");
 * console.log(await queue.get());
 * ```
 *
 * @module
 */
import { checkCount, toMs } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { faultOf } from "../_internal/item.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { itemsUntil } from "../_internal/items_until.ts";
import {
  QueueEmptyError,
  QueueFullError,
  QueueShutDownError,
} from "./_queue_errors.ts";
import { type QueueStore, storeFor } from "./_queue_store.ts";
import type {
  QueueGetBatchOptions,
  QueueJob,
  QueueOptions,
  QueueShutdownOptions,
  QueueWaitOptions,
} from "./_queue_types.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";
export * from "./_queue_errors.ts";
export type { QueueOrder } from "./_queue_store.ts";
export type {
  QueueGetBatchOptions,
  QueueJob,
  QueueOptions,
  QueueShutdownOptions,
  QueueWaitOptions,
} from "./_queue_types.ts";

const DONE: Promise<void> = Promise.resolve();

/** How many items a waiting `getBatch` takes. */
interface Batch {
  readonly min: number;
  readonly max: number;
}

/**
 * A queue: first in, first out, or in another order.
 *
 * Whoever waits is served in the order of the calls, on both sides. An item goes
 * straight to the first who waits for one. A put that is cancelled leaves no item;
 * a get that is cancelled takes none.
 *
 * @typeParam T The type of the items. Promises and tasks are refused.
 *
 * @example Hand items over, and wait until they are done
 * ```ts
 * import { Queue } from "@ilmek/async/queue";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<number>({ capacity: 2 });
 * let sum = 0;
 * const consumer = createTask(async () => {
 *   for await (const item of queue) {
 *     sum += item;
 *     queue.taskDone();
 *   }
 * });
 * for (const item of [1, 2, 3]) await queue.put(item);
 * await queue.join();
 * queue.shutdown();
 * await consumer;
 *
 * assertEquals(sum, 6);
 * ```
 */
export class Queue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: QueueStore<T>;
  /** Invariant: there are too few items for the first, mostly none. */
  readonly #getters = new ClaimList({ withdrawn: () => this.#serve() });
  /** Each claim carries its item. Invariant: empty unless the queue is full. */
  readonly #putters = new ClaimList();
  readonly #joiners = new ClaimList();
  #unfinished = 0;
  #closed = false;

  /** Creates an empty queue. */
  constructor(options: QueueOptions<T> = {}) {
    const { capacity = Infinity, order = "fifo" } = options;
    this.#capacity = checkCount(capacity, "create a queue", "capacity");
    this.#items = storeFor(order);
  }

  /** How many items fit. */
  get capacity(): number {
    return this.#capacity;
  }

  /** How many items are there. */
  get size(): number {
    return this.#items.size;
  }

  /** Whether there is nothing to get. */
  get empty(): boolean {
    return this.#items.size === 0;
  }

  /** Whether nothing more fits. */
  get full(): boolean {
    return this.#items.size >= this.#capacity;
  }

  /** Whether the queue was shut down. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many items were put for which `taskDone` was not called yet. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** How many callers wait: to put and to get. */
  get waiting(): number {
    return this.#getters.size + this.#putters.size;
  }

  /**
   * Puts an item, and waits for room if there is none.
   *
   * @param item The item.
   * @param options Additional options.
   * @throws {QueueShutDownError} If the queue is shut down, also while it waits.
   * @throws {TypeError} If `item` is a promise or a task.
   * @throws {CancelledError} If the ambient scope is cancelled before there is room.
   */
  put(item: T, options: QueueWaitOptions = {}): Promise<void> {
    const fault = faultOf(item, "put an item") ?? this.#shutDownFault("put");
    if (fault !== undefined) return Promise.reject(fault);
    const frame = currentFrame();
    const refused = refusal(frame, "put an item", options.signal);
    if (refused !== undefined) return refused;
    if (!this.full) {
      try {
        this.#add(item);
      } catch (error) {
        return Promise.reject(error);
      }
      return frame.loop.pass(DONE, frame);
    }
    const claim = new Claim<void>(frame, "room in a queue");
    claim.value = item;
    this.#putters.push(claim as Claim);
    linkSignal(claim as Claim, options.signal);
    return claim.wait();
  }

  /**
   * Puts an item at once.
   *
   * @param item The item.
   * @throws {QueueFullError} If there is no room.
   * @throws {QueueShutDownError} If the queue is shut down.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  putNowait(item: T): void {
    if (this.tryPut(item)) return;
    throw new QueueFullError(
      `Cannot put an item: the queue holds ${this.#capacity} already`,
    );
  }

  /**
   * Puts an item if there is room.
   *
   * @param item The item.
   * @returns `false` if there is no room.
   * @throws {QueueShutDownError} If the queue is shut down.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  tryPut(item: T): boolean {
    const fault = faultOf(item, "put an item") ?? this.#shutDownFault("put");
    if (fault !== undefined) throw fault;
    if (this.full) return false;
    this.#add(item);
    return true;
  }

  /**
   * A put that has not begun: for `select`.
   *
   * @param item The item.
   * @returns The operation; it fails like `put`.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  putOp(item: T): Operation<void> {
    const fault = faultOf(item, "put an item");
    if (fault !== undefined) throw fault;
    return new Operation<void>({
      label: "room in a queue",
      attempt: () => this.tryPut(item) ? { value: undefined } : undefined,
      park: (claim) => {
        claim.value = item;
        this.#putters.push(claim as Claim);
      },
    });
  }

  /**
   * Takes the first item, and waits for one if there is none.
   *
   * @param options Additional options.
   * @returns The item.
   * @throws {QueueShutDownError} If the queue is shut down and empty, also while it
   * waits.
   * @throws {CancelledError} If the ambient scope is cancelled before there is an
   * item.
   */
  get(options: QueueWaitOptions = {}): Promise<T> {
    const frame = currentFrame();
    const refused = refusal(frame, "get an item", options.signal);
    if (refused !== undefined) return refused;
    if (this.#ready) {
      try {
        return frame.loop.pass(Promise.resolve(this.#take()), frame);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const fault = this.#shutDownFault("get");
    if (fault !== undefined) return Promise.reject(fault);
    const claim = new Claim<T>(frame, "an item of a queue");
    this.#getters.push(claim as Claim);
    linkSignal(claim as Claim, options.signal);
    return claim.wait();
  }

  /**
   * Takes the first item at once.
   *
   * @returns The item.
   * @throws {QueueEmptyError} If there is none.
   * @throws {QueueShutDownError} If the queue is shut down and empty.
   */
  getNowait(): T {
    if (this.#ready) return this.#take();
    throw this.#shutDownFault("get") ??
      new QueueEmptyError("Cannot get an item: the queue is empty");
  }

  /**
   * Takes the first item if there is one.
   *
   * @returns The item, or `undefined` if there is none.
   */
  tryGet(): T | undefined {
    return this.#ready ? this.#take() : undefined;
  }

  /**
   * A get that has not begun: for `select`.
   *
   * @returns The operation; it gives the item, and fails like `get`.
   */
  getOp(): Operation<T> {
    return new Operation<T>({
      label: "an item of a queue",
      attempt: () => {
        if (this.#ready) return { value: this.#take() };
        const fault = this.#shutDownFault("get");
        if (fault !== undefined) throw fault;
        return undefined;
      },
      park: (claim) => this.#getters.push(claim as Claim),
    });
  }

  /**
   * Takes several items at once, and waits until there are enough.
   *
   * If it is cancelled, it takes none. While it waits for many, those behind it
   * wait, too. When the queue is shut down it gives what is left.
   *
   * @param max How many items to take at most.
   * @param options Additional options.
   * @returns From `min` to `max` items, or fewer when `withinMs` have passed.
   * @throws {RangeError} If `min` exceeds `max` or the capacity.
   * @throws {QueueShutDownError} If the queue is shut down and empty, also while it
   * waits.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   *
   * @example Take what is there
   * ```ts
   * import { Queue } from "@ilmek/async/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<number>();
   * for (const item of [1, 2, 3]) queue.putNowait(item);
   *
   * assertEquals(await queue.getBatch(2), [1, 2]);
   * assertEquals(await queue.getBatch(2, { min: 2, withinMs: 1 }), [3]);
   * ```
   */
  getBatch(max: number, options: QueueGetBatchOptions = {}): Promise<T[]> {
    const { min = 1, withinMs = Infinity, signal } = options;
    let limitMs: number;
    try {
      this.#checkBatch(min, max);
      limitMs = toMs(withinMs, "get items", "withinMs");
    } catch (error) {
      return Promise.reject(error);
    }
    const frame = currentFrame();
    const refused = refusal(frame, "get items", signal);
    if (refused !== undefined) return refused;
    const isFirst = this.#getters.size === 0;
    if (isFirst && (this.size >= min || (this.#closed && !this.empty))) {
      try {
        return frame.loop.pass(Promise.resolve(this.#takeSome(max)), frame);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const fault = this.#shutDownFault("get");
    if (fault !== undefined) return Promise.reject(fault);
    const claim = new Claim<T[]>(frame, `${min} items of a queue`);
    claim.value = { min, max } satisfies Batch;
    this.#getters.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    if (limitMs !== Infinity) this.#limit(claim, limitMs);
    return claim.wait();
  }

  /**
   * Gives the items like the queue itself, and calls `taskDone` for each when it
   * is disposed of.
   *
   * @returns What `for await` can go over.
   *
   * @example Mark items as done, whatever happens
   * ```ts
   * import { Queue } from "@ilmek/async/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<number>();
   * for (const item of [1, 2]) queue.putNowait(item);
   * queue.shutdown();
   * for await (using job of queue.jobs()) assertEquals(job.value > 0, true);
   *
   * await queue.join();
   * ```
   */
  async *jobs(): AsyncGenerator<QueueJob<T>, void, void> {
    for await (const value of this) {
      let done = false;
      yield {
        value,
        [Symbol.dispose]: () => {
          if (!done) this.taskDone();
          done = true;
        },
      };
    }
  }

  /**
   * Says that an item that was taken is done with.
   *
   * @throws {InvalidStateError} If it was called more often than items were put.
   */
  taskDone(): void {
    if (this.#unfinished === 0) {
      throw new InvalidStateError(
        "Cannot mark an item as done: taskDone() was called for all items",
      );
    }
    this.#finish(1);
  }

  /**
   * Waits until every item that was put is done with.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  join(options: QueueWaitOptions = {}): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "join a queue", options.signal);
    if (refused !== undefined) return refused;
    if (this.#unfinished === 0) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, "the last item of a queue");
    this.#joiners.push(claim as Claim);
    linkSignal(claim as Claim, options.signal);
    return claim.wait();
  }

  /**
   * Shuts the queue down: nothing more can be put, and what is there can be taken.
   *
   * Those who wait to put, and those who wait for an item that cannot come any
   * more, get a `QueueShutDownError`. Shutting down twice does nothing.
   *
   * @param options Additional options.
   * @returns The items that were dropped by `immediate`.
   */
  shutdown(options: QueueShutdownOptions = {}): T[] {
    const { immediate = false } = options;
    this.#closed = true;
    const dropped = immediate ? this.#items.drain() : [];
    fail(this.#putters, () => this.#shutDownFault("put"));
    this.#serve();
    fail(this.#getters, () => this.#shutDownFault("get"));
    if (dropped.length > 0) this.#finish(dropped.length);
    return dropped;
  }

  /** Gives the items, until the queue is shut down and empty. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return itemsUntil(
      () => this.get(),
      (error) => error instanceof QueueShutDownError && this.#closed,
    );
  }

  /** Whether a newcomer may take an item: nobody waits for more. */
  get #ready(): boolean {
    return this.#items.size > 0 && this.#getters.size === 0;
  }

  #add(item: T): void {
    const getter = this.#items.size === 0 ? this.#getters.head : undefined;
    if (getter === undefined || getter.value !== undefined) {
      this.#items.push(item);
      this.#unfinished++;
      return this.#serve();
    }
    this.#unfinished++;
    this.#getters.shift();
    getter.grant(item);
  }

  /** Gives items to those who wait, as far as there are enough. */
  #serve(): void {
    while (this.#items.size > 0) {
      const getter = this.#getters.head;
      if (getter === undefined) return;
      const batch = getter.value as Batch | undefined;
      const isEnough = batch === undefined || this.size >= batch.min;
      if (!isEnough && !this.#closed) return;
      this.#getters.shift();
      this.#hand(getter, batch);
    }
  }

  /** Grants what there is. A comparison that throws is told to who takes. */
  #hand(getter: Claim, batch: Batch | undefined): void {
    let taken: T | T[];
    try {
      taken = batch === undefined ? this.#take() : this.#takeSome(batch.max);
    } catch (error) {
      getter.fail(error);
      return;
    }
    getter.grant(taken);
  }

  #take(): T {
    const item = this.#items.shift() as T;
    const putter = this.#putters.shift();
    if (putter !== undefined) this.#admit(putter);
    return item;
  }

  /** Lets in one who has waited for room. */
  #admit(putter: Claim): void {
    try {
      this.#items.push(putter.value as T);
    } catch (error) {
      // Whoever takes an item is not to blame for a comparison that throws.
      putter.fail(error);
      return;
    }
    this.#unfinished++;
    putter.grant(undefined);
  }

  #takeSome(max: number): T[] {
    const items: T[] = [];
    while (items.length < max && !this.empty) {
      try {
        items.push(this.#take());
      } catch (error) {
        // What was taken must not be lost; whoever takes next is told.
        if (items.length === 0) throw error;
        break;
      }
    }
    return items;
  }

  #checkBatch(min: number, max: number): void {
    checkCount(max, "get items", "max");
    checkCount(min, "get items", "min");
    if (min <= max && min <= this.#capacity) return;
    throw new RangeError(
      `Cannot get items as "min" must not exceed "max" and the capacity: current value is ${min}`,
    );
  }

  /** Ends the wait for a batch in time, with what there is for it. */
  #limit(claim: Claim<T[]>, ms: number): void {
    const timer = claim.frame.loop.timers.after(ms, {
      label: claim.label,
      expire: () => {
        const isFirst = this.#getters.head === claim as Claim;
        if (isFirst) this.#hand(claim as Claim, claim.value as Batch);
        else claim.grant([]);
      },
    });
    const unlink = claim.cleanup;
    claim.cleanup = () => {
      unlink?.();
      timer.cancel();
    };
  }

  #finish(count: number): void {
    this.#unfinished = Math.max(0, this.#unfinished - count);
    if (this.#unfinished > 0) return;
    for (let c = this.#joiners.shift(); c; c = this.#joiners.shift()) {
      c.grant(undefined);
    }
  }

  #shutDownFault(doing: "put" | "get"): QueueShutDownError | undefined {
    if (!this.#closed) return undefined;
    return new QueueShutDownError(
      `Cannot ${doing} an item: the queue was shut down`,
    );
  }
}

function fail(claims: ClaimList, fault: () => unknown): void {
  for (let claim = claims.shift(); claim; claim = claims.shift()) {
    claim.fail(fault());
  }
}
