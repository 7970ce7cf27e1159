/**
 * Signals of the operating system, as something that one waits for. It needs no
 * permission.
 *
 * ```ts ignore
 * import { signals } from "@ilmek/async/signals";
 *
 * for await (const name of signals("SIGHUP")) {
 *   console.log(`${name}: read the configuration again`);
 * }
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  isThenable,
  show,
} from "../_internal/check.ts";
import { bind } from "../primitives/detach.ts";
import { getRunningLoop, Loop } from "../primitives/loop.ts";
import { Queue } from "../primitives/queue.ts";
import { listenTo } from "./_os_signals.ts";

export { UnsupportedSignalError } from "./_os_signals.ts";

/** Options of {@linkcode nextSignal}. */
export interface NextSignalOptions {
  /**
   * Does not keep the process alive for this wait.
   *
   * @default {false}
   */
  idle?: boolean;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of {@linkcode signals}. */
export interface SignalsOptions extends NextSignalOptions {
  /**
   * How many signals are kept while the loop's body is busy; more are dropped.
   *
   * @default {16}
   */
  capacity?: number;
}

/**
 * Gives the signals that the process receives, as they come.
 *
 * The first step of the iteration begins to listen, and the end of the loop, by
 * `break`, by an error or by a cancellation, ends that. While somebody listens,
 * the signal has no other effect: SIGINT does not end the process.
 *
 * @param names The signals to listen to.
 * @returns What `for await` can go over, without an end.
 * @throws {TypeError} If no name is given.
 * @throws {UnsupportedSignalError} If the platform does not offer a signal; the
 * iteration throws it.
 * @throws {CancelledError} If the ambient scope is cancelled; the iteration throws
 * it.
 *
 * @example Count signals
 * ```ts ignore
 * import { signals } from "@ilmek/async/signals";
 *
 * let count = 0;
 * for await (const name of signals("SIGUSR1", "SIGUSR2")) {
 *   console.log(name, ++count);
 *   if (count === 3) break;
 * }
 * ```
 */
export function signals(
  ...names: Deno.Signal[]
): AsyncIterableIterator<Deno.Signal>;
/**
 * Gives the signals that the process receives, as they come.
 *
 * @param namesAndOptions The signals to listen to, and additional options.
 * @returns What `for await` can go over, without an end.
 */
export function signals(
  ...namesAndOptions: [...Deno.Signal[], SignalsOptions]
): AsyncIterableIterator<Deno.Signal>;
export function signals(
  ...args: (Deno.Signal | SignalsOptions)[]
): AsyncIterableIterator<Deno.Signal> {
  const { names, options } = split<SignalsOptions>(args);
  checkCount(options.capacity ?? 16, "listen to signals", "capacity");
  return iterate(names, options);
}

/**
 * Waits for the next signal that the process receives.
 *
 * @param names The signals to listen to.
 * @returns The name of the one that has come.
 * @throws {TypeError} If no name is given.
 * @throws {UnsupportedSignalError} If the platform does not offer a signal.
 * @throws {CancelledError} If the ambient scope is cancelled before.
 *
 * @example Give up after a while
 * ```ts
 * import { nextSignal } from "@ilmek/async/signals";
 * import { moveOnAfter } from "@ilmek/async/timeout";
 * import { assert } from "@std/assert";
 *
 * const { timedOut } = await moveOnAfter(1, () => nextSignal("SIGINT"));
 *
 * assert(timedOut);
 * ```
 */
export function nextSignal(...names: Deno.Signal[]): Promise<Deno.Signal>;
/**
 * Waits for the next signal that the process receives.
 *
 * @param namesAndOptions The signals to listen to, and additional options.
 * @returns The name of the one that has come.
 */
export function nextSignal(
  ...namesAndOptions: [...Deno.Signal[], NextSignalOptions]
): Promise<Deno.Signal>;
export async function nextSignal(
  ...args: (Deno.Signal | NextSignalOptions)[]
): Promise<Deno.Signal> {
  const { names, options } = split<NextSignalOptions>(args);
  const heard = listen(names, { ...options, capacity: 1 });
  try {
    return await heard.next();
  } finally {
    heard.end();
  }
}

/**
 * Calls `fn` whenever the process receives a signal, until it is disposed of.
 *
 * `fn` runs in the scope and the context in which `onSignal` was called, like
 * {@linkcode bind}. What it throws, or rejects with, goes to the loop's exception
 * handler. The listener does not keep the process alive.
 *
 * @param name The signal to listen to.
 * @param fn What to call; it receives the name of the signal.
 * @returns What ends the listening when it is disposed of.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {UnsupportedSignalError} If the platform does not offer the signal.
 *
 * @example Listen for as long as a block takes
 * ```ts
 * import { onSignal } from "@ilmek/async/signals";
 * import { assertEquals } from "@std/assert";
 *
 * let count = 0;
 * {
 *   using _listener = onSignal("SIGINT", () => count++);
 *   // Some work ...
 * }
 *
 * assertEquals(count, 0);
 * ```
 */
export function onSignal(
  name: Deno.Signal,
  fn: (name: Deno.Signal) => unknown,
): Disposable {
  checkFunction(fn, "listen to a signal");
  const loop = getRunningLoop();
  const failed = (exception: unknown): void =>
    loop.callExceptionHandler({
      message: `The listener to the signal "${name}" has failed`,
      exception,
    });
  const stop = listenTo(
    [name],
    bind(() => {
      try {
        const result = fn(name);
        if (isThenable(result)) result.then(undefined, failed);
      } catch (error) {
        failed(error);
      }
    }),
  );
  return { [Symbol.dispose]: stop };
}

/** Signals that are kept until somebody asks for them. */
interface Heard {
  next(): Promise<Deno.Signal>;
  end(): void;
}

async function* iterate(
  names: readonly Deno.Signal[],
  options: SignalsOptions,
): AsyncGenerator<Deno.Signal, void, void> {
  const heard = listen(names, options);
  try {
    for (;;) yield await heard.next();
  } finally {
    heard.end();
  }
}

function listen(
  names: readonly Deno.Signal[],
  options: SignalsOptions,
): Heard {
  const { capacity = 16, idle = false, signal } = options;
  const queue = new Queue<Deno.Signal>({ capacity });
  const stop = listenTo(names, (name) => queue.tryPut(name));
  const loop = Loop.coreOf(getRunningLoop());
  const close = loop.expectOutside();
  // A listener alone does not keep the process alive.
  const release = idle ? undefined : loop.clock.keepAlive();
  return {
    next: () => queue.get(signal === undefined ? {} : { signal }),
    end: () => {
      stop();
      close();
      release?.();
    },
  };
}

function split<O extends object>(
  args: readonly (Deno.Signal | O)[],
): { names: Deno.Signal[]; options: O } {
  const names = [...args];
  const last = names.at(-1);
  const options = typeof last === "object" && last !== null
    ? names.pop() as O
    : {} as O;
  if (names.length === 0) {
    throw new TypeError("Cannot listen to signals: no name is given");
  }
  for (const name of names) {
    if (typeof name === "string") continue;
    throw new TypeError(
      `Cannot listen to signals as each name must be a string: current value is ${
        show(name)
      }`,
    );
  }
  return { names: names as Deno.Signal[], options };
}
