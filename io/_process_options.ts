import type { Duration } from "../_internal/check.ts";
import type { ProcessInput } from "./_process_input.ts";

/** Options of all that starts processes. */
export interface ProcessStartOptions {
  /** Where it runs. */
  cwd?: string | URL;
  /** Variables that it sees besides those of this process. */
  env?: Readonly<Record<string, string>>;
  /**
   * Hides the variables of this process from it.
   *
   * @default {false}
   */
  clearEnv?: boolean;
  /** What it reads from stdin. Without it there is nothing to read. */
  input?: ProcessInput;
  /**
   * How long it may take to end after it was asked to by SIGTERM. After that it is
   * killed.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/** Options of {@linkcode startProcess}. */
export interface StartProcessOptions extends ProcessStartOptions {
  /**
   * Where stdin comes from, if there is no `input`: nothing, that of this process,
   * or what is written to {@linkcode Process.stdin}.
   *
   * @default {"null"}
   */
  stdin?: "null" | "inherit" | "piped";
  /**
   * Where stdout goes: to who reads {@linkcode Process.stdout} or
   * {@linkcode Process.chunks}, to that of this process, or nowhere.
   *
   * @default {"piped"}
   */
  stdout?: "piped" | "inherit" | "null";
  /**
   * Where stderr goes. `tail` keeps the end of it for errors; `piped` is for who
   * reads {@linkcode Process.stderr}.
   *
   * @default {"tail"}
   */
  stderr?: "tail" | "piped" | "inherit" | "null";
}

/** Options of {@linkcode Process.output}. */
export interface ProcessOutputOptions {
  /**
   * How many bytes of stdout may come, and of stderr.
   *
   * @default {67_108_864, which is 64 MiB}
   */
  maxOutputBytes?: number;
  /**
   * Throws a {@linkcode ProcessError} if the process does not succeed.
   *
   * @default {true}
   */
  throwOnError?: boolean;
}

/** Options of {@linkcode runProcess} and {@linkcode pipeProcesses}. */
export interface RunProcessOptions
  extends ProcessStartOptions, ProcessOutputOptions {}

/** Options of {@linkcode Process.terminate}. */
export interface ProcessTerminateOptions {
  /**
   * How long it may take to end before it is killed.
   *
   * @default {what the process was started with}
   */
  graceMs?: Duration;
}
