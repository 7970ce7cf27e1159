/**
 * Virtual time: an hour of waiting takes a millisecond, and nothing is patched.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { runVirtual } from "@ilmek/async/virtual";
 *
 * await runVirtual(() => sleep(3_600_000));
 * ```
 *
 * @module
 */
import {
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { EventLoop } from "../_internal/event_loop.ts";
import { rootFrame, runIn } from "../_internal/frame.ts";
import {
  type ExceptionHandler,
  getRunningLoop,
  type Loop,
} from "../primitives/loop.ts";
import { Runner } from "../primitives/runner.ts";
import { FifoDoor, type QueueingDoor } from "./_doors.ts";
import { VirtualClock } from "./_virtual_clock.ts";

/** Options of {@linkcode VirtualLoop}. */
export interface VirtualLoopOptions {
  /**
   * Who runs next when several could:
   *
   * - `system`: as in production.
   * - `fifo`: one step at a time, in the order of Python's asyncio.
   *
   * @default {"system"}
   */
  order?: "system" | "fifo";
  /**
   * How long in real time something outside may take while virtual time stands.
   *
   * @default {5000}
   */
  ioLimitMs?: Duration;
  /**
   * Who settles the bare promises that `abortable()`, `gather()` and others wait
   * for:
   *
   * - `outside`: the world. Virtual time stands until they are settled.
   * - `inside`: code that waits on this loop itself. Virtual time goes on.
   *
   * @default {"outside"}
   */
  promises?: "outside" | "inside";
  /** Who is told what goes wrong where nobody waits for it. */
  exceptionHandler?: ExceptionHandler;
}

/**
 * A loop whose time jumps to the next timer when all tasks wait.
 *
 * If nothing can wake them any more, the run ends with a `DeadlockError` that
 * names who waits for what. While something from outside is under way (a request
 * of `io/`, `abortable()`, `loop.hold()`) the clock stands; if that takes longer
 * than `ioLimitMs` of real time, the run fails with a `DeadlockError`, too, that
 * names it. A foreign promise that is awaited beside a wait of the same task is
 * invisible: wrap it in `abortable()`. If code of the run itself settles such
 * promises, since it shares work, say so with `promises: "inside"`.
 *
 * @example Two hours in no time
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { VirtualLoop } from "@ilmek/async/virtual";
 * import { assertEquals } from "@std/assert";
 *
 * const virtual = new VirtualLoop();
 * await virtual.run(() => sleep(7_200_000));
 *
 * assertEquals(virtual.now, 7_200_000);
 * ```
 */
export class VirtualLoop {
  readonly #clock: VirtualClock;
  readonly #core: EventLoop;
  readonly #runner: Runner;

  /** Creates a loop at time 0. */
  constructor(options: VirtualLoopOptions = {}) {
    const { order = "system", ioLimitMs = 5000, exceptionHandler } = options;
    const { promises = "outside" } = options;
    if (order !== "system" && order !== "fifo") {
      throw new TypeError(
        `Cannot create a virtual loop as "order" must be "system" or "fifo": current value is ${
          show(order)
        }`,
      );
    }
    if (promises !== "outside" && promises !== "inside") {
      throw new TypeError(
        `Cannot create a virtual loop as "promises" must be "outside" or "inside": current value is ${
          show(promises)
        }`,
      );
    }
    const limit = toMs(ioLimitMs, "create a virtual loop", "ioLimitMs");
    const door = VirtualLoop.#door ??
      (order === "fifo" ? new FifoDoor() : undefined);
    this.#clock = new VirtualClock(door, { ioLimitMs: limit, promises });
    this.#core = new EventLoop(this.#clock);
    const loop = this.loop;
    this.#runner = new Runner({
      loopFactory: () => loop,
      ...(exceptionHandler === undefined ? {} : { exceptionHandler }),
    });
  }

  /** The door that the next loop is made with. */
  static #door: QueueingDoor | undefined;

  /**
   * Makes a loop with a door of its own.
   *
   * @internal
   */
  static behind(door: QueueingDoor, options: VirtualLoopOptions): VirtualLoop {
    VirtualLoop.#door = door;
    try {
      return new VirtualLoop(options);
    } finally {
      VirtualLoop.#door = undefined;
    }
  }

  /** The loop that the code inside of `run` finds. */
  get loop(): Loop {
    return runIn(rootFrame(this.#core), getRunningLoop);
  }

  /** The virtual time, in milliseconds. */
  get now(): number {
    return this.#clock.now();
  }

  /**
   * Moves the time on, as if something had blocked the thread for so long. In
   * debug mode it is reported like any other step that holds the loop.
   *
   * @param ms How long.
   * @throws {RangeError} If `ms` is negative or not a number.
   */
  advance(ms: Duration): void {
    this.#clock.advance(toMs(ms, "move the time"));
  }

  /**
   * Runs `main` in virtual time, cancels what it leaves behind, and drops the
   * callbacks that it has planned.
   *
   * @typeParam T What `main` returns.
   * @param main What to run.
   * @returns What `main` returns.
   * @throws {DeadlockError} If all tasks wait, and nothing can wake one; or if
   * something outside takes too long.
   */
  async run<T>(main: () => T | PromiseLike<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#clock.onFailure = reject;
    // A run that cannot go on fails, even if `main` swallows that.
    const unlessFailed =
      <A>(settle: (value: A) => void) => (value: A): void => {
        if (!this.#clock.failed) settle(value);
      };
    this.#runner.run(main).then(unlessFailed(resolve), unlessFailed(reject));
    try {
      return await promise;
    } finally {
      this.#core.dropPlanned();
    }
  }
}

/**
 * Runs `main` in virtual time; see {@linkcode VirtualLoop}.
 *
 * @typeParam T What `main` returns.
 * @param main What to run.
 * @param options Additional options.
 * @returns What `main` returns.
 *
 * @example Test a timeout of an hour
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout, TimeoutError } from "@ilmek/async/timeout";
 * import { runVirtual } from "@ilmek/async/virtual";
 * import { assertRejects } from "@std/assert";
 *
 * await runVirtual(async () => {
 *   const slow = () => timeout(3_600_000, () => sleep(Infinity));
 *   await assertRejects(slow, TimeoutError);
 * });
 * ```
 */
export async function runVirtual<T>(
  main: (virtual: VirtualLoop) => T | PromiseLike<T>,
  options: VirtualLoopOptions = {},
): Promise<T> {
  checkFunction(main, "run", "main");
  const virtual = new VirtualLoop(options);
  return await virtual.run(() => main(virtual));
}

/**
 * Registers a test that runs in virtual time, with the platform's test runner.
 *
 * @param name The name of the test.
 * @param fn The test; it receives the virtual loop.
 * @param options Additional options.
 * @throws {TypeError} If `fn` is not a function, or there is no test runner.
 *
 * @example Test what takes an hour
 * ```ts ignore
 * import { sleep } from "@ilmek/async/sleep";
 * import { testVirtual } from "@ilmek/async/virtual";
 *
 * testVirtual("sleep() waits for an hour", () => sleep(3_600_000));
 * ```
 */
export function testVirtual(
  name: string,
  fn: (virtual: VirtualLoop) => unknown,
  options: VirtualLoopOptions = {},
): void {
  checkFunction(fn, "register a test");
  const platform = globalThis as unknown as Platform;
  const register = platform["Deno"]?.test;
  if (register === undefined) {
    throw new TypeError("Cannot register a test: there is no test runner here");
  }
  register(name, async () => {
    await runVirtual(fn, options);
  });
}

/** What is looked for on the platform. */
interface Platform {
  readonly [name: string]: {
    readonly test?: (name: string, fn: () => Promise<void>) => void;
  } | undefined;
}
