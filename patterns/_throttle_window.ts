/** The calls that were made in one part of the window. */
export interface ThrottleBucket {
  readonly index: number;
  requests: number;
  accepts: number;
}

/** The calls of the latest time, in parts that leave as a whole. */
export class ThrottleWindow {
  readonly #segmentMs: number;
  readonly #segments: number;
  /** Oldest first. */
  readonly #buckets: ThrottleBucket[] = [];
  #requests = 0;
  #accepts = 0;

  constructor(ms: number, segments: number) {
    this.#segmentMs = ms / segments;
    this.#segments = segments;
  }

  /** Counts a call; what becomes of it is counted in the same bucket. */
  request(now: number): ThrottleBucket {
    this.#advance(now);
    const index = Math.floor(now / this.#segmentMs);
    let bucket = this.#buckets.at(-1);
    if (bucket?.index !== index) {
      bucket = { index, requests: 0, accepts: 0 };
      this.#buckets.push(bucket);
    }
    bucket.requests++;
    this.#requests++;
    return bucket;
  }

  accept(bucket: ThrottleBucket): void {
    bucket.accepts++;
    if (this.#has(bucket)) this.#accepts++;
  }

  /** The call says nothing. */
  forget(bucket: ThrottleBucket): void {
    bucket.requests--;
    if (this.#has(bucket)) this.#requests--;
  }

  counts(now: number): { requests: number; accepts: number } {
    this.#advance(now);
    return { requests: this.#requests, accepts: this.#accepts };
  }

  /** A call that took longer than the window counts no more, nor does its end. */
  #has(bucket: ThrottleBucket): boolean {
    return bucket.index >= (this.#buckets[0]?.index ?? Infinity);
  }

  #advance(now: number): void {
    const least = Math.floor(now / this.#segmentMs) - this.#segments;
    for (
      let oldest = this.#buckets[0];
      oldest !== undefined && oldest.index <= least;
      oldest = this.#buckets[0]
    ) {
      this.#buckets.shift();
      this.#requests -= oldest.requests;
      this.#accepts -= oldest.accepts;
    }
  }
}
