import { type Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import type { Attempt } from "../_internal/operation.ts";
import { Ring } from "../_internal/ring.ts";
import {
  BrokenChannelError,
  ChannelClosedError,
  ChannelFullError,
} from "./_channel_errors.ts";

/**
 * What becomes of an item for which there is no room: its sender waits, the oldest
 * item makes room, the new item is dropped, or the send fails.
 */
export type ChannelOverflow =
  | "suspend"
  | "drop-oldest"
  | "drop-newest"
  | "error";

/** How a channel was made. */
export interface ChannelPlan<T> {
  readonly capacity: number;
  readonly overflow: ChannelOverflow;
  readonly onUndelivered: ((item: T) => void) | undefined;
}

/** What a sender who waits has in hand: an item, or a right to send one later. */
type Parcel<T> = { readonly item: T } | { readonly slot: object };

const SENT: Attempt<void> = { value: undefined };

/**
 * What stands between the ends of a channel.
 *
 * Invariant: senders wait only while there is no room, and receivers only while
 * there is nothing to receive: both wait only while all the room is kept for those
 * who have reserved it.
 */
export class ChannelCore<T> {
  readonly plan: ChannelPlan<T>;
  /** How many ends are open. */
  senders = 0;
  receivers = 0;
  /** How many items were dropped, or left over by the last receiver. */
  undelivered = 0;
  readonly #loop: EventLoop = currentFrame().loop;
  readonly #items = new Ring<T>();
  /** How much of the room is kept for those who have reserved it. */
  #reserved = 0;
  /** Each claim carries its parcel. */
  readonly #sending = new ClaimList();
  readonly #receiving = new ClaimList();
  /** Why receivers end, once all senders are closed. */
  #fault: (() => unknown) | undefined;

  constructor(plan: ChannelPlan<T>) {
    this.plan = plan;
  }

  get size(): number {
    return this.#items.size;
  }

  get waiting(): number {
    return this.#sending.size + this.#receiving.size;
  }

  /** Sends at once, unless it would have to wait. It throws if it never can. */
  trySend(item: T): Attempt<void> | undefined {
    if (this.receivers === 0) throw new BrokenChannelError(item);
    // One who reserves room waits for that, and not for a receiver.
    const isNext = this.#nextItem === undefined;
    if (this.#hasRoom || (isNext && this.#receiving.head !== undefined)) {
      this.#deliver(item);
      return SENT;
    }
    return this.#overflow(item);
  }

  parkSender(claim: Claim<void>, item: T): void {
    claim.value = { item } satisfies Parcel<T>;
    this.#sending.push(claim as Claim);
  }

  /** Receives at once, unless it would have to wait. It throws at the end. */
  tryReceive(): Attempt<T> | undefined {
    if (this.#items.size > 0) {
      const value = this.#items.shift() as T;
      this.#admit();
      return { value };
    }
    // There may be no room at all, or none that is not kept.
    const next = this.#nextItem;
    if (next !== undefined) {
      this.#sending.shift()?.grant(undefined);
      return { value: next.item };
    }
    if (this.#hasEnded) throw this.#end();
    return undefined;
  }

  parkReceiver(claim: Claim<T>): void {
    this.#receiving.push(claim as Claim);
  }

  /** Keeps room for an item at once, if there is some. */
  tryReserve(): boolean {
    if (this.receivers === 0) throw noReceivers();
    if (!this.#hasRoom) return false;
    this.#reserved++;
    return true;
  }

  /** Puts a claim in line that gets `slot` once there is room for it. */
  parkReserver<S extends object>(claim: Claim<S>, slot: S): void {
    claim.value = { slot } satisfies Parcel<T>;
    this.#sending.push(claim as Claim);
  }

  /** Puts an item into the room that was kept for it. */
  fill(item: T): void {
    this.#reserved--;
    if (this.receivers === 0) throw new BrokenChannelError(item);
    this.#deliver(item);
    this.#admit();
    this.#finish();
  }

  /** Gives back room that was kept. */
  forgo(): void {
    this.#reserved--;
    this.#admit();
    this.#finish();
  }

  /** One sender less; after the last one, receivers end with this. */
  closeSender(fault: (() => unknown) | undefined): void {
    this.#fault ??= fault;
    if (--this.senders === 0) this.#finish();
  }

  /** One receiver less; after the last one, nothing can arrive any more. */
  closeReceiver(): void {
    if (--this.receivers > 0) return;
    for (let c = this.#sending.shift(); c; c = this.#sending.shift()) {
      const parcel = c.value as Parcel<T>;
      c.fail(
        "item" in parcel ? new BrokenChannelError(parcel.item) : noReceivers(),
      );
    }
    for (let c = this.#receiving.shift(); c; c = this.#receiving.shift()) {
      c.fail(
        new ChannelClosedError(
          "Cannot receive an item: this receiver is closed",
        ),
      );
    }
    while (this.#items.size > 0) this.#drop(this.#items.shift() as T);
  }

  /** Whether a sender was closed with this very error. */
  wasClosedWith(error: unknown): boolean {
    return this.#fault !== undefined && this.#fault() === error;
  }

  get #hasRoom(): boolean {
    return this.#items.size + this.#reserved < this.plan.capacity;
  }

  /** What is next in line to be sent, unless that one reserves room. */
  get #nextItem(): { readonly item: T } | undefined {
    const parcel = this.#sending.head?.value as Parcel<T> | undefined;
    return parcel !== undefined && "item" in parcel ? parcel : undefined;
  }

  /** Whether nothing can be received any more. */
  get #hasEnded(): boolean {
    return this.senders === 0 && this.#items.size === 0 &&
      this.#sending.size === 0 && this.#reserved === 0;
  }

  /** Hands an item to who waits for one, or puts it into the room. */
  #deliver(item: T): void {
    const receiver = this.#receiving.shift();
    if (receiver === undefined) this.#items.push(item);
    else receiver.grant(item);
  }

  #overflow(item: T): Attempt<void> | undefined {
    switch (this.plan.overflow) {
      case "suspend":
        return undefined;
      case "error":
        throw new ChannelFullError(
          `Cannot send an item: the channel holds ${this.size} already`,
        );
      case "drop-newest":
        this.#drop(item);
        return SENT;
      case "drop-oldest":
        // If all the room is kept for others, the new item has none.
        if (this.#items.size === 0) this.#drop(item);
        else {
          const oldest = this.#items.shift() as T;
          this.#items.push(item);
          this.#drop(oldest);
        }
        return SENT;
    }
  }

  /** Lets in those who wait, as far as there is room. */
  #admit(): void {
    while (this.#hasRoom) {
      const claim = this.#sending.shift();
      if (claim === undefined) return;
      const parcel = claim.value as Parcel<T>;
      if ("slot" in parcel) {
        this.#reserved++;
        claim.grant(parcel.slot);
      } else {
        // A `select` that would also receive has chosen before the item is there.
        claim.grant(undefined);
        this.#deliver(parcel.item);
      }
    }
  }

  /** Ends those who wait to receive, if nothing can come any more. */
  #finish(): void {
    if (!this.#hasEnded) return;
    for (let c = this.#receiving.shift(); c; c = this.#receiving.shift()) {
      c.fail(this.#end());
    }
  }

  #end(): unknown {
    return this.#fault === undefined
      ? new ChannelClosedError("Cannot receive an item: all senders are closed")
      : this.#fault();
  }

  #drop(item: T): void {
    this.undelivered++;
    try {
      this.plan.onUndelivered?.(item);
    } catch (exception) {
      this.#loop.report({
        message: 'The function "onUndelivered" of a channel has thrown',
        exception,
      });
    }
  }
}

function noReceivers(): ChannelClosedError {
  return new ChannelClosedError(
    "Cannot reserve room: all receivers are closed",
  );
}
