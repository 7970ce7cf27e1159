import { isCancelled } from "@ilmek/async/errors";
import type { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import type { Task } from "@ilmek/async/task";
import type { Tracer } from "./harness.ts";

/** The names of tasks, sorted, since the order in a set means nothing. */
export function names(tasks: Iterable<Task<unknown>>): string[] {
  return Array.from(tasks, (task) => task.name).sort();
}

/** A future that nobody has set. */
export function fut<T>(): Future<T> {
  return getRunningLoop().createFuture<T>();
}

/** What a locker takes and gives back: a lock or a semaphore. */
export interface Guard {
  acquire(): Promise<Disposable>;
}

/** An actor that holds a lock for so many seconds. */
export async function locker(
  t: Tracer,
  guard: Guard,
  name: string,
  seconds: number,
): Promise<void> {
  t(`${name}:want`);
  try {
    using _permit = await guard.acquire();
    t(`${name}:in`);
    await sleep(seconds * 1000);
    t(`${name}:out`);
  } catch (error) {
    if (isCancelled(error)) t(`${name}:cancelled`);
    throw error;
  }
}
