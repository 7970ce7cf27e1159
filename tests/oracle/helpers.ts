import { getRunningLoop } from "@ilmek/async/loop";
import type { Future } from "@ilmek/async/future";
import type { Task } from "@ilmek/async/task";

/** The names of tasks, sorted, since the order in a set means nothing. */
export function names(tasks: Iterable<Task<unknown>>): string[] {
  return Array.from(tasks, (task) => task.name).sort();
}

/** A future that nobody has set. */
export function fut<T>(): Future<T> {
  return getRunningLoop().createFuture<T>();
}
