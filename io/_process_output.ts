import type { ProcessStatus } from "./_process_errors.ts";

/**
 * What a process has written, and how it ended.
 *
 * @example Look at the exit code
 * ```ts
 * import { runProcess } from "@ilmek/async/process";
 * import { assertEquals } from "@std/assert";
 *
 * const output = await runProcess([Deno.execPath(), "eval", "Deno.exit(1)"], {
 *   throwOnError: false,
 * });
 *
 * assertEquals([output.code, output.stdout], [1, ""]);
 * ```
 */
export class ProcessOutput implements ProcessStatus {
  /** Whether its exit code was 0. */
  readonly success: boolean;
  /** The exit code; 128 and the number of the signal, if one has ended it. */
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: Deno.Signal | null;
  /** What it wrote to stdout. */
  readonly stdoutBytes: Uint8Array<ArrayBuffer>;
  /** What it wrote to stderr; the end of it, if that is all that was kept. */
  readonly stderr: string;

  /**
   * Outputs come from processes.
   *
   * @internal
   */
  constructor(
    status: ProcessStatus,
    stdout: Uint8Array<ArrayBuffer>,
    stderr: string,
  ) {
    this.success = status.success;
    this.code = status.code;
    this.signal = status.signal;
    this.stdoutBytes = stdout;
    this.stderr = stderr;
  }

  /** What it wrote to stdout, as text in UTF-8. */
  get stdout(): string {
    return new TextDecoder().decode(this.stdoutBytes);
  }
}
