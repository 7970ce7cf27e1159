/** What one call came to, as the window sees it. */
export interface WindowEntry {
  readonly failed: boolean;
  readonly slow: boolean;
}

/** What a window holds: calls that are over, or have taken too long already. */
export interface WindowCounts {
  /** How many calls. */
  readonly calls: number;
  /** How many of them have failed. */
  readonly failures: number;
  /** How many of them were slow. */
  readonly slow: number;
}

/** The latest calls of a breaker. */
export interface BreakerWindow {
  /** Adds a call. */
  add(entry: WindowEntry, now: number): void;
  /** What is in the window now. */
  counts(now: number): WindowCounts;
  clear(): void;
}

const FAILED = 1;
const SLOW = 2;

/** The latest `size` calls. */
export class CountWindow implements BreakerWindow {
  readonly #entries: Uint8Array;
  /** How many calls there ever were. */
  #added = 0;
  #failures = 0;
  #slow = 0;

  constructor(size: number) {
    this.#entries = new Uint8Array(size);
  }

  add({ failed, slow }: WindowEntry): void {
    const index = this.#added++ % this.#entries.length;
    const old = this.#entries[index] as number;
    const entry = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.#entries[index] = entry;
    this.#failures += (entry & FAILED) - (old & FAILED);
    this.#slow += ((entry & SLOW) - (old & SLOW)) / SLOW;
  }

  counts(): WindowCounts {
    const calls = Math.min(this.#added, this.#entries.length);
    return { calls, failures: this.#failures, slow: this.#slow };
  }

  clear(): void {
    this.#entries.fill(0);
    this.#added = this.#failures = this.#slow = 0;
  }
}

interface Segment {
  calls: number;
  failures: number;
  slow: number;
}

/** The calls of the latest stretch of time, in segments that leave as a whole. */
export class TimeWindow implements BreakerWindow {
  readonly #segmentMs: number;
  readonly #segments: Segment[];
  /** Which segment is the latest, counted from the beginning of time. */
  #latest = -Infinity;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(ms: number, segments: number) {
    this.#segmentMs = ms / segments;
    this.#segments = Array.from(
      { length: segments },
      () => ({ calls: 0, failures: 0, slow: 0 }),
    );
  }

  add({ failed, slow }: WindowEntry, now: number): void {
    this.#advance(now);
    const segment = this.#at(this.#latest);
    segment.calls++;
    this.#calls++;
    if (failed) {
      segment.failures++;
      this.#failures++;
    }
    if (slow) {
      segment.slow++;
      this.#slow++;
    }
  }

  counts(now: number): WindowCounts {
    this.#advance(now);
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  clear(): void {
    for (const segment of this.#segments) {
      segment.calls = segment.failures = segment.slow = 0;
    }
    this.#calls = this.#failures = this.#slow = 0;
  }

  /** Lets segments leave that are too old. */
  #advance(now: number): void {
    const index = Math.floor(now / this.#segmentMs);
    if (index <= this.#latest) return;
    const { length } = this.#segments;
    if (index - this.#latest >= length) this.clear();
    else {
      for (let i = this.#latest + 1; i <= index; i++) {
        const segment = this.#at(i);
        this.#calls -= segment.calls;
        this.#failures -= segment.failures;
        this.#slow -= segment.slow;
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
