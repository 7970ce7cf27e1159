import { show } from "../_internal/check.ts";

/**
 * How much earlier than computed a moment counts as reached, in milliseconds.
 *
 * Sums of intervals are off by some units in the last place: without this a
 * caller would be told to wait for 1e-13 ms.
 */
export const ROUNDING_MS = 1e-6;

/** The same for amounts: what is that close to a whole number is one. */
export const ROUNDING_COST = 1e-9;

/** Whether the moment `at` has come. */
export function isReached(at: number, now: number): boolean {
  return at <= now + ROUNDING_MS;
}

/** What is left, in whole numbers. */
export function wholeRemaining(remaining: number): number {
  return Math.floor(remaining + ROUNDING_COST);
}

/** Throws unless `cost` is a number > 0 that fits at all. */
export function checkCost(cost: number, burst: number, doing: string): void {
  if (typeof cost === "number" && cost > 0 && cost <= burst) return;
  const must = `a number > 0 and at most ${burst}, the burst`;
  const message =
    `Cannot ${doing} as "cost" must be ${must}: current value is ${show(cost)}`;
  throw typeof cost === "number"
    ? new RangeError(message)
    : new TypeError(message);
}
