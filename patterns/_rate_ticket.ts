import type { Claim, Line } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Timer, TimerTarget } from "../_internal/timer_queue.ts";
import { type Meter, Place, serveAll } from "./_rate_meter.ts";

/** Whose line a ticket is of. */
export interface TicketOwner {
  /** The ticket was taken off the line: it has its turn, or has given up. */
  left(ticket: Ticket): void;
  /** What the waiter gets when its turn has come. */
  valueFor(ticket: Ticket): unknown;
  /** The waiter was told: whoever listens may be told, too. */
  admitted(ticket: Ticket): void;
  /** The ticket may not wait any longer: refuses it. */
  expired(ticket: Ticket): void;
}

/** What a ticket is made of. */
export interface TicketFacts {
  readonly owner: TicketOwner;
  readonly loop: EventLoop;
  readonly cost: number;
  /** Who has the smaller one goes first; among equals who came first. */
  readonly key: number;
  readonly enqueuedAt: number;
}

/** One who waits for its turn at one meter, or at several at once. */
export class Ticket implements Line, TimerTarget {
  readonly label = "the end of a wait for a rate limiter";
  readonly owner: TicketOwner;
  readonly loop: EventLoop;
  readonly cost: number;
  readonly key: number;
  readonly enqueuedAt: number;
  readonly places: readonly Place[];
  /** Absent as long as it is not known whether it must wait. */
  claim: Claim | undefined = undefined;
  /** When its turn came. */
  takenAt: number | undefined = undefined;
  #alarm: Timer | undefined = undefined;

  constructor(facts: TicketFacts, meters: readonly Meter[]) {
    this.owner = facts.owner;
    this.loop = facts.loop;
    this.cost = facts.cost;
    this.key = facts.key;
    this.enqueuedAt = facts.enqueuedAt;
    this.places = meters.map((meter) => new Place(meter, this));
  }

  /** Takes its place in all lines, and its turn if that has come. */
  enqueue(): void {
    for (const place of this.places) place.meter.insert(place);
    serveAll(this.places.map(({ meter }) => meter));
  }

  /** From when on it fits everywhere. */
  readyAt(now: number): number {
    let latest = 0;
    for (const { meter } of this.places) {
      const at = meter.readyAt(this.cost, now);
      if (at > latest) latest = at;
    }
    return latest;
  }

  /** Whether those ahead in the other lines let it through. */
  isFirstBesides(here: Meter, now: number): boolean {
    return this.places.every((place) =>
      place.meter === here || place.meter.isFirst(place, now)
    );
  }

  /** Only who waits for several meters can be blocked elsewhere. */
  mayBeOvertakenBy(other: Ticket): boolean {
    return this.places.length > 1 && this.owner !== other.owner;
  }

  /** Its turn has come: takes from all meters at once. */
  take(now: number, touched: Set<Meter>): void {
    this.takenAt = now;
    this.#leave();
    for (const { meter } of this.places) {
      meter.take(this.cost, now);
      touched.add(meter);
    }
  }

  /** Tells the waiter that its turn has come; `false` if it has no use for it. */
  grant(): boolean {
    const { claim } = this;
    if (claim === undefined) return true;
    claim.line = undefined;
    return claim.grant(this.owner.valueFor(this));
  }

  /** Gives back what was taken for a waiter who has no use for it. */
  giveBack(now: number): void {
    for (const { meter } of this.places) meter.refund(this.cost, now);
    serveAll(this.places.map(({ meter }) => meter));
  }

  /** Ends the wait at that time, whatever happens meanwhile. */
  endAt(when: number): void {
    if (when < Infinity) this.#alarm = this.loop.timers.at(when, this);
  }

  expire(): void {
    this.#alarm = undefined;
    // Its turn may come at this very moment.
    serveAll(this.places.map(({ meter }) => meter));
    if (this.takenAt === undefined) this.owner.expired(this);
  }

  withdraw(): void {
    // Who has its turn already is told of that next.
    if (this.takenAt !== undefined) return;
    this.#leave();
    serveAll(this.places.map(({ meter }) => meter));
  }

  #leave(): void {
    for (const place of this.places) place.meter.remove(place);
    this.#alarm?.cancel();
    this.owner.left(this);
  }
}
