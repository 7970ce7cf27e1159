/**
 * What an item costs on its way through a pipeline.
 *
 * @module
 */
import { iter } from "@ilmek/async/async-iter";
import { Effect, Stream } from "effect";
import { pMapIterable } from "p-map";
import * as streaming from "streaming-iterables";
import { type Question, registerBenches } from "../question.ts";

const ITEMS = 20_000;
const CONCURRENCY = 16;
const BATCH = 10;

async function* asyncNumbers(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i;
}

function* syncNumbers(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i;
}

const double = (n: number): number => n * 2;
const isWanted = (n: number): boolean => n % 3 !== 0;

/** Takes what comes, as all cases do. */
class Sink {
  sum = 0;

  readonly take = (batch: readonly number[]): void => {
    this.sum += batch.length;
  };
}

/** Maps, filters and batches, as a loop that is written out. */
async function leastPipeline(
  source: AsyncIterable<number> | Iterable<number>,
  isAsync: boolean,
): Promise<number> {
  const sink = new Sink();
  let batch: number[] = [];
  const put = (n: number): void => {
    const value = double(n);
    if (!isWanted(value)) return;
    batch.push(value);
    if (batch.length < BATCH) return;
    sink.take(batch);
    batch = [];
  };
  if (isAsync) { for await (const n of source) put(n); }
  else for (const n of source as Iterable<number>) put(n);
  if (batch.length > 0) sink.take(batch);
  return sink.sum;
}

function pipeline(
  group: string,
  numbers: (count: number) => AsyncIterable<number> | Iterable<number>,
  isAsync: boolean,
): Question {
  return {
    kind: "speed",
    group,
    items: ITEMS,
    cases: [
      {
        name: "a loop",
        kind: "limit",
        run: (items) => leastPipeline(numbers(items), isAsync),
      },
      {
        name: "AsyncIter",
        kind: "ours",
        run: (items) =>
          iter(numbers(items)).map(double).filter(isWanted).batch(BATCH)
            .forEach(new Sink().take),
      },
      {
        name: "streaming-iterables",
        kind: "peer",
        run: (items) =>
          streaming.pipeline(
            () => numbers(items),
            streaming.map(double),
            streaming.filter(isWanted),
            streaming.batch(BATCH),
            streaming.consume,
          ),
      },
      {
        name: "effect",
        kind: "peer",
        run: (items) => {
          const source = isAsync
            ? Stream.fromAsyncIterable(
              numbers(items) as AsyncIterable<number>,
              (error) => error,
            )
            : Stream.fromIterable(numbers(items) as Iterable<number>);
          return Effect.runPromise(
            source.pipe(
              Stream.map(double),
              Stream.filter(isWanted),
              Stream.grouped(BATCH),
              Stream.runDrain,
            ),
          );
        },
      },
    ],
  };
}

const work = async (n: number): Promise<number> => {
  await null;
  return n;
};

/** So many workers over one iterator: nobody waits for what they give. */
async function leastConcurrent(
  source: AsyncGenerator<number>,
  ordered: boolean,
): Promise<number> {
  const values: number[] = [];
  let index = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await source.next();
      if (done) return;
      const at = index++;
      const result = await work(value);
      if (ordered) values[at] = result;
      else values.push(result);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return values.length;
}

function concurrent(ordered: boolean): Question {
  return {
    kind: "speed",
    group: `concurrent map, ${ordered ? "ordered" : "as they come"}`,
    items: ITEMS,
    cases: [
      {
        name: "workers over one iterator",
        kind: "limit",
        run: (items) => leastConcurrent(asyncNumbers(items), ordered),
      },
      {
        name: "AsyncIter.map()",
        kind: "ours",
        run: (items) =>
          iter(asyncNumbers(items))
            .map(work, { concurrency: CONCURRENCY, ordered }).toArray(),
      },
      {
        name: "streaming-iterables",
        kind: "peer",
        run: (items) => {
          const map = ordered ? streaming.parallelMap : streaming.transform;
          return streaming.collect(
            map(CONCURRENCY, work, asyncNumbers(items)),
          );
        },
      },
      {
        name: "p-map",
        kind: "peer",
        run: (items) =>
          Array.fromAsync(
            pMapIterable(asyncNumbers(items), work, {
              concurrency: CONCURRENCY,
            }),
          ),
      },
    ],
  };
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  asyncSource: pipeline("map, filter, batch, async source", asyncNumbers, true),
  syncSource: pipeline("map, filter, batch, sync source", syncNumbers, false),
  unordered: concurrent(false),
  ordered: concurrent(true),
};

registerBenches(questions);
