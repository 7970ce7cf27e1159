import type { WindowCounts } from "./_breaker_window.ts";
import type { PolicyError } from "./policy.ts";

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
