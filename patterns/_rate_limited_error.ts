import { PolicyError } from "./policy.ts";

/**
 * Why a rate limiter has refused: the caller would have to wait longer than it
 * may, its deadline comes before its turn, too many wait already, others took its
 * place in a full line, or the limiter was closed.
 */
export type RateLimitedReason =
  | "wait-too-long"
  | "deadline"
  | "queue-full"
  | "dropped"
  | "closed";

/** What is known about a call that a rate limiter has refused. */
export interface RateLimitedErrorOptions extends ErrorOptions {
  /** The name of the limiter. */
  policy: string;
  /** Why it was refused. */
  reason: RateLimitedReason;
  /** After how many milliseconds it would be its turn. */
  retryAfterMs: number;
  /** How much was left. */
  remaining: number;
  /** How much is allowed in a window. */
  limit: number;
}

const WHY: Record<RateLimitedReason, string> = {
  "wait-too-long": "its turn would come too late",
  "deadline": "its deadline comes before its turn",
  "queue-full": "too many wait already",
  "dropped": "the line is full, and others go before it",
  "closed": "the limiter was closed",
};

/** Thrown when a rate limiter does not let a call through; it was never begun. */
export class RateLimitedError extends PolicyError {
  static {
    this.prototype.name = "RateLimitedError";
  }
  /** After how many milliseconds it would be its turn; never 0. */
  declare readonly retryAfterMs: number;
  /** Why it was refused. */
  readonly reason: RateLimitedReason;
  /** How much was left. */
  readonly remaining: number;
  /** How much is allowed in a window. */
  readonly limit: number;

  /** Creates the refusal that `options` tell of. */
  constructor(options: RateLimitedErrorOptions) {
    const { policy, reason, retryAfterMs, remaining, limit } = options;
    const when = Number.isFinite(retryAfterMs)
      ? ` (free in ${Math.ceil(retryAfterMs)} ms)`
      : "";
    super(`Cannot pass "${policy}": ${WHY[reason]}${when}`, options);
    this.reason = reason;
    this.remaining = remaining;
    this.limit = limit;
  }
}
