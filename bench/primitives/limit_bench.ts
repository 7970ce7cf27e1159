/**
 * What it costs to call a function when there is a place for it.
 *
 * @module
 */
import { limit } from "@ilmek/async/limit";
import { Sema } from "async-sema";
import pLimit from "p-limit";
import PQueue from "p-queue";
import { type Question, registerBenches } from "../question.ts";

const CALLS = 10_000;
const CONCURRENCY = 10;

const one = (): Promise<number> => Promise.resolve(1);

/** So many calls at once, and the end of all. */
function all(
  items: number,
  call: (fn: () => Promise<number>) => Promise<number>,
): Promise<number[]> {
  return Promise.all(Array.from({ length: items }, () => call(one)));
}

/** The questions, by name. */
export const questions: Readonly<Record<string, Question>> = {
  calls: {
    kind: "speed",
    group: `limit(${CONCURRENCY})`,
    items: CALLS,
    cases: [
      // The limit: the promises alone, all at once.
      {
        name: "promises",
        kind: "limit",
        run: (items) => all(items, (fn) => fn()),
      },
      {
        name: "limit",
        kind: "ours",
        run: (items) => {
          const limited = limit(CONCURRENCY);
          return all(items, (fn) => limited(fn));
        },
      },
      {
        name: "async-sema",
        kind: "peer",
        run: (items) => {
          const sema = new Sema(CONCURRENCY);
          return all(items, async (fn) => {
            await sema.acquire();
            try {
              return await fn();
            } finally {
              sema.release();
            }
          });
        },
      },
      {
        name: "p-limit",
        kind: "peer",
        run: (items) => {
          const limited = pLimit(CONCURRENCY);
          return all(items, (fn) => limited(fn));
        },
      },
      {
        name: "p-queue",
        kind: "peer",
        run: (items) => {
          const queue = new PQueue({ concurrency: CONCURRENCY });
          return all(items, (fn) => queue.add(fn));
        },
      },
    ],
  },
};

registerBenches(questions);
