import { Claim } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { itemsUntil } from "../_internal/items_until.ts";
import type { ChannelCore } from "./_channel_core.ts";
import { ChannelClosedError } from "./_channel_errors.ts";
import type { ChannelWaitOptions } from "./_channel_sender.ts";

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

  /**
   * Gives the items, until all senders are closed and nothing is left; then it throws
   * what one of them was closed with.
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return itemsUntil(
      () => this.receive(),
      (error) =>
        error instanceof ChannelClosedError && !this.#core.wasClosedWith(error),
    );
  }

  #checkOpen(doing: string): void {
    if (!this.#closed) return;
    throw new ChannelClosedError(`Cannot ${doing}: this receiver is closed`);
  }
}
