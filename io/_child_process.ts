import { checkCount, checkFunction, show, toMs } from "../_internal/check.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { InvalidStateError, isCancelled } from "../primitives/errors.ts";
import { gather } from "../primitives/gather.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { createTask, type Task } from "../primitives/task.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { ByteSource, ByteTail, joinBytes } from "./_byte_source.ts";
import { Ending } from "./_ending.ts";
import {
  ProcessError,
  ProcessOutputError,
  ProcessStartError,
  type ProcessStatus,
} from "./_process_errors.ts";
import { feed, type ProcessInput } from "./_process_input.ts";
import { type Lines, lines, type LinesOptions } from "./lines.ts";
import { ProcessOutput } from "./_process_output.ts";
import type {
  ProcessOutputOptions,
  ProcessTerminateOptions,
  StartProcessOptions,
} from "./_process_options.ts";

/** How much of stderr is kept for errors. */
const TAIL_BYTES = 4096;

/**
 * A child process at work; see {@linkcode startProcess}.
 *
 * It ends with the scope in which it was started, and at the end of the block if it
 * was declared with `await using`: it is asked by SIGTERM, killed after a grace, and
 * waited for. While it lives, virtual time stands still.
 *
 * @example Talk to a child
 * ```ts
 * import { startProcess } from "@ilmek/async/process";
 * import { assertEquals } from "@std/assert";
 *
 * const code = "for await (const c of Deno.stdin.readable) Deno.stdout.write(c)";
 * await using child = startProcess([Deno.execPath(), "eval", code], {
 *   input: "hello",
 * });
 * const { stdout, success } = await child.output();
 *
 * assertEquals([stdout, success], ["hello", true]);
 * ```
 */
export class Process implements AsyncDisposable {
  /** The program, without its arguments. */
  readonly command: string;
  readonly #child: Deno.ChildProcess;
  readonly #graceMs: number;
  readonly #ended: Ending;
  readonly #stdout: ByteSource | undefined;
  readonly #stderr: ByteSource | undefined;
  readonly #tail = new ByteTail(TAIL_BYTES);
  /** Reads stderr, if nobody else does. It never rejects. */
  #tailing: Promise<void> | undefined;
  #feeding: Task<void> | undefined;
  /** Why the input has failed, if it has. */
  #inputFault: { readonly error: unknown } | undefined;
  #status: ProcessStatus | undefined;
  readonly #isWritable: boolean;

  /**
   * Processes come from `startProcess`.
   *
   * @internal
   */
  constructor(argv: readonly string[], options: StartProcessOptions) {
    const { cwd, env = {}, clearEnv = false, input, graceMs = 5000 } = options;
    const { stdin = "null", stdout = "piped", stderr = "tail" } = options;
    const [command, ...args] = checkCommand(argv);
    checkInput(input);
    this.#graceMs = toMs(graceMs, "start a process", "graceMs");
    this.command = command;
    this.#isWritable = input !== undefined || stdin === "piped";
    throwIfCancelled();
    try {
      this.#child = new Deno.Command(command, {
        args,
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...env },
        clearEnv,
        stdin: input === undefined ? stdin : "piped",
        stdout,
        stderr: stderr === "tail" ? "piped" : stderr,
      }).spawn();
    } catch (cause) {
      throw new ProcessStartError(command, { cause });
    }
    this.#ended = new Ending(`the end of "${command}"`);
    if (stdout === "piped") {
      this.#stdout = new ByteSource(
        this.#child.stdout,
        `stdout of "${command}"`,
      );
    }
    if (stderr === "tail" || stderr === "piped") {
      this.#stderr = new ByteSource(
        this.#child.stderr,
        `stderr of "${command}"`,
      );
    }
    this.#watch();
    const bound = { scope: "current", eager: true } as const;
    if (stderr === "tail") {
      this.#tailing = this.#readTail();
    }
    if (input !== undefined) {
      const name = `the input of "${command}"`;
      this.#feeding = createTask(() => this.#feed(input), { ...bound, name });
    }
    createTask(() => this.#live(), { ...bound, name: command });
  }

  /** The number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** How it ended, as soon as it has. */
  get status(): ProcessStatus | undefined {
    return this.#status;
  }

  /**
   * What is written here is what it reads, with `stdin: "piped"`. To write is no
   * wait.
   *
   * @throws {TypeError} If stdin is not piped.
   */
  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdin;
  }

  /**
   * What it writes to stdout, as a stream of the platform. To read from it is no
   * wait; {@linkcode Process.chunks} is.
   *
   * @throws {InvalidStateError} If somebody reads it already, or it is not piped.
   */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#piped(this.#stdout, "stdout").stream;
  }

  /**
   * What it writes to stderr, with `stderr: "piped"`.
   *
   * @throws {InvalidStateError} If somebody reads it already, or it is not piped.
   */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#piped(this.#stderr, "stderr").stream;
  }

  /** The end of what it has written to stderr so far, with `stderr: "tail"`. */
  get stderrTail(): string {
    return this.#tail.text;
  }

  /**
   * Gives what it writes to stdout, as it comes. To leave the loop drops the rest.
   *
   * @returns The pieces.
   * @throws {InvalidStateError} If somebody reads it already, or it is not piped.
   */
  chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    return this.#piped(this.#stdout, "stdout").chunks();
  }

  /**
   * Gives what it writes to stdout, line by line, as it comes. To leave the loop
   * drops the rest.
   *
   * @param options Additional options.
   * @returns The lines.
   * @throws {InvalidStateError} If somebody reads it already, or it is not piped.
   *
   * @example Read until a line has come
   * ```ts
   * import { startProcess } from "@ilmek/async/process";
   * import { assertEquals } from "@std/assert";
   *
   * const code = "console.log('ready'); setInterval(() => {}, 1000)";
   * await using child = startProcess([Deno.execPath(), "eval", code]);
   * for await (const line of child.lines()) {
   *   assertEquals(line, "ready");
   *   break;
   * }
   * ```
   */
  lines(options: LinesOptions = {}): Lines {
    return lines(this.chunks(), options);
  }

  /**
   * Waits for its end, however that is.
   *
   * To cancel the wait does not end the process, unless it was started in the scope
   * that is cancelled.
   *
   * @returns How it ended.
   */
  async wait(): Promise<ProcessStatus> {
    await this.#ended;
    return this.#status as ProcessStatus;
  }

  /**
   * Waits until it has ended well. If it has not, what it has started itself may
   * go on and keep its stderr open: that is waited for, too.
   *
   * @throws {ProcessError} If it does not succeed.
   */
  async check(): Promise<void> {
    const status = await this.wait();
    if (status.success) return;
    if (this.#tailing !== undefined) await abortable(this.#tailing);
    throw new ProcessError(this.command, status, this.stderrTail);
  }

  /**
   * Waits for its end, and gives what it wrote. What it has started itself may go on
   * and keep its stdout open: that is waited for, too.
   *
   * @param options Additional options.
   * @returns What it wrote, and how it ended.
   * @throws {ProcessError} If it does not succeed, unless `throwOnError` is unset.
   * @throws {ProcessOutputError} If it writes too much. It is ended then.
   * @throws {InvalidStateError} If somebody reads its output already.
   * @throws What the input throws.
   */
  async output(options: ProcessOutputOptions = {}): Promise<ProcessOutput> {
    const { maxOutputBytes = 64 * 1024 * 1024, throwOnError = true } = options;
    checkCount(maxOutputBytes, "read the output", "maxOutputBytes", 0);
    const isTail = this.#tailing !== undefined;
    const [stdout, stderr] = await gather([
      () => this.#collect(this.#stdout, maxOutputBytes),
      () => this.#collect(isTail ? undefined : this.#stderr, maxOutputBytes),
    ]);
    const status = await this.wait();
    if (this.#tailing !== undefined) await abortable(this.#tailing);
    if (this.#inputFault !== undefined) throw this.#inputFault.error;
    const errors = isTail ? this.#tail.text : new TextDecoder().decode(stderr);
    const output = new ProcessOutput(status, stdout, errors);
    if (throwOnError && !status.success) {
      throw new ProcessError(this.command, status, errors.slice(-TAIL_BYTES));
    }
    return output;
  }

  /**
   * Sends a signal.
   *
   * @param signal The signal.
   * @returns `false` if the process has ended before.
   */
  kill(signal: Deno.Signal = "SIGTERM"): boolean {
    if (this.#status !== undefined) return false;
    try {
      this.#child.kill(signal);
      return true;
    } catch (error) {
      // It has ended, and nobody was told yet.
      if (error instanceof TypeError || error instanceof Deno.errors.NotFound) {
        return false;
      }
      throw error;
    }
  }

  /**
   * Ends the process by SIGTERM, by SIGKILL if that takes too long, and waits until
   * it is gone. What it wrote and nobody read is dropped.
   *
   * It also runs to its end in a scope that was cancelled.
   *
   * @param options Additional options.
   * @returns How the process ended.
   * @throws {RangeError} If `options.graceMs` is negative or not a number.
   */
  async terminate(
    options: ProcessTerminateOptions = {},
  ): Promise<ProcessStatus> {
    const { graceMs = this.#graceMs } = options;
    const ms = toMs(graceMs, "end a process", "graceMs");
    await uncancellable(async () => {
      this.kill("SIGTERM");
      const { timedOut } = await moveOnAfter(ms, () => this.wait());
      if (timedOut) this.kill("SIGKILL");
      await this.wait();
      await this.#release();
    }, { name: `the end of "${this.command}"`, graceMs: Infinity });
    return this.#status as ProcessStatus;
  }

  /** Ends the process, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  /** Learns of the end, whoever waits for it. */
  #watch(): void {
    const hold = getRunningLoop().hold(`the process "${this.command}"`);
    this.#child.status.then(({ success, code, signal }) => {
      this.#status = { success, code, signal };
      hold[Symbol.dispose]();
      this.#feeding?.cancel("its process has ended");
      this.#ended.reach();
    });
  }

  /** Ends the process when the scope is cancelled in which it was started. */
  async #live(): Promise<void> {
    try {
      await this.#ended;
    } catch {
      await this.terminate();
    }
  }

  async #release(): Promise<void> {
    this.#feeding?.cancel("its process has ended");
    await this.#feeding?.outcome();
    await this.#stdout?.cancel();
    await this.#stderr?.cancel();
    await this.#tailing;
    await this.#closeStdin();
  }

  /** It is no wait: a child that is asked to end may still have much to say. */
  async #readTail(): Promise<void> {
    const next = this.#stderr?.take();
    if (next === undefined) return;
    for (let c = await next(); c !== undefined; c = await next()) {
      this.#tail.push(c);
    }
  }

  async #closeStdin(): Promise<void> {
    if (!this.#isWritable || this.#child.stdin.locked) return;
    await this.#child.stdin.abort().catch(() => {});
  }

  async #feed(input: ProcessInput): Promise<void> {
    try {
      await feed(this.#child.stdin, input);
    } catch (error) {
      if (this.#status !== undefined || isCancelled(error)) return;
      // It must not take half of its input for all of it.
      this.#inputFault = { error };
      this.kill("SIGTERM");
    }
  }

  async #collect(
    source: ByteSource | undefined,
    maxBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    if (source === undefined) return joinBytes(parts);
    let size = 0;
    for await (const chunk of source.chunks()) {
      size += chunk.length;
      if (size > maxBytes) {
        await this.terminate();
        throw new ProcessOutputError(this.command, maxBytes);
      }
      parts.push(chunk);
    }
    return joinBytes(parts);
  }

  #piped(source: ByteSource | undefined, name: string): ByteSource {
    if (source !== undefined) return source;
    throw new InvalidStateError(
      `Cannot read ${name} of "${this.command}": it is not piped`,
    );
  }
}

function checkCommand(argv: readonly string[]): readonly [string, ...string[]] {
  const isFine = Array.isArray(argv) && argv.length > 0 &&
    argv.every((part) => typeof part === "string") && argv[0] !== "";
  if (isFine) return argv as unknown as readonly [string, ...string[]];
  throw new TypeError(
    `Cannot start a process as "argv" must be a list of strings, the program first: current value is ${
      show(argv)
    }`,
  );
}

function checkInput(input: ProcessInput | undefined): void {
  if (input === undefined || typeof input === "string") return;
  if (input instanceof Uint8Array) return;
  const { [Symbol.asyncIterator]: iterate } = Object(input);
  checkFunction(iterate, "start a process", "input[Symbol.asyncIterator]");
}
