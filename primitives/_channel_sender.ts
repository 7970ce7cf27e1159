import { Claim } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { faultOf } from "../_internal/item.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import type { ChannelCore } from "./_channel_core.ts";
import { ChannelClosedError } from "./_channel_errors.ts";

/** Options of the waits of a channel. */
export interface ChannelWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

const DONE: Promise<void> = Promise.resolve();

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
    const claim = new Claim<ChannelSlot<T>>(frame, "room in a channel");
    this.#core.parkReserver(claim, new ChannelSlot(this.#core));
    linkSignal(claim as Claim, signal);
    return claim.wait();
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
