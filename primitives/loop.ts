/**
 * The loop: the one door to time and to wake-ups.
 *
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 *
 * const loop = getRunningLoop();
 * const handle = loop.callLater(1, () => console.log("later"));
 * handle.cancel();
 * ```
 *
 * @module
 */
import {
  checkFunction,
  checkMoment,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import { newEventLoop, setLoopMaker } from "../_internal/loop_policy.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame, type Frame, rootFrame } from "../_internal/frame.ts";
import { Callback } from "../_internal/callback.ts";
import { setDebug } from "../_internal/debug_door.ts";
import { type ExceptionContext, reportToConsole } from "../_internal/report.ts";
import { Future, type FutureOptions } from "./future.ts";
import { createTask, type CreateTaskOptions, type Task } from "./task.ts";

export type { ExceptionContext } from "../_internal/report.ts";

/** A callback that is planned, and can be taken back. */
export interface Handle {
  /** The loop's time at which it is due; `undefined` for `callSoon`. */
  readonly when: number | undefined;
  /** Whether it was taken back. */
  readonly cancelled: boolean;
  /** Takes the callback back. If it has run already, nothing happens. */
  cancel(): void;
}

/** What is told of everything that goes wrong where nobody waits for it. */
export type ExceptionHandler = (context: ExceptionContext) => void;

/**
 * A loop: its time, and what it is to do when.
 *
 * The running loop is that of the code that asks; outside of every run it is a
 * default loop in real time.
 *
 * @example Plan a call, and take it back
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const calls: string[] = [];
 * const loop = getRunningLoop();
 * loop.callSoon((name) => calls.push(name), "soon");
 * loop.callLater(1, () => calls.push("later")).cancel();
 * await sleep(2);
 *
 * assertEquals(calls, ["soon"]);
 * ```
 */
export class Loop {
  readonly #core: EventLoop;

  /**
   * Loops come from `getRunningLoop` and from runners.
   *
   * @internal
   */
  constructor(core: EventLoop) {
    this.#core = core;
  }

  /**
   * What the library keeps behind a loop.
   *
   * @internal
   */
  static coreOf(loop: Loop): EventLoop {
    return loop.#core;
  }

  /** Whether a runner runs its function on this loop. */
  get running(): boolean {
    return this.#core.running > 0;
  }

  /** Whether the run of this loop has ended. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /**
   * Whether the loop watches out for mistakes: callbacks and steps that hold it
   * for long, waits in cancelled scopes, tasks that outlive a deadline. It costs
   * time.
   *
   * @default {false}
   */
  get debug(): boolean {
    return this.#core.debug;
  }

  set debug(debug: boolean) {
    setDebug(this.#core, debug ? "on" : "off");
  }

  /**
   * From how many milliseconds on debug mode reports a step that holds the loop.
   *
   * @default {100}
   */
  get slowCallbackMs(): number {
    return this.#core.slowCallbackMs;
  }

  set slowCallbackMs(ms: number) {
    this.#core.slowCallbackMs = toMs(ms, "set a limit", "slowCallbackMs");
  }

  /** Who is told what goes wrong; `undefined` writes it to the console. */
  get exceptionHandler(): ExceptionHandler | undefined {
    return this.#core.exceptionHandler;
  }

  set exceptionHandler(handler: ExceptionHandler | undefined) {
    if (handler !== undefined) {
      checkFunction(handler, "set the handler", "exceptionHandler");
    }
    this.#core.exceptionHandler = handler;
  }

  /**
   * The loop's time: milliseconds that only go forward, from any start.
   *
   * @returns The time now.
   */
  time(): number {
    return this.#core.time();
  }

  /**
   * Calls `fn` in the next turn of the loop, in the order of the calls.
   *
   * Callbacks run with the context variables of the caller, outside of its scope.
   * What they throw goes to the exception handler.
   *
   * @typeParam A The arguments of `fn`.
   * @param fn What to call.
   * @param args The arguments for `fn`.
   * @returns A handle that takes the call back.
   * @throws {TypeError} If `fn` is not a function.
   */
  callSoon<A extends unknown[]>(fn: (...args: A) => void, ...args: A): Handle {
    checkFunction(fn, "plan a call");
    const callback = new Callback(this.#frame(), () => fn(...args));
    this.#core.turn(callback);
    return callback;
  }

  /**
   * Calls `fn` after `ms` milliseconds. With 0 it follows what is waiting already.
   *
   * @typeParam A The arguments of `fn`.
   * @param ms How long to wait.
   * @param fn What to call.
   * @param args The arguments for `fn`.
   * @returns A handle that takes the call back.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {RangeError} If `ms` is negative or not a number.
   */
  callLater<A extends unknown[]>(
    ms: Duration,
    fn: (...args: A) => void,
    ...args: A
  ): Handle {
    checkFunction(fn, "plan a call");
    const length = toMs(ms, "plan a call");
    return this.#plan(this.time() + length, length, () => fn(...args));
  }

  /**
   * Calls `fn` when the loop's time is `when`.
   *
   * @typeParam A The arguments of `fn`.
   * @param when The moment, in the loop's time.
   * @param fn What to call.
   * @param args The arguments for `fn`.
   * @returns A handle that takes the call back.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {RangeError} If `when` is not a number.
   */
  callAt<A extends unknown[]>(
    when: number,
    fn: (...args: A) => void,
    ...args: A
  ): Handle {
    checkFunction(fn, "plan a call");
    checkMoment(when, "plan a call", '"when"');
    return this.#plan(when, undefined, () => fn(...args));
  }

  /**
   * Creates a future.
   *
   * @typeParam T The type of its value.
   * @param options Additional options.
   * @returns The future.
   */
  createFuture<T>(options: FutureOptions = {}): Future<T> {
    return new Future<T>(options);
  }

  /**
   * Starts `fn` as a task; see {@linkcode createTask}. The caller must run on this
   * loop.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The task.
   * @throws {TypeError} If `fn` is not a function, or another loop runs.
   */
  createTask<T>(
    fn: () => T | PromiseLike<T>,
    options: CreateTaskOptions = {},
  ): Task<T> {
    if (currentFrame().loop !== this.#core) {
      throw new TypeError("Cannot create a task: another loop runs here");
    }
    return createTask(fn, options);
  }

  /**
   * Says that something from outside will come, although nothing in the loop waits
   * for time: virtual time stands still meanwhile.
   *
   * @param what What will come, for reports.
   * @returns What ends the hold, when it is disposed of.
   */
  hold(what = "something outside"): Disposable {
    const release = this.#core.hold(what);
    return { [Symbol.dispose]: release };
  }

  /**
   * Tells the exception handler of something that went wrong.
   *
   * @param context What went wrong.
   */
  callExceptionHandler(context: ExceptionContext): void {
    this.#core.report(context);
  }

  /** The tag of the class. */
  get [Symbol.toStringTag](): string {
    return "Loop";
  }

  #plan(when: number, ms: number | undefined, fn: () => void): Handle {
    const callback = new Callback(this.#frame(), fn, when);
    // What is due never needs no timer.
    if (when === Infinity) return callback;
    const { timers } = this.#core;
    callback.timer = ms === undefined
      ? timers.at(when, callback)
      : timers.after(ms, callback);
    return callback;
  }

  /** Callbacks keep the context of who plans them, and nothing else. */
  #frame(): Frame {
    return rootFrame(this.#core, currentFrame().context.copy());
  }
}

const loops = new WeakMap<EventLoop, Loop>();

/**
 * The loop of the code that runs now.
 *
 * @returns The loop; outside of every run a default loop in real time.
 *
 * @example Measure time
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assert } from "@std/assert";
 *
 * const loop = getRunningLoop();
 * const start = loop.time();
 * await sleep(2);
 *
 * assert(loop.time() - start >= 2);
 * ```
 */
export function getRunningLoop(): Loop {
  return viewOf(currentFrame().loop);
}

/**
 * Creates a loop in real time, as the policy in force makes it.
 *
 * @returns A new loop, on which nothing runs.
 *
 * @example Two loops are two worlds
 * ```ts
 * import { getRunningLoop, newLoop } from "@ilmek/async/loop";
 * import { assert } from "@std/assert";
 *
 * assert(newLoop() !== getRunningLoop());
 * ```
 */
export function newLoop(): Loop {
  return viewOf(newEventLoop());
}

/** How new loops are made. */
export type LoopPolicy = (makeDefault: () => Loop) => Loop;

/**
 * Sets how new loops are made: by runners, and by {@linkcode newLoop}.
 *
 * @param policy Makes a loop; it receives the way that was in force before.
 * @returns A function that brings back the way that was in force before.
 * @throws {TypeError} If `policy` is not a function.
 *
 * @example Put every new loop into debug mode
 * ```ts
 * import { newLoop, setLoopPolicy } from "@ilmek/async/loop";
 * import { assert } from "@std/assert";
 *
 * const restore = setLoopPolicy((makeDefault) => {
 *   const loop = makeDefault();
 *   loop.debug = true;
 *   return loop;
 * });
 * assert(newLoop().debug);
 * restore();
 * ```
 */
export function setLoopPolicy(policy: LoopPolicy): () => void {
  checkFunction(policy, "set a loop policy", "policy");
  const before = setLoopMaker(() =>
    Loop.coreOf(policy(() => viewOf(before())))
  );
  return () => {
    setLoopMaker(before);
  };
}

/**
 * What a loop does with reports if it has no handler: it writes them to the
 * console.
 *
 * @param context What went wrong.
 *
 * @example Write reports, and count them
 * ```ts
 * import { defaultExceptionHandler, newLoop } from "@ilmek/async/loop";
 *
 * let count = 0;
 * newLoop().exceptionHandler = (context) => {
 *   count++;
 *   defaultExceptionHandler(context);
 * };
 * ```
 */
export function defaultExceptionHandler(context: ExceptionContext): void {
  reportToConsole(context);
}

function viewOf(core: EventLoop): Loop {
  let loop = loops.get(core);
  if (loop === undefined) {
    loop = new Loop(core);
    loops.set(core, loop);
  }
  return loop;
}
