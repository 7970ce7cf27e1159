/**
 * The functions of the guide's example 7, as the guide has them; see guide.ts.
 *
 * @module
 */
import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { waitFor } from "@ilmek/async/wait-for";
import { CLOCK, Example, listOf } from "./guide.ts";
import { type Tracer, valueError } from "./harness.ts";

/** Example 7: tasks and futures. */
export class Example7 extends Example {
  async monitoredTask(name: string, durationMs: number): Promise<string> {
    this.print(`[${CLOCK}] ${name} başladı`);

    try {
      await sleep(durationMs);
      const result = `${name} başarıyla tamamlandı (${durationMs / 1000}s)`;
      this.print(`[${CLOCK}] ${result}`);
      return result;
    } catch (error) {
      if (isCancelled(error)) this.print(`[${CLOCK}] ${name} iptal edildi`);
      throw error;
    }
  }

  async taskManagementExample(): Promise<void> {
    const task1 = createTask(() => this.monitoredTask("Task-1", 2000), {
      name: "task-1",
    });
    const task2 = createTask(() => this.monitoredTask("Task-2", 3000), {
      name: "task-2",
    });
    const task3 = createTask(() => this.monitoredTask("Task-3", 1000), {
      name: "task-3",
    });

    this.print(`Task-1 name: ${task1.name}`);
    this.print(`Task-1 done: ${task1.done ? "True" : "False"}`);
    this.print(`Task-1 cancelled: ${task1.cancelled ? "True" : "False"}`);

    const results = await gather([task1, task2, task3]);
    this.print(`Tüm task'lar tamamlandı: ${listOf(results)}`);
  }

  async cancellableTask(name: string): Promise<string> {
    try {
      for (let i = 0; i < 10; i++) {
        this.print(`${name}: adım ${i + 1}`);
        await sleep(500);
      }
      return `${name} tamamlandı`;
    } catch (error) {
      if (!isCancelled(error)) throw error;
      this.print(`${name} iptal edildi!`);
      await uncancellable(() => sleep(100));
      this.print(`${name} cleanup tamamlandı`);
      throw error;
    }
  }

  async cancellationExample(): Promise<void> {
    const task = createTask(() => this.cancellableTask("Cancellable"));

    await sleep(2000);

    task.cancel();

    try {
      await task;
    } catch (error) {
      if (!isCancelled(error)) throw error;
      this.print("Task başarıyla iptal edildi");
    }
  }

  async futureExample(): Promise<void> {
    const loop = getRunningLoop();

    const future = loop.createFuture<string>();

    const setFutureResult = async (): Promise<void> => {
      await sleep(1000);
      future.setResult("Future sonucu!");
    };

    createTask(setFutureResult);

    this.print("Future bekleniyor...");
    const result = await future;
    this.print(`Future sonucu: ${result}`);
  }

  async failingTask(name: string): Promise<string> {
    await sleep(500);
    throw valueError(`${name} bir hata verdi!`);
  }

  async exceptionHandlingExample(): Promise<void> {
    const tasks = [
      createTask(() => this.monitoredTask("Success-1", 1000)),
      createTask(() => this.failingTask("Failure")),
      createTask(() => this.monitoredTask("Success-2", 1000)),
    ];

    const results = await gather(tasks, { returnExceptions: true });

    for (const [i, result] of results.entries()) {
      if (result instanceof Error) {
        this.print(`Task ${i} hata verdi: ${result.message}`);
      } else {
        this.print(`Task ${i} başarılı: ${result}`);
      }
    }
  }
}

/** The group of example 7, which loses what ended before `waitAll`. */
export class Example7Group extends Example {
  readonly name: string;
  readonly tasks: Set<Task<unknown>> = new Set();

  constructor(t: Tracer, name: string) {
    super(t);
    this.name = name;
  }

  createTask<T>(coro: () => Promise<T>): Task<T> {
    const task = createTask(coro);
    this.tasks.add(task);
    task.addDoneCallback((task) => this.tasks.delete(task));
    return task;
  }

  async waitAll(timeoutMs: number | null = null): Promise<unknown[]> {
    if (this.tasks.size === 0) return [];

    try {
      return await waitFor(gather([...this.tasks]), timeoutMs);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      this.print(`${this.name}: Timeout! Kalan task'lar iptal ediliyor...`);
      for (const task of this.tasks) task.cancel();
      throw error;
    }
  }

  cancelAll(): void {
    for (const task of this.tasks) task.cancel();
  }

  /** `len(group)` */
  get size(): number {
    return this.tasks.size;
  }
}
