/**
 * What a retry costs around work that succeeds at once.
 *
 * @module
 */
import { Retry, retry } from "@ilmek/async/retry";
import { ExponentialBackoff, handleAll, retry as makePolicy } from "cockatiel";
import pRetry from "p-retry";
import { type Question, registerBenches } from "../question.ts";
import { stdCases, type StdRetry } from "../std_async.ts";

const CALLS = 1000;

const quick = (): Promise<number> => Promise.resolve(1);

const policy = new Retry();
const cockatiel = makePolicy(handleAll, {
  maxAttempts: 3,
  backoff: new ExponentialBackoff(),
});

/** The questions, by name. */
export const questions: Record<string, Question> = {
  firstTry: {
    kind: "speed",
    group: "retry, first try succeeds",
    items: CALLS,
    cases: [
      {
        name: "await fn()",
        kind: "limit",
        run: async (items) => {
          for (let i = 0; i < items; i++) await awaited(quick);
        },
      },
      {
        name: "retry()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await retry(quick);
        },
      },
      {
        name: "p-retry",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await pRetry(quick);
        },
      },
      {
        name: "cockatiel",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await cockatiel.execute(quick);
        },
      },
      ...await stdCases("retry", ({ retry }: StdRetry) => [{
        name: "@std/async",
        kind: "peer" as const,
        run: async (items: number) => {
          for (let i = 0; i < items; i++) await retry(quick);
        },
      }]),
    ],
  },
  policy: {
    kind: "speed",
    group: "a Retry that is kept, first try succeeds",
    items: CALLS,
    cases: [
      {
        name: "await fn()",
        kind: "limit",
        run: async (items) => {
          for (let i = 0; i < items; i++) await awaited(quick);
        },
      },
      {
        name: "Retry.run()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await policy.run(quick);
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
};

/** The least that calls a function and may look at how it ends. */
async function awaited<T>(fn: () => Promise<T>): Promise<T> {
  return await fn();
}

registerBenches(questions);
