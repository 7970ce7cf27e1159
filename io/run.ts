/**
 * The entry of a program: runs its main function from beginning to end, and ends
 * it cleanly on SIGINT and SIGTERM.
 *
 * It needs no permission. `ILMEK_DEBUG` is looked at if the permission to read that
 * variable of the environment has been granted; nothing is asked for.
 *
 * ```ts
 * import { run } from "@ilmek/async/run";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await run(async () => {
 *   await sleep(1);
 *   console.log("done");
 * });
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import { CancelledError } from "../primitives/errors.ts";
import { Loop } from "../primitives/loop.ts";
import { Runner, type RunnerOptions } from "../primitives/runner.ts";
import { listenTo, UnsupportedSignalError } from "./_os_signals.ts";
import { stuckWorkers } from "./_stuck_workers.ts";

/** The signals that end a run, and their numbers. */
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** What {@linkcode run} does when a signal has ended its main function. */
export type InterruptMode = "exit" | "throw" | "none";

/** Options of {@linkcode run}. */
export interface RunOptions extends RunnerOptions {
  /**
   * What SIGINT and SIGTERM do:
   *
   * - `exit`: they cancel the run; when all is cleaned up, the process exits with
   *   128 + the number of the signal.
   * - `throw`: they cancel the run; when all is cleaned up, `run` rejects with an
   *   {@linkcode InterruptedError}. The process is never exited from here.
   * - `none`: nothing; the program deals with signals itself.
   *
   * @default {"exit"}
   */
  interrupt?: InterruptMode;
  /**
   * Puts the loop into debug mode.
   *
   * @default {false, unless the variable ILMEK_DEBUG is set, to anything but 0}
   */
  debug?: boolean;
}

/** Thrown by {@linkcode run} if a signal has ended its main function. */
export class InterruptedError extends Error {
  static {
    this.prototype.name = "InterruptedError";
  }
  /** The name of the signal. */
  readonly signal: "SIGINT" | "SIGTERM";

  /** Creates the error for a signal. */
  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`Cannot go on with the run: the signal "${signal}" has come`);
    this.signal = signal;
  }

  /** What a process exits with that this signal has ended: 130 or 143. */
  get exitCode(): number {
    return 128 + NUMBERS[this.signal];
  }
}

/**
 * Runs `main` on a loop of its own, and gives what it returns once all is over.
 *
 * When `main` has ended, the tasks that it left are cancelled and waited for, or
 * reported by name when `graceMs` is over. The first SIGINT or SIGTERM cancels
 * `main`; its cleanup runs, and what it returns or throws instead wins. The second
 * cancels hard: cleanup that waits gets no more time. The third exits the process
 * on the spot, or makes `run` reject at once if `interrupt` is `throw`. At the end
 * the signals have their usual effect again.
 *
 * A worker that spins and cannot be ended (see `runInWorker`) would keep the
 * process alive for ever: unless `interrupt` is `throw` or `none`, `run` then exits
 * the process where it would give back the value.
 *
 * @typeParam T What `main` returns.
 * @param main What to run.
 * @param options Additional options.
 * @returns What `main` returns.
 * @throws What `main` throws.
 * @throws {InterruptedError} If `options.interrupt` is `throw`, and a signal has
 * ended `main`.
 * @throws {TypeError} If `main` is not a function.
 * @throws {InvalidStateError} If it is called inside of a run.
 *
 * @example Run a program
 * ```ts
 * import { run } from "@ilmek/async/run";
 * import { createTask } from "@ilmek/async/task";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const answer = await run(async () => {
 *   createTask(() => sleep(Infinity)); // Is cancelled at the end.
 *   return await sleep(1, { value: 42 });
 * });
 *
 * assertEquals(answer, 42);
 * ```
 */
export async function run<T>(
  main: () => T | PromiseLike<T>,
  options: RunOptions = {},
): Promise<T> {
  const { interrupt = "exit", ...rest } = options;
  checkFunction(main, "run", "main");
  if (!["exit", "throw", "none"].includes(interrupt)) {
    throw new TypeError(
      `Cannot run as "interrupt" must be "exit", "throw" or "none": current value is ${
        show(interrupt)
      }`,
    );
  }
  if (rest.debug === undefined && isDebugWanted()) rest.debug = true;
  const runner = new Runner(rest);
  const guard = interrupt === "none" ? undefined : new Guard(runner, interrupt);
  try {
    return await (guard?.watch(main) ?? runner.run(main));
  } finally {
    guard?.end();
    Loop.coreOf(runner.loop).close();
  }
}

/** Guarded runs that have not ended: the process must not exit over them. */
const guarded = new Set<Guard>();

/** Listens to signals for a run, and does what they say. */
class Guard {
  readonly #runner: Runner;
  readonly #mode: "exit" | "throw";
  readonly #stop: (() => void)[] = [];
  readonly #ended = Promise.withResolvers<void>();
  readonly #givenUp = Promise.withResolvers<never>();
  /** The first signal that has come. */
  #interruption: InterruptedError | undefined = undefined;
  #count = 0;

  constructor(runner: Runner, mode: "exit" | "throw") {
    this.#runner = runner;
    this.#mode = mode;
    guarded.add(this);
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      try {
        this.#stop.push(listenTo([name], () => this.#onSignal(name)));
      } catch (error) {
        // Some platforms have only one of them.
        if (!(error instanceof UnsupportedSignalError)) throw error;
      }
    }
  }

  async watch<T>(main: () => T | PromiseLike<T>): Promise<T> {
    const running = this.#runner.run(main);
    try {
      const value = await Promise.race([running, this.#givenUp.promise]);
      if (this.#mode === "exit" && stuckWorkers.length > 0) await this.#exit();
      return value;
    } catch (error) {
      const interruption = this.#interruption;
      if (interruption === undefined) throw error;
      const isOurs = error === interruption ||
        error instanceof CancelledError && error.reason === interruption;
      if (!isOurs) throw error;
      if (this.#mode === "exit") await this.#exit(interruption.exitCode);
      throw interruption;
    }
  }

  end(): void {
    for (const stop of this.#stop.splice(0)) stop();
    guarded.delete(this);
    this.#ended.resolve();
  }

  #onSignal(name: "SIGINT" | "SIGTERM"): void {
    this.#count++;
    this.#interruption ??= new InterruptedError(name);
    if (this.#count === 1) this.#runner.cancel(this.#interruption);
    else if (this.#count === 2) this.#runner.cancelHard(this.#interruption);
    else if (this.#mode === "exit") Deno.exit(this.#interruption.exitCode);
    else this.#givenUp.reject(this.#interruption);
  }

  async #exit(code?: number): Promise<never> {
    this.end();
    await Promise.all([...guarded].map((guard) => guard.#ended.promise));
    Deno.exit(code);
  }
}

function isDebugWanted(): boolean {
  const variable = "ILMEK_DEBUG";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  if (state !== "granted") return false;
  const value = Deno.env.get(variable);
  return value !== undefined && value !== "" && value !== "0";
}
