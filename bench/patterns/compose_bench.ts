/**
 * What a stack of policies costs around work that succeeds at once.
 *
 * @module
 */
import { Bulkhead } from "@ilmek/async/bulkhead";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { Retry } from "@ilmek/async/retry";
import { Timeout } from "@ilmek/async/timeout-policy";
import {
  bulkhead,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import { type Case, type Question, registerBenches } from "../question.ts";

const CALLS = 1000;
const LIMIT_MS = 1000;

const quick = (): Promise<number> => Promise.resolve(1);

const SLOTS = 10;

const three = () =>
  [
    new Bulkhead({ slots: SLOTS }),
    new Retry(),
    new CircuitBreaker(),
  ] as const;
const stack = compose(...three());
const withTimeout = compose(new Timeout(LIMIT_MS), ...three());

const peers = () =>
  [
    bulkhead(SLOTS),
    retry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, {
      halfOpenAfter: 1000,
      breaker: new ConsecutiveBreaker(5),
    }),
  ] as const;
const cockatiel = wrap(...peers());
const cockatielWithTimeout = wrap(
  timeout(LIMIT_MS, TimeoutStrategy.Cooperative),
  ...peers(),
);

const limit: Case = {
  name: "await fn()",
  kind: "limit",
  run: async (items) => {
    for (let i = 0; i < items; i++) await awaited(quick);
  },
};

/** The questions, by name. */
export const questions: Record<string, Question> = {
  stack: {
    kind: "speed",
    group: "bulkhead + retry + breaker",
    items: CALLS,
    cases: [
      limit,
      {
        name: "compose()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await stack.run(quick);
        },
      },
      {
        name: "cockatiel",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await cockatiel.execute(quick);
        },
      },
    ],
  },
  withTimeout: {
    kind: "speed",
    group: "timeout + bulkhead + retry + breaker",
    items: CALLS,
    cases: [
      limit,
      {
        name: "compose()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await withTimeout.run(quick);
        },
      },
      {
        name: "cockatiel",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) {
            await cockatielWithTimeout.execute(quick);
          }
        },
      },
    ],
  },
};

/** The least that calls a function and may look at how it ends. */
async function awaited<T>(fn: () => Promise<T>): Promise<T> {
  return await fn();
}

registerBenches(questions);
