/**
 * Tasks: names and states, cancellation, groups, results, futures and errors.
 *
 * Run it: `deno run examples/07_task_management.ts`
 */
import { asCompleted } from "@ilmek/async/as-completed";
import { throwIfCancelled } from "@ilmek/async/checkpoint";
import { CancelledError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { uncancellable } from "@ilmek/async/uncancellable";
import { clockText } from "./_clock.ts";
import { repr } from "./_python.ts";

/** Options of {@linkcode monitoredTask}. */
export interface MonitoredTaskOptions {
  /**
   * With how many digits the seconds are shown.
   *
   * @default {0}
   */
  fractionDigits?: number;
}

/** A task that tells when it starts, ends or is cancelled. */
export async function monitoredTask(
  name: string,
  ms: number,
  options: MonitoredTaskOptions = {},
): Promise<string> {
  const { fractionDigits = 0 } = options;
  console.log(`[${clockText()}] ${name} başladı`);

  try {
    await sleep(ms);
    const seconds = (ms / 1000).toFixed(fractionDigits);
    const result = `${name} başarıyla tamamlandı (${seconds}s)`;
    console.log(`[${clockText()}] ${result}`);
    return result;
  } catch (error) {
    if (error instanceof CancelledError) {
      console.log(`[${clockText()}] ${name} iptal edildi`);
    }
    throw error;
  }
}

export async function taskManagementExample(): Promise<void> {
  const task1 = createTask(() => monitoredTask("Task-1", 2000), {
    name: "task-1",
  });
  const task2 = createTask(() => monitoredTask("Task-2", 3000), {
    name: "task-2",
  });
  const task3 = createTask(() => monitoredTask("Task-3", 1000), {
    name: "task-3",
  });

  // No task has begun: they do when this function waits.
  console.log(`Task-1 name: ${task1.name}`);
  console.log(`Task-1 done: ${repr(task1.done)}`);
  console.log(`Task-1 cancelled: ${repr(task1.cancelled)}`);

  const results = await gather([task1, task2, task3]);
  console.log(`Tüm task'lar tamamlandı: ${repr(results)}`);
}

export async function cancellableTask(name: string): Promise<string> {
  try {
    for (let i = 0; i < 10; i++) {
      // A wait that ended before the cancellation came does not throw: without
      // this line a step that begins at that very instant would still be taken.
      throwIfCancelled();
      console.log(`${name}: adım ${i + 1}`);
      await sleep(500);
    }
    return `${name} tamamlandı`;
  } catch (error) {
    if (error instanceof CancelledError) {
      console.log(`${name} iptal edildi!`);
      await uncancellable(async () => {
        await sleep(100);
        console.log(`${name} cleanup tamamlandı`);
      });
    }
    throw error;
  }
}

export async function cancellationExample(): Promise<void> {
  const task = createTask(() => cancellableTask("Cancellable"));

  await sleep(2000);
  task.cancel();

  try {
    await task;
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    console.log("Task başarıyla iptal edildi");
  }
}

/**
 * Waits for a group, and tells when the time runs out.
 *
 * The guide's group prints that after its tasks have been cancelled; here it comes
 * before. The rest of that class is the library's `TaskGroup`, which gives results
 * in the order of creation, keeps those of tasks that ended early, loses no error,
 * and cancels and awaits the others when one fails: the guide's does none of it.
 */
export async function waitAll(
  group: TaskGroup,
  timeoutMs: number,
): Promise<unknown[]> {
  const notice = getRunningLoop().callLater(timeoutMs, () => {
    if (group.size === 0) return;
    console.log(
      `${group.name}: Timeout! Kalan task'lar iptal ediliyor...`,
    );
  });
  try {
    return await group.waitAll({ timeoutMs });
  } finally {
    notice.cancel();
  }
}

export async function taskGroupExample(): Promise<void> {
  await using group = new TaskGroup({ name: "MyGroup" });

  group.createTask(() => monitoredTask("A", 1000));
  group.createTask(() => monitoredTask("B", 2000));
  group.createTask(() => monitoredTask("C", 3000));

  console.log(`Grup'ta ${group.size} task var`);

  const results = await waitAll(group, 5000);
  console.log(`Tüm task'lar tamamlandı: ${results.length} sonuç`);
}

export async function taskResultsExample(): Promise<void> {
  const tasks = [1, 2, 3, 4, 5].map((i) =>
    createTask(() => monitoredTask(`Task-${i}`, i * 500, { fractionDigits: 1 }))
  );

  for (const next of asCompleted(tasks)) {
    const result = await next;
    console.log(`Sonuç alındı: ${result}`);
  }
}

/**
 * Waits for a future that another task sets.
 *
 * The guide drops that task: if it failed, the future would be awaited for ever.
 * Here a group owns it, and its failure ends the wait.
 */
export async function futureExample(
  compute: () => Promise<string> = () =>
    sleep(1000, { value: "Future sonucu!" }),
): Promise<void> {
  const future = getRunningLoop().createFuture<string>();

  const setFutureResult = async () => {
    future.setResult(await compute());
  };

  await TaskGroup.run(async (group) => {
    group.createTask(setFutureResult);

    console.log("Future bekleniyor...");
    const result = await future;
    console.log(`Future sonucu: ${result}`);
  });
}

export async function failingTask(name: string): Promise<string> {
  await sleep(500);
  throw new RangeError(`${name} bir hata verdi!`);
}

export async function exceptionHandlingExample(): Promise<void> {
  const tasks = [
    createTask(() => monitoredTask("Success-1", 1000)),
    createTask(() => failingTask("Failure")),
    createTask(() => monitoredTask("Success-2", 1000)),
  ];

  const results = await gather(tasks, { returnExceptions: true });

  for (const [i, result] of results.entries()) {
    if (result instanceof Error) {
      console.log(`Task ${i} hata verdi: ${result.message}`);
    } else {
      console.log(`Task ${i} başarılı: ${result}`);
    }
  }
}

export async function main(): Promise<void> {
  console.log("=== Task Management ===");
  await taskManagementExample();

  console.log("\n=== Task Cancellation ===");
  await cancellationExample();

  console.log("\n=== Task Group ===");
  await taskGroupExample();

  console.log("\n=== Task Results ===");
  await taskResultsExample();

  console.log("\n=== Future Example ===");
  await futureExample();

  console.log("\n=== Exception Handling ===");
  await exceptionHandlingExample();
}

if (import.meta.main) await run(main);
