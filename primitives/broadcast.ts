/**
 * Broadcasts: each subscriber gets every item.
 *
 * ```ts
 * import { Broadcast } from "@ilmek/async/broadcast";
 *
 * const news = new Broadcast<string>();
 * using ada = news.subscribe();
 * using bob = news.subscribe();
 * await news.publish("rain");
 * console.log(await ada.receive(), await bob.receive());
 * ```
 *
 * @module
 */
import { checkChoice, checkCount } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { faultOf } from "../_internal/item.ts";
import { type Attempt, Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { linkSignal } from "../_internal/signal.ts";
import {
  BroadcastClosedError,
  type BroadcastWaitOptions,
  Subscription,
  type SubscriptionOverflow,
} from "./_subscription.ts";

export type { Operation } from "../_internal/operation.ts";
export {
  BroadcastClosedError,
  type BroadcastWaitOptions,
  SubscriberTooSlowError,
  Subscription,
  type SubscriptionOverflow,
} from "./_subscription.ts";

/** Options of {@linkcode Broadcast}. */
export interface BroadcastOptions {
  /**
   * How many of the latest items a new subscriber gets at once.
   *
   * @default {0}
   */
  replay?: number;
}

/** Options of {@linkcode Broadcast.subscribe}. */
export interface SubscribeOptions {
  /**
   * How many items wait for the subscriber.
   *
   * @default {16}
   */
  capacity?: number;
  /**
   * What becomes of an item for which there is no room.
   *
   * @default {"suspend"}
   */
  overflow?: SubscriptionOverflow;
}

const DONE: Promise<void> = Promise.resolve();
const PUBLISHED: Attempt<void> = { value: undefined };
const OVERFLOWS: readonly unknown[] = ["suspend", "drop-oldest", "disconnect"];

/**
 * A place where items are published, and each subscriber gets all of them.
 *
 * A subscriber gets what is published after `subscribe()` was called, in order.
 * Items are published to all subscribers in one step, or not at all: a publish
 * that is cancelled while it waits has reached nobody.
 *
 * @typeParam T The type of the items. Promises and tasks are refused.
 *
 * @example A slow subscriber that may miss something
 * ```ts
 * import { Broadcast } from "@ilmek/async/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * const prices = new Broadcast<number>();
 * using slow = prices.subscribe({ capacity: 1, overflow: "drop-oldest" });
 * for (const price of [10, 11, 12]) await prices.publish(price);
 *
 * assertEquals([await slow.receive(), slow.missed], [12, 2]);
 * ```
 */
export class Broadcast<T> implements Disposable {
  readonly #subscriptions = new Set<Subscription<T>>();
  /** Each claim carries its item. Invariant: empty unless someone holds it up. */
  readonly #publishing = new ClaimList();
  readonly #latest = new Ring<T>();
  readonly #replay: number;
  #fault: (() => unknown) | undefined;
  /** Whether an item is on its way: the next one must not overtake it. */
  #delivering = false;

  /** Creates a broadcast without subscribers. */
  constructor(options: BroadcastOptions = {}) {
    const { replay = 0 } = options;
    this.#replay = checkCount(replay, "create a broadcast", "replay", 0);
  }

  /** How many subscribers there are. */
  get subscribers(): number {
    return this.#subscriptions.size;
  }

  /** How many callers wait to publish. */
  get waiting(): number {
    return this.#publishing.size;
  }

  /** Whether the broadcast was closed. */
  get closed(): boolean {
    return this.#fault !== undefined;
  }

  /**
   * Adds a subscriber; nothing that is published from now on is missed.
   *
   * @param options Additional options.
   * @returns The subscription.
   * @throws {RangeError} If `capacity` is not an integer >= 1.
   * @throws {TypeError} If `overflow` is unknown.
   * @throws {BroadcastClosedError} If the broadcast is closed.
   */
  subscribe(options: SubscribeOptions = {}): Subscription<T> {
    const { capacity = 16, overflow = "suspend" } = options;
    checkCount(capacity, "subscribe", "capacity");
    checkChoice(overflow, "subscribe", "overflow", OVERFLOWS);
    this.#checkOpen("subscribe");
    const subscription = new Subscription<T>(
      {
        roomMade: () => this.#admit(),
        left: () => {
          this.#subscriptions.delete(subscription);
          this.#admit();
        },
      },
      capacity,
      overflow,
    );
    const latest = [...this.#latest];
    for (const item of latest.slice(-Math.min(capacity, latest.length))) {
      subscription.deliver(item);
    }
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Publishes an item, and waits while a subscriber has no room for it.
   *
   * @param item The item.
   * @param options Additional options.
   * @throws {BroadcastClosedError} If the broadcast is closed, also while it waits.
   * @throws {TypeError} If `item` is a promise or a task.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   */
  publish(item: T, options: BroadcastWaitOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      this.#check(item);
      const refused = refusal(frame, "publish an item", signal);
      if (refused !== undefined) return refused;
      if (this.#publish(item)) return frame.loop.pass(DONE, frame);
    } catch (error) {
      return Promise.reject(error);
    }
    const claim = new Claim<void>(frame, "room at all subscribers");
    claim.value = item;
    this.#publishing.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /**
   * Publishes an item, if that need not wait.
   *
   * @param item The item.
   * @returns `false` if a subscriber has no room for it.
   * @throws {BroadcastClosedError} If the broadcast is closed.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  tryPublish(item: T): boolean {
    this.#check(item);
    return this.#publish(item) !== undefined;
  }

  /**
   * A publish that has not begun: for `select`.
   *
   * @param item The item.
   * @returns The operation; it fails like `publish`.
   * @throws {TypeError} If `item` is a promise or a task.
   */
  publishOp(item: T): Operation<void> {
    const fault = faultOf(item, "publish an item");
    if (fault !== undefined) throw fault;
    return new Operation<void>({
      label: "room at all subscribers",
      attempt: () => {
        this.#check(item);
        return this.#publish(item);
      },
      park: (claim) => {
        claim.value = item;
        this.#publishing.push(claim as Claim);
      },
    });
  }

  /** Lets nothing more be published; subscribers get what is there, and end. */
  close(): void {
    this.#close(() =>
      new BroadcastClosedError(
        "Cannot receive an item: the broadcast is closed",
      )
    );
  }

  /**
   * Lets nothing more be published; subscribers get what is there, then the error.
   *
   * @param error What subscribers get thrown.
   */
  closeWith(error: unknown): void {
    this.#close(() => error);
  }

  /** Closes the broadcast. */
  [Symbol.dispose](): void {
    this.close();
  }

  #close(fault: () => unknown): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    for (let c = this.#publishing.shift(); c; c = this.#publishing.shift()) {
      c.fail(closed("publish an item"));
    }
    for (const subscription of [...this.#subscriptions]) {
      subscription.end(fault);
    }
  }

  /** Publishes at once, unless a subscriber holds it up. */
  #publish(item: T): Attempt<void> | undefined {
    if (this.#isHeldUp) return undefined;
    this.#deliver(item);
    return PUBLISHED;
  }

  /** Lets those publish who have waited, as far as there is room. */
  #admit(): void {
    if (this.#delivering) return;
    while (this.#publishing.size > 0 && !this.#isHeldUp) {
      const claim = this.#publishing.shift();
      if (claim === undefined) return;
      const item = claim.value as T;
      // A `select` that would also receive has chosen before the item is there.
      claim.grant(undefined);
      this.#deliver(item);
    }
  }

  #deliver(item: T): void {
    if (this.#replay > 0) {
      this.#latest.push(item);
      if (this.#latest.size > this.#replay) this.#latest.shift();
    }
    this.#delivering = true;
    // Who is disconnected leaves the set meanwhile.
    for (const subscription of [...this.#subscriptions]) {
      subscription.deliver(item);
    }
    this.#delivering = false;
  }

  get #isHeldUp(): boolean {
    for (const subscription of this.#subscriptions) {
      if (subscription.isHoldingUp) return true;
    }
    return false;
  }

  #check(item: T): void {
    const fault = faultOf(item, "publish an item");
    if (fault !== undefined) throw fault;
    this.#checkOpen("publish an item");
  }

  #checkOpen(doing: string): void {
    if (this.#fault !== undefined) throw closed(doing);
  }
}

function closed(doing: string): BroadcastClosedError {
  return new BroadcastClosedError(`Cannot ${doing}: the broadcast is closed`);
}
