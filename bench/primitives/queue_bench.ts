/**
 * What an item costs on its way through a queue, and a caller who waits for one.
 *
 * @module
 */
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { Sema } from "async-sema";
import { Effect, Fiber, Queue as EffectQueue } from "effect";
import { type Question, registerBenches } from "../question.ts";
import { stdCases, type StdChannel } from "../std_async.ts";

const ITEMS = 10_000;
const BOUND = 16;

/** The limit: rings of items and resolvers, without a way to give up. */
class LeastQueue<T> {
  readonly #capacity: number;
  readonly #items = new Ring<T>();
  readonly #getters = new Ring<(item: T) => void>();
  readonly #putters = new Ring<{ item: T; resolve: () => void }>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  put(item: T): Promise<void> {
    const getter = this.#getters.shift();
    if (getter !== undefined) getter(item);
    else if (this.#items.size < this.#capacity) this.#items.push(item);
    else {
      return new Promise((resolve) => this.#putters.push({ item, resolve }));
    }
    return DONE;
  }

  get(): Promise<T> {
    if (this.#items.size === 0) {
      return new Promise((resolve) => this.#getters.push(resolve));
    }
    const item = this.#items.shift() as T;
    const putter = this.#putters.shift();
    if (putter !== undefined) {
      this.#items.push(putter.item);
      putter.resolve();
    }
    return Promise.resolve(item);
  }
}

const DONE = Promise.resolve();

class Ring<T> {
  size = 0;
  #slots: (T | undefined)[] = new Array(16);
  #head = 0;

  push(item: T): void {
    const { length } = this.#slots;
    if (this.size === length) {
      const slots = new Array(length * 2);
      for (let i = 0; i < length; i++) {
        slots[i] = this.#slots[(this.#head + i) & (length - 1)];
      }
      this.#slots = slots;
      this.#head = 0;
    }
    this.#slots[(this.#head + this.size++) & (this.#slots.length - 1)] = item;
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.size--;
    return item;
  }
}

/** What all queues of promises have in common. */
interface Pipe {
  put(item: number): Promise<void>;
  get(): Promise<number>;
}

/** Sends `items` through, by so many producers to so many consumers. */
function* workers(pipe: Pipe, items: number, width: number) {
  const share = items / width;
  for (let w = 0; w < width; w++) {
    yield async (): Promise<void> => {
      for (let i = 0; i < share; i++) await pipe.put(i);
    };
    yield async (): Promise<void> => {
      for (let i = 0; i < share; i++) await pipe.get();
    };
  }
}

function runEffect(
  items: number,
  width: number,
  makeQueue: Effect.Effect<EffectQueue.Queue<number>>,
): Promise<void> {
  const share = items / width;
  return Effect.runPromise(Effect.gen(function* () {
    const queue = yield* makeQueue;
    const fibers = [];
    for (let w = 0; w < width; w++) {
      fibers.push(
        yield* Effect.forkChild(Effect.gen(function* () {
          for (let i = 0; i < share; i++) yield* EffectQueue.offer(queue, i);
        })),
        yield* Effect.forkChild(Effect.gen(function* () {
          for (let i = 0; i < share; i++) yield* EffectQueue.take(queue);
        })),
      );
    }
    yield* Fiber.joinAll(fibers);
  }));
}

/** The question of so many producers and consumers. */
async function passOn(width: number, capacity: number): Promise<Question> {
  const bounded = capacity < Number.POSITIVE_INFINITY;
  return {
    kind: "speed",
    group: `put and get, ${width}x${width}, ${bounded ? "" : "un"}bounded`,
    items: ITEMS,
    cases: [
      {
        name: "ring and resolvers",
        kind: "limit",
        run: (items) => {
          const queue = new LeastQueue<number>(capacity);
          return Promise.all(
            [...workers(queue, items, width)].map((work) => work()),
          );
        },
      },
      {
        name: "Queue.put() and Queue.get()",
        kind: "ours",
        run: (items) => {
          const queue = new Queue<number>({ capacity });
          return TaskGroup.run((group) => {
            for (const work of workers(queue, items, width)) {
              group.createTask(work);
            }
          });
        },
      },
      {
        name: "effect",
        kind: "peer",
        run: (items) =>
          runEffect(
            items,
            width,
            bounded ? EffectQueue.bounded(capacity) : EffectQueue.unbounded(),
          ),
      },
      ...await stdCases("unstable-channel", ({ Channel }: StdChannel) => [{
        name: "@std/async",
        kind: "peer" as const,
        run: (items: number) => {
          // A channel has a finite buffer: one that holds everything is unbounded.
          const channel = new Channel<number>({
            capacity: bounded ? capacity : items,
          });
          const pipe = {
            put: (item: number) => channel.send(item),
            get: () => channel.receive(),
          };
          return Promise.all(
            [...workers(pipe, items, width)].map((work) => work()),
          );
        },
      }]),
    ],
  };
}

/** Lets callers wait, and serves all of them. */
async function serveWaiters(items: number, pipe: Pipe): Promise<void> {
  const waits = [];
  for (let i = 0; i < items; i++) waits.push(pipe.get());
  for (let i = 0; i < items; i++) await pipe.put(i);
  await Promise.all(waits);
}

async function fillAndDrain(items: number, pipe: Pipe): Promise<void> {
  for (let i = 0; i < items; i++) await pipe.put(i);
  for (let i = 0; i < items; i++) await pipe.get();
}

/** What becomes of a pipe without bounds when much is in it. */
function grow(
  group: string,
  work: (items: number, pipe: Pipe) => Promise<void>,
): Question {
  return {
    kind: "growth",
    group,
    cases: [
      {
        name: "ring and resolvers",
        kind: "limit",
        run: (items) =>
          work(items, new LeastQueue<number>(Number.POSITIVE_INFINITY)),
      },
      {
        name: "Queue.put() and Queue.get()",
        kind: "ours",
        run: (items) => work(items, new Queue<number>()),
      },
    ],
  };
}

/** Cancels tasks that stand in one line, from its middle to both ends. */
function cancelFromTheMiddle(items: number): Promise<void> {
  return TaskGroup.run(async (group) => {
    const queue = new Queue<number>();
    const tasks = [];
    for (let i = 0; i < items; i++) {
      tasks.push(group.createTask(() => queue.get()));
    }
    await sleep(0);
    const middle = items >> 1;
    for (let i = 0; i < middle; i++) {
      tasks[middle + i]?.cancel();
      tasks[middle - 1 - i]?.cancel();
    }
  });
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  oneBounded: await passOn(1, BOUND),
  oneUnbounded: await passOn(1, Number.POSITIVE_INFINITY),
  fourBounded: await passOn(4, BOUND),
  fourUnbounded: await passOn(4, Number.POSITIVE_INFINITY),

  waitersGrowth: grow("waiters in line", serveWaiters),
  itemsGrowth: grow("items in a queue", fillAndDrain),

  middleGrowth: {
    kind: "growth",
    group: "waiters that are cancelled from the middle",
    cases: [{ name: "Queue.get()", kind: "ours", run: cancelFromTheMiddle }],
  },

  waiterBytes: {
    kind: "bytes",
    group: "a waiter",
    cases: [
      {
        name: "promise and resolver",
        kind: "limit",
        hold: (items) => {
          const resolvers: ((value: number) => void)[] = [];
          const waits: Promise<number>[] = [];
          for (let i = 0; i < items; i++) {
            waits.push(new Promise((resolve) => resolvers.push(resolve)));
          }
          return () => {
            resolvers.forEach((resolve, i) => resolve(i));
            return Promise.all(waits);
          };
        },
      },
      {
        name: "Queue.get()",
        kind: "ours",
        hold: (items) => {
          const queue = new Queue<number>();
          const waits: Promise<number>[] = [];
          for (let i = 0; i < items; i++) waits.push(queue.get());
          return () => {
            for (let i = 0; i < items; i++) queue.putNowait(i);
            return Promise.all(waits);
          };
        },
      },
      {
        name: "async-sema",
        kind: "peer",
        hold: (items) => {
          const sema = new Sema(0);
          const waits: Promise<unknown>[] = [];
          for (let i = 0; i < items; i++) waits.push(sema.acquire());
          return () => {
            for (let i = 0; i < items; i++) sema.release();
            return Promise.all(waits);
          };
        },
      },
    ],
  },
};

registerBenches(questions);
