import { type Linked, LinkedList } from "../_internal/linked_list.ts";
import type { Timer, TimerTarget } from "../_internal/timer_queue.ts";
import type { RateAlgorithm } from "./rate_algorithms.ts";
import { isReached } from "./_rate_cost.ts";
import type { Ticket } from "./_rate_ticket.ts";

/** To what the rate shrinks when the server says that it was too fast. */
const SHRINK = 0.7;
/** The least that it shrinks to. */
const MIN_PACE = 0.05;
/** How much of the rate comes back in each `perMs`. */
const REGROW = 0.1;

/** Up to how many are let through by one look at the clock. */
const MAX_CREDIT = 16;
/** Which part of a burst that may be at most. */
const CREDIT_PER_BURST = 1 / 64;
/** Only callers who come that fast are let through on credit. */
const HURRY_MS = 1;

/** Where a ticket stands in the line of one meter. */
export class Place implements Linked<Place> {
  prev: Place | undefined = undefined;
  next: Place | undefined = undefined;
  readonly meter: Meter;
  readonly ticket: Ticket;

  constructor(meter: Meter, ticket: Ticket) {
    this.meter = meter;
    this.ticket = ticket;
  }
}

/** Who must not be delayed by those who overtake it, and when its turn comes. */
interface Guarded {
  readonly cost: number;
  readonly at: number;
}

/** What a line comes to, if all in it go as soon as they can. */
interface Booking {
  readonly ticket: Ticket;
  readonly state: unknown;
  readonly at: number;
  readonly pacedUntil: number;
}

/**
 * One rate, what was taken of it, and the line of those who wait for it.
 *
 * Nothing is taken ahead: a place in line is the reservation, and each takes at
 * the moment at which it really goes. So a thread that was blocked does not let
 * through at once what it has slept through, and who leaves holds nobody up.
 */
export class Meter implements TimerTarget {
  readonly label = "the next turn of a rate limiter";
  readonly algorithm: RateAlgorithm;
  readonly line: LinkedList<Place> = new LinkedList();
  frozenUntil = 0;
  #state: unknown;
  /**
   * Which part of the rate is in use since the server has complained. As long as
   * it is not all of it, there are no bursts: one goes after another.
   */
  #pace = 1;
  /** When that was told. */
  #pacedAt = 0;
  /** When the next one may go. */
  #pacedUntil = 0;
  /**
   * How much more was found to fit when the clock was read last; reading it costs
   * more than all the rest. Invariant: 0 if somebody waits, or is held up.
   */
  #credit = 0;
  /** How much of that was taken. It counts as taken at the next look at the clock. */
  #spent = 0;
  #lentAt = -Infinity;
  /** Invariant: set only while somebody waits for time to pass. */
  #timer: Timer | undefined = undefined;
  #forecast: Booking | undefined = undefined;
  /** Invariant: if set, that of the whole line. */
  #booked: Booking | undefined = undefined;

  constructor(algorithm: RateAlgorithm) {
    this.algorithm = algorithm;
    this.#state = algorithm.initial;
  }

  /** Whether it is as it was when it was made. */
  isInitial(now: number): boolean {
    return this.line.size === 0 && this.paceAt(now) === 1 &&
      isReached(this.resetAt(now), now);
  }

  /** From when on `cost` fits, if nobody else takes. */
  readyAt(cost: number, now: number): number {
    this.#settle(now);
    const at = this.algorithm.readyAt(this.#state, cost, now);
    const until = Math.max(this.frozenUntil, this.#pacedUntil);
    return at > until ? at : until;
  }

  take(cost: number, now: number): void {
    this.#settle(now);
    this.#state = this.algorithm.take(this.#state, cost, now);
    if (this.#pace !== 1) this.#pacedUntil = now + this.#pauseMs(cost, now);
    this.#booked = undefined;
  }

  /** Takes what was found to be there, without a look at the clock. */
  spend(cost: number): boolean {
    if (cost > this.#credit) return false;
    this.#credit -= cost;
    this.#spent += cost;
    return true;
  }

  /**
   * Lets the next callers spend, if they come in a hurry.
   *
   * What they take fits at this moment, so it fits later, too; and it is written
   * down later than it was taken, so no stretch of time sees more than it may.
   */
  lend(now: number): void {
    const isHurry = now - this.#lentAt < HURRY_MS;
    this.#lentAt = now;
    if (!isHurry || this.line.size > 0 || this.#pace !== 1) return;
    const { burst } = this.algorithm;
    const credit = Math.min(MAX_CREDIT, Math.floor(burst * CREDIT_PER_BURST));
    if (credit === 0 || !isReached(this.readyAt(credit, now), now)) return;
    this.#credit = credit;
  }

  refund(cost: number, now: number): void {
    this.#settle(now);
    this.#state = this.algorithm.refund(this.#state, cost, now);
    this.#booked = undefined;
  }

  reset(now: number): void {
    this.#settle(now);
    this.#state = this.algorithm.initial;
    this.#pace = 1;
    this.#pacedUntil = 0;
    this.frozenUntil = 0;
    this.#booked = undefined;
  }

  remaining(now: number): number {
    this.#settle(now);
    const until = Math.max(this.frozenUntil, this.#pacedUntil);
    if (!isReached(until, now)) return 0;
    return this.algorithm.remaining(this.#state, now);
  }

  /** From when on all is there again. */
  resetAt(now: number): number {
    this.#settle(now);
    const at = this.algorithm.initialAt(this.#state);
    return Math.max(at, this.frozenUntil, this.#pacedUntil);
  }

  /** Lets nobody through until then. Whoever waits respects it. */
  freeze(until: number, now: number): boolean {
    this.#settle(now);
    if (!(until > this.frozenUntil)) return false;
    this.frozenUntil = until;
    this.#booked = undefined;
    return true;
  }

  /** Goes on at a part of the rate, which comes back with time. */
  slowDown(now: number): void {
    this.#settle(now);
    this.#pace = Math.max(MIN_PACE, this.paceAt(now) * SHRINK);
    this.#pacedAt = Math.max(now, this.frozenUntil);
    this.#booked = undefined;
  }

  /** Which part of the rate is in use. */
  paceAt(now: number): number {
    if (this.#pace === 1) return 1;
    const passed = Math.max(0, now - this.#pacedAt) / this.algorithm.perMs;
    const pace = Math.min(1, this.#pace + REGROW * passed);
    if (pace === 1) this.#pace = 1;
    return pace;
  }

  /** At the earliest when a ticket that comes now will have its turn. */
  forecast(ticket: Ticket, now: number): number {
    const { algorithm, line } = this;
    if (line.size === 0) return this.readyAt(ticket.cost, now);
    const isLast = line.tail === undefined ||
      line.tail.ticket.key <= ticket.key;
    const booked = isLast ? this.#booked : undefined;
    let state = booked?.state ?? this.#state;
    let at = booked?.at ?? Math.max(now, this.frozenUntil);
    let pacedUntil = booked?.pacedUntil ?? this.#pacedUntil;
    let isWhole = isLast;
    const book = (cost: number): void => {
      at = Math.max(at, pacedUntil, algorithm.readyAt(state, cost, at));
      state = algorithm.take(state, cost, at);
      if (this.#pace !== 1) pacedUntil = at + this.#pauseMs(cost, at);
    };
    for (
      let place = booked === undefined ? line.head : undefined;
      place !== undefined && place.ticket.key <= ticket.key;
      place = place.next
    ) {
      // Who waits for other meters, too, may be overtaken.
      if (place.ticket.mayBeOvertakenBy(ticket)) isWhole = false;
      else book(place.ticket.cost);
    }
    book(ticket.cost);
    this.#forecast = isWhole ? { ticket, state, at, pacedUntil } : undefined;
    return at;
  }

  /** Puts a ticket into the line, behind all that go before it. */
  insert(place: Place): void {
    const { key, enqueuedAt } = place.ticket;
    this.#settle(enqueuedAt);
    let before = this.line.tail;
    while (before !== undefined && before.ticket.key > key) {
      before = before.prev;
    }
    const isLast = before === this.line.tail;
    this.line.insertAfter(before, place);
    const forecast = this.#forecast;
    this.#forecast = undefined;
    this.#booked = isLast && forecast?.ticket === place.ticket
      ? forecast
      : undefined;
  }

  remove(place: Place): void {
    this.line.remove(place);
    this.#booked = undefined;
  }

  /** Gives to those whose turn it is; says when to look again. */
  serve(now: number, granted: Ticket[], touched: Set<Meter>): void {
    let guarded: Guarded | undefined;
    let next = Infinity;
    for (let place = this.line.head; place !== undefined;) {
      const { ticket, next: following } = place;
      const at = ticket.readyAt(now);
      if (
        isReached(at, now) && this.#spares(guarded, ticket.cost, now) &&
        ticket.isFirstBesides(this, now)
      ) {
        ticket.take(now, touched);
        granted.push(ticket);
      } else {
        if (!isReached(at, now)) next = Math.min(next, at);
        const here = this.readyAt(ticket.cost, now);
        if (!isReached(here, now)) {
          // What it waits for is here: nobody overtakes, before that is there.
          next = Math.min(next, here);
          break;
        }
        guarded ??= { cost: ticket.cost, at: Math.max(at, now) };
      }
      place = following;
    }
    this.#wakeAt(next);
  }

  /** Whether those ahead of a ticket let it through. */
  isFirst(place: Place, now: number): boolean {
    let guarded: Guarded | undefined;
    for (let p = this.line.head; p !== undefined && p !== place; p = p.next) {
      const { ticket } = p;
      if (!isReached(this.readyAt(ticket.cost, now), now)) return false;
      guarded ??= { cost: ticket.cost, at: Math.max(ticket.readyAt(now), now) };
    }
    return this.#spares(guarded, place.ticket.cost, now);
  }

  expire(): void {
    this.#timer = undefined;
    serveAll([this]);
  }

  /**
   * Whether `cost` can be taken now, and leaves enough for who is guarded when its
   * turn comes ("EASY backfilling" of batch schedulers).
   */
  #spares(guarded: Guarded | undefined, cost: number, now: number): boolean {
    if (guarded === undefined) return true;
    const { algorithm } = this;
    const { at } = guarded;
    const state = algorithm.take(this.#state, cost, now);
    return isReached(algorithm.readyAt(state, guarded.cost, at), at) &&
      isReached(now + this.#pauseMs(cost, now), at);
  }

  /** Writes down what was spent, and ends the credit. */
  #settle(now: number): void {
    if (this.#spent > 0) {
      this.#state = this.algorithm.take(this.#state, this.#spent, now);
      this.#booked = undefined;
    }
    this.#spent = 0;
    this.#credit = 0;
  }

  #wakeAt(at: number): void {
    if (this.#timer?.when === at) return;
    this.#timer?.cancel();
    const loop = this.line.head?.ticket.loop;
    this.#timer = at === Infinity ? undefined : loop?.timers.at(at, this);
  }

  /** How long to pause after `cost` was taken. */
  #pauseMs(cost: number, now: number): number {
    const pace = this.paceAt(now);
    if (pace === 1) return 0;
    const { limit, perMs } = this.algorithm;
    return cost * perMs / (limit * pace);
  }
}

/** Gives to all whose turn it is, until nobody's is. */
export function serveAll(meters: Iterable<Meter>): void {
  const touched = new Set(meters);
  const granted: Ticket[] = [];
  // A set that is iterated also gives what comes into it meanwhile.
  for (const meter of touched) {
    touched.delete(meter);
    const now = meter.line.head?.ticket.loop.time() ?? 0;
    meter.serve(now, granted, touched);
  }
  // Of two choices of one `select` only the first is done.
  const lost = granted.filter((ticket) => !ticket.grant());
  for (const ticket of granted) {
    if (!lost.includes(ticket)) ticket.owner.admitted(ticket);
  }
  for (const ticket of lost) ticket.giveBack(ticket.loop.time());
}
