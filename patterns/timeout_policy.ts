/**
 * A limit of time as a policy: for each attempt, for all of them, or for both.
 *
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { Retry } from "@ilmek/async/retry";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 *
 * const policy = compose(new Timeout(5000), new Retry(), new Timeout(1000));
 * await policy.run(() => "page");
 * ```
 *
 * @module
 */
import type { Duration } from "../_internal/check.ts";
import { defineLayers, runStep, type Step } from "./_layers.ts";
import { TimeoutLayer } from "./_timeout_layer.ts";
import type {
  PolicyContext,
  PolicyOutcome,
  PolicyRunOptions,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";
export { DeadlineTooNearError } from "./_timeout_layer.ts";

/** What the hooks of a timeout are told. */
export interface TimeoutEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt it is about: 1 for the first. */
  readonly attempt: number;
  /** The limit. */
  readonly ms: number;
  /** How long the work has taken so far, or at all. */
  readonly elapsedMs: number;
  /** How the work has ended, if it came too late. */
  readonly outcome?: PolicyOutcome;
  /** The counters of the policy. */
  readonly snapshot: TimeoutSnapshot;
}

/** What can be told of a timeout at one moment. */
export interface TimeoutSnapshot {
  /** How many calls there were. */
  readonly calls: number;
  /** How many of them ran out of time. */
  readonly timeouts: number;
  /** How many pieces of work go on although their callers have gone. */
  readonly lingering: number;
}

/** Options of {@linkcode Timeout}. */
export interface TimeoutPolicyOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"timeout"}
   */
  name?: string;
  /**
   * What happens when the time is over. Either way the work is cancelled; then
   * `"cooperative"` waits until it has ended, and `"detach"` does not.
   *
   * @default {"cooperative"}
   */
  mode?: "cooperative" | "detach";
  /**
   * How long `"cooperative"` waits for work that was cancelled to end. After that
   * the caller goes on without it.
   *
   * @default {1000}
   */
  graceMs?: Duration;
  /**
   * How much time the work needs at least. With less left until a deadline of the
   * caller it is refused, instead of begun in vain.
   *
   * @default {0}
   */
  needsMs?: Duration;
  /** Called when the time is over. */
  onTimeout?: (event: TimeoutEvent) => unknown;
  /** Called when work ends whose caller has gone. */
  onLate?: (event: TimeoutEvent) => unknown;
}

/**
 * A policy that cancels what takes too long, and throws a `TimeoutError`.
 *
 * Outside of a retry it limits all attempts together, inside of one each attempt.
 * The work sees the nearest of all deadlines around it, whoever has set it. If
 * the caller is cancelled first, that is no timeout. Work that is left behind
 * still counts for what is around it: a bulkhead keeps its slot until it has ended.
 *
 * @example Limit each attempt, and all of them
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { TimeoutError } from "@ilmek/async/errors";
 * import { Retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { sleep } from "@ilmek/async/sleep";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 * import { assertRejects } from "@std/assert";
 *
 * const policy = compose(
 *   new Timeout(20),
 *   new Retry({ attempts: 9, schedule: spaced(1) }),
 *   new Timeout(5),
 * );
 *
 * await assertRejects(() => policy.run(() => sleep(60_000)), TimeoutError);
 * ```
 */
export class Timeout {
  readonly #layer: TimeoutLayer;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {RangeError} If a duration is negative or not a number.
   * @throws {TypeError} If `mode` is none of the known ones.
   */
  constructor(ms: Duration, options: TimeoutPolicyOptions = {}) {
    this.#layer = new TimeoutLayer(ms, options);
    this.#step = defineLayers(this, [this.#layer]);
  }

  /** How errors and reports call the policy. */
  get name(): string {
    return this.#layer.name;
  }

  /** The limit in milliseconds. */
  get ms(): number {
    return this.#layer.ms;
  }

  /** Whether a new instance could stand in for this one: always. */
  get pristine(): boolean {
    return true;
  }

  /**
   * Runs `fn`, and cancels it when the time is over.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TimeoutError} If the time is over.
   * @throws {DeadlineTooNearError} If less time is left than the work needs.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): TimeoutSnapshot {
    return this.#layer.snapshot();
  }
}
