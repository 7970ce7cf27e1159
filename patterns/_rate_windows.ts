import { isReached, ROUNDING_COST } from "./_rate_cost.ts";
import type {
  FixedWindowState,
  Rate,
  RateAlgorithm,
  SlidingWindowLogState,
  SlidingWindowState,
} from "./rate_algorithms.ts";

/** One entry of a log: a moment and a cost. */
const ENTRY = 2;
/** A log is copied when so much of it has left the window. */
const MAX_GONE = 64;

/**
 * States share one array: the newest appends to it, and only a step from an older
 * one copies. So a step costs the same however long the log is, and a state that
 * somebody has kept stays what it was.
 */
export class SlidingWindowLog implements RateAlgorithm<SlidingWindowLogState> {
  readonly name = "sliding-window-log";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  readonly initial: SlidingWindowLogState = {
    log: [],
    from: 0,
    to: 0,
    used: 0,
  };

  constructor(rate: Rate) {
    this.limit = rate.limit;
    this.perMs = rate.perMs;
    this.burst = wholeBurst(this.name, rate);
  }

  readyAt(
    { log, from, to, used }: SlidingWindowLogState,
    cost: number,
    now: number,
  ): number {
    // What is booked ahead of the clock goes first.
    let at = to > from ? log[to - ENTRY] ?? now : now;
    let left = used;
    for (let i = from; i < to && !this.#fits(left, cost); i += ENTRY) {
      left -= log[i + 1] ?? 0;
      at = Math.max(at, (log[i] ?? 0) + this.perMs);
    }
    return at;
  }

  take(
    state: SlidingWindowLogState,
    cost: number,
    now: number,
  ): SlidingWindowLogState {
    const { from, used } = this.#windowAt(state, now);
    const { to } = state;
    let { log } = state;
    let shift = 0;
    if (to === 0 || log.length !== to || from > MAX_GONE && from > to / 2) {
      log = log.slice(from, to);
      shift = from;
    }
    // The one place where a state grows: nobody else looks behind its end.
    (log as number[]).push(now, cost);
    return {
      log,
      from: from - shift,
      to: to - shift + ENTRY,
      used: used + cost,
    };
  }

  refund(
    { log, from, to, used }: SlidingWindowLogState,
    cost: number,
  ): SlidingWindowLogState {
    const kept = log.slice(from, to);
    let left = cost;
    while (kept.length > 0 && left > 0) {
      const last = kept.at(-1) ?? 0;
      if (last > left) kept[kept.length - 1] = last - left;
      else kept.length -= ENTRY;
      left -= last;
    }
    const back = Math.min(cost, used);
    return { log: kept, from: 0, to: kept.length, used: used - back };
  }

  remaining(state: SlidingWindowLogState, now: number): number {
    return Math.max(0, this.limit - this.#windowAt(state, now).used);
  }

  initialAt({ log, from, to }: SlidingWindowLogState): number {
    return to === from ? 0 : (log[to - ENTRY] ?? 0) + this.perMs;
  }

  #fits(used: number, cost: number): boolean {
    return used + cost <= this.limit + ROUNDING_COST;
  }

  /** Where the window begins at `now`, and what was taken in it. */
  #windowAt(
    { log, from, to, used }: SlidingWindowLogState,
    now: number,
  ): { from: number; used: number } {
    let start = from;
    let left = used;
    while (start < to && isReached((log[start] ?? 0) + this.perMs, now)) {
      left -= log[start + 1] ?? 0;
      start += ENTRY;
    }
    return { from: start, used: start === to ? 0 : left };
  }
}

/** The counter of the window before, weighted by how much of it is still near. */
export class SlidingWindow implements RateAlgorithm<SlidingWindowState> {
  readonly name = "sliding-window";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  readonly initial: SlidingWindowState = { start: 0, previous: 0, used: 0 };

  constructor(rate: Rate) {
    this.limit = rate.limit;
    this.perMs = rate.perMs;
    this.burst = wholeBurst(this.name, rate);
  }

  readyAt(state: SlidingWindowState, cost: number, now: number): number {
    const { start, previous, used } = this.#advance(state, now);
    const room = this.limit - used - cost;
    if (room >= -ROUNDING_COST) {
      return this.#fadedAt(start, previous, room);
    }
    return this.#fadedAt(start + this.perMs, used, this.limit - cost);
  }

  take(
    state: SlidingWindowState,
    cost: number,
    now: number,
  ): SlidingWindowState {
    const { start, previous, used } = this.#advance(state, now);
    return { start, previous, used: used + cost };
  }

  refund(
    state: SlidingWindowState,
    cost: number,
    now: number,
  ): SlidingWindowState {
    const { start, previous, used } = this.#advance(state, now);
    return {
      start,
      previous: Math.max(0, previous - Math.max(0, cost - used)),
      used: Math.max(0, used - cost),
    };
  }

  remaining(state: SlidingWindowState, now: number): number {
    const { start, previous, used } = this.#advance(state, now);
    const near = 1 - Math.max(0, now - start) / this.perMs;
    return Math.max(0, this.limit - used - previous * Math.max(0, near));
  }

  initialAt({ start, previous, used }: SlidingWindowState): number {
    if (used > 0) return start + 2 * this.perMs;
    return previous > 0 ? start + this.perMs : 0;
  }

  /** When so much of `amount`, taken in the window before, has faded that it fits. */
  #fadedAt(start: number, amount: number, room: number): number {
    if (amount <= room) return start;
    return start + this.perMs * (1 - Math.max(0, room) / amount);
  }

  #advance(state: SlidingWindowState, now: number): SlidingWindowState {
    const start = windowStart(state.start, this.perMs, now);
    if (start === state.start) return state;
    const isNext = start - state.start < 1.5 * this.perMs;
    return { start, previous: isNext ? state.used : 0, used: 0 };
  }
}

/** One counter for each window. */
export class FixedWindow implements RateAlgorithm<FixedWindowState> {
  readonly name = "fixed-window";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  readonly initial: FixedWindowState = { start: 0, used: 0 };

  constructor(rate: Rate) {
    this.limit = rate.limit;
    this.perMs = rate.perMs;
    this.burst = wholeBurst(this.name, rate);
  }

  readyAt(state: FixedWindowState, cost: number, now: number): number {
    const { start, used } = this.#advance(state, now);
    const fits = used + cost <= this.limit + ROUNDING_COST;
    return fits ? start : start + this.perMs;
  }

  take(state: FixedWindowState, cost: number, now: number): FixedWindowState {
    const { start, used } = this.#advance(state, now);
    return { start, used: used + cost };
  }

  refund(state: FixedWindowState, cost: number, now: number): FixedWindowState {
    const { start, used } = this.#advance(state, now);
    return { start, used: Math.max(0, used - cost) };
  }

  remaining(state: FixedWindowState, now: number): number {
    return Math.max(0, this.limit - this.#advance(state, now).used);
  }

  initialAt({ start, used }: FixedWindowState): number {
    return used > 0 ? start + this.perMs : 0;
  }

  #advance(state: FixedWindowState, now: number): FixedWindowState {
    const start = windowStart(state.start, this.perMs, now);
    return start === state.start ? state : { start, used: 0 };
  }
}

/** When the window of `now` began; windows that are booked ahead stay. */
function windowStart(start: number, perMs: number, now: number): number {
  if (!isReached(start + perMs, now)) return start;
  const next = start + perMs;
  // The next one exactly, so that a moment computed before is the same after.
  if (!isReached(next + perMs, now)) return next;
  return Math.floor(now / perMs) * perMs;
}

function wholeBurst(name: string, { limit, burst }: Rate): number {
  if (burst === limit) return limit;
  throw new RangeError(
    `Cannot count by "${name}" as "burst" must be the limit, ${limit}: current value is ${burst}`,
  );
}
