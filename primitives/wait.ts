/**
 * Waiting for some of several tasks, without taking their errors.
 *
 * ```ts
 * import { createTask } from "@ilmek/async/task";
 * import { FIRST_COMPLETED, wait } from "@ilmek/async/wait";
 *
 * const tasks = [createTask(() => 1), createTask(() => 2)];
 * const { done, pending } = await wait(tasks, { returnWhen: FIRST_COMPLETED });
 * ```
 *
 * @module
 */
import { type Duration, show, toLimitMs } from "../_internal/check.ts";
import { Claim } from "../_internal/claim.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import {
  type DoneCallback,
  type Outcome,
  outcomeOf,
} from "../_internal/outcome.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import type { Future } from "./future.ts";
import type { Task } from "./task.ts";

/** When {@linkcode wait} returns. */
export type ReturnWhen =
  | "first-completed"
  | "first-exception"
  | "all-completed";

/** Returns when any has ended. */
export const FIRST_COMPLETED = "first-completed";
/** Returns when any has failed, or all have ended. */
export const FIRST_EXCEPTION = "first-exception";
/** Returns when all have ended. */
export const ALL_COMPLETED = "all-completed";

/** Options of {@linkcode wait}. */
export interface WaitOptions {
  /**
   * When to return.
   *
   * @default {"all-completed"}
   */
  returnWhen?: ReturnWhen;
  /**
   * How long to wait at most; it is no error if the time runs out.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What {@linkcode wait} gives: every task is in one of the sets. */
export interface WaitResult<W> {
  /** Those that have ended, in whatever way. */
  readonly done: Set<W>;
  /** Those that go on. */
  readonly pending: Set<W>;
}

/**
 * Waits until some or all of several tasks and futures have ended.
 *
 * It neither cancels them nor throws their errors, not even if the one who waits
 * is cancelled.
 *
 * @typeParam W The tasks and futures.
 * @param tasks What to wait for.
 * @param options Additional options.
 * @returns Those that have ended, and the others.
 * @throws {TypeError} If there is anything but tasks and futures.
 * @throws {RangeError} If there is nothing to wait for.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Take the first, and cancel the rest
 * ```ts
 * import { createTask } from "@ilmek/async/task";
 * import { sleep } from "@ilmek/async/sleep";
 * import { FIRST_COMPLETED, wait } from "@ilmek/async/wait";
 * import { assertEquals } from "@std/assert";
 *
 * const quick = createTask(() => sleep(1));
 * const slow = createTask(() => sleep(60_000));
 * const { done, pending } = await wait([quick, slow], {
 *   returnWhen: FIRST_COMPLETED,
 * });
 * for (const task of pending) task.cancel();
 *
 * assertEquals(done, new Set([quick]));
 * ```
 */
export async function wait<W extends Task<unknown> | Future<unknown>>(
  tasks: Iterable<W>,
  options: WaitOptions = {},
): Promise<WaitResult<W>> {
  const { returnWhen = ALL_COMPLETED, timeoutMs = null, signal } = options;
  const ms = toLimitMs(timeoutMs, "wait", "timeoutMs");
  const outcomes = outcomesOf(tasks);
  if (![FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED].includes(returnWhen)) {
    throw new TypeError(
      `Cannot wait as "returnWhen" must be one of the three conditions: current value is ${
        show(returnWhen)
      }`,
    );
  }
  const frame = currentFrame();
  await (refusal(frame, "wait for tasks", signal) ??
    watch(frame, [...outcomes.values()], { returnWhen, ms, signal }));
  const done = new Set<W>();
  const pending = new Set<W>();
  for (const [task, outcome] of outcomes) {
    (outcome.pending ? pending : done).add(task);
  }
  return { done, pending };
}

function outcomesOf<W>(tasks: Iterable<W>): Map<W, Outcome<unknown>> {
  const outcomes = new Map<W, Outcome<unknown>>();
  for (const task of tasks) {
    const outcome = outcomeOf(task);
    if (outcome === undefined) {
      throw new TypeError(
        `Cannot wait for ${
          show(task)
        }: it must be a task or a future, see createTask()`,
      );
    }
    outcomes.set(task, outcome);
  }
  if (outcomes.size > 0) return outcomes;
  throw new RangeError(
    'Cannot wait as "tasks" must hold at least one: there is nothing in it',
  );
}

interface Condition {
  readonly returnWhen: ReturnWhen;
  readonly ms: number;
  readonly signal: AbortSignal | undefined;
}

function watch(
  frame: Frame,
  outcomes: Outcome<unknown>[],
  condition: Condition,
): Promise<void> {
  const { returnWhen, ms, signal } = condition;
  const claim = new Claim<void>(frame, `${outcomes.length} tasks`);
  let left = outcomes.length;
  const callbacks: DoneCallback[] = [];
  for (const outcome of outcomes) {
    callbacks.push(outcome.subscribe(frame.loop, () => {
      left--;
      const failed = outcome.state === "failed";
      if (failed && returnWhen === FIRST_EXCEPTION) outcome.observe();
      const enough = left === 0 || returnWhen === FIRST_COMPLETED ||
        (failed && returnWhen === FIRST_EXCEPTION);
      if (enough) claim.grant();
    }));
  }
  const timer: Timer | undefined = ms === Infinity
    ? undefined
    : frame.loop.timers.after(ms, claim as Claim);
  linkSignal(claim as Claim, signal);
  const unlink = claim.cleanup;
  claim.cleanup = () => {
    unlink?.();
    timer?.cancel();
    outcomes.forEach((o) => o.unsubscribe((c) => callbacks.includes(c)));
  };
  return claim.wait();
}
