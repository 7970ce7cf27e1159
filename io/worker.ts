/**
 * Functions that run in a thread of their own.
 *
 * A local installation of this package needs the permission `read` for its files,
 * and for the module that is run.
 *
 * ```ts ignore
 * import { runInWorker } from "@ilmek/async/worker";
 *
 * const module = import.meta.resolve("./primes.ts");
 * console.log(await runInWorker<number>(module, "countPrimes", [1_000_000]));
 * ```
 *
 * @module
 */
import { type Duration, toMs } from "../_internal/check.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { thread as here } from "./_thread.ts";
import type { WorkerTarget } from "./_worker_messages.ts";
import { exportTarget, sourceTarget } from "./_worker_target.ts";
import { WorkerThread } from "./_worker_thread.ts";

export type { Duration } from "../_internal/check.ts";
export { WorkerCrashedError } from "./_worker_thread.ts";

/** Options of {@linkcode runInWorker}. */
export interface RunInWorkerOptions {
  /**
   * The name of the thread.
   *
   * @default {"Thread-" and a number}
   */
  name?: string;
  /** Ends the wait, and the work, when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
  /** What of the arguments is handed over to the thread, instead of copied. */
  transfer?: Transferable[];
  /**
   * How long the work may take to end when it was cancelled. After that the thread
   * is terminated.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/**
 * Runs an exported function of a module in a thread of its own, and gives what it
 * returns.
 *
 * Arguments and result are copied, as by `structuredClone`; errors keep their name,
 * message, stack, cause and fields. The function runs on a loop of its own: what it
 * leaves behind is cancelled and waited for. When the ambient scope is cancelled,
 * so is the function; if it has not ended after `graceMs`, the thread is
 * terminated, and that is reported. Nothing on the platform can end a thread that
 * spins: let long computations look at {@linkcode isThreadCancelled}.
 *
 * @typeParam T What the function returns. It is not checked.
 * @param module The URL of the module, such as `import.meta.resolve("./work.ts")`.
 * @param exportName The name of the function.
 * @param args The arguments for the function.
 * @param options Additional options.
 * @returns What the function returns.
 * @throws What the function throws.
 * @throws {WorkerCrashedError} If the thread ended without an answer: an error
 * outside of the function, or `close()`.
 * @throws {DOMException} If an argument or the result cannot be copied.
 * @throws {TypeError} If `module` is not a URL, or has no such function.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws The reason of `options.signal`, if it aborts before.
 *
 * @example Compute in another thread
 * ```ts
 * import { runInWorker } from "@ilmek/async/worker";
 * import { assertEquals } from "@std/assert";
 *
 * const module = "data:text/javascript,export const add = (a, b) => a + b";
 *
 * assertEquals(await runInWorker<number>(module, "add", [40, 2]), 42);
 * ```
 */
export async function runInWorker<T = unknown>(
  module: string | URL,
  exportName: string,
  args: readonly unknown[] = [],
  options: RunInWorkerOptions = {},
): Promise<T> {
  return await runThread<T>(
    exportTarget(module, exportName),
    args,
    options,
  );
}

/**
 * Runs a function that stands for itself in a thread of its own.
 *
 * The source of the function is sent, not the function: it sees its arguments and
 * what is global, and nothing else of where it was written. What it needs it can
 * `import()`, by an absolute URL. All else is as with {@linkcode runInWorker}.
 *
 * @typeParam A The arguments of `fn`.
 * @typeParam R What `fn` returns.
 * @param fn The function.
 * @param args The arguments for `fn`.
 * @returns What `fn` returns.
 * @throws What `fn` throws.
 * @throws {ReferenceError} If `fn` uses a variable from outside.
 * @throws {TypeError} If `fn` has no source that stands for itself: a bound or
 * native function, a method.
 * @throws {WorkerCrashedError} If the thread ended without an answer.
 * @throws {DOMException} If an argument or the result cannot be copied.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Keep the loop free of a computation
 * ```ts
 * import { toThread } from "@ilmek/async/worker";
 * import { assertEquals } from "@std/assert";
 *
 * const sum = await toThread((limit: number) => {
 *   let sum = 0;
 *   for (let i = 1; i <= limit; i++) sum += i;
 *   return sum;
 * }, 1000);
 *
 * assertEquals(sum, 500_500);
 * ```
 */
export async function toThread<A extends unknown[], R>(
  fn: (...args: A) => R,
  ...args: A
): Promise<Awaited<R>> {
  return await runThread<Awaited<R>>(sourceTarget(fn), args, {});
}

/**
 * The name of the thread in which the code runs that asks.
 *
 * @returns `MainThread`, or the name of the worker.
 *
 * @example Tell threads apart
 * ```ts
 * import { currentThreadName } from "@ilmek/async/worker";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(currentThreadName(), "MainThread");
 * ```
 */
export function currentThreadName(): string {
  if (!("WorkerGlobalScope" in globalThis)) return "MainThread";
  const { name = "" } = globalThis as { name?: string };
  return name === "" ? "WorkerThread" : name;
}

/**
 * Whether the work of this thread is to end. A computation that never waits asks
 * now and then, since it cannot be cancelled otherwise.
 *
 * @returns `true` if the one who waits for the thread was cancelled; never in the
 * main thread.
 *
 * @example End a computation
 * ```ts
 * import { isThreadCancelled } from "@ilmek/async/worker";
 * import { assertEquals } from "@std/assert";
 *
 * let rounds = 0;
 * while (rounds < 1000 && !isThreadCancelled()) rounds++;
 *
 * assertEquals(rounds, 1000);
 * ```
 */
export function isThreadCancelled(): boolean {
  return here.flag !== undefined && Atomics.load(here.flag, 0) === 1;
}

let lastThread = 0;

async function runThread<T>(
  target: WorkerTarget,
  args: readonly unknown[],
  options: RunInWorkerOptions,
): Promise<T> {
  const { name = `Thread-${++lastThread}`, signal, transfer = [] } = options;
  const graceMs = toMs(options.graceMs ?? 5000, "run in a worker", "graceMs");
  throwIfCancelled();
  signal?.throwIfAborted();
  const thread = new WorkerThread(name);
  try {
    thread.run(target, args, transfer);
    return await abortable(
      thread.answer as Promise<T>,
      signal === undefined ? {} : { signal },
    );
  } catch (error) {
    if (thread.working) await thread.end(graceMs);
    throw error;
  } finally {
    thread.terminate();
  }
}
