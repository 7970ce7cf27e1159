import { assertThrows } from "@std/assert";
import { Chaos } from "@ilmek/async/chaos";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { Fallback } from "@ilmek/async/fallback";
import { Hedge } from "@ilmek/async/hedge";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { Retry } from "@ilmek/async/retry";
import { StaleIfError } from "@ilmek/async/stale-if-error";
import { Timeout } from "@ilmek/async/timeout-policy";

/** By policy: how one is made, and the options that are functions. */
const POLICIES: Record<
  string,
  { make: (options: Record<string, never>) => unknown; functions: string[] }
> = {
  Chaos: {
    make: (options) => new Chaos(options),
    functions: ["enabled", "fault", "outcome", "random", "onStrike"],
  },
  CircuitBreaker: {
    make: (options) => new CircuitBreaker(options),
    functions: ["classify", "random", "onStateChange", "onReject"],
  },
  Fallback: {
    make: (options) => new Fallback([() => 1], options),
    functions: ["classify", "onFallback"],
  },
  Hedge: {
    make: (options) => new Hedge({ idempotent: true, ...options }),
    functions: ["classify", "eligible", "onHedge"],
  },
  RateLimiter: {
    make: (options) => new RateLimiter({ limit: 1, perMs: 1, ...options }),
    functions: ["algorithm", "onTake", "onReject", "onWait", "onFreeze"],
  },
  Retry: {
    make: (options) => new Retry(options),
    functions: [
      "random",
      "isRetriable",
      "classify",
      "onAttempt",
      "onRetry",
      "onGiveUp",
      "onBudgetExhausted",
    ],
  },
  StaleIfError: {
    make: (options) => new StaleIfError({ maxAgeMs: 1, ...options }),
    functions: ["classify", "onStale"],
  },
  Timeout: {
    make: (options) => new Timeout(1, options),
    functions: ["onTimeout", "onLate"],
  },
};

for (const [policy, { make, functions }] of Object.entries(POLICIES)) {
  Deno.test(`${policy}() throws on what must be a function, and is none`, () => {
    for (const name of functions) {
      const message = `"${name}" must be a function`;
      assertThrows(() => make({ [name]: 5 as never }), TypeError, message);
    }
  });
}

Deno.test("Retry() and Hedge() throw on a budget that is none", () => {
  const budget = { tryAcquire: () => true } as never;

  assertThrows(() => new Retry({ budget }), TypeError, '"budget"');
  assertThrows(
    () => new Hedge({ idempotent: true, budget }),
    TypeError,
    '"budget"',
  );
});
