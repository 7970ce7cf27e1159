/**
 * What a call in a thread costs that does next to nothing: one after the other, and
 * with many in flight. Everybody has one thread, which has been started before.
 *
 * @module
 */
import { ThreadPool } from "@ilmek/async/thread-pool";
import { Piscina } from "piscina";
import workerpool from "workerpool";
import { type Case, type Question, registerBenches } from "../question.ts";

const CALLS = 500;
const SEQUENTIAL_CALLS = 50;

type Add = (a: number, b: number) => PromiseLike<number>;

/** The limit: a message each way, and who waits by number. */
function bareWorker(): Add {
  const waiting = new Map<number, (sum: number) => void>();
  let last = 0;
  const worker = new Worker(new URL("./fixtures/bare.ts", import.meta.url), {
    type: "module",
  });
  worker.onmessage = ({ data: [id, sum] }) => {
    waiting.get(id)?.(sum);
    waiting.delete(id);
  };
  return (a, b) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      worker.postMessage([last, a, b]);
    });
}

function ours(): Add {
  const pool = new ThreadPool({ maxThreads: 1, idleMs: Infinity });
  return pool.use<typeof import("./fixtures/add.ts")>(
    import.meta.resolve("./fixtures/add.ts"),
  ).add;
}

function piscina(): Add {
  const pool = new Piscina({
    filename: import.meta.resolve("./fixtures/add.ts"),
    minThreads: 1,
    maxThreads: 1,
  });
  return (a, b) => pool.run({ a, b });
}

function workerPool(): Add {
  const pool = workerpool.pool(
    new URL("./fixtures/workerpool.ts", import.meta.url).pathname,
    { maxWorkers: 1, workerType: "thread" },
  );
  return (a, b) => pool.exec("add", [a, b]) as unknown as Promise<number>;
}

/** Threads are started when a case runs first, and are shared by the questions. */
const adders: readonly [Case["name"], Case["kind"], () => Add][] = [
  ["postMessage", "limit", once(bareWorker)],
  ["ThreadPool.run()", "ours", once(ours)],
  ["piscina", "peer", once(piscina)],
  ["workerpool", "peer", once(workerPool)],
];

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const questions: Record<string, Question> = {
  inFlight: {
    kind: "speed",
    group: "many calls in flight",
    items: CALLS,
    cases: adders.map(([name, kind, adder]) => ({
      name,
      kind,
      run: async (calls) => {
        const add = adder();
        const sums: PromiseLike<number>[] = [];
        for (let i = 0; i < calls; i++) sums.push(add(i, 1));
        await Promise.all(sums);
      },
    })),
  },
  oneAtATime: {
    kind: "speed",
    group: "one call at a time",
    items: SEQUENTIAL_CALLS,
    cases: adders.map(([name, kind, adder]) => ({
      name,
      kind,
      run: async (calls) => {
        const add = adder();
        for (let i = 0; i < calls; i++) await add(i, 1);
      },
    })),
  },
};

registerBenches(questions);
