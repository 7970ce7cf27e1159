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
import { checkCount, isThenable, show } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Ring } from "../_internal/ring.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";

/** Options of {@linkcode Queue}. */
export interface QueueOptions {
  /**
   * How many items fit; those who put more wait.
   *
   * @default {Infinity}
   */
  capacity?: number;
}

/** Options of the waits of a {@linkcode Queue}. */
export interface QueueWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Queue.shutdown}. */
export interface QueueShutdownOptions {
  /**
   * Drops what is in the queue.
   *
   * @default {false}
   */
  immediate?: boolean;
}

/** Thrown by {@linkcode Queue.getNowait} if there is nothing in the queue. */
export class QueueEmptyError extends RangeError {
  static {
    this.prototype.name = "QueueEmptyError";
  }
}

/** Thrown by {@linkcode Queue.putNowait} if nothing more fits. */
export class QueueFullError extends RangeError {
  static {
    this.prototype.name = "QueueFullError";
  }
}

/** Thrown where a queue was shut down, and the call can never succeed. */
export class QueueShutDownError extends InvalidStateError {
  static {
    this.prototype.name = "QueueShutDownError";
  }
}

const DONE: Promise<void> = Promise.resolve();

/**
 * A queue: first in, first out.
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
  readonly #items = new Ring<T>();
  readonly #getters = new ClaimList();
  /** Each claim carries its item. Invariant: empty unless the queue is full. */
  readonly #putters = new ClaimList();
  readonly #joiners = new ClaimList();
  #unfinished = 0;
  #closed = false;

  /** Creates an empty queue. */
  constructor(options: QueueOptions = {}) {
    const { capacity = Infinity } = options;
    this.#capacity = checkCount(capacity, "create a queue", "capacity");
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
    const fault = faultOf(item) ?? this.#shutDownFault("put");
    if (fault !== undefined) return Promise.reject(fault);
    const frame = currentFrame();
    const refused = refusal(frame, "put an item", options.signal);
    if (refused !== undefined) return refused;
    if (!this.full) {
      this.#add(item);
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
    const fault = faultOf(item) ?? this.#shutDownFault("put");
    if (fault !== undefined) throw fault;
    if (this.full) return false;
    this.#add(item);
    return true;
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
    if (!this.empty) {
      return frame.loop.pass(Promise.resolve(this.#take()), frame);
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
    if (!this.empty) return this.#take();
    throw this.#shutDownFault("get") ??
      new QueueEmptyError("Cannot get an item: the queue is empty");
  }

  /**
   * Takes the first item if there is one.
   *
   * @returns The item, or `undefined` if there is none.
   */
  tryGet(): T | undefined {
    return this.empty ? undefined : this.#take();
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
    const dropped: T[] = [];
    if (immediate) {
      while (!this.empty) dropped.push(this.#items.shift() as T);
    }
    fail(this.#putters, () => this.#shutDownFault("put"));
    if (this.empty) fail(this.#getters, () => this.#shutDownFault("get"));
    if (dropped.length > 0) this.#finish(dropped.length);
    return dropped;
  }

  /** Gives the items, until the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof QueueShutDownError && this.#closed) return;
        throw error;
      }
      yield item;
    }
  }

  #add(item: T): void {
    this.#unfinished++;
    const getter = this.#getters.shift();
    if (getter === undefined) this.#items.push(item);
    else getter.grant(item);
  }

  #take(): T {
    const item = this.#items.shift() as T;
    const putter = this.#putters.shift();
    if (putter !== undefined) {
      this.#unfinished++;
      this.#items.push(putter.value as T);
      putter.grant(undefined);
    }
    return item;
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

function faultOf(item: unknown): TypeError | undefined {
  if (!isThenable(item)) return undefined;
  return new TypeError(
    `Cannot put an item as "item" must not be awaitable: current value is ${
      show(item)
    }`,
  );
}
