import type { CircuitState } from "./_breaker_types.ts";
import { PolicyError } from "./policy.ts";

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
