import { isRefusal } from "./_call.ts";
import type { RetryAttempt, RetryReason } from "./retry.ts";

const WHY: Record<RetryReason, string> = {
  "attempts": "its attempts are used up",
  "schedule": "its schedule has stopped",
  "not-retriable": "the error says that it will not help",
  "too-late": "the next attempt would come too late",
  "budget": "its budget is used up",
  "nested": "the retry around it will try again",
};

/** What is known about a retry that has given up. */
export interface RetryExhaustedErrorOptions {
  /** The name of the policy. */
  policy: string;
  /** Why it gave up. */
  reason: RetryReason;
  /** All attempts, in order. */
  attempts: readonly RetryAttempt[];
}

/**
 * Thrown when several attempts have failed and no other may follow. `errors` has
 * what each has failed with, and `cause` is the last of them.
 */
export class RetryExhaustedError extends AggregateError {
  static {
    this.prototype.name = "RetryExhaustedError";
  }
  /** The name of the policy. */
  readonly policy: string;
  /** Why it gave up. */
  readonly reason: RetryReason;
  /** All attempts, in order. */
  readonly attempts: readonly RetryAttempt[];
  /** Whether the work was never begun: each attempt was refused. */
  readonly rejected: boolean;

  /** Creates the error of a retry that has made `options.attempts`. */
  constructor(options: RetryExhaustedErrorOptions) {
    const { policy, reason, attempts } = options;
    const cause = attempts.at(-1)?.error;
    const last = cause instanceof Error ? ` (${cause.message})` : "";
    super(
      attempts.map(({ error }) => error),
      `Cannot finish "${policy}": ${attempts.length} attempts have failed${last}, and ${
        WHY[reason]
      }`,
      { cause },
    );
    this.policy = policy;
    this.reason = reason;
    this.attempts = attempts;
    this.rejected = attempts.every(({ error }) => isRefusal(error));
  }
}
