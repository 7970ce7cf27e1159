/**
 * Exploring interleavings: a test is run many times, each time in another order.
 *
 * ```ts ignore
 * import { explore } from "@ilmek/async/explore";
 *
 * await explore(async () => {
 *   // What must hold in every order ...
 * });
 * ```
 *
 * @module
 */
import { checkCount, checkFunction } from "../_internal/check.ts";
import { ExploringDoor } from "./_doors.ts";
import { VirtualLoop } from "./virtual.ts";

/** Options of {@linkcode explore}. */
export interface ExploreOptions {
  /**
   * How many orders are tried.
   *
   * @default {200}
   */
  runs?: number;
  /**
   * Where the orders are drawn from. The seed of a failure, with one run, brings
   * that failure back.
   *
   * @default {1}
   */
  seed?: number;
}

/** Thrown by {@linkcode explore} if the test failed in some order. */
export class ExploreError extends AggregateError {
  static {
    this.prototype.name = "ExploreError";
  }
  /** The seed of the order; it brings the failure back with one run. */
  readonly seed: number;
  /** What ran, in order. */
  readonly schedule: readonly string[];

  /** Creates the error of one order. */
  constructor(seed: number, schedule: readonly string[], cause: unknown) {
    super(
      [cause],
      `Cannot hold in every order: the one of seed ${seed} fails with ${
        String(cause)
      }, after\n${schedule.map((step) => `  ${step}`).join("\n")}`,
      { cause },
    );
    this.seed = seed;
    this.schedule = schedule;
  }
}

/** How many orders {@linkcode explore} has tried. */
export interface ExploreResult {
  /** How many orders were tried. */
  readonly runs: number;
}

/**
 * Runs a test in many orders, in virtual time.
 *
 * Whenever several could run next, one is drawn, and so is how far the others get
 * meanwhile. What the loop guarantees is kept: starts, callbacks and timers come
 * in their order.
 *
 * @param fn The test. It must make all of its state itself, since it runs often.
 * @param options Additional options.
 * @returns How many orders were tried.
 * @throws {ExploreError} At the first order in which `fn` throws.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example Find a lost update
 * ```ts
 * import { checkpoint } from "@ilmek/async/checkpoint";
 * import { explore, ExploreError } from "@ilmek/async/explore";
 * import { gather } from "@ilmek/async/gather";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const test = async () => {
 *   let count = 0;
 *   const add = async () => {
 *     const before = count;
 *     await checkpoint();
 *     count = before + 1;
 *   };
 *   await gather([add, add]);
 *   assertEquals(count, 2);
 * };
 *
 * await assertRejects(() => explore(test), ExploreError);
 * ```
 */
export async function explore(
  fn: () => unknown,
  options: ExploreOptions = {},
): Promise<ExploreResult> {
  checkFunction(fn, "explore");
  const { runs = 200, seed = 1 } = options;
  checkCount(runs, "explore", "runs");
  checkCount(seed, "explore", "seed", 0);
  for (let run = 0; run < runs; run++) {
    const door = new ExploringDoor(drawer(seed + run));
    try {
      await VirtualLoop.behind(door, {}).run(fn);
    } catch (error) {
      throw new ExploreError(seed + run, door.schedule, error);
    }
  }
  return { runs };
}

/** Random integers by Mulberry32 (Tommy Ettinger), from a seed. */
function drawer(seed: number): (count: number) => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  return (count) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * count);
  };
}
