/**
 * Producers and consumers on one queue, which is shut down at the end.
 *
 * Run it: `deno run examples/05_producer_consumer.ts`
 */
import { gather } from "@ilmek/async/gather";
import { Queue } from "@ilmek/async/queue";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /**
   * Where the delays come from: numbers from 0 up to 1.
   *
   * @default {Math.random}
   */
  random?: () => number;
  /**
   * How many produce.
   *
   * @default {2}
   */
  producers?: number;
  /**
   * How many consume.
   *
   * @default {3}
   */
  consumers?: number;
  /**
   * How many items fit into the queue.
   *
   * @default {10}
   */
  capacity?: number;
}

/** A number from `min` up to `max`. */
export type Uniform = (min: number, max: number) => number;

/** Who produces or consumes, and how long that takes. */
export interface Worker {
  id: number;
  uniform: Uniform;
}

/**
 * Puts 5 items.
 *
 * The guide's producer also puts an end marker. That is an item like any other:
 * nobody marks it as done, so that the queue is never done with; and the first
 * producer to end sends all consumers home, while others still produce.
 */
export async function producer(
  queue: Queue<string>,
  { id, uniform }: Worker,
): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const item = `P${id}-Item${i}`;
    await sleep(uniform(100, 500));
    await queue.put(item);
    console.log(`Producer ${id} üretti: ${item}`);
  }
}

/** Takes items, until the queue is shut down and empty. */
export async function consumer(
  queue: Queue<string>,
  { id, uniform }: Worker,
): Promise<void> {
  for await (const item of queue) {
    try {
      await sleep(uniform(100, 300));
      console.log(`Consumer ${id} işledi: ${item}`);
    } finally {
      // The guide loses this if the work fails, and waits for ever.
      queue.taskDone();
    }
  }
}

/**
 * The group ends the pattern if anybody fails: in the guide nobody would hear of
 * a consumer's error, and producers would wait for room that never comes.
 */
export async function producerConsumerPattern(
  options: MainOptions = {},
): Promise<void> {
  const { random = Math.random, capacity = 10 } = options;
  const { producers: producerCount = 2, consumers: consumerCount = 3 } =
    options;
  const uniform: Uniform = (min, max) => min + (max - min) * random();
  const queue = new Queue<string>({ capacity });

  await TaskGroup.run(async (group) => {
    const start = (kind: string, work: typeof producer, id: number) =>
      group.createTask(() => work(queue, { id, uniform }), {
        name: `${kind} ${id}`,
      });
    const producers = Array.from(
      { length: producerCount },
      (_, id) => start("Producer", producer, id),
    );
    for (let id = 0; id < consumerCount; id++) start("Consumer", consumer, id);

    await gather(producers);
    await queue.join();
    queue.shutdown();
  });

  console.log("Producer-Consumer işlemi tamamlandı");
}

export async function main(options: MainOptions = {}): Promise<void> {
  await producerConsumerPattern(options);
}

if (import.meta.main) await run(() => main());
