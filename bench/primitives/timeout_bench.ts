/**
 * What a limit of time costs around a call that is quick.
 *
 * @module
 */
import { timeout } from "@ilmek/async/timeout";
import { timeout as makePolicy, TimeoutStrategy } from "cockatiel";
import pTimeout from "p-timeout";
import { type Question, registerBenches } from "../question.ts";
import { stdCases, type StdDeadline } from "../std_async.ts";

const CALLS = 1000;
const LIMIT_MS = 1000;

const quick = (): Promise<number> => Promise.resolve(1);

const policy = makePolicy(LIMIT_MS, TimeoutStrategy.Aggressive);

/** The questions, by name. */
export const questions: Record<string, Question> = {
  quickCall: {
    kind: "speed",
    group: "timeout around a quick call",
    items: CALLS,
    cases: [
      {
        name: "setTimeout() and clearTimeout()",
        kind: "limit",
        run: async (items) => {
          for (let i = 0; i < items; i++) {
            const timer = setTimeout(() => {}, LIMIT_MS);
            try {
              await quick();
            } finally {
              clearTimeout(timer);
            }
          }
        },
      },
      {
        name: "timeout()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await timeout(LIMIT_MS, quick);
        },
      },
      {
        name: "p-timeout",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) {
            await pTimeout(quick(), { milliseconds: LIMIT_MS });
          }
        },
      },
      {
        name: "cockatiel",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await policy.execute(quick);
        },
      },
      ...await stdCases("deadline", ({ deadline }: StdDeadline) => [{
        name: "@std/async",
        kind: "peer" as const,
        run: async (items: number) => {
          for (let i = 0; i < items; i++) await deadline(quick(), LIMIT_MS);
        },
      }]),
    ],
  },
};

registerBenches(questions);
