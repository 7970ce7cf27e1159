import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { type Attempt, Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { linkSignal } from "../_internal/signal.ts";
import { itemsUntil } from "../_internal/items_until.ts";

/** Thrown where a broadcast or a subscription was closed, and nothing is left. */
export class BroadcastClosedError extends InvalidStateError {
  static {
    this.prototype.name = "BroadcastClosedError";
  }
}

/** Thrown to a subscriber that was disconnected, since its buffer was full. */
export class SubscriberTooSlowError extends InvalidStateError {
  static {
    this.prototype.name = "SubscriberTooSlowError";
  }
}

/**
 * What becomes of an item for which a subscriber has no room: the publisher waits,
 * the subscriber misses its oldest item, or it is disconnected.
 */
export type SubscriptionOverflow = "suspend" | "drop-oldest" | "disconnect";

/** Options of the waits of a broadcast. */
export interface BroadcastWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What a subscription needs of its broadcast. */
export interface Publisher {
  /** There is more room, or one subscriber less. */
  roomMade(): void;
  /** The subscription ends: it gets nothing any more. */
  left(subscription: object): void;
}

/**
 * One subscriber's view of a broadcast: a buffer of its own.
 *
 * @typeParam T The type of the items.
 *
 * @example Take what was published, in a loop
 * ```ts
 * import { Broadcast } from "@ilmek/async/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * const news = new Broadcast<string>();
 * using subscription = news.subscribe();
 * await news.publish("rain");
 * news.close();
 *
 * assertEquals(await Array.fromAsync(subscription), ["rain"]);
 * ```
 */
export class Subscription<T> implements AsyncIterable<T>, Disposable {
  readonly #publisher: Publisher;
  readonly #capacity: number;
  readonly #overflow: SubscriptionOverflow;
  readonly #items = new Ring<T>();
  /** Invariant: empty unless there are no items. */
  readonly #receiving = new ClaimList();
  #missed = 0;
  /** What those who receive get once nothing is left. */
  #fault: (() => unknown) | undefined;

  /**
   * Subscriptions come from `Broadcast.subscribe()`.
   *
   * @internal
   */
  constructor(
    publisher: Publisher,
    capacity: number,
    overflow: SubscriptionOverflow,
  ) {
    this.#publisher = publisher;
    this.#capacity = capacity;
    this.#overflow = overflow;
  }

  /** How many items are there to be received. */
  get size(): number {
    return this.#items.size;
  }

  /** How many items this subscriber has missed. */
  get missed(): number {
    return this.#missed;
  }

  /** How many callers wait for an item. */
  get waiting(): number {
    return this.#receiving.size;
  }

  /** Whether nothing more will come. */
  get closed(): boolean {
    return this.#fault !== undefined;
  }

  /**
   * Receives the next item, and waits for one if there is none.
   *
   * @param options Additional options.
   * @returns The item.
   * @throws {BroadcastClosedError} If the broadcast or the subscription is closed and
   * nothing is left, also while it waits.
   * @throws {SubscriberTooSlowError} If it was disconnected, and nothing is left.
   * @throws The error that the broadcast was closed with.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  receive(options: BroadcastWaitOptions = {}): Promise<T> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "receive an item", signal);
    if (refused !== undefined) return refused;
    try {
      const received = this.#take();
      if (received !== undefined) {
        return frame.loop.pass(Promise.resolve(received.value), frame);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const claim = new Claim<T>(frame, "an item of a broadcast");
    this.#receiving.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Receives the next item, if there is one.
   *
   * @returns The item, or `undefined` if there is none.
   * @throws {BroadcastClosedError} If the broadcast or the subscription is closed and
   * nothing is left.
   * @throws {SubscriberTooSlowError} If it was disconnected, and nothing is left.
   */
  tryReceive(): T | undefined {
    return this.#take()?.value;
  }

  /**
   * A receive that has not begun: for `select`.
   *
   * @returns The operation; it gives the item, and fails like `receive`.
   */
  receiveOp(): Operation<T> {
    return new Operation<T>({
      label: "an item of a broadcast",
      attempt: () => this.#take(),
      park: (claim) => this.#receiving.push(claim as Claim),
    });
  }

  /** Ends the subscription, and drops what was not received. Idempotent. */
  close(): void {
    while (this.#items.size > 0) this.#items.shift();
    this.end(() =>
      new BroadcastClosedError(
        "Cannot receive an item: the subscription is closed",
      )
    );
  }

  /** Ends the subscription. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Gives the items, until the broadcast or the subscription is closed; then it throws
   * what the broadcast was closed with.
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return itemsUntil(
      () => this.receive(),
      (error) =>
        error instanceof BroadcastClosedError && error !== this.#fault?.(),
    );
  }

  /**
   * Whether a publisher must wait for this subscriber.
   *
   * @internal
   */
  get isHoldingUp(): boolean {
    return this.#overflow === "suspend" && !this.#hasRoom;
  }

  /**
   * Takes one more item.
   *
   * @internal
   */
  deliver(item: T): void {
    const receiver = this.#receiving.shift();
    if (receiver !== undefined) {
      receiver.grant(item);
      return;
    }
    if (!this.#hasRoom) {
      this.#missed++;
      if (this.#overflow === "disconnect") return this.#disconnect();
      this.#items.shift();
    }
    this.#items.push(item);
  }

  /**
   * Lets nothing more come; what is there can still be received.
   *
   * @internal
   */
  end(fault: () => unknown): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    for (let c = this.#receiving.shift(); c; c = this.#receiving.shift()) {
      c.fail(fault());
    }
    this.#publisher.left(this);
  }

  get #hasRoom(): boolean {
    return this.#receiving.head !== undefined ||
      this.#items.size < this.#capacity;
  }

  #take(): Attempt<T> | undefined {
    if (this.#items.size > 0) {
      const value = this.#items.shift() as T;
      this.#publisher.roomMade();
      return { value };
    }
    if (this.#fault !== undefined) throw this.#fault();
    return undefined;
  }

  #disconnect(): void {
    this.end(() =>
      new SubscriberTooSlowError(
        `Cannot receive an item: the buffer of ${this.#capacity} was full, and the subscriber was disconnected`,
      )
    );
  }
}
