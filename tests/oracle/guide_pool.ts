/**
 * Example 12 of the guide, as the guide has it: what is wrong with it is kept.
 *
 * @module
 */
import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { Example } from "./guide.ts";
import type { Tracer } from "./harness.ts";

type Job = () => Promise<unknown>;

/** The guide's pool of workers. */
export class Example12Pool extends Example {
  readonly numWorkers: number;
  readonly queue: Queue<{ readonly func: Job } | null> = new Queue();
  workers: Task<void>[] = [];

  constructor(t: Tracer, numWorkers: number) {
    super(t);
    this.numWorkers = numWorkers;
  }

  async worker(workerId: number): Promise<void> {
    while (true) {
      const task = await this.queue.get();

      if (task === null) {
        this.queue.taskDone();
        break;
      }

      try {
        this.print(`Worker-${workerId} görevi işliyor...`);
        const result = await task.func();
        this.print(`Worker-${workerId} tamamladı: ${result}`);
      } catch (error) {
        // Python's `Exception` leaves cancellations out.
        if (isCancelled(error)) throw error;
        this.print(`Worker-${workerId} hata aldı: ${(error as Error).message}`);
      } finally {
        this.queue.taskDone();
      }
    }
  }

  start(): void {
    this.workers = Array.from(
      { length: this.numWorkers },
      (_, i) => createTask(() => this.worker(i)),
    );
  }

  async submit(func: Job): Promise<void> {
    await this.queue.put({ func });
  }

  async join(): Promise<void> {
    await this.queue.join();
  }

  async stop(): Promise<void> {
    for (let i = 0; i < this.numWorkers; i++) await this.queue.put(null);

    await gather(this.workers);
  }
}

/** Example 12: jobs that take a while. */
export class Example12 extends Example {
  readonly #draws: readonly number[];
  #drawn = 0;

  constructor(t: Tracer, draws: readonly number[]) {
    super(t);
    this.#draws = draws;
  }

  async processItem(itemId: number): Promise<string> {
    const draw = this.#draws[this.#drawn++ % this.#draws.length] ?? 0;
    const delay = 0.5 + 1.5 * draw;
    await sleep(delay * 1000);
    return `Item-${itemId} işlendi (${twoDigits(delay)}s)`;
  }

  async workerPoolExample(): Promise<void> {
    const pool = new Example12Pool(this.t, 3);

    pool.start();

    for (let i = 0; i < 10; i++) {
      await pool.submit(() => this.processItem(i));
    }

    await pool.join();

    await pool.stop();

    this.print("Tüm görevler tamamlandı!");
  }
}

/** Python's `.2f`; the sums of the scenarios are a hair off their value. */
function twoDigits(seconds: number): string {
  return (Math.round(seconds * 1e6) / 1e6).toFixed(2);
}
