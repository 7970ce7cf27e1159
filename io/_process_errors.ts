/** How a child process ended. */
export interface ProcessStatus {
  /** Whether its exit code was 0. */
  readonly success: boolean;
  /** The exit code; 128 and the number of the signal, if one has ended it. */
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: Deno.Signal | null;
}

/** Thrown if a child process ended with an exit code other than 0, or by a signal. */
export class ProcessError extends Error implements ProcessStatus {
  static {
    this.prototype.name = "ProcessError";
  }
  /** The program, without its arguments. */
  readonly command: string;
  /** It did not succeed. */
  readonly success: false;
  /** The exit code; 128 and the number of the signal, if one has ended it. */
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: Deno.Signal | null;
  /** The end of what it wrote to stderr, as far as that was kept. */
  readonly stderr: string;

  /** Creates the error of a program. */
  constructor(command: string, status: ProcessStatus, stderr: string) {
    const { code, signal } = status;
    const how = signal === null
      ? `it exited with code ${code}`
      : `it was ended by ${signal}`;
    const lastLine = stderr.trimEnd().split("\n").at(-1) ?? "";
    super(
      `Cannot use the result of "${command}": ${how}${
        lastLine === "" ? "" : ` (${lastLine})`
      }`,
    );
    this.command = command;
    this.success = false;
    this.code = code;
    this.signal = signal;
    this.stderr = stderr;
  }
}

/** Thrown if a program cannot be started. Its `cause` is what the platform says. */
export class ProcessStartError extends Error {
  static {
    this.prototype.name = "ProcessStartError";
  }
  /** The program, without its arguments. */
  readonly command: string;

  /** Creates the error of a program. */
  constructor(command: string, options: ErrorOptions) {
    const { cause } = options;
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot start "${command}": ${why}`, { cause });
    this.command = command;
  }
}

/** Thrown if a child process writes more than may be kept. It is ended then. */
export class ProcessOutputError extends RangeError {
  static {
    this.prototype.name = "ProcessOutputError";
  }
  /** The program, without its arguments. */
  readonly command: string;
  /** How many bytes may be kept. */
  readonly maxOutputBytes: number;

  /** Creates the error of a program. */
  constructor(command: string, maxOutputBytes: number) {
    super(
      `Cannot keep the output of "${command}": it has more than ${maxOutputBytes} bytes`,
    );
    this.command = command;
    this.maxOutputBytes = maxOutputBytes;
  }
}
