/**
 * Channels: a queue with two ends, each of which can be given away and closed.
 *
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { createTask } from "@ilmek/async/task";
 *
 * const [sender, receiver] = channel<number>({ capacity: 8 });
 * createTask(async () => {
 *   using end = sender;
 *   for (const item of [1, 2, 3]) await end.send(item);
 * });
 * for await (const item of receiver) console.log(item);
 * ```
 *
 * @module
 */
import { checkCount, checkFunction, show } from "../_internal/check.ts";
import { Claim } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { faultOf } from "../_internal/item.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { ChannelCore, type ChannelOverflow } from "./_channel_core.ts";
import { ChannelClosedError } from "./_channel_errors.ts";

export type { Operation } from "../_internal/operation.ts";
export type { ChannelOverflow } from "./_channel_core.ts";
export * from "./_channel_errors.ts";

/** Options of {@linkcode channel}. */
export interface ChannelOptions<T> {
  /** How many items fit. With 0 a sender waits until its item is taken. */
  capacity: number;
  /**
   * What becomes of an item for which there is no room. A channel that keeps only
   * the latest value has capacity 1 and `"drop-oldest"`.
   *
   * @default {"suspend"}
   */
  overflow?: ChannelOverflow;
  /**
   * Called once with each item that was sent and will never be received: one that
   * was dropped, or is left when the last receiver is closed.
   */
  onUndelivered?: (item: T) => void;
}

/** Options of the waits of a channel. */
export interface ChannelWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

const DONE: Promise<void> = Promise.resolve();
const OVERFLOWS: readonly unknown[] = [
  "suspend",
  "drop-oldest",
  "drop-newest",
  "error",
];

/**
 * The end of a channel into which items go. Closing it twice does nothing.
 *
 * @typeParam T The type of the items. Promises and tasks are refused.
 *
 * @example Several senders of one channel
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { assertEquals } from "@std/assert";
 *
 * const [sender, receiver] = channel<number>({ capacity: 2 });
 * const other = sender.clone();
 * await sender.send(1);
 * sender.close();
 * await other.send(2);
 * other.close();
 *
 * assertEquals(await Array.fromAsync(receiver), [1, 2]);
 * ```
 */
export class ChannelSender<T> implements Disposable {
  readonly #core: ChannelCore<T>;
  #closed = false;

  /**
   * Senders come from `channel()` and `clone()`.
   *
   * @internal
   */
  constructor(core: ChannelCore<T>) {
    this.#core = core;
    core.senders++;
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many items fit. */
  get capacity(): number {
    return this.#core.plan.capacity;
  }

  /** How many items are on their way. */
  get size(): number {
    return this.#core.size;
  }

  /** How many callers wait, at all ends of the channel. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** How many items were sent, and will never be received. */
  get undelivered(): number {
    return this.#core.undelivered;
  }

  /**
   * Sends an item, and waits for room if there is none.
   *
   * A send that is cancelled has sent nothing.
   *
   * @param item The item.
   * @param options Additional options.
   * @throws {BrokenChannelError} If all receivers are closed, also while it waits.
   * @throws {ChannelFullError} If there is no room, and `overflow` is `"error"`.
   * @throws {ChannelClosedError} If this end is closed.
   * @throws {TypeError} If `item` is a promise or a task.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  send(item: T, options: ChannelWaitOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      this.#check(item);
      const refused = refusal(frame, "send an item", signal);
      if (refused !== undefined) return refused;
      if (this.#core.trySend(item)) return frame.loop.pass(DONE, frame);
    } catch (error) {
      return Promise.reject(error);
    }
    const claim = new Claim<void>(frame, "room in a channel");
    this.#core.parkSender(claim, item);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Sends an item, if that need not wait.
   *
   * @param item The item.
   * @returns `false` if it would have to wait.
   * @throws {BrokenChannelError} If all receivers are closed.
   * @throws {ChannelFullError} If there is no room, and `overflow` is `"error"`.
   * @throws {ChannelClosedError} If this end is closed.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  trySend(item: T): boolean {
    this.#check(item);
    return this.#core.trySend(item) !== undefined;
  }

  /**
   * A send that has not begun: for `select`.
   *
   * @param item The item.
   * @returns The operation; it fails like `send`.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  sendOp(item: T): Operation<void> {
    const fault = faultOf(item, "send an item");
    if (fault !== undefined) throw fault;
    return new Operation<void>({
      label: "room in a channel",
      attempt: () => {
        this.#check(item);
        return this.#core.trySend(item);
      },
      park: (claim) => this.#core.parkSender(claim, item),
    });
  }

  /**
   * Waits for room, and keeps it: what is sent into it later need not wait.
   *
   * @param options Additional options.
   * @returns The room; it is given back when it is disposed of unused.
   * @throws {RangeError} If the channel has no room to keep: its capacity is 0.
   * @throws {ChannelClosedError} If this end or all receivers are closed.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   *
   * @example Make an item only when there is room for it
   * ```ts
   * import { channel } from "@ilmek/async/channel";
   * import { assertEquals } from "@std/assert";
   *
   * const [sender, receiver] = channel<string>({ capacity: 1 });
   * {
   *   using slot = await sender.reserve();
   *   slot.send("expensive");
   * }
   *
   * assertEquals(await receiver.receive(), "expensive");
   * ```
   */
  reserve(options: ChannelWaitOptions = {}): Promise<ChannelSlot<T>> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      this.#checkOpen("reserve room");
      if (this.capacity === 0) {
        throw new RangeError(
          'Cannot reserve room as "capacity" must be an integer >= 1: current value is 0',
        );
      }
      const refused = refusal(frame, "reserve room", signal);
      if (refused !== undefined) return refused;
      if (this.#core.tryReserve()) {
        const slot = new ChannelSlot(this.#core);
        return frame.loop.pass(Promise.resolve(slot), frame);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const claim = new Claim<void>(frame, "room in a channel");
    this.#core.parkReserver(claim);
    linkSignal(claim as Claim, signal);
    return claim.wait().then(() => new ChannelSlot(this.#core));
  }

  /**
   * Makes one more sender of the same channel, with a life of its own.
   *
   * @returns The sender.
   * @throws {ChannelClosedError} If this end is closed.
   */
  clone(): ChannelSender<T> {
    this.#checkOpen("clone a sender");
    return new ChannelSender(this.#core);
  }

  /**
   * Closes this end. When the last one is closed, and what was sent is received,
   * receivers end. Sends that wait at this end go on.
   */
  close(): void {
    this.#close(undefined);
  }

  /**
   * Closes this end with an error: when the last one is closed, and what was sent
   * is received, receivers get the error.
   *
   * @param error What receivers get thrown.
   */
  closeWith(error: unknown): void {
    this.#close(() => error);
  }

  /** Closes this end. */
  [Symbol.dispose](): void {
    this.close();
  }

  #close(fault: (() => unknown) | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#core.closeSender(fault);
  }

  #check(item: T): void {
    const fault = faultOf(item, "send an item");
    if (fault !== undefined) throw fault;
    this.#checkOpen("send an item");
  }

  #checkOpen(doing: string): void {
    if (!this.#closed) return;
    throw new ChannelClosedError(`Cannot ${doing}: this sender is closed`);
  }
}

/**
 * Room for one item; see {@linkcode ChannelSender.reserve}.
 *
 * @typeParam T The type of the items.
 *
 * @example Give room back
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { assertEquals } from "@std/assert";
 *
 * const [sender] = channel<number>({ capacity: 1 });
 * const slot = await sender.reserve();
 * assertEquals(sender.trySend(1), false);
 * slot[Symbol.dispose]();
 *
 * assertEquals(sender.trySend(1), true);
 * ```
 */
export class ChannelSlot<T> implements Disposable {
  #core: ChannelCore<T> | undefined;

  /**
   * Slots come from `reserve()`.
   *
   * @internal
   */
  constructor(core: ChannelCore<T>) {
    this.#core = core;
  }

  /**
   * Sends an item into this room. It never waits.
   *
   * @param item The item.
   * @throws {BrokenChannelError} If all receivers are closed.
   * @throws {ChannelClosedError} If the room was used or given back.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  send(item: T): void {
    const fault = faultOf(item, "send an item");
    if (fault !== undefined) throw fault;
    const core = this.#core;
    if (core === undefined) {
      throw new ChannelClosedError(
        "Cannot send an item: the room was used or given back",
      );
    }
    this.#core = undefined;
    core.fill(item);
  }

  /** Gives the room back, unless it was used. */
  [Symbol.dispose](): void {
    this.#core?.forgo();
    this.#core = undefined;
  }
}

/**
 * The end of a channel from which items come. Closing it twice does nothing.
 *
 * Several loops and receivers share the items; each item goes to one of them. A
 * loop that is left half way leaves the channel open.
 *
 * @typeParam T The type of the items.
 *
 * @example Learn that the other end is gone
 * ```ts
 * import { BrokenChannelError, channel } from "@ilmek/async/channel";
 * import { assertRejects } from "@std/assert";
 *
 * const [sender, receiver] = channel<number>({ capacity: 1 });
 * receiver.close();
 *
 * await assertRejects(() => sender.send(1), BrokenChannelError);
 * ```
 */
export class ChannelReceiver<T> implements AsyncIterable<T>, Disposable {
  readonly #core: ChannelCore<T>;
  #closed = false;

  /**
   * Receivers come from `channel()` and `clone()`.
   *
   * @internal
   */
  constructor(core: ChannelCore<T>) {
    this.#core = core;
    core.receivers++;
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many items are there to be received. */
  get size(): number {
    return this.#core.size;
  }

  /** How many callers wait, at all ends of the channel. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /**
   * Receives the next item, and waits for one if there is none.
   *
   * A receive that is cancelled takes no item.
   *
   * @param options Additional options.
   * @returns The item.
   * @throws {ChannelClosedError} If all senders are closed and nothing is left, also
   * while it waits; or if this end is closed.
   * @throws The error that a sender was closed with.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  receive(options: ChannelWaitOptions = {}): Promise<T> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      this.#checkOpen("receive an item");
      const refused = refusal(frame, "receive an item", signal);
      if (refused !== undefined) return refused;
      const received = this.#core.tryReceive();
      if (received !== undefined) {
        return frame.loop.pass(Promise.resolve(received.value), frame);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const claim = new Claim<T>(frame, "an item of a channel");
    this.#core.parkReceiver(claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Receives the next item, if there is one.
   *
   * @returns The item, or `undefined` if there is none.
   * @throws {ChannelClosedError} If all senders are closed and nothing is left, or
   * if this end is closed.
   * @throws The error that a sender was closed with.
   */
  tryReceive(): T | undefined {
    this.#checkOpen("receive an item");
    return this.#core.tryReceive()?.value;
  }

  /**
   * A receive that has not begun: for `select`.
   *
   * @returns The operation; it gives the item, and fails like `receive`.
   */
  receiveOp(): Operation<T> {
    return new Operation<T>({
      label: "an item of a channel",
      attempt: () => {
        this.#checkOpen("receive an item");
        return this.#core.tryReceive();
      },
      park: (claim) => this.#core.parkReceiver(claim),
    });
  }

  /**
   * Makes one more receiver of the same channel, with a life of its own.
   *
   * @returns The receiver.
   * @throws {ChannelClosedError} If this end is closed.
   */
  clone(): ChannelReceiver<T> {
    this.#checkOpen("clone a receiver");
    return new ChannelReceiver(this.#core);
  }

  /**
   * Closes this end. When the last one is closed, nothing more can be sent, and
   * what is left goes to `onUndelivered`. While others are open, calls that wait at
   * this end go on.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#core.closeReceiver();
  }

  /** Closes this end. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Gives the items, until all senders are closed and nothing is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      let item: T;
      try {
        item = await this.receive();
      } catch (error) {
        if (error instanceof ChannelClosedError) return;
        throw error;
      }
      yield item;
    }
  }

  #checkOpen(doing: string): void {
    if (!this.#closed) return;
    throw new ChannelClosedError(`Cannot ${doing}: this receiver is closed`);
  }
}

/**
 * Makes a channel.
 *
 * @typeParam T The type of the items. Promises and tasks are refused.
 * @param options Additional options; `capacity` is required.
 * @returns The two ends.
 * @throws {RangeError} If `capacity` is not an integer >= 0.
 * @throws {TypeError} If `overflow` is unknown.
 *
 * @example Keep only the latest value
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { assertEquals } from "@std/assert";
 *
 * const [sender, receiver] = channel<number>({
 *   capacity: 1,
 *   overflow: "drop-oldest",
 * });
 * for (const reading of [20, 21, 22]) await sender.send(reading);
 *
 * assertEquals(await receiver.receive(), 22);
 * ```
 */
export function channel<T>(
  options: ChannelOptions<T>,
): [sender: ChannelSender<T>, receiver: ChannelReceiver<T>] {
  const { capacity, overflow = "suspend", onUndelivered } = options;
  checkCount(capacity, "create a channel", "capacity", 0);
  if (!OVERFLOWS.includes(overflow)) {
    throw new TypeError(
      `Cannot create a channel as "overflow" must be one of ${
        OVERFLOWS.map(show).join(", ")
      }: current value is ${show(overflow)}`,
    );
  }
  if (onUndelivered !== undefined) {
    checkFunction(onUndelivered, "create a channel", "onUndelivered");
  }
  const core = new ChannelCore<T>({ capacity, overflow, onUndelivered });
  return [new ChannelSender(core), new ChannelReceiver(core)];
}
