/**
 * Client-side throttling: calls of a server that refuses too many of them are
 * given up here, before they cost it anything.
 *
 * ```ts
 * import { ClientThrottle } from "@ilmek/async/client-throttle";
 *
 * const throttle = new ClientThrottle({ name: "search" });
 * console.log(await throttle.run(() => "found"), throttle.probability);
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { defaultRandom } from "../_internal/random.ts";
import { LoadShedError } from "./_bulkhead_errors.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import { callClassOf } from "./_call_class.ts";
import {
  defineLayers,
  type GuardLayer,
  runStep,
  type Step,
} from "./_layers.ts";
import { type ThrottleBucket, ThrottleWindow } from "./_throttle_window.ts";
import type {
  ClassifyOptions,
  Policy,
  PolicyContext,
  PolicyOutcome,
  PolicyRunOptions,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";
export {
  LoadShedError,
  type LoadShedErrorOptions,
} from "./_bulkhead_errors.ts";

/** What a throttle tells when it has given up a call. */
export interface ClientThrottleRejection {
  /** The name of the throttle. */
  readonly name: string;
  /** What the caller gets thrown. */
  readonly error: LoadShedError;
}

/** Options of {@linkcode ClientThrottle}. */
export interface ClientThrottleOptions extends ClassifyOptions {
  /**
   * How errors and reports call the throttle.
   *
   * @default {"client-throttle"}
   */
  name?: string;
  /**
   * How many calls are made for each that was accepted. Less gives up more calls,
   * and learns later that the server can take them again.
   *
   * @default {2}
   */
  ratio?: number;
  /**
   * How long a call counts: longer than nearly all calls take.
   *
   * @default {120000}
   */
  windowMs?: Duration;
  /**
   * In how many parts the window is divided; a part leaves as a whole.
   *
   * @default {40}
   */
  segments?: number;
  /**
   * How likely a call is given up at most, so that some always find out how the
   * server is.
   *
   * @default {0.9}
   */
  maxReject?: number;
  /** Where chance comes from: numbers from 0 up to 1. */
  random?: () => number;
  /** Told after a call was given up. */
  onReject?: (rejection: ClientThrottleRejection) => void;
}

/** What {@linkcode ClientThrottle.snapshot} tells. */
export interface ClientThrottleSnapshot {
  /** How many calls count, those included that were given up. */
  readonly requests: number;
  /** How many of them were accepted. */
  readonly accepts: number;
  /** How likely the next call is given up. */
  readonly probability: number;
  /** How many calls were given up so far. */
  readonly shed: number;
}

/**
 * A throttle: it makes about `ratio` calls for each that the server has accepted
 * lately, and gives up the rest by chance (as described in the book "Site
 * Reliability Engineering", chapter 21).
 *
 * A call counts when it is made, and its success in the same part of the window,
 * however late it comes. Calls that say nothing, such as those that were
 * cancelled, do not count.
 *
 * @example Spare a server that refuses all
 * ```ts
 * import { ClientThrottle, LoadShedError } from "@ilmek/async/client-throttle";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const throttle = new ClientThrottle({ random: () => 0.4 });
 * const refused = () => throttle.run(() => Promise.reject(new TypeError("busy")));
 * await assertRejects(refused, TypeError);
 * await assertRejects(refused, LoadShedError);
 *
 * assertEquals(throttle.snapshot().requests, 2);
 * ```
 */
export class ClientThrottle implements Policy {
  readonly #options: ClientThrottleOptions;
  readonly #ratio: number;
  readonly #maxReject: number;
  readonly #random: () => number;
  readonly #window: ThrottleWindow;
  readonly #step: Step;
  #shed = 0;

  /**
   * Creates a throttle that has seen no call.
   *
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: ClientThrottleOptions = {}) {
    const doing = "create a client throttle";
    const { ratio = 2, windowMs = 120_000, segments = 40 } = options;
    const { maxReject = 0.9, random = defaultRandom } = options;
    for (const name of ["classify", "random", "onReject"] as const) {
      if (options[name] !== undefined) {
        checkFunction(options[name], doing, name);
      }
    }
    checkRange(ratio, [1, Number.MAX_VALUE], "ratio", doing);
    checkRange(maxReject, [0, 1], "maxReject", doing);
    const ms = toMs(windowMs, doing, "windowMs");
    checkRange(ms, [Number.MIN_VALUE, Number.MAX_VALUE], "windowMs", doing);
    checkCount(segments, doing, "segments");
    this.#options = options;
    this.#ratio = ratio;
    this.#maxReject = maxReject;
    this.#random = random;
    this.#window = new ThrottleWindow(ms, segments);
    this.#step = defineLayers(this, [this.#layer()]);
  }

  /** How errors and reports call the throttle. */
  get name(): string {
    return this.#options.name ?? "client-throttle";
  }

  /** How likely the next call is given up. */
  get probability(): number {
    return this.#probabilityAt(currentFrame().loop.time());
  }

  /** Whether a new throttle could stand in for this one. */
  get pristine(): boolean {
    return this.#window.counts(currentFrame().loop.time()).requests === 0;
  }

  /**
   * Runs `fn`, unless chance gives it up.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {LoadShedError} If the call is given up.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The throttle as plain data. To look changes nothing.
   *
   * @returns The data.
   */
  snapshot(): ClientThrottleSnapshot {
    const now = currentFrame().loop.time();
    const { requests, accepts } = this.#window.counts(now);
    const probability = this.#probabilityAt(now);
    return { requests, accepts, probability, shed: this.#shed };
  }

  #layer(): GuardLayer<ThrottleBucket> {
    return {
      kind: "guard",
      enter: (call) => this.#enter(call),
      exit: (call, bucket, outcome) => this.#exit(call, bucket, outcome),
      facts: () => ({
        policy: "client-throttle",
        name: this.name,
        text: `${this.#ratio} calls for each that is accepted`,
      }),
    };
  }

  #enter(call: PolicyCall): ThrottleBucket {
    const { frame } = call;
    const now = frame.loop.time();
    const probability = this.#probabilityAt(now);
    const bucket = this.#window.request(now);
    if (probability === 0 || this.#random() >= probability) return bucket;
    this.#shed++;
    const error = new LoadShedError(this.name, {
      priority: callClassOf(frame).priority,
      probability,
      why: "the server refuses too many calls",
    });
    callHook(frame.loop, this.name, this.#options.onReject, {
      name: this.name,
      error,
    });
    throw error;
  }

  #exit(call: PolicyCall, bucket: ThrottleBucket, outcome: PolicyOutcome) {
    const told = call.classify(outcome, this.#options.classify);
    if (told === "success") this.#window.accept(bucket);
    if (told === "ignore") this.#window.forget(bucket);
    return undefined;
  }

  #probabilityAt(now: number): number {
    const { requests, accepts } = this.#window.counts(now);
    const excess = (requests - this.#ratio * accepts) / (requests + 1);
    return Math.min(this.#maxReject, Math.max(0, excess));
  }
}

function checkRange(
  value: number,
  [least, most]: readonly [least: number, most: number],
  name: string,
  doing: string,
): void {
  if (typeof value === "number" && value >= least && value <= most) return;
  const bound = least === Number.MIN_VALUE ? "> 0" : `>= ${least}`;
  const must = most === Number.MAX_VALUE
    ? `finite and ${bound}`
    : `a number from ${least} to ${most}`;
  throw new RangeError(
    `Cannot ${doing} as "${name}" must be ${must}: current value is ${
      show(value)
    }`,
  );
}
