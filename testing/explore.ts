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
import { checkCount, checkFunction, show } from "../_internal/check.ts";
import { SystemClock } from "../_internal/system_clock.ts";
import { Choices } from "./_choices.ts";
import { ExploringDoor } from "./_doors.ts";
import { checkOutside } from "./_outside.ts";
import { countSwitches, type FailedRun, shrink } from "./_shrink.ts";
import {
  ExhaustiveStrategy,
  PreemptionStrategy,
  type Strategy,
  UniformStrategy,
} from "./_strategies.ts";
import { VirtualLoop, type VirtualLoopOptions } from "./virtual.ts";

/** How many orders are tried unless it is said. */
const RUNS = 200;
const EXHAUSTIVE_RUNS = 2000;
/** How long in real time a failure is shrunk. */
const MAX_SHRINK_MS = 2000;

/** Which orders {@linkcode explore} tries; see {@linkcode ExploreOptions}. */
export type ExploreStrategy = "uniform" | "preemption" | "exhaustive";

/** Options of {@linkcode explore}. */
export interface ExploreOptions
  extends Pick<VirtualLoopOptions, "ioLimitMs" | "promises"> {
  /**
   * How many orders are tried at most.
   *
   * @default {200, or 2000 if they are exhaustive}
   */
  runs?: number;
  /**
   * Where the orders are drawn from. The seed of a failure, with one run, brings
   * that failure back; with two, if preemptions were drawn.
   *
   * @default {1}
   */
  seed?: number;
  /**
   * Which orders are tried:
   *
   * - `uniform`: who is next is drawn at every step, and how far the others get
   *   meanwhile.
   * - `preemption`: the plain order, in which who came first goes first, but for a
   *   few places. It finds races that need few switches in long tests. The plain
   *   order is tried before.
   * - `exhaustive`: all orders of steps, those with the fewest switches first, for
   *   small tests. Between two steps all microtasks come to rest.
   *
   * @default {"uniform"}
   */
  strategy?: ExploreStrategy;
  /**
   * At how many places at most the strategy `preemption` leaves the plain order.
   *
   * @default {3}
   */
  preemptions?: number;
  /** Tries one order only: the `choices` of a failure. */
  replay?: readonly number[];
  /**
   * How many runs may be spent to find a simpler order that fails in the same way.
   *
   * @default {200}
   */
  maxShrinks?: number;
}

/** What is known about the order of an {@linkcode ExploreError}. */
export interface ExploreErrorOptions {
  /** What was chosen in the order. */
  choices?: readonly number[];
  /** Which steps do not stand where they would in the plain order. */
  switched?: Iterable<number>;
}

/** Thrown by {@linkcode explore} if the test failed in some order. */
export class ExploreError extends AggregateError {
  static {
    this.prototype.name = "ExploreError";
  }
  /** The seed with which the failure was found. */
  readonly seed: number;
  /** What ran, in order, in the simplest run that was found to fail. */
  readonly schedule: readonly string[];
  /**
   * What was chosen in that run: given as `replay`, it brings the failure back. A 0
   * keeps the plain order, in which who came first goes first.
   */
  readonly choices: readonly number[];

  /** Creates the error of one order. */
  constructor(
    seed: number,
    schedule: readonly string[],
    cause: unknown,
    options: ExploreErrorOptions = {},
  ) {
    const { choices = [], switched = [] } = options;
    const marked = new Set(switched);
    const steps = schedule.map((step, index) =>
      `${marked.has(index) ? "->" : "  "} ${step}`
    );
    super(
      [cause],
      `Cannot hold in every order: the one of seed ${seed} fails with ${
        String(cause)
      }, after\n${steps.join("\n")}\nreplay: [${choices.join(", ")}]`,
      { cause },
    );
    this.seed = seed;
    this.schedule = schedule;
    this.choices = choices;
  }

  /** How many choices were off the plain order. */
  get switches(): number {
    return countSwitches(this.choices);
  }
}

/** What the test of an {@linkcode explore} receives. */
export interface Exploration {
  /**
   * Chooses what the test leaves open: how long something takes, which of several
   * things is done, who is cancelled. The choice is part of the order: it is drawn,
   * tried out, shrunk and replayed with it.
   *
   * @param count Out of how many.
   * @returns An integer from 0 to `count` - 1; 0 is what failures are shrunk to.
   * @throws {RangeError} If `count` is not an integer >= 1.
   */
  choose(count: number): number;
}

/** How many orders {@linkcode explore} has tried. */
export interface ExploreResult {
  /** How many orders were tried. */
  readonly runs: number;
  /** Whether there is no other order; only `exhaustive` can tell. */
  readonly complete: boolean;
}

/**
 * Runs a test in many orders, in virtual time.
 *
 * Whenever several could run next, one is chosen, and so is how far the others get
 * meanwhile. What the loop guarantees is kept: starts, callbacks and timers come
 * in their order.
 *
 * A failure is shrunk: the error tells the order with the fewest switches that was
 * found to fail in the same way, and marks them in the schedule with `->`. Its
 * `choices` bring it back, as long as the test is the same.
 *
 * Call it outside of every run.
 *
 * @param fn The test. It must make all of its state itself, since it runs often, and
 * leave to {@linkcode Exploration.choose} what may differ from run to run.
 * @param options Additional options.
 * @returns How many orders were tried, and whether that were all.
 * @throws {ExploreError} At the first order in which `fn` throws.
 * @throws {InvalidStateError} If it is called inside of a run.
 * @throws {TypeError} If `fn` is not a function, or `strategy` none of its values.
 * @throws {RangeError} If a number lies outside of its range.
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
 * const error = await assertRejects(() => explore(test), ExploreError);
 * assertEquals(error.switches, 1);
 * ```
 *
 * @example Try all orders of a small test
 * ```ts
 * import { explore } from "@ilmek/async/explore";
 * import { Queue } from "@ilmek/async/queue";
 * import { createTask } from "@ilmek/async/task";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const { complete } = await explore(async () => {
 *   const queue = new Queue<string>();
 *   const task = createTask(() => queue.get());
 *   await queue.put("item");
 *   assertEquals(await task, "item");
 * }, { strategy: "exhaustive" });
 *
 * assert(complete);
 * ```
 *
 * @example Cancel somewhere, and take some time
 * ```ts
 * import { explore } from "@ilmek/async/explore";
 * import { Queue } from "@ilmek/async/queue";
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * await explore(async ({ choose }) => {
 *   const queue = new Queue<string>();
 *   const task = createTask(() => queue.get());
 *   await sleep(choose(3));
 *   await queue.put("item");
 *   await sleep(choose(2));
 *   task.cancel();
 *   const { state } = await task.outcome();
 *
 *   assertEquals(queue.size, state === "done" ? 0 : 1);
 * });
 * ```
 */
export async function explore(
  fn: (exploration: Exploration) => unknown,
  options: ExploreOptions = {},
): Promise<ExploreResult> {
  checkFunction(fn, "explore");
  checkOutside("explore");
  const { strategy = "uniform", seed = 1, preemptions = 3 } = options;
  const { runs = strategy === "exhaustive" ? EXHAUSTIVE_RUNS : RUNS } = options;
  const { replay, maxShrinks = 200 } = options;
  const { ioLimitMs = 5000, promises = "outside" } = options;
  const test = { fn, loopOptions: { ioLimitMs, promises } };
  checkCount(runs, "explore", "runs");
  checkCount(seed, "explore", "seed", 0);
  checkCount(preemptions, "explore", "preemptions");
  checkCount(maxShrinks, "explore", "maxShrinks", 0);
  if (replay !== undefined) {
    const choices = Choices.again(checkChoices(replay));
    const failure = await attempt(test, choices);
    if (failure !== undefined) throw errorOf(seed, failure);
    return { runs: 1, complete: false };
  }
  const plan = planOf(strategy, seed, preemptions, runs);
  const orders = plan.orders();
  let tried = 0;
  for (
    let next = orders.next();
    !next.done && tried < runs;
    next = orders.next()
  ) {
    tried++;
    const failure = await attempt(test, next.value.choices);
    if (failure === undefined) continue;
    const simplest = await simplify(test, failure, maxShrinks);
    throw errorOf(next.value.seed, simplest);
  }
  return { runs: tried, complete: plan.complete };
}

function planOf(
  strategy: ExploreStrategy,
  seed: number,
  preemptions: number,
  runs: number,
): Strategy {
  switch (strategy) {
    case "uniform":
      return new UniformStrategy(seed);
    case "preemption":
      return new PreemptionStrategy(seed, preemptions);
    case "exhaustive":
      return new ExhaustiveStrategy(seed, runs);
    default:
      throw new TypeError(
        `Cannot explore as "strategy" must be "uniform", "preemption" or "exhaustive": current value is ${
          show(strategy)
        }`,
      );
  }
}

function checkChoices(replay: readonly number[]): readonly number[] {
  if (!Array.isArray(replay)) {
    throw new TypeError(
      `Cannot explore as "replay" must be the choices of an error: current value is ${
        show(replay)
      }`,
    );
  }
  for (const value of replay) checkCount(value, "explore", "replay", 0);
  return replay;
}

/** What is run in every order. */
interface Test {
  readonly fn: (exploration: Exploration) => unknown;
  readonly loopOptions: VirtualLoopOptions;
}

/** A run in which the test failed. */
interface Failure extends FailedRun {
  readonly error: unknown;
  readonly door: ExploringDoor;
}

/** Runs the test in one order; gives how it failed, if it did. */
async function attempt(
  { fn, loopOptions }: Test,
  choices: Choices,
): Promise<Failure | undefined> {
  const door = new ExploringDoor((count, kind) => choices.draw(count, kind));
  try {
    const virtual = VirtualLoop.behind(door, loopOptions);
    const choose = (count: number): number => {
      checkCount(count, "choose", "count");
      return choices.draw(count, "test");
    };
    await virtual.run(() => fn({ choose }));
    return undefined;
  } catch (error) {
    return { error, door, choices: choices.trimmed };
  }
}

/** The simplest run that was found to fail in the same way. */
async function simplify(
  test: Test,
  failure: Failure,
  maxShrinks: number,
): Promise<Failure> {
  const clock = new SystemClock();
  const start = clock.now();
  let runs = 0;
  return await shrink(
    failure,
    async (choices) => {
      runs++;
      const again = await attempt(test, Choices.again(choices));
      if (again === undefined) return undefined;
      return isAlike(again.error, failure.error) ? again : undefined;
    },
    () => runs < maxShrinks && clock.now() - start < MAX_SHRINK_MS,
  );
}

/** Whether two runs failed in the same way, as far as one can tell. */
function isAlike(a: unknown, b: unknown): boolean {
  return a instanceof Error && b instanceof Error
    ? a.name === b.name
    : typeof a === typeof b;
}

function errorOf(
  seed: number,
  { error, door, choices }: Failure,
): ExploreError {
  const { schedule, switched } = door;
  return new ExploreError(seed, schedule, error, { choices, switched });
}
