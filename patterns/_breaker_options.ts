import {
  checkCount,
  checkFunctions,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom } from "../_internal/random.ts";
import type { CircuitRejection, CircuitStateChange } from "./_breaker_types.ts";
import type { ClassifyOptions } from "./policy.ts";

/** Which calls a breaker judges by: the latest so many, or those of a time. */
export type CircuitBreakerWindow =
  | {
    /** The latest calls. */
    readonly kind: "count";
    /** How many. */
    readonly size: number;
  }
  | {
    /** The calls of the latest time. */
    readonly kind: "time";
    /** How long. */
    readonly ms: Duration;
    /**
     * In how many parts the time is divided; a part leaves as a whole.
     *
     * @default {10}
     */
    readonly segments?: number;
  };

/** Options of `CircuitBreaker`. */
export interface CircuitBreakerOptions extends ClassifyOptions {
  /**
   * How errors and reports call the breaker.
   *
   * @default {"circuit-breaker"}
   */
  name?: string;
  /**
   * Which calls it judges by.
   *
   * @default {{ kind: "count", size: 100 }}
   */
  window?: CircuitBreakerWindow;
  /**
   * How many calls there must be in the window before a rate opens the circuit.
   *
   * @default {20}
   */
  minimumCalls?: number;
  /**
   * Which share of failures opens the circuit.
   *
   * @default {0.5}
   */
  failureRate?: number;
  /**
   * From how many milliseconds a call is slow, be it over or not.
   *
   * @default {Infinity}
   */
  slowMs?: Duration;
  /**
   * Which share of slow calls opens the circuit.
   *
   * @default {0.8}
   */
  slowRate?: number;
  /**
   * How many failures in a row open the circuit, whatever the rates are.
   *
   * @default {Infinity}
   */
  consecutiveFailures?: number;
  /**
   * How long the circuit stays open at first; each time that it opens without a
   * stable time in between, twice as long.
   *
   * @default {5000}
   */
  openMs?: Duration;
  /**
   * How long it stays open at most.
   *
   * @default {60000}
   */
  maxOpenMs?: Duration;
  /**
   * Which share of the open time is random, so that not all clients probe at once.
   *
   * @default {0.5}
   */
  jitter?: number;
  /**
   * How many probes decide whether the circuit closes again.
   *
   * @default {5}
   */
  probes?: number;
  /**
   * How many probes may be under way at once; all of them if it is not given.
   */
  probeConcurrency?: number;
  /**
   * How long a probe may take; then it counts as failed, and gives way to another.
   *
   * @default {30000}
   */
  probeTimeoutMs?: Duration;
  /**
   * How long a call waits while probes are under way, instead of being refused.
   *
   * @default {0}
   */
  waitMs?: Duration;
  /**
   * How long after closing only some calls are let through: one in 8, one in 4,
   * then every second one.
   *
   * @default {1000}
   */
  rampMs?: Duration;
  /** Where the jitter comes from: numbers from 0 up to 1. */
  random?: () => number;
  /** Told after the state has changed. */
  onStateChange?: (change: CircuitStateChange) => void;
  /** Told after a call was refused. */
  onReject?: (rejection: CircuitRejection) => void;
}

/** The options of a breaker, checked. */
export interface BreakerPlan
  extends
    Pick<CircuitBreakerOptions, "classify" | "onStateChange" | "onReject"> {
  readonly name: string;
  readonly window: BreakerWindowPlan;
  readonly minimumCalls: number;
  readonly failureRate: number;
  readonly slowMs: number;
  readonly slowRate: number;
  readonly consecutiveFailures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly jitter: number;
  readonly probes: number;
  readonly probeConcurrency: number;
  readonly probeTimeoutMs: number;
  readonly waitMs: number;
  readonly rampMs: number;
  readonly random: () => number;
}

/** A window, checked. */
export type BreakerWindowPlan =
  | { readonly kind: "count"; readonly size: number }
  | { readonly kind: "time"; readonly ms: number; readonly segments: number };

const DOING = "create a circuit breaker";

/** Checks the options of a breaker. */
export function planOf(options: CircuitBreakerOptions): BreakerPlan {
  const { name = "circuit-breaker", failureRate = 0.5, slowRate = 0.8 } =
    options;
  const { window = { kind: "count", size: 100 }, jitter = 0.5 } = options;
  const { minimumCalls = 20, consecutiveFailures = Infinity } = options;
  const { slowMs = Infinity, openMs = 5000, maxOpenMs = 60_000 } = options;
  const { probes = 5, probeConcurrency = probes } = options;
  const { probeTimeoutMs = 30_000, waitMs = 0, rampMs = 1000 } = options;
  const { random = defaultRandom, classify, onStateChange, onReject } = options;
  checkFunctions(options, DOING, [
    "classify",
    "random",
    "onStateChange",
    "onReject",
  ]);
  const windowPlan = planOfWindow(window);
  checkCount(minimumCalls, DOING, "minimumCalls");
  if (window.kind === "count" && minimumCalls > window.size) {
    throw new RangeError(
      `Cannot ${DOING} as "minimumCalls" must not exceed the window of ${window.size} calls: current value is ${minimumCalls}`,
    );
  }
  checkShare(failureRate, "failureRate");
  checkShare(slowRate, "slowRate");
  checkShare(jitter, "jitter", 0);
  checkCount(consecutiveFailures, DOING, "consecutiveFailures");
  checkCount(probes, DOING, "probes");
  checkCount(probeConcurrency, DOING, "probeConcurrency");
  const limits = {
    slowMs: toMs(slowMs, DOING, "slowMs"),
    openMs: toMs(openMs, DOING, "openMs"),
    maxOpenMs: toMs(maxOpenMs, DOING, "maxOpenMs"),
    probeTimeoutMs: toMs(probeTimeoutMs, DOING, "probeTimeoutMs"),
    waitMs: toMs(waitMs, DOING, "waitMs"),
    rampMs: toMs(rampMs, DOING, "rampMs"),
  };
  return {
    name,
    window: windowPlan,
    random,
    ...(classify === undefined ? {} : { classify }),
    ...(onStateChange === undefined ? {} : { onStateChange }),
    ...(onReject === undefined ? {} : { onReject }),
    minimumCalls,
    failureRate,
    slowRate,
    consecutiveFailures,
    jitter,
    probes,
    probeConcurrency,
    ...limits,
    maxOpenMs: Math.max(limits.openMs, limits.maxOpenMs),
  };
}

function planOfWindow(window: CircuitBreakerWindow): BreakerWindowPlan {
  if (window?.kind === "count") {
    const size = checkCount(window.size, DOING, "window.size");
    if (size !== Infinity) return { kind: "count", size };
  }
  if (window?.kind === "time") {
    const ms = toMs(window.ms, DOING, "window.ms");
    const { segments = 10 } = window;
    checkCount(segments, DOING, "window.segments");
    const isFinite = ms !== Infinity && segments !== Infinity;
    if (ms > 0 && isFinite) return { kind: "time", ms, segments };
  }
  throw new RangeError(
    `Cannot ${DOING} as "window" must be of kind "count" or "time", and finite: current value is ${
      show(window)
    }`,
  );
}

function checkShare(
  value: number,
  name: string,
  least = Number.MIN_VALUE,
): void {
  if (typeof value === "number" && value >= least && value <= 1) return;
  const from = least === 0 ? "from 0 to 1" : "above 0, and at most 1";
  const message =
    `Cannot ${DOING} as "${name}" must be a number ${from}: current value is ${
      show(value)
    }`;
  throw typeof value === "number"
    ? new RangeError(message)
    : new TypeError(message);
}
