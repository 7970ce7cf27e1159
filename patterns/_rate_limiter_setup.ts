import {
  checkChoice,
  checkCount,
  checkFunction,
  checkFunctions,
  show,
  toMs,
} from "../_internal/check.ts";
import { refusal } from "../_internal/refuse.ts";
import type { GuardLayer } from "./_layers.ts";
import type { GateOptions, RateGate } from "./_rate_gate.ts";
import type {
  RateLimiterLineOptions,
  RateLimiterOptions,
  RateLimiterOverflow,
} from "./_rate_limiter_types.ts";
import { Meter } from "./_rate_meter.ts";
import { gcra } from "./rate_algorithms.ts";

/** What a caller does, in messages. */
export const ACQUIRING = "acquire from a rate limiter";
const OVERFLOWS: readonly RateLimiterOverflow[] = [
  "reject",
  "drop-oldest",
  "drop-lowest",
];

const CREATING = "create a rate limiter";

/** The meter of a rate, checked. */
export function meterFor(options: RateLimiterOptions): Meter {
  const { limit, algorithm = gcra } = options;
  checkFinite(checkCount(limit, CREATING, "limit"), CREATING, "limit");
  const perMs = toMs(options.perMs, CREATING, "perMs");
  if (!(perMs > 0 && perMs < Infinity)) {
    throw new RangeError(
      `Cannot ${CREATING} as "perMs" must be a finite number > 0: current value is ${perMs}`,
    );
  }
  const { burst = limit } = options;
  checkFinite(checkCount(burst, CREATING, "burst"), CREATING, "burst");
  checkFunction(algorithm, CREATING, "algorithm");
  return new Meter(algorithm({ limit, perMs, burst }));
}

/** How a limiter keeps its line, checked. */
export function lineOf(options: RateLimiterLineOptions): GateOptions {
  const {
    name = "rate-limiter",
    maxWaitMs = Infinity,
    maxQueue = 1024,
    overflow = "reject",
    agingMs = 1000,
  } = options;
  checkChoice(overflow, CREATING, "overflow", OVERFLOWS);
  checkFunctions(options, CREATING, [
    "onTake",
    "onReject",
    "onWait",
    "onFreeze",
  ]);
  return {
    name,
    overflow,
    hooks: { ...options },
    maxWaitMs: toMs(maxWaitMs, CREATING, "maxWaitMs"),
    maxQueue: checkCount(maxQueue, CREATING, "maxQueue", 0),
    agingMs: checkFinite(
      toMs(agingMs, CREATING, "agingMs"),
      CREATING,
      "agingMs",
    ),
  };
}

/** Throws unless `value` is a finite number. */
export function checkFinite(
  value: number,
  doing: string,
  name: string,
): number {
  if (Number.isFinite(value)) return value;
  throw new RangeError(
    `Cannot ${doing} as "${name}" must be a finite number: current value is ${
      show(value)
    }`,
  );
}

/** What a limiter is among the layers of a composed policy. */
export function layerOf(gate: RateGate): GuardLayer<unknown> {
  const { name, maxWaitMs } = gate.options;
  const request = {
    maxWaitMs,
    priority: 0,
    tenant: undefined,
    signal: undefined,
  };
  const text = gate.meters
    .map(({ algorithm: { limit, perMs } }) => `${limit} per ${perMs} ms`)
    .join(", ");
  return {
    kind: "guard",
    enter: ({ frame }) => {
      const { loop } = frame;
      const refused = refusal(frame, ACQUIRING);
      if (refused !== undefined) return refused;
      // Without a promise, since a composed policy is one function.
      if (loop.door === undefined) {
        if (gate.takeBlindly(1)) return;
        if (gate.takeNow(1, loop.time(), loop)) return;
      }
      return gate.acquire(frame, 1, false, request);
    },
    exit: () => undefined,
    facts: () => ({
      policy: "rate-limiter",
      name,
      text,
      worst: ({ ms, attempts }) => ({ ms: ms + maxWaitMs, attempts }),
    }),
  };
}
