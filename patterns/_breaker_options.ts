import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import type { WindowCounts } from "./_breaker_window.ts";
import { type ClassifyOptions, PolicyError } from "./policy.ts";

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

/**
 * What a breaker does by itself: it lets calls through, refuses them, or lets some
 * through as probes.
 */
export type CircuitState = "closed" | "open" | "half-open";

/**
 * What somebody has decided about a breaker: to leave it to itself, to refuse all
 * calls, to let all through uncounted, or to count and to refuse none.
 */
export type CircuitMode = "auto" | "isolated" | "bypassed" | "shadow";

/** What a breaker tells when its state has changed. */
export interface CircuitStateChange {
  /** The name of the breaker. */
  readonly name: string;
  /** The state before. */
  readonly from: CircuitState;
  /** The state now. */
  readonly to: CircuitState;
  /** Why. */
  readonly why: CircuitChangeReason;
  /** The breaker after the change. */
  readonly snapshot: CircuitSnapshot;
}

/** Why a breaker has changed its state. */
export type CircuitChangeReason =
  | "failures"
  | "slow-calls"
  | "probes-failed"
  | "probes-succeeded"
  | "time-to-probe"
  | "decided";

/** What a breaker tells when it has refused a call. */
export interface CircuitRejection {
  /** The name of the breaker. */
  readonly name: string;
  /** What the caller gets thrown. */
  readonly error: PolicyError;
}

/** A breaker as plain data: it can be written down, and restored elsewhere. */
export interface CircuitSnapshot {
  /** What it does by itself. */
  readonly state: CircuitState;
  /** What was decided about it. */
  readonly mode: CircuitMode;
  /** After how many milliseconds it lets probes through, if it is open. */
  readonly reopensInMs: number;
  /** How often it has opened in a row without a stable time in between. */
  readonly openings: number;
  /** How many calls are under way. */
  readonly inFlight: number;
  /** The calls that it judges by. */
  readonly window: WindowCounts;
  /** What has become of all calls so far. */
  readonly totals: CircuitTotals;
}

/** What has become of all calls of a breaker. */
export interface CircuitTotals {
  /** Calls that have succeeded. */
  readonly successes: number;
  /** Calls that have failed. */
  readonly failures: number;
  /** Calls that took longer than `slowMs`. */
  readonly slow: number;
  /** Calls that say nothing, such as those that were cancelled. */
  readonly ignored: number;
  /** Calls that were refused. */
  readonly rejected: number;
  /** How often the breaker has opened. */
  readonly opens: number;
}

/** Options of `CircuitBreaker`. */
export interface CircuitBreakerOptions extends ClassifyOptions {
  /**
   * How errors and reports call the breaker.
   *
   * @default {"circuit breaker"}
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
export interface BreakerPlan {
  readonly name: string;
  readonly window: CircuitBreakerWindow;
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
}

/** Thrown for a call that an open circuit has refused. */
export class CircuitOpenError extends PolicyError {
  static {
    this.prototype.name = "CircuitOpenError";
  }
  /** What the breaker did when it refused the call. */
  readonly state: CircuitState;

  /** Creates the refusal; `options.cause` is the failure that came last. */
  constructor(
    policy: string,
    options: { state: CircuitState; retryAfterMs: number; cause?: unknown },
  ) {
    const { state, retryAfterMs } = options;
    const why = {
      "open": `it is open for another ${Math.ceil(retryAfterMs)} ms`,
      "half-open": "its probes are under way",
      "closed": "it has closed, and lets through only some calls yet",
    };
    super(`Cannot run the call under "${policy}": ${why[state]}`, {
      policy,
      retryAfterMs,
      ...("cause" in options ? { cause: options.cause } : {}),
    });
    this.state = state;
  }
}

/** Thrown for a call under a breaker that was isolated by somebody's decision. */
export class CircuitIsolatedError extends PolicyError {
  static {
    this.prototype.name = "CircuitIsolatedError";
  }

  /** Creates the refusal of one breaker. */
  constructor(policy: string) {
    super(`Cannot run the call under "${policy}": it is isolated`, {
      policy,
      retryAfterMs: Infinity,
    });
  }
}

const DOING = "create a circuit breaker";

/** Checks the options of a breaker. */
export function planOf(options: CircuitBreakerOptions): BreakerPlan {
  const { name = "circuit breaker", failureRate = 0.5, slowRate = 0.8 } =
    options;
  const { window = { kind: "count", size: 100 }, jitter = 0.5 } = options;
  const { minimumCalls = 20, consecutiveFailures = Infinity } = options;
  const { slowMs = Infinity, openMs = 5000, maxOpenMs = 60_000 } = options;
  const { probes = 5, probeConcurrency = probes } = options;
  const { probeTimeoutMs = 30_000, waitMs = 0, rampMs = 1000 } = options;
  for (
    const hook of ["classify", "random", "onStateChange", "onReject"] as const
  ) {
    if (options[hook] !== undefined) checkFunction(options[hook], DOING, hook);
  }
  checkWindow(window);
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
    window,
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

function checkWindow(window: CircuitBreakerWindow): void {
  if (window?.kind === "count") {
    checkCount(window.size, DOING, "window.size");
    if (window.size !== Infinity) return;
  }
  if (window?.kind === "time") {
    const ms = toMs(window.ms, DOING, "window.ms");
    const segments = checkCount(
      window.segments ?? 10,
      DOING,
      "window.segments",
    );
    if (ms > 0 && ms !== Infinity && segments !== Infinity) return;
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
