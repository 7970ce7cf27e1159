/** How long something took, over all times that it was done. */
export interface PoolHistogram {
  /** How often. */
  readonly count: number;
  /** All together, in milliseconds. */
  readonly sumMs: number;
  /** The longest time, in milliseconds. */
  readonly maxMs: number;
  /**
   * How often it took less than 1, 2, 4, 8 ... milliseconds, but not less than the
   * bound before.
   */
  readonly buckets: readonly number[];
}

/** What a pool looks like, and what it has done. */
export interface PoolSnapshot {
  /** The name of the pool. */
  readonly name: string;
  /** How many places are taken, from the creation until the end. */
  readonly size: number;
  /** How many resources wait to be used. */
  readonly idle: number;
  /** How many are in use. */
  readonly leased: number;
  /** How many are being created. */
  readonly creating: number;
  /** How many are being validated or reset. */
  readonly checking: number;
  /** How many are being destroyed. */
  readonly destroying: number;
  /** How many callers wait. */
  readonly waiting: number;
  /** Whether nothing can be created at present. */
  readonly unavailable: boolean;
  /** How often a resource was acquired. */
  readonly acquired: number;
  /** How many resources were created. */
  readonly created: number;
  /** How often that has failed. */
  readonly createFailures: number;
  /** How many resources were destroyed. */
  readonly destroyed: number;
  /** How many were found invalid. */
  readonly invalid: number;
  /** How many callers waited in vain. */
  readonly timeouts: number;
  /** How many leases were held longer than `leakAfterMs`. */
  readonly leaks: number;
  /** How many leases were taken back. */
  readonly revoked: number;
  /** How long callers waited that had to. */
  readonly wait: PoolHistogram;
  /** How long resources were in use. */
  readonly usage: PoolHistogram;
  /** How long creations took that succeeded. */
  readonly creation: PoolHistogram;
}

/** Counts durations in buckets of doubling width. */
class Histogram {
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;
  readonly #buckets: number[] = [];

  add(ms: number): void {
    this.#count++;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
    const index = 32 - Math.clz32(ms);
    while (this.#buckets.length <= index) this.#buckets.push(0);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  snapshot(): PoolHistogram {
    return {
      count: this.#count,
      sumMs: this.#sumMs,
      maxMs: this.#maxMs,
      buckets: [...this.#buckets],
    };
  }
}

/** What a pool counts. */
export class PoolStats {
  acquired = 0;
  created = 0;
  createFailures = 0;
  destroyed = 0;
  invalid = 0;
  timeouts = 0;
  leaks = 0;
  revoked = 0;
  readonly wait: Histogram = new Histogram();
  readonly usage: Histogram = new Histogram();
  readonly creation: Histogram = new Histogram();

  snapshot(): Pick<
    PoolSnapshot,
    | "acquired"
    | "created"
    | "createFailures"
    | "destroyed"
    | "invalid"
    | "timeouts"
    | "leaks"
    | "revoked"
    | "wait"
    | "usage"
    | "creation"
  > {
    return {
      acquired: this.acquired,
      created: this.created,
      createFailures: this.createFailures,
      destroyed: this.destroyed,
      invalid: this.invalid,
      timeouts: this.timeouts,
      leaks: this.leaks,
      revoked: this.revoked,
      wait: this.wait.snapshot(),
      usage: this.usage.snapshot(),
      creation: this.creation.snapshot(),
    };
  }
}
