/**
 * The functions of the guide's example programs that the scenarios run, as the
 * guide has them: what is wrong with them is kept. Example 7 has a file of its own.
 *
 * @module
 */
import { asCompleted } from "@ilmek/async/as-completed";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import type { VirtualLoop } from "@ilmek/async/virtual";
import { FIRST_COMPLETED, wait } from "@ilmek/async/wait";
import { waitFor } from "@ilmek/async/wait-for";
import type { Tracer } from "./harness.ts";

/** What stands in the traces for the time of day. */
export const CLOCK = "HH:MM:SS";

interface User {
  readonly id: number;
  readonly name: string;
}

interface Post {
  readonly id: number;
  readonly title: string;
}

/** A program of the guide; what it prints goes to the trace. */
export class Example {
  readonly t: Tracer;

  constructor(t: Tracer) {
    this.t = t;
  }

  print(line: string): void {
    this.t("out:", line);
  }
}

/** Example 1: calls that block. */
export class Example1 extends Example {
  syncTask(name: string, delayMs: number): string {
    this.print(`[${CLOCK}] ${name} başladı`);
    this.t.virtual.advance(delayMs);
    this.print(`[${CLOCK}] ${name} bitti`);
    return `${name} tamamlandı`;
  }

  runSync(): void {
    const start = this.t.virtual.now;
    this.syncTask("Task-1", 2000);
    this.syncTask("Task-2", 2000);
    this.syncTask("Task-3", 2000);
    const seconds = (this.t.virtual.now - start) / 1000;
    this.print(`Toplam süre: ${seconds.toFixed(2)} saniye`);
  }
}

/** Example 2: who may call whom. */
export class Example2 extends Example {
  /** What stands for `asyncio.run`. */
  run: <T>(main: () => Promise<T>) => Promise<T> = (main) => main();

  async fetchData(userId: number): Promise<User> {
    await sleep(500);
    return { id: userId, name: `User-${userId}` };
  }

  async cannotCallAsync(): Promise<User> {
    const data = await this.run(() => this.fetchData(1));
    return data;
  }

  async canCallSync(): Promise<[number, User]> {
    const result = "test".length;
    const data = await this.fetchData(1);
    return [result, data];
  }

  async callAsyncFromAsync(): Promise<User> {
    const data = await this.fetchData(1);
    return data;
  }

  async fetchMultipleUsers(userIds: readonly number[]): Promise<User[]> {
    const tasks = userIds.map((uid) => () => this.fetchData(uid));
    const results = await gather(tasks);
    return results;
  }
}

/** Example 3: the functions of asyncio. */
export class Example3 extends Example {
  async backgroundTask(name: string, count: number): Promise<string> {
    for (let i = 0; i < count; i++) {
      this.print(`${name}: ${i + 1}/${count}`);
      await sleep(500);
    }
    return `${name} tamamlandı`;
  }

  async gatherExample(): Promise<void> {
    const results = await gather([
      () => this.backgroundTask("A", 2),
      () => this.backgroundTask("B", 2),
      () => this.backgroundTask("C", 2),
    ], { returnExceptions: true });
    this.print(`Gather sonuçları: ${listOf(results)}`);
  }

  async waitExample(): Promise<void> {
    const tasks = [1, 2, 3].map((i) =>
      createTask(() => this.backgroundTask(`Task-${i}`, i))
    );

    const { done, pending } = await wait(tasks, {
      returnWhen: FIRST_COMPLETED,
    });

    this.print(`İlk tamamlanan: ${done.size} task`);
    this.print(`Devam eden: ${pending.size} task`);

    for (const task of pending) task.cancel();

    await gather([...pending], { returnExceptions: true });
  }

  async slowOperation(): Promise<string> {
    await sleep(5000);
    return "Tamamlandı";
  }

  async timeoutExample(): Promise<void> {
    try {
      const result = await waitFor(() => this.slowOperation(), 2000);
      this.print(result);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      this.print("İşlem zaman aşımına uğradı!");
    }
  }

  async asCompletedExample(): Promise<void> {
    const tasks = [1, 2, 3, 4].map((i) => () =>
      this.backgroundTask(`Task-${i}`, i)
    );

    for (const coro of asCompleted(tasks)) {
      const result = await coro;
      this.print(`Tamamlandı: ${result}`);
    }
  }
}

/** Example 4: coroutines in coroutines. */
export class Example4 extends Example {
  async fetchUser(userId: number): Promise<User> {
    await sleep(500);
    return { id: userId, name: `User-${userId}` };
  }

  async fetchUserPosts(_userId: number): Promise<Post[]> {
    await sleep(500);
    return [
      { id: 1, title: "Post 1" },
      { id: 2, title: "Post 2" },
    ];
  }

  async fetchUserWithPosts(userId: number): Promise<User & { posts: Post[] }> {
    const [user, posts] = await gather([
      () => this.fetchUser(userId),
      () => this.fetchUserPosts(userId),
    ]);

    return { ...user, posts };
  }

  async step1(): Promise<string> {
    this.print("Adım 1 çalışıyor");
    await sleep(500);
    return "Adım 1 tamamlandı";
  }

  async step2(previousResult: string): Promise<string> {
    this.print(`Adım 2 çalışıyor (önceki: ${previousResult})`);
    await sleep(500);
    return "Adım 2 tamamlandı";
  }

  async step3(previousResult: string): Promise<string> {
    this.print(`Adım 3 çalışıyor (önceki: ${previousResult})`);
    await sleep(500);
    return "Adım 3 tamamlandı";
  }

  async chainedCoroutines(): Promise<string> {
    const result1 = await this.step1();
    const result2 = await this.step2(result1);
    const result3 = await this.step3(result2);
    return result3;
  }
}

/** Example 5: producers and consumers. */
export class Example5 extends Example {
  readonly #draws: readonly number[];
  #drawn = 0;

  constructor(t: Tracer, draws: readonly number[]) {
    super(t);
    this.#draws = draws;
  }

  /** `random.uniform`, with draws from 0 to 1 that come round again. */
  uniform(min: number, max: number): number {
    const draw = this.#draws[this.#drawn++ % this.#draws.length] ?? 0;
    return min + (max - min) * draw;
  }

  async producer(
    queue: Queue<string | null>,
    producerId: number,
  ): Promise<void> {
    for (let i = 0; i < 5; i++) {
      const item = `P${producerId}-Item${i}`;
      await sleep(this.uniform(100, 500));
      await queue.put(item);
      this.print(`Producer ${producerId} üretti: ${item}`);
    }

    await queue.put(null);
  }

  async consumer(
    queue: Queue<string | null>,
    consumerId: number,
  ): Promise<void> {
    while (true) {
      const item = await queue.get();

      if (item === null) {
        await queue.put(null);
        break;
      }

      await sleep(this.uniform(100, 300));
      this.print(`Consumer ${consumerId} işledi: ${item}`);
      queue.taskDone();
    }
  }

  async producerConsumerPattern(): Promise<void> {
    const queue = new Queue<string | null>({ capacity: 10 });

    const producers = [0, 1].map((i) =>
      createTask(() => this.producer(queue, i))
    );

    const consumers = [0, 1, 2].map((i) =>
      createTask(() => this.consumer(queue, i))
    );

    await gather(producers);

    await queue.join();

    await queue.put(null);
    await gather(consumers);

    this.print("Producer-Consumer işlemi tamamlandı");
  }
}

/** Example 6: the loop. */
export class Example6 extends Example {
  /** What stands for `asyncio.new_event_loop`. */
  newEventLoop: () => VirtualLoop = () => this.t.virtual;

  async runAsyncInThread<T>(coro: () => Promise<T>): Promise<T> {
    const loop = this.newEventLoop();

    // Nothing here closes a loop without cancelling what is left on it.
    return await loop.run(coro);
  }

  async performanceMonitoring(): Promise<void> {
    const loop = getRunningLoop();

    loop.debug = true;

    const slowTask = async (): Promise<void> => {
      await sleep(200);
    };

    await slowTask();
  }
}

/** A list of strings as Python prints it. */
export function listOf(values: readonly unknown[]): string {
  return `[${values.map((value) => `'${value}'`).join(", ")}]`;
}
