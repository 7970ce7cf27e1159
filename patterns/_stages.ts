import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { type CancelledError, isCancelled } from "../primitives/errors.ts";
import { QueueShutDownError } from "../primitives/queue.ts";
import type { Task } from "../primitives/task.ts";
import { TaskGroup } from "../primitives/task_group.ts";
import { type Numbered, type Pipe, Reorder } from "./_pipe.ts";

/** A step of a pipeline: moves items from one pipe to the next. */
export interface Stage {
  readonly name: string;
  /** How many results may wait for the next stage. */
  readonly capacity: number;
  /** Ends when no more items come; the pipeline closes `output`. */
  work(input: Pipe<unknown>, output: Pipe<unknown>): Promise<void>;
}

/** How a stage works on its items. */
export interface MapPlan {
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly capacity: number;
  readonly onError: ((error: unknown, item: unknown) => void) | undefined;
}

/** What comes of an item: one result, or none. */
export type StageResult = { readonly item: unknown } | undefined;

/** A stage in which each item gives one result at most. */
export function mapStage(
  name: string,
  fn: (item: unknown) => StageResult | PromiseLike<StageResult>,
  plan: MapPlan,
): Stage {
  const { concurrency, ordered, capacity, onError } = plan;
  const resultOf = async (item: unknown): Promise<StageResult> => {
    if (onError === undefined) return await fn(item);
    try {
      return await fn(item);
    } catch (error) {
      throwIfCancelled();
      onError(error, item);
      return undefined;
    }
  };
  return {
    name,
    capacity,
    work: async (input, output) => {
      const reorder = new Reorder<unknown>(
        concurrency + capacity,
        (item) => output.put(item),
      );
      const hand = ordered && concurrency > 1
        ? (place: number, result: StageResult) => reorder.deliver(place, result)
        : async (_: number, result: StageResult) => {
          if (result !== undefined) await output.put(result.item);
        };
      const worker = async (): Promise<void> => {
        for await (const { place, item } of input) {
          await hand(place, await resultOf(item));
        }
      };
      await together(name, worker, concurrency);
    },
  };
}

/** A stage that gives several items as one. */
export function batchStage(
  size: number,
  maxWaitMs: number,
  capacity: number,
): Stage {
  return {
    name: "batch",
    capacity,
    work: async (input, output) => {
      for (;;) {
        const batch: unknown[] = [];
        const first = await next(input);
        if (first === undefined) return;
        batch.push(first.item);
        const isLast = await fill(input, batch, { size, maxWaitMs });
        await output.put(batch);
        if (isLast) return;
      }
    },
  };
}

/** Adds items until there are enough, or time is up; `true` if no more come. */
async function fill(
  input: Pipe<unknown>,
  batch: unknown[],
  { size, maxWaitMs }: { size: number; maxWaitMs: number },
): Promise<boolean> {
  const loop = getRunningLoop();
  const until = loop.time() + maxWaitMs;
  while (batch.length < size) {
    const take = async () => ({ got: await next(input) });
    const taken = maxWaitMs === Infinity
      ? await take()
      : (await moveOnAfter(Math.max(0, until - loop.time()), take)).value;
    if (taken === undefined) return false;
    if (taken.got === undefined) return true;
    batch.push(taken.got.item);
  }
  return false;
}

async function next(
  input: Pipe<unknown>,
): Promise<Numbered<unknown> | undefined> {
  try {
    return await input.get();
  } catch (error) {
    if (error instanceof QueueShutDownError) return undefined;
    throw error;
  }
}

/** Runs several workers until all have ended. */
async function together(
  name: string,
  worker: () => Promise<void>,
  count: number,
): Promise<void> {
  if (count === 1) return await worker();
  await runTogether(name, ({ start }) => {
    for (let i = 0; i < count; i++) start(`${name} ${i}`, worker);
  });
}

/** What the function of {@linkcode runTogether} receives. */
export interface Togetherness {
  /** Starts a part of the work. */
  start(name: string, fn: () => Promise<void>): void;
  cancelAll(reason: unknown): void;
}

/**
 * Runs parts of one work, of which each needs the others: unlike the members of a
 * group, none is cancelled alone, since the others would wait for it for ever.
 */
export async function runTogether(
  name: string,
  body: (together: Togetherness) => void | Promise<void>,
): Promise<void> {
  const tasks: Task<void>[] = [];
  let cancelled: unknown;
  try {
    await TaskGroup.run(async (group) => {
      await body({
        start: (name, fn) => {
          const task = group.createTask(fn, { name });
          tasks.push(task);
          task.addDoneCallback(() => {
            if (task.cancelled) group.cancelAll(`"${name}" was cancelled`);
          });
        },
        cancelAll: (reason) => group.cancelAll(reason),
      });
    }, { name });
  } catch (error) {
    throwIfCancelled();
    if (!isCancelled(error)) throw error;
    cancelled = error;
  }
  // Who was cancelled alone tells why the others are.
  for (const task of tasks) {
    if (!task.cancelled) continue;
    const error = errorOf(task) as CancelledError;
    if (error.scope !== name) cancelled = error;
    else cancelled ??= error;
  }
  if (cancelled !== undefined) throw cancelled;
}

function errorOf(task: Task<unknown>): unknown {
  try {
    return task.result();
  } catch (error) {
    return error;
  }
}
