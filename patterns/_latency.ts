/** How many durations are remembered. */
const WINDOW = 512;
/** After how many new durations a quantile is computed anew. */
const STEP = 16;

/** The last durations of some work, and their quantiles. */
export class LatencyWindow {
  readonly #durations = new Float64Array(WINDOW);
  #count = 0;
  #quantile = NaN;
  #computedFor = NaN;
  #computedAt = -STEP;

  /** How many durations are known. */
  get size(): number {
    return Math.min(this.#count, WINDOW);
  }

  add(ms: number): void {
    this.#durations[this.#count % WINDOW] = ms;
    this.#count++;
  }

  /** The duration that the part `q` of all stays below. */
  quantile(q: number): number {
    const fresh = this.#count - this.#computedAt < STEP;
    if (fresh && this.#computedFor === q) return this.#quantile;
    const sorted = this.#durations.slice(0, this.size).sort();
    const index = Math.min(this.size - 1, Math.floor(q * this.size));
    this.#quantile = sorted[index] ?? NaN;
    this.#computedFor = q;
    this.#computedAt = this.#count;
    return this.#quantile;
  }
}
