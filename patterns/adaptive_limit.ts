/**
 * How many calls at once are right: steps that go from one limit to the next, by
 * how long calls take.
 *
 * They are pure functions, for `AdaptiveBulkhead` and for limits of your own.
 *
 * ```ts
 * import { aimd } from "@ilmek/async/adaptive-limit";
 *
 * const step = aimd();
 * const state = { limit: 20, baselineMs: 0 };
 * const sample = { latencyMs: 12, inFlight: 20, calls: 50, drops: 1 };
 * console.log(step(state, sample).limit); // 18
 * ```
 *
 * @module
 */
import { checkMoment, show } from "../_internal/check.ts";

/** What is known of a limit. */
export interface LimitState {
  /** How many calls there may be at once; it need not be whole. */
  readonly limit: number;
  /** How long calls take without a queue, as far as is known; 0 at first. */
  readonly baselineMs: number;
}

/** What the calls of some time came to. */
export interface LimitSample {
  /** How long they took: the time that 9 of 10 stay below. */
  readonly latencyMs: number;
  /** How many there were at once, at most. */
  readonly inFlight: number;
  /** How many have ended. */
  readonly calls: number;
  /** How many of these were refused by the other side, or took too long. */
  readonly drops: number;
}

/** Goes from one limit to the next. */
export type LimitStep = (state: LimitState, sample: LimitSample) => LimitState;

/** Options of {@linkcode aimd}. */
export interface AimdOptions {
  /**
   * What a limit is multiplied by after a drop.
   *
   * @default {0.9}
   */
  backoff?: number;
}

/** Options of {@linkcode vegas}. */
export interface VegasOptions {
  /**
   * How much the baseline may rise with each step, as a share: by that a server
   * that has become slower for good is believed after some time.
   *
   * @default {0.01}
   */
  drift?: number;
}

/** Options of {@linkcode gradient2}. */
export interface Gradient2Options {
  /**
   * How many times longer than usual calls may take.
   *
   * @default {1.5}
   */
  tolerance?: number;
  /**
   * How much a new limit counts against the one before.
   *
   * @default {0.2}
   */
  smoothing?: number;
}

/** The least part of a limit that `gradient2` keeps. */
const LEAST_GRADIENT = 0.5;
/** How much a new latency counts in the average of `gradient2`. */
const WEIGHT = 0.05;
/** From how many times the latency on an average is given up, and how fast. */
const OUTDATED = 2;
const DECAY = 0.95;
/** What a drop leaves of a limit, where latency alone would not tell. */
const AFTER_DROP = 0.9;

/**
 * Adds one to the limit while all goes well, and cuts it when something is dropped
 * (additive increase, multiplicative decrease, as TCP does).
 *
 * @param options Additional options.
 * @returns The step.
 * @throws {RangeError} If `backoff` is not between 0 and 1.
 *
 * @example Cut the limit after a timeout
 * ```ts
 * import { aimd } from "@ilmek/async/adaptive-limit";
 * import { assertEquals } from "@std/assert";
 *
 * const step = aimd({ backoff: 0.5 });
 * const sample = { latencyMs: 10, inFlight: 20, calls: 50, drops: 0 };
 * const state = step({ limit: 20, baselineMs: 0 }, sample);
 *
 * assertEquals(state.limit, 21);
 * assertEquals(step(state, { ...sample, drops: 1 }).limit, 10.5);
 * ```
 */
export function aimd(options: AimdOptions = {}): LimitStep {
  const { backoff = 0.9 } = options;
  checkShare(backoff, "backoff");
  return (state, { drops }) => ({
    ...state,
    limit: drops > 0 ? state.limit * backoff : state.limit + 1,
  });
}

/**
 * Keeps a short queue on the other side, whose length it infers from how much
 * longer than the baseline calls take (after TCP Vegas).
 *
 * @param options Additional options.
 * @returns The step.
 * @throws {RangeError} If `drift` is not between 0 and 1.
 *
 * @example Find a queue by its latency
 * ```ts
 * import { vegas } from "@ilmek/async/adaptive-limit";
 * import { assert } from "@std/assert";
 *
 * const step = vegas();
 * const sample = { latencyMs: 10, inFlight: 50, calls: 50, drops: 0 };
 * const idle = step({ limit: 50, baselineMs: 0 }, sample);
 * const queued = step(idle, { ...sample, latencyMs: 20 });
 *
 * assert(idle.limit > 50);
 * assert(queued.limit < idle.limit);
 * ```
 */
export function vegas(options: VegasOptions = {}): LimitStep {
  const { drift = 0.01 } = options;
  checkShare(drift, "drift");
  return ({ limit, baselineMs: before }, { latencyMs, drops }) => {
    // Calls that were dropped say nothing of how long the work takes.
    if (drops > 0) return { limit: limit - log10(limit), baselineMs: before };
    const baselineMs = before === 0
      ? latencyMs
      : Math.min(latencyMs, before * (1 + drift));
    const queue = latencyMs === 0 ? 0 : limit * (1 - baselineMs / latencyMs);
    if (queue < 3 * log10(limit)) {
      return { limit: limit + log10(limit), baselineMs };
    }
    return queue > 6 * log10(limit)
      ? { limit: limit - log10(limit), baselineMs }
      : { limit, baselineMs };
  };
}

/**
 * Scales the limit by how much longer than usual calls take, and grows by a little
 * only as long as they do not (after gradient2 of concurrency-limits by Netflix).
 *
 * @param options Additional options.
 * @returns The step.
 * @throws {RangeError} If `tolerance` is below 1, or `smoothing` not between 0 and
 * 1.
 *
 * @example Fall when calls take much longer than usual
 * ```ts
 * import { gradient2 } from "@ilmek/async/adaptive-limit";
 * import { assert } from "@std/assert";
 *
 * const step = gradient2();
 * const sample = { latencyMs: 10, inFlight: 50, calls: 50, drops: 0 };
 * const usual = step({ limit: 50, baselineMs: 10 }, sample);
 * const slow = step(usual, { ...sample, latencyMs: 40 });
 *
 * assert(usual.limit > 50);
 * assert(slow.limit < 50);
 * ```
 */
export function gradient2(options: Gradient2Options = {}): LimitStep {
  const { tolerance = 1.5, smoothing = 0.2 } = options;
  if (typeof tolerance !== "number" || !(tolerance >= 1)) {
    throw new RangeError(
      `Cannot make a step as "tolerance" must be a number >= 1: current value is ${
        show(tolerance)
      }`,
    );
  }
  checkShare(smoothing, "smoothing");
  return ({ limit, baselineMs: before }, { latencyMs, drops }) => {
    // All calls that time out take equally long, which would look healthy.
    if (drops > 0) return { limit: limit * AFTER_DROP, baselineMs: before };
    const average = before === 0
      ? latencyMs
      : before + WEIGHT * (latencyMs - before);
    const outdated = average > OUTDATED * latencyMs;
    const baselineMs = outdated ? average * DECAY : average;
    const gradient = latencyMs === 0
      ? 1
      : clamp(tolerance * baselineMs / latencyMs, LEAST_GRADIENT, 1);
    // Room for a queue while calls get slower would let it grow for ever.
    const room = gradient === 1 ? Math.sqrt(limit) : 0;
    const next = limit * gradient + room;
    return { limit: limit + smoothing * (next - limit), baselineMs };
  };
}

/** How far a step may go. */
export interface LimitBounds {
  /** The least limit. */
  readonly min: number;
  /** The greatest limit. */
  readonly max: number;
}

/** Up to how many times the calls in flight a limit may grow. */
const MAX_UNUSED = 5;

/**
 * Keeps a step within bounds, and from growing by what nobody uses.
 *
 * A limit does not grow while fewer calls than half of it are under way, and is
 * never more than 5 times what there was lately: else it says nothing when a crowd
 * comes.
 *
 * @param step The step.
 * @param bounds Its bounds.
 * @returns A step, whose third argument is how many calls there were at once
 * lately.
 *
 * @example Keep a limit from growing unused
 * ```ts
 * import { aimd, boundedStep } from "@ilmek/async/adaptive-limit";
 * import { assertEquals } from "@std/assert";
 *
 * const step = boundedStep(aimd(), { min: 1, max: 200 });
 * const sample = { latencyMs: 10, inFlight: 9, calls: 50, drops: 0 };
 *
 * assertEquals(step({ limit: 20, baselineMs: 0 }, sample, 9).limit, 20);
 * ```
 */
export function boundedStep(
  step: LimitStep,
  bounds: LimitBounds,
): (state: LimitState, sample: LimitSample, lately: number) => LimitState {
  const { min, max } = bounds;
  return (state, sample, lately) => {
    const next = step(state, sample);
    const isUsed = sample.inFlight >= state.limit / 2;
    const wanted = isUsed ? next.limit : Math.min(next.limit, state.limit);
    const most = Math.max(min, Math.min(max, MAX_UNUSED * lately));
    const limit = Number.isNaN(wanted) ? state.limit : clamp(wanted, min, most);
    return { limit, baselineMs: next.baselineMs };
  };
}

/** At least 1, so that small limits move, too. */
function log10(limit: number): number {
  return Math.max(1, Math.log10(limit));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

function checkShare(value: number, name: string): void {
  const isShare = typeof value === "number" && value > 0 && value < 1;
  const must = "a number between 0 and 1";
  checkMoment(isShare ? value : NaN, "make a step", `"${name}"`, must);
}
