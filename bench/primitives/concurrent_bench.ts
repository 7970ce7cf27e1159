/**
 * What it costs to call a function for each item, for so many items at once.
 *
 * @module
 */
import { mapConcurrent } from "@ilmek/async/concurrent";
import { Effect } from "effect";
import pMap from "p-map";
import { type Question, registerBenches } from "../question.ts";

const ITEMS = 10_000;

const noop = (item: number): number => item;
const microtask = async (item: number): Promise<number> => {
  await null;
  return item;
};

type Work = (item: number) => number | Promise<number>;

const numbers = (items: number): number[] =>
  Array.from({ length: items }, (_, i) => i);

/** The limit: workers over an index, which nothing can end. */
async function workers(
  items: readonly number[],
  fn: Work,
  concurrency: number,
): Promise<number[]> {
  const results: number[] = new Array(items.length);
  let index = 0;
  const work = async (): Promise<void> => {
    while (index < items.length) {
      const i = index++;
      results[i] = await fn(items[i] as number);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

function mapping(fn: Work, what: string, concurrency: number): Question {
  return {
    kind: "speed",
    group: `map ${what}, ${concurrency} at once`,
    items: ITEMS,
    cases: [
      {
        name: "workers over an index",
        kind: "limit",
        run: (items) => workers(numbers(items), fn, concurrency),
      },
      {
        name: "mapConcurrent()",
        kind: "ours",
        run: (items) => mapConcurrent(numbers(items), fn, { concurrency }),
      },
      {
        name: "p-map",
        kind: "peer",
        run: (items) => pMap(numbers(items), fn, { concurrency }),
      },
      {
        name: "effect",
        kind: "peer",
        run: (items) =>
          Effect.runPromise(
            Effect.forEach(
              numbers(items),
              (item) => Effect.promise(async () => await fn(item)),
              { concurrency },
            ),
          ),
      },
    ],
  };
}

/** The questions, by name. */
export const questions: Readonly<Record<string, Question>> = {
  noopTen: mapping(noop, "no-op", 10),
  noopHundred: mapping(noop, "no-op", 100),
  microtaskTen: mapping(microtask, "one microtask", 10),
};

registerBenches(questions);
