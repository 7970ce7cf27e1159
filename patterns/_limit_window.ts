import type { LimitSample } from "./adaptive_limit.ts";
import { LatencyWindow } from "./_latency.ts";

/** When a window is full. */
export interface LimitWindowPlan {
  readonly minWindowMs: number;
  readonly maxWindowMs: number;
  readonly minSamples: number;
}

/** Which part of the calls a latency is for. */
const QUANTILE = 0.9;
/** Over how many windows the greatest number of calls at once is remembered. */
const REMEMBERED = 10;

/** What the calls since some moment came to. */
export class LimitWindow {
  readonly #plan: LimitWindowPlan;
  #latency = new LatencyWindow();
  #since: number | undefined = undefined;
  #calls = 0;
  #drops = 0;
  #inFlight = 0;
  /** The greatest numbers of calls at once, of the latest windows. */
  readonly #peaks: number[] = [];

  constructor(plan: LimitWindowPlan) {
    this.#plan = plan;
  }

  /** How many calls there were at once lately, at most. */
  get lately(): number {
    return Math.max(this.#inFlight, ...this.#peaks);
  }

  /** A call has begun, which makes so many. */
  begin(now: number, inFlight: number): void {
    this.#since ??= now;
    this.#inFlight = Math.max(this.#inFlight, inFlight);
  }

  /** A call has succeeded. */
  add(ms: number): void {
    this.#calls++;
    this.#latency.add(ms);
  }

  /** A call was too much, or took too long. */
  drop(): void {
    this.#calls++;
    this.#drops++;
  }

  /** The window, if it is full; then another one begins, with so many calls. */
  take(now: number, inFlight: number): LimitSample | undefined {
    const { minWindowMs, maxWindowMs, minSamples } = this.#plan;
    const age = now - (this.#since ?? now);
    const isFull = age >= minWindowMs && this.#calls >= minSamples;
    // So few calls say nothing, and what they say is old.
    if (!isFull && age < maxWindowMs) return undefined;
    const sample = {
      latencyMs: this.#latency.size === 0
        ? 0
        : this.#latency.quantile(QUANTILE),
      inFlight: this.#inFlight,
      calls: this.#calls,
      drops: this.#drops,
    };
    this.#peaks.push(this.#inFlight);
    if (this.#peaks.length > REMEMBERED) this.#peaks.shift();
    this.#latency = new LatencyWindow();
    this.#since = now;
    this.#calls = this.#drops = 0;
    this.#inFlight = inFlight;
    return isFull ? sample : undefined;
  }
}
