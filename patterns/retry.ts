/**
 * Trying again what has failed: after a while, not for ever, and not when that
 * makes things worse.
 *
 * ```ts
 * import { retry } from "@ilmek/async/retry";
 *
 * const page = await retry(() => Promise.resolve("page"), { attempts: 5 });
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunctions,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom } from "../_internal/random.ts";
import { checkBudget } from "./_budget.ts";
import { compile, defineLayers, runStep, type Step } from "./_layers.ts";
import { RetryGuard, type RetrySettings } from "./_retry_guard.ts";
import type {
  ClassifyOptions,
  PolicyContext,
  PolicyRunOptions,
  PolicyTypes,
} from "./policy.ts";
import type { RetryBudget } from "./retry_budget.ts";
import { exponential, Schedule } from "./schedule.ts";

export type { Duration } from "../_internal/check.ts";
export {
  RetryExhaustedError,
  type RetryExhaustedErrorOptions,
} from "./_retry_errors.ts";

/** What the work of a retry receives. */
export interface RetryContext extends PolicyContext {
  /** What the attempt before has failed with. */
  readonly lastError: unknown;
  /**
   * A key that is the same for all attempts of one call: a server that is told it
   * can tell a repetition from a new call.
   */
  readonly idempotencyKey: string;
  /** How many retries this attempt is one of, over all retries around it. */
  readonly retryDepth: number;
}

/**
 * Why a retry gave up: all attempts were used, the schedule has stopped, the error
 * is none that repeating helps, the next attempt would have come too late (for the
 * deadline or by the server's own word), the budget was used up, or another retry
 * around this one will try again.
 */
export type RetryReason =
  | "attempts"
  | "schedule"
  | "not-retriable"
  | "too-late"
  | "budget"
  | "nested";

/** One attempt that has failed. */
export interface RetryAttempt {
  /** What it has failed with; `undefined` if it gave a value that is a failure. */
  readonly error: unknown;
  /** The value, if `classify` called it a failure. */
  readonly value: unknown;
  /** The loop's time at which it began. */
  readonly startedAt: number;
  /** How long it took. */
  readonly durationMs: number;
  /** How long the wait after it was; 0 after the last. */
  readonly delayMs: number;
}

/** What can be told of a retry at one moment. */
export interface RetrySnapshot {
  /** How many calls there were. */
  readonly calls: number;
  /** How many attempts they took. */
  readonly attempts: number;
  /** How many of these were not the first. */
  readonly retries: number;
  /** How many calls have succeeded. */
  readonly successes: number;
  /** How many calls have failed for good. */
  readonly gaveUp: number;
  /** How many calls wait for their next attempt. */
  readonly waiting: number;
}

/** What the hooks of a retry are told. */
export interface RetryEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt it is about: 1 for the first. */
  readonly attempt: number;
  /** What the last attempt has failed with. */
  readonly error: unknown;
  /** How long the wait is, before a retry. */
  readonly delayMs?: number;
  /** Why there is no other attempt, when it gives up. */
  readonly reason?: RetryReason;
  /** How long the call has taken so far. */
  readonly elapsedMs: number;
  /** The attempts that have failed so far. */
  readonly attempts: readonly RetryAttempt[];
  /** The counters of the policy. */
  readonly snapshot: RetrySnapshot;
}

/** Options of {@linkcode Retry} and {@linkcode retry}. */
export interface RetryOptions extends ClassifyOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"retry"}
   */
  name?: string;
  /**
   * How many attempts there are at most, the first one included.
   *
   * @default {3}
   */
  attempts?: number;
  /**
   * How long to wait between attempts. The default begins at 100 ms, doubles up to
   * 10 s, and has full jitter.
   */
  schedule?: Schedule;
  /**
   * Tells whether an error is worth another attempt; `undefined` leaves it to the
   * default, which refuses mistakes of the program (`ReferenceError`, `TypeError`
   * unless it comes from the network) and what is closed for good
   * (`InvalidStateError`). The caller's own cancellation is never tried again. If
   * it throws, that is reported, and the default decides.
   */
  isRetriable?: (error: unknown, context: PolicyContext) => boolean | undefined;
  /**
   * The longest wait that a server may ask for. If it asks for more, the retry
   * gives up at once.
   *
   * @default {10000}
   */
  maxDelayMs?: Duration;
  /** What all retries of a program share, so that they cannot pile up. */
  budget?: RetryBudget;
  /**
   * Whether the work may be done twice. If not, only refusals are tried again, of
   * which it is known that the work never began.
   *
   * @default {true}
   */
  idempotent?: boolean;
  /**
   * Throws the error of the last attempt, instead of a `RetryExhaustedError`.
   *
   * @default {false}
   */
  throwLast?: boolean;
  /**
   * What to do in an attempt of another retry that is not its first: one attempt,
   * or as many as ever.
   *
   * @default {"once"}
   */
  nested?: "once" | "retry";
  /** Where jitter comes from: a number >= 0 and below 1. */
  random?: () => number;
  /** Called when an attempt begins. */
  onAttempt?: (event: RetryEvent) => unknown;
  /** Called before the wait for another attempt. */
  onRetry?: (event: RetryEvent) => unknown;
  /** Called when there is no other attempt. */
  onGiveUp?: (event: RetryEvent) => unknown;
  /** Called when there is no other attempt since the budget is used up. */
  onBudgetExhausted?: (event: RetryEvent) => unknown;
}

/** Options of {@linkcode retry}. */
export interface RetryRunOptions extends RetryOptions, PolicyRunOptions {}

/**
 * A policy that tries again what has failed.
 *
 * If several attempts have failed and no other may follow, a
 * `RetryExhaustedError` tells all of them. When it gives up for any other reason,
 * or after a single attempt, the error of the last attempt comes out as it is;
 * and so does a value that `classify` calls a failure.
 *
 * A hint of when to come back (`retryAfterMs` of an error, `Retry-After` of a
 * response) counts more than the schedule. It is never undercut: if it is longer
 * than `maxDelayMs`, or than what is left until the deadline, the retry gives up
 * at once.
 *
 * Each attempt has a signal of its own, which fires when the attempt has failed.
 * The body of a response that failed, or that an error brings as its `response`, is
 * dropped before the wait.
 *
 * @example Try again, and look at what has failed
 * ```ts
 * import { Retry, RetryExhaustedError } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const twice = new Retry({ attempts: 2, schedule: spaced(1) });
 * const error = await assertRejects(
 *   () => twice.run(() => Promise.reject(new RangeError("down"))),
 *   RetryExhaustedError,
 * );
 *
 * assertEquals(error.attempts.length, 2);
 * assertEquals(twice.snapshot().retries, 1);
 * ```
 */
export class Retry {
  /** Never there: it carries the types of the policy for the compiler. */
  declare readonly "~types"?: PolicyTypes<RetryContext, never>;
  readonly #guard: RetryGuard;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {RangeError} If `attempts` is not an integer >= 1.
   * @throws {RangeError} If `maxDelayMs` is negative or not a number.
   * @throws {TypeError} If another option is of the wrong type.
   */
  constructor(options: RetryOptions = {}) {
    this.#guard = new RetryGuard(settingsOf(options));
    this.#step = defineLayers(this, [this.#guard]);
  }

  /** How errors and reports call the policy. */
  get name(): string {
    return this.#guard.settings.name;
  }

  /** Whether a new instance could stand in for this one: always. */
  get pristine(): boolean {
    return true;
  }

  /**
   * Runs `fn`, and again as long as it fails and may be repeated.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it receives the attempt.
   * @param options Additional options.
   * @returns What `fn` returned in the end.
   * @throws {RetryExhaustedError} If several attempts have failed.
   * @throws What `fn` threw, if it is not tried again for any other reason.
   */
  run<T>(
    fn: (context: RetryContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): RetrySnapshot {
    return this.#guard.snapshot();
  }
}

/**
 * Runs `fn`, and again as long as it fails and may be repeated; see
 * {@linkcode Retry}.
 *
 * @typeParam T What `fn` returns.
 * @param fn What to run; it receives the attempt.
 * @param options Additional options.
 * @returns What `fn` returned in the end.
 * @throws {RetryExhaustedError} If several attempts have failed.
 * @throws What `fn` threw, if it is not tried again for any other reason.
 *
 * @example Try a flaky call three times
 * ```ts
 * import { retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const value = await retry(({ attempt }) => {
 *   if (attempt < 3) throw new RangeError("not yet");
 *   return attempt;
 * }, { schedule: spaced(1) });
 *
 * assertEquals(value, 3);
 * ```
 */
export function retry<T>(
  fn: (context: RetryContext) => T | PromiseLike<T>,
  options?: RetryRunOptions,
): Promise<T> {
  if (options === undefined) return runStep(byDefault(), fn, {});
  try {
    const step = compile([new RetryGuard(settingsOf(options))]);
    return runStep(step, fn, options);
  } catch (error) {
    return Promise.reject(error);
  }
}

let defaultStep: Step | undefined;

/** One guard for all calls without options: it keeps nothing but counters. */
function byDefault(): Step {
  return defaultStep ??= compile([new RetryGuard(settingsOf({}))]);
}

const FUNCTIONS = [
  "random",
  "isRetriable",
  "classify",
  "onAttempt",
  "onRetry",
  "onGiveUp",
  "onBudgetExhausted",
] as const;

let defaultSchedule: Schedule | undefined;

function settingsOf(options: RetryOptions): RetrySettings {
  const doing = "create a retry";
  const {
    name = "retry",
    attempts = 3,
    schedule = defaultSchedule ??= exponential(100).jittered("full"),
    idempotent = true,
    throwLast = false,
    nested = "once",
    random = defaultRandom,
  } = options;
  checkCount(attempts, doing, "attempts");
  if (!(schedule instanceof Schedule)) {
    throw new TypeError(
      `Cannot ${doing} as "schedule" must be a Schedule: current value is ${
        show(schedule)
      }`,
    );
  }
  if (nested !== "once" && nested !== "retry") {
    throw new TypeError(
      `Cannot ${doing} as "nested" must be "once" or "retry": current value is ${
        show(nested)
      }`,
    );
  }
  checkFunctions(options, doing, FUNCTIONS);
  checkBudget(options.budget, doing);
  const maxDelayMs = options.maxDelayMs === undefined
    ? 10_000
    : toMs(options.maxDelayMs, doing, "maxDelayMs");
  return {
    ...options,
    name,
    attempts,
    schedule,
    maxDelayMs,
    idempotent,
    throwLast,
    nested,
    random,
  };
}
