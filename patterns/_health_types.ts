import type { Duration } from "../_internal/check.ts";

/**
 * What a check is for: whether the program has come up, whether it has to be
 * started again, or whether it can do work now.
 */
export type HealthKind = "startup" | "live" | "ready";

/**
 * What is known of a check: that it has passed, that it has failed, or nothing that
 * is recent enough.
 */
export type HealthState = "ok" | "failed" | "unknown";

/** What a check receives when it is called. */
export interface HealthCheckContext {
  /** The name of the check. */
  readonly name: string;
  /** Aborts when the check has taken too long, or is not needed any more. */
  readonly signal: AbortSignal;
}

/** Something that is looked at again and again. */
export interface HealthCheck {
  /** How reports call it. */
  name: string;
  /**
   * Looks. It has failed if it throws, gives `false`, or takes too long.
   */
  check(context: HealthCheckContext): unknown;
  /**
   * What it is for. What lies outside of the program, such as a database, is for
   * `"ready"`: to start the program again would not mend it.
   *
   * @default {"ready"}
   */
  kind?: HealthKind;
  /**
   * Whether the program can do without: then a failure only degrades it.
   *
   * @default {false}
   */
  optional?: boolean;
  /**
   * How long it may take.
   *
   * @default {what the checks were made with}
   */
  timeoutMs?: Duration;
}

/** What is known of one check. */
export interface HealthCheckResult {
  /** The name of the check. */
  readonly name: string;
  /** What is known of it. */
  readonly state: HealthState;
  /** Whether the program can do without. */
  readonly optional: boolean;
  /** How long ago it was found out; `undefined` if nothing is known. */
  readonly ageMs: number | undefined;
  /** How long the last look took; `undefined` if there was none. */
  readonly ms: number | undefined;
  /** What the last look has failed with, if it has. */
  readonly error: unknown;
}

/** The answer to one question. */
export interface HealthAnswer {
  /** Whether the answer is yes. */
  readonly ok: boolean;
  /** Whether something is amiss that the program can do without. */
  readonly degraded: boolean;
  /** Why the answer is no, or is degraded: a line each. */
  readonly reasons: readonly string[];
  /** What is known of each check of this kind. */
  readonly checks: readonly HealthCheckResult[];
}

/** All that is known; see {@linkcode HealthChecks.report}. */
export interface HealthReport {
  /** Whether the program has come up. Once it has, the answer stays yes. */
  readonly startup: HealthAnswer;
  /** Whether the program is alive: if not, it should be started again. */
  readonly live: HealthAnswer;
  /** Whether the program can do work now: if not, it should get none. */
  readonly ready: HealthAnswer;
  /** By how much the loop was late when it last looked. */
  readonly lagMs: number;
}

/** Thrown by a check that has taken too long; see {@linkcode HealthCheckResult}. */
export class HealthTimeoutError extends Error {
  static {
    this.prototype.name = "HealthTimeoutError";
  }
  /** The name of the check. */
  readonly check: string;
  /** How long it had. */
  readonly ms: number;

  /** Creates the error of one check. */
  constructor(check: string, ms: number) {
    super(`Cannot pass health check "${check}": it took longer than ${ms} ms`);
    this.check = check;
    this.ms = ms;
  }
}

/** Thrown for a check that gave `false`; see {@linkcode HealthCheckResult}. */
export class HealthFailedError extends Error {
  static {
    this.prototype.name = "HealthFailedError";
  }
  /** The name of the check. */
  readonly check: string;

  /** Creates the error of one check. */
  constructor(check: string) {
    super(`Cannot pass health check "${check}": it gave false`);
    this.check = check;
  }
}
