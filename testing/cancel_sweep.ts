/**
 * Cancel sweeps: a task is cancelled at each of its wait points, one after another,
 * and what must hold is checked every time.
 *
 * ```ts
 * import { cancelSweep } from "@ilmek/async/cancel-sweep";
 * import { Queue } from "@ilmek/async/queue";
 *
 * await cancelSweep(async (sweep) => {
 *   const queue = new Queue<string>();
 *   const got = sweep.target(() => queue.get());
 *   await queue.put("item");
 *   const { state } = await got;
 *   console.assert(queue.size === (state === "done" ? 0 : 1));
 * });
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { checkCount, checkFunction, show } from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { Observer } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { spawn } from "../_internal/spawn.ts";
import { Loop } from "../primitives/loop.ts";
import { Task, type TaskOutcome } from "../primitives/task.ts";
import { type CancelPointKind, SweepDoor } from "./_sweep_door.ts";
import { checkOutside } from "./_outside.ts";
import { assertNoLeaks } from "./assert_no_leaks.ts";
import { VirtualLoop, type VirtualLoopOptions } from "./virtual.ts";

export type { CancelPointKind } from "./_sweep_door.ts";

/** A point at which {@linkcode cancelSweep} cancels. */
export interface CancelPoint {
  /** Its number; with `only` the sweep cancels here and nowhere else. */
  readonly index: number;
  /**
   * Where the task is:
   *
   * - `created`: it has not begun.
   * - `parked`: it has begun to wait.
   * - `waiting`: it still waits, after a step of others.
   * - `woken`: what it waits for was granted (or has failed) in this very step, and
   *   it has not gone on yet.
   * - `passed`: it got what it asked for without waiting, and has not gone on yet.
   */
  readonly kind: CancelPointKind;
  /** The name of the task that is cancelled. */
  readonly task: string;
  /** Who waits there, and for what. */
  readonly label: string;
}

/** Options of {@linkcode cancelSweep}. */
export interface CancelSweepOptions
  extends Pick<VirtualLoopOptions, "ioLimitMs" | "promises"> {
  /**
   * Who is swept:
   *
   * - `targets`: what is given to {@linkcode CancelSweep.target}, at all wait points
   *   of its task and of the tasks in its scope.
   * - `all`: every task by itself, at its own wait points: targets, tasks made with
   *   `createTask`, members of groups. Only the function that is swept is spared.
   *
   * @default {"targets"}
   */
  tasks?: "targets" | "all";
  /**
   * How many points there may be: as many runs are made, each as long as the test.
   *
   * @default {10_000}
   */
  maxPoints?: number;
  /** Cancels at this point only: the `index` of the point of a failure. */
  only?: number;
}

/** What {@linkcode cancelSweep} has done. */
export interface CancelSweepResult {
  /** The points at which it cancelled, each in a run of its own. */
  readonly points: readonly CancelPoint[];
}

/**
 * What the function of a {@linkcode cancelSweep} receives: it says what is swept,
 * and what must hold.
 */
export interface CancelSweep {
  /**
   * Starts `work` as a task that is swept.
   *
   * @typeParam T What `work` returns.
   * @param work What to run, and to cancel.
   * @param options Additional options.
   * @returns How it ended: `done`, or `cancelled`. If `work` throws anything but a
   * cancellation, the promise rejects with it.
   */
  target<T>(
    work: () => T | PromiseLike<T>,
    options?: CancelSweepTargetOptions,
  ): Promise<TaskOutcome<T>>;
  /**
   * Adds what must hold at the end of every run, when all targets have ended and
   * nothing goes on any more.
   *
   * @param fn Throws if it does not hold; it may wait.
   */
  check(fn: () => unknown): void;
}

/** Options of {@linkcode CancelSweep.target}. */
export interface CancelSweepTargetOptions {
  /** How the task is called in reports; `target` if it is not given. */
  name?: string;
}

/** Thrown by {@linkcode cancelSweep} if something is wrong after a cancellation. */
export class CancelSweepError extends AggregateError {
  static {
    this.prototype.name = "CancelSweepError";
  }
  /**
   * Where the task was cancelled; `only: point.index` brings the failure back. It is
   * `undefined` if the function fails without any cancellation.
   */
  readonly point: CancelPoint | undefined;

  /** Creates the error of one run, in which at least one thing went wrong. */
  constructor(
    errors: readonly unknown[],
    point: CancelPoint | undefined,
    count?: number,
  ) {
    const what = errors.map(String).join("\n");
    super(
      errors,
      point === undefined
        ? `Cannot sweep, as it fails without any cancellation: ${what}`
        : `Cannot cancel "${point.task}" at point ${point.index}${
          count === undefined ? "" : ` of ${count}`
        } (${point.kind}: ${point.label}) without harm: ${what}`,
      { cause: errors[0] },
    );
    this.point = point;
  }
}

/**
 * Runs a test once to count the wait points of its targets, and then once for each
 * of them, with the target cancelled exactly there.
 *
 * A wait has a point when the task has parked, one after each step of others in
 * which it still waits, and one when it was granted what it waits for but has not
 * gone on. A wait that ends at once has one. Each run has a
 * virtual loop of its own, where all steps come in the order of asyncio. It fails
 * if the test throws, if a check does, if everything is parked for ever, or if a
 * task, a scope, a wait, a timer or a hold is left behind, or if something went to
 * the loop's exception handler.
 *
 * Call it outside of every run.
 *
 * @param fn The test. It must make all of its state itself, and do the same in
 * every run, as long as nothing is cancelled.
 * @param options Additional options.
 * @returns The points at which it cancelled.
 * @throws {CancelSweepError} At the first run in which something is wrong.
 * @throws {InvalidStateError} If `fn` has no target, or it is called inside of a run.
 * @throws {TypeError} If `fn` is not a function, or `tasks` is none of its values.
 * @throws {RangeError} If there are more points than `maxPoints`, or no point `only`.
 *
 * @example Find a permit that is lost
 * ```ts
 * import { cancelSweep, CancelSweepError } from "@ilmek/async/cancel-sweep";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const test = () =>
 *   cancelSweep(async (sweep) => {
 *     let available = 1;
 *     sweep.check(() => assertEquals(available, 1));
 *     await sweep.target(async () => {
 *       available--;
 *       await sleep(10); // This stands outside of any try ... finally.
 *       available++;
 *     });
 *   });
 *
 * const error = await assertRejects(test, CancelSweepError);
 * assertEquals(error.point?.kind, "parked");
 * ```
 */
export async function cancelSweep(
  fn: (sweep: CancelSweep) => unknown,
  options: CancelSweepOptions = {},
): Promise<CancelSweepResult> {
  checkFunction(fn, "sweep");
  checkOutside("sweep");
  const { tasks = "targets", maxPoints = 10_000, only } = options;
  if (tasks !== "targets" && tasks !== "all") {
    throw new TypeError(
      `Cannot sweep as "tasks" must be "targets" or "all": current value is ${
        show(tasks)
      }`,
    );
  }
  checkCount(maxPoints, "sweep", "maxPoints");
  if (only !== undefined) checkCount(only, "sweep", "only", 0);
  const counted = await attempt(fn, undefined, options);
  const { points } = counted;
  if (counted.errors.length > 0) {
    throw new CancelSweepError(counted.errors, undefined);
  }
  if (points.length === 0) {
    throw new InvalidStateError(
      "Cannot sweep: no task was given to target()",
    );
  }
  if (only !== undefined && only >= points.length) {
    throw new RangeError(
      `Cannot sweep as "only" must be below the number of points, ${points.length}: current value is ${only}`,
    );
  }
  if (only === undefined && points.length > maxPoints) {
    throw new RangeError(
      `Cannot sweep ${points.length} points: "maxPoints" is ${maxPoints}`,
    );
  }
  const chosen = only === undefined ? points : points.slice(only, only + 1);
  for (const point of chosen) {
    const { errors } = await attempt(fn, point.index, options);
    if (errors.length === 0) continue;
    throw new CancelSweepError(errors, point, points.length);
  }
  return { points: chosen };
}

/** What came of one run. */
interface Attempt {
  readonly points: readonly CancelPoint[];
  /** What went wrong, in order. */
  readonly errors: unknown[];
}

/** One run, with a cancellation at the point `chosen`, if it is given. */
async function attempt(
  fn: (sweep: CancelSweep) => unknown,
  chosen: number | undefined,
  options: CancelSweepOptions,
): Promise<Attempt> {
  const { tasks = "targets", ioLimitMs = 5000, promises = "outside" } = options;
  const door = new SweepDoor(chosen);
  const errors: unknown[] = [];
  const virtual = VirtualLoop.behind(door, {
    ioLimitMs,
    promises,
    exceptionHandler: ({ message, exception }) => {
      const what = exception === undefined ? "" : `: ${exception}`;
      errors.push(
        new InvalidStateError(message + what, { cause: exception }),
      );
    },
  });
  const core = Loop.coreOf(virtual.loop);
  core.observer = door.watch(core.observer as Observer);
  try {
    await virtual.run(async () => {
      if (tasks === "all") door.swept = { allBut: currentFrame().actor };
      await runTest(fn, new Sweep(door), errors);
    });
  } catch (error) {
    // The run itself cannot go on: what else went wrong comes from that.
    return { points: door.points, errors: [error] };
  }
  if (chosen !== undefined && door.cancellation === undefined) {
    errors.push(
      new InvalidStateError(
        `Cannot reach point ${chosen}: the test did not do the same again`,
      ),
    );
  }
  return { points: door.points, errors };
}

/** Runs the test and its checks, and looks for what is left behind. */
async function runTest(
  fn: (sweep: CancelSweep) => unknown,
  sweep: Sweep,
  errors: unknown[],
): Promise<void> {
  try {
    await fn(sweep);
    await sweep.ended();
  } catch (error) {
    if (!sweep.mayThrow(error)) {
      errors.push(error);
      return;
    }
    // The test could not wait for the others: they have done nothing wrong.
    await othersGone();
  }
  try {
    await assertNoLeaks();
  } catch (error) {
    errors.push(error);
  }
  for (const check of sweep.checks) {
    try {
      await check();
    } catch (error) {
      errors.push(error);
    }
  }
}

/** Waits until no task is left but this one. */
async function othersGone(): Promise<void> {
  const { loop, actor: self } = currentFrame();
  const others = () => loop.actors().find((actor) => actor !== self);
  for (let other = others(); other !== undefined; other = others()) {
    await Task.of(other).outcome();
  }
}

class Sweep implements CancelSweep {
  readonly checks: (() => unknown)[] = [];
  readonly #door: SweepDoor;
  readonly #targets: Promise<unknown>[] = [];

  constructor(door: SweepDoor) {
    this.#door = door;
  }

  target<T>(
    work: () => T | PromiseLike<T>,
    options: CancelSweepTargetOptions = {},
  ): Promise<TaskOutcome<T>> {
    try {
      checkFunction(work, "sweep", "work");
    } catch (error) {
      return Promise.reject(error);
    }
    const { name = "target" } = options;
    const actor = spawn(currentFrame().loop.root, work, { name });
    this.#door.created(actor as Actor);
    const ended = endOf(Task.of(actor));
    ended.catch(() => {});
    this.#targets.push(ended);
    return ended;
  }

  check(fn: () => unknown): void {
    checkFunction(fn, "check");
    this.checks.push(fn);
  }

  /** Waits until all targets have ended. */
  async ended(): Promise<void> {
    for (const target of this.#targets) await target;
  }

  /** Whether the test may end with `error`: a task that it awaits was cancelled. */
  mayThrow(error: unknown): boolean {
    const { cancellation, swept } = this.#door;
    return cancellation !== undefined && error === cancellation &&
      !(swept instanceof Set);
  }
}

async function endOf<T>(task: Task<T>): Promise<TaskOutcome<T>> {
  const outcome = await task.outcome();
  if (outcome.state === "failed") throw outcome.error;
  return outcome;
}
