/**
 * One step of a rate limit on plain data: for stores that several processes share.
 *
 * ```ts
 * import { gcra } from "@ilmek/async/rate-algorithms";
 * import { rateStep } from "@ilmek/async/rate-step";
 *
 * const algorithm = gcra({ limit: 10, perMs: 1000, burst: 10 });
 * const { state, output } = rateStep(algorithm, undefined, { cost: 1 }, 0);
 * console.log(state, output.ok);
 * ```
 *
 * @module
 */
import { checkCost, isReached, wholeRemaining } from "./_rate_cost.ts";
import type { RateAlgorithm } from "./rate_algorithms.ts";

export type { Rate, RateAlgorithm } from "./rate_algorithms.ts";

/** What a rate limit says to a request. */
export interface RateLimitResult {
  /** Whether it was let through. */
  readonly ok: boolean;
  /** How much is left after it, rounded down. */
  readonly remaining: number;
  /** How much is allowed in each `perMs`. */
  readonly limit: number;
  /** The length of time that `limit` is for, in milliseconds. */
  readonly perMs: number;
  /** After how many milliseconds it would fit; 0 if it was let through. */
  readonly retryAfterMs: number;
  /** After how many milliseconds all is there again. */
  readonly resetAfterMs: number;
}

/** What is asked of a rate limit. */
export interface RateStepInput {
  /**
   * What to do: take if it fits, look without taking, book the next moment at
   * which it fits, give back, or let nothing through for some time.
   *
   * @default {"take"}
   */
  readonly kind?: "take" | "peek" | "reserve" | "refund" | "penalize";
  /**
   * How much.
   *
   * @default {1}
   */
  readonly cost?: number;
  /**
   * How long a reservation may lie ahead.
   *
   * @default {Infinity}
   */
  readonly maxWaitMs?: number;
  /**
   * For how long nothing is let through, for `"penalize"`.
   *
   * @default {0}
   */
  readonly penaltyMs?: number;
}

/**
 * The state of one limit: plain data.
 *
 * @typeParam S The state of the algorithm.
 */
export interface RateState<S> {
  /** What the algorithm keeps. */
  readonly value: S;
  /** Until when nothing is let through. */
  readonly frozenUntil: number;
}

/** What comes of a step. */
export interface RateStepOutput extends RateLimitResult {
  /** How long to wait before going on with what was reserved. */
  readonly waitMs: number;
}

/**
 * What a step gives.
 *
 * @typeParam S The state of the algorithm.
 */
export interface RateStep<S> {
  /** The state to keep: the very same one if nothing has changed. */
  readonly state: RateState<S>;
  /** What to tell the caller. */
  readonly output: RateStepOutput;
  /** From when on the state is like a new one, and may be forgotten. */
  readonly expireAt: number;
}

/**
 * Does one step: from a state and a request to a new state and an answer.
 *
 * It is pure. What is refused changes nothing, so a refusal needs no write.
 *
 * @typeParam S The state of the algorithm.
 * @param algorithm How to count.
 * @param state The state so far; `undefined` for a new one.
 * @param input What is asked.
 * @param now The time, in milliseconds of a clock that does not step back.
 * @returns The new state, and the answer.
 * @throws {RangeError} If `input.cost` can never fit, or is not a number > 0.
 *
 * @example Keep the state elsewhere
 * ```ts
 * import { gcra } from "@ilmek/async/rate-algorithms";
 * import { rateStep } from "@ilmek/async/rate-step";
 * import { assertEquals } from "@std/assert";
 *
 * const algorithm = gcra({ limit: 10, perMs: 1000, burst: 1 });
 * const first = rateStep(algorithm, undefined, { cost: 1 }, 0);
 * const kept = JSON.parse(JSON.stringify(first.state));
 * const second = rateStep(algorithm, kept, { kind: "reserve" }, 40);
 *
 * assertEquals(first.output.ok, true);
 * assertEquals(second.output.waitMs, 60);
 * assertEquals(second.expireAt, 200);
 * ```
 */
export function rateStep<S>(
  algorithm: RateAlgorithm<S>,
  state: RateState<S> | undefined,
  input: RateStepInput,
  now: number,
): RateStep<S> {
  const { kind = "take", cost = 1, maxWaitMs = Infinity, penaltyMs = 0 } =
    input;
  checkCost(cost, algorithm.burst, "take a step of a rate limit");
  const old = state ?? { value: algorithm.initial, frozenUntil: 0 };
  const { value, frozenUntil } = old;
  if (kind === "refund") {
    const refunded = algorithm.refund(value, cost, now);
    return stepOf(algorithm, { value: refunded, frozenUntil }, true, now, now);
  }
  if (kind === "penalize") {
    const until = Math.max(frozenUntil, now + penaltyMs);
    return stepOf(algorithm, { value, frozenUntil: until }, true, now, now);
  }
  const at = Math.max(algorithm.readyAt(value, cost, now), frozenUntil, now);
  const limitMs = kind === "reserve" ? maxWaitMs : 0;
  const ok = isReached(at, now + limitMs);
  if (!ok || kind === "peek") return stepOf(algorithm, old, ok, at, now);
  const taken = { value: algorithm.take(value, cost, at), frozenUntil };
  return stepOf(algorithm, taken, true, at, now);
}

function stepOf<S>(
  algorithm: RateAlgorithm<S>,
  state: RateState<S>,
  ok: boolean,
  at: number,
  now: number,
): RateStep<S> {
  const { value, frozenUntil } = state;
  const expireAt = Math.max(algorithm.initialAt(value), frozenUntil);
  const isFrozen = frozenUntil > now;
  const waitMs = isReached(at, now) ? 0 : at - now;
  return {
    state,
    expireAt,
    output: {
      ok,
      remaining: isFrozen ? 0 : wholeRemaining(algorithm.remaining(value, now)),
      limit: algorithm.limit,
      perMs: algorithm.perMs,
      retryAfterMs: ok ? 0 : waitMs,
      resetAfterMs: Math.max(0, expireAt - now),
      waitMs: ok ? waitMs : 0,
    },
  };
}
