/**
 * Child processes that end with the ambient scope.
 *
 * It needs the permission `run` for the programs.
 *
 * ```ts ignore
 * import { runProcess } from "@ilmek/async/process";
 *
 * const { stdout } = await runProcess(["git", "log", "--oneline"]);
 * console.log(stdout);
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { gather } from "../primitives/gather.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { Process } from "./_child_process.ts";
import type { ProcessOutput } from "./_process_output.ts";
import type {
  RunProcessOptions,
  StartProcessOptions,
} from "./_process_options.ts";

export type { Duration } from "../_internal/check.ts";
export { Process } from "./_child_process.ts";
export {
  ProcessError,
  ProcessOutputError,
  ProcessStartError,
  type ProcessStatus,
} from "./_process_errors.ts";
export type { ProcessInput } from "./_process_input.ts";
export { ProcessOutput } from "./_process_output.ts";
export type {
  ProcessOutputOptions,
  ProcessStartOptions,
  ProcessTerminateOptions,
  RunProcessOptions,
  StartProcessOptions,
} from "./_process_options.ts";

/**
 * Starts a child process, which ends with the present scope.
 *
 * @param argv The program, and its arguments. There is no shell in between.
 * @param options Additional options.
 * @returns The process; to be ended by `await using`, or by `output()`.
 * @throws {ProcessStartError} If the program cannot be started.
 * @throws {TypeError} If `argv` is not a list of strings with at least one.
 * @throws {RangeError} If a duration is negative or not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example End a child that goes on for ever
 * ```ts
 * import { startProcess } from "@ilmek/async/process";
 * import { assertEquals } from "@std/assert";
 *
 * const child = startProcess([Deno.execPath(), "eval", "setInterval(() => {})"]);
 * const { signal } = await child.terminate();
 *
 * assertEquals(signal, "SIGTERM");
 * ```
 */
export function startProcess(
  argv: readonly string[],
  options: StartProcessOptions = {},
): Process {
  return new Process(argv, options);
}

/**
 * Runs a child process to its end, and gives what it wrote.
 *
 * If the ambient scope is cancelled, the process is ended, and waited for.
 *
 * @param argv The program, and its arguments. There is no shell in between.
 * @param options Additional options.
 * @returns What it wrote, and how it ended.
 * @throws {ProcessError} If it does not succeed, unless `throwOnError` is unset.
 * @throws {ProcessStartError} If the program cannot be started.
 * @throws {ProcessOutputError} If it writes too much. It is ended then.
 * @throws {TypeError} If `argv` is not a list of strings with at least one.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Run a program
 * ```ts
 * import { runProcess } from "@ilmek/async/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout } = await runProcess([Deno.execPath(), "eval", "console.log(42)"]);
 *
 * assertEquals(stdout, "42\n");
 * ```
 */
export async function runProcess(
  argv: readonly string[],
  options: RunProcessOptions = {},
): Promise<ProcessOutput> {
  const child = startProcess(argv, { ...options, stderr: "piped" });
  try {
    return await child.output(options);
  } finally {
    await child.terminate();
  }
}

/**
 * Runs child processes side by side, each reading what the one before writes, and
 * gives what the last one wrote.
 *
 * A process whose reader has ended early does not count as failed by SIGPIPE.
 *
 * @param commands The programs with their arguments; `options.input` is what the
 * first one reads.
 * @param options Additional options.
 * @returns What the last one wrote, and how it ended.
 * @throws {ProcessError} Of the first that does not succeed, unless `throwOnError`
 * is unset.
 * @throws {ProcessStartError} If a program cannot be started.
 * @throws {TypeError} If there is no command.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Let one child read from another
 * ```ts
 * import { pipeProcesses } from "@ilmek/async/process";
 * import { assertEquals } from "@std/assert";
 *
 * const deno = (code: string) => [Deno.execPath(), "eval", code];
 * const { stdout } = await pipeProcesses([
 *   deno("console.log('hello')"),
 *   deno("const t = await new Response(Deno.stdin.readable).text();" +
 *     "console.log(t.trim().toUpperCase())"),
 * ]);
 *
 * assertEquals(stdout, "HELLO\n");
 * ```
 */
export async function pipeProcesses(
  commands: readonly (readonly string[])[],
  options: RunProcessOptions = {},
): Promise<ProcessOutput> {
  const { throwOnError = true, input, ...rest } = options;
  if (!Array.isArray(commands) || commands.length === 0) {
    throw new TypeError(
      `Cannot pipe processes as "commands" must be a list with at least one: current value is ${
        show(commands)
      }`,
    );
  }
  const children: Process[] = [];
  try {
    let next = input;
    for (const argv of commands) {
      const child: Process = startProcess(argv, {
        ...rest,
        ...(next === undefined ? {} : { input: next }),
      });
      children.push(child);
      if (children.length < commands.length) next = child.chunks();
    }
    const last = children[children.length - 1] as Process;
    const output = await last.output({ ...rest, throwOnError: false });
    for (const child of throwOnError ? children : []) {
      const { signal } = await child.wait();
      if (signal !== "SIGPIPE") await child.check();
    }
    return output;
  } finally {
    await uncancellable(
      () => gather(children.map((child) => () => child.terminate())),
      { name: "the end of processes", graceMs: Infinity },
    );
  }
}
