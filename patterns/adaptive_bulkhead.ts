/**
 * Bulkheads that find out by themselves how many calls at once are right.
 *
 * ```ts
 * import { AdaptiveBulkhead } from "@ilmek/async/adaptive-bulkhead";
 *
 * const search = new AdaptiveBulkhead({ max: 100 });
 * console.log(await search.run(() => "found"), search.limit);
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
import { TimeoutError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import {
  aimd,
  boundedStep,
  gradient2,
  type LimitState,
  type LimitStep,
  vegas,
} from "./adaptive_limit.ts";
import { type BulkheadQueueOptions, planOf } from "./_bulkhead_options.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import {
  defineLayers,
  type GuardLayer,
  runStep,
  type Step,
} from "./_layers.ts";
import { LimitWindow } from "./_limit_window.ts";
import { Slots } from "./_slots.ts";
import type { Tenant } from "./_tenant_line.ts";
import type {
  ClassifyOptions,
  Policy,
  PolicyContext,
  PolicyOutcome,
  PolicyRunOptions,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";
export type { LimitStep } from "./adaptive_limit.ts";
export type { BulkheadQueueOptions } from "./_bulkhead_options.ts";

/** A change of the limit of an {@linkcode AdaptiveBulkhead}. */
export interface AdaptiveBulkheadChange {
  /** The name of the bulkhead. */
  readonly name: string;
  /** The limit before. */
  readonly from: number;
  /** The limit now. */
  readonly to: number;
}

/** Options of {@linkcode AdaptiveBulkhead}. */
export interface AdaptiveBulkheadOptions
  extends BulkheadQueueOptions, ClassifyOptions {
  /**
   * How the limit is found: by a known step of the module `adaptive-limit`, or one
   * of your own.
   *
   * @default {"gradient2"}
   */
  algorithm?: "aimd" | "vegas" | "gradient2" | LimitStep;
  /**
   * The least limit.
   *
   * @default {1}
   */
  min?: number;
  /**
   * The greatest limit.
   *
   * @default {200}
   */
  max?: number;
  /**
   * The limit at first: 20, or what is nearest to it within the bounds, if it is
   * not given.
   */
  initial?: number;
  /**
   * How long calls are watched at least before the limit changes.
   *
   * @default {1000}
   */
  minWindowMs?: Duration;
  /**
   * After how long too few calls are forgotten.
   *
   * @default {30000}
   */
  maxWindowMs?: Duration;
  /**
   * How many calls there must be before the limit changes.
   *
   * @default {50}
   */
  minSamples?: number;
  /** Told after the limit has changed. */
  onLimitChange?: (change: AdaptiveBulkheadChange) => void;
}

/** What {@linkcode AdaptiveBulkhead.snapshot} tells. */
export interface AdaptiveBulkheadSnapshot {
  /** How many calls may be under way at once. */
  readonly limit: number;
  /** How long calls take without a queue, as far as is known; 0 at first. */
  readonly baselineMs: number;
  /** How many slots are held. */
  readonly active: number;
  /** How many of these are held by work whose caller has gone. */
  readonly zombies: number;
  /** How many calls wait. */
  readonly waiting: number;
  /** How many calls have found no room so far, or waited too long. */
  readonly refused: number;
  /** How many calls that waited were given up so far. */
  readonly shed: number;
}

/** A call in a slot. */
interface Stay {
  readonly who: Tenant;
  readonly startedAt: number;
}

const STEPS = { aimd, vegas, gradient2 };

/**
 * A bulkhead whose number of slots follows how long calls take.
 *
 * It looks at the calls of a window. A success counts by its duration. What took
 * too long, or was refused by the other side with `retryAfterMs`, counts as
 * dropped. All else does not count: a quick failure says nothing of the load, and
 * neither does a call that was cancelled.
 *
 * @example Grow with what the other side can take
 * ```ts
 * import { AdaptiveBulkhead } from "@ilmek/async/adaptive-bulkhead";
 * import { gather } from "@ilmek/async/gather";
 * import { assertEquals } from "@std/assert";
 *
 * const bulkhead = new AdaptiveBulkhead({
 *   algorithm: "aimd",
 *   initial: 2,
 *   maxQueue: 10,
 *   minWindowMs: 0,
 *   minSamples: 4,
 * });
 * const call = () => bulkhead.run(() => "found");
 * await gather([call, call, call, call]);
 *
 * assertEquals(bulkhead.limit, 3);
 * ```
 */
export class AdaptiveBulkhead implements Policy {
  readonly #slots: Slots;
  readonly #window: LimitWindow;
  readonly #advance: ReturnType<typeof boundedStep>;
  readonly #options: AdaptiveBulkheadOptions;
  readonly #step: Step;
  readonly #initial: number;
  #state: LimitState;

  /**
   * Creates a bulkhead whose slots are all free.
   *
   * @throws {RangeError} If a number is out of its range.
   * @throws {TypeError} If `order` or `algorithm` is none of the known ones.
   */
  constructor(options: AdaptiveBulkheadOptions = {}) {
    const doing = "create an adaptive bulkhead";
    const { min = 1, max = 200, algorithm = "gradient2" } = options;
    const { initial = Math.min(max, Math.max(min, 20)) } = options;
    const { minWindowMs = 1000, maxWindowMs = 30_000, minSamples = 50 } =
      options;
    checkCount(min, doing, "min");
    checkCount(max, doing, "max", min);
    this.#initial = checkCount(initial, doing, "initial", min);
    if (initial > max) {
      throw new RangeError(
        `Cannot ${doing} as "initial" must be an integer <= ${max}: current value is ${initial}`,
      );
    }
    for (const hook of ["classify", "onLimitChange"] as const) {
      if (options[hook] !== undefined) {
        checkFunction(options[hook], doing, hook);
      }
    }
    this.#options = options;
    this.#advance = boundedStep(stepOf(algorithm, doing), { min, max });
    this.#state = { limit: this.#initial, baselineMs: 0 };
    this.#window = new LimitWindow({
      minWindowMs: toMs(minWindowMs, doing, "minWindowMs"),
      maxWindowMs: toMs(maxWindowMs, doing, "maxWindowMs"),
      minSamples: checkCount(minSamples, doing, "minSamples"),
    });
    this.#slots = new Slots(planOf(options, doing), this.#initial);
    this.#step = defineLayers(this, [this.#layer(min, max)]);
  }

  /** How errors and reports call the bulkhead. */
  get name(): string {
    return this.#slots.plan.name;
  }

  /** How many calls may be under way at once. */
  get limit(): number {
    return this.#slots.limit;
  }

  /** How many slots are held. */
  get active(): number {
    return this.#slots.active;
  }

  /** How many slots are held by work whose caller has gone. */
  get zombies(): number {
    return this.#slots.zombies;
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#slots.waiting;
  }

  /** Whether a new bulkhead could stand in for this one. */
  get pristine(): boolean {
    return this.active === 0 && this.#state.baselineMs === 0 &&
      this.#state.limit === this.#initial;
  }

  /**
   * Runs `fn` in a slot.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run, in the async context of the caller.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {BulkheadFullError} If there is no room, or the wait is too long.
   * @throws {LoadShedError} If the call was given up while it waited.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The bulkhead as plain data. To look changes nothing.
   *
   * @returns The data.
   */
  snapshot(): AdaptiveBulkheadSnapshot {
    const { limit, active, zombies, waiting, refused, shed } = this.#slots;
    const { baselineMs } = this.#state;
    return { limit, baselineMs, active, zombies, waiting, refused, shed };
  }

  #layer(min: number, max: number): GuardLayer<Stay> {
    const { name, maxQueue, maxWaitMs } = this.#slots.plan;
    return {
      kind: "guard",
      enter: (call) => {
        const entered = this.#slots.enter(call);
        return entered instanceof Promise
          ? entered.then((who) => this.#begin(call, who))
          : this.#begin(call, entered);
      },
      exit: (call, stay, outcome) => this.#end(call, stay, outcome),
      facts: () => ({
        policy: "bulkhead",
        name,
        text: `${min} to ${max} at once, ${maxQueue} wait`,
        worst: ({ ms, attempts }) => ({
          ms: ms + (maxQueue === 0 ? 0 : maxWaitMs),
          attempts,
        }),
      }),
    };
  }

  #begin(call: PolicyCall, who: Tenant): Stay {
    const startedAt = call.frame.loop.time();
    this.#window.begin(startedAt, this.active);
    return { who, startedAt };
  }

  #end(call: PolicyCall, { who, startedAt }: Stay, outcome: PolicyOutcome) {
    const { loop } = call.frame;
    const now = loop.time();
    const told = call.classify(outcome, this.#options.classify);
    if (told === "success") this.#window.add(now - startedAt);
    else if (told === "failure" && isDrop(outcome)) this.#window.drop();
    this.#adapt(loop, now);
    this.#slots.exit(call, who);
    return undefined;
  }

  #adapt(loop: EventLoop, now: number): void {
    const { lately } = this.#window;
    const sample = this.#window.take(now, this.active);
    if (sample === undefined) return;
    const from = this.limit;
    try {
      this.#state = this.#advance(this.#state, sample, lately);
    } catch (exception) {
      const message =
        `Cannot adapt the limit of "${this.name}": "algorithm" has thrown`;
      return loop.report({ message, exception });
    }
    const to = Math.floor(this.#state.limit);
    if (from === to) return;
    this.#slots.resize(to, loop);
    const { onLimitChange } = this.#options;
    callHook(loop, this.name, onLimitChange, { name: this.name, from, to });
  }
}

/** Whether the other side had too much to do. */
function isDrop(outcome: PolicyOutcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  return error instanceof TimeoutError ||
    error instanceof Error && "retryAfterMs" in error &&
      typeof error.retryAfterMs === "number";
}

function stepOf(
  algorithm: AdaptiveBulkheadOptions["algorithm"],
  doing: string,
): LimitStep {
  if (typeof algorithm === "function") return algorithm;
  const known = Object.entries(STEPS).find(([name]) => name === algorithm);
  if (known !== undefined) return known[1]();
  throw new TypeError(
    `Cannot ${doing} as "algorithm" must be "aimd", "vegas", "gradient2" or a step: current value is ${
      show(algorithm)
    }`,
  );
}
