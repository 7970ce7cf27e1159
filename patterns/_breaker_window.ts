import type { BreakerWindowPlan } from "./_breaker_options.ts";

/** What a window holds: calls that are over, or have taken too long already. */
export interface WindowCounts {
  /** How many calls. */
  readonly calls: number;
  /** How many of them have failed. */
  readonly failures: number;
  /** How many of them were slow. */
  readonly slow: number;
}

/** The latest calls of a breaker. Its counts are as of the latest `now`. */
export interface BreakerWindow extends WindowCounts {
  /** Adds a call. */
  add(failed: boolean, slow: boolean, now: number): void;
  /** Lets calls leave that are too old. */
  advance(now: number): void;
  clear(): void;
}

/** Makes the window that a plan asks for. */
export function windowOf(plan: BreakerWindowPlan): BreakerWindow {
  return plan.kind === "count"
    ? new CountWindow(plan.size)
    : new TimeWindow(plan.ms, plan.segments);
}

const FAILED = 1;
const SLOW = 2;

/** The latest `size` calls. */
class CountWindow implements BreakerWindow {
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #entries: Uint8Array;
  /** Where the next call goes: in the place of the oldest, if there is one. */
  #next = 0;

  constructor(size: number) {
    this.#entries = new Uint8Array(size);
  }

  add(failed: boolean, slow: boolean): void {
    const entries = this.#entries;
    const old = entries[this.#next] as number;
    const entry = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    if (this.calls < entries.length) this.calls++;
    if (entry !== old) {
      entries[this.#next] = entry;
      this.failures += (entry & FAILED) - (old & FAILED);
      this.slow += ((entry & SLOW) - (old & SLOW)) / SLOW;
    }
    if (++this.#next === entries.length) this.#next = 0;
  }

  advance(): void {}

  clear(): void {
    this.#entries.fill(0);
    this.#next =
      this.calls =
      this.failures =
      this.slow =
        0;
  }
}

interface Segment {
  calls: number;
  failures: number;
  slow: number;
}

/** The calls of the latest stretch of time, in segments that leave as a whole. */
class TimeWindow implements BreakerWindow {
  readonly #segmentMs: number;
  readonly #segments: Segment[];
  /** Which segment is the latest, counted from the beginning of time. */
  #latest = -Infinity;
  calls = 0;
  failures = 0;
  slow = 0;

  constructor(ms: number, segments: number) {
    this.#segmentMs = ms / segments;
    this.#segments = Array.from(
      { length: segments },
      () => ({ calls: 0, failures: 0, slow: 0 }),
    );
  }

  add(failed: boolean, slow: boolean, now: number): void {
    this.advance(now);
    const segment = this.#at(this.#latest);
    segment.calls++;
    this.calls++;
    if (failed) {
      segment.failures++;
      this.failures++;
    }
    if (slow) {
      segment.slow++;
      this.slow++;
    }
  }

  clear(): void {
    for (const segment of this.#segments) {
      segment.calls = segment.failures = segment.slow = 0;
    }
    this.calls = this.failures = this.slow = 0;
  }

  advance(now: number): void {
    const index = Math.floor(now / this.#segmentMs);
    if (index <= this.#latest) return;
    const { length } = this.#segments;
    if (index - this.#latest >= length) this.clear();
    else {
      for (let i = this.#latest + 1; i <= index; i++) {
        const segment = this.#at(i);
        this.calls -= segment.calls;
        this.failures -= segment.failures;
        this.slow -= segment.slow;
        segment.calls = segment.failures = segment.slow = 0;
      }
    }
    this.#latest = index;
  }

  #at(index: number): Segment {
    const { length } = this.#segments;
    const i = ((index % length) + length) % length;
    return this.#segments[i] as Segment;
  }
}
