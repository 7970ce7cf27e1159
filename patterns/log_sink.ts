/**
 * Where a logger writes: to a console, or as lines of text or JSON.
 *
 * ```ts
 * import { lineSink } from "@ilmek/async/log-sink";
 * import { Logger } from "@ilmek/async/logger";
 *
 * const lines: string[] = [];
 * const log = new Logger(lineSink((line) => lines.push(line)));
 * log.info("ready"); // {"time":"2026-01-31T12:00:00.000Z","level":"info",...
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import { plainValue } from "./_log_values.ts";
import type { LogEntry, LogLevel, LogSink } from "./logger.ts";

export type {
  LogEntry,
  LogFields,
  LogLevel,
  LogSink,
  LogTask,
} from "./logger.ts";

/** What Python calls the levels. */
const PYTHON_LEVELS: Record<LogLevel, string> = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
};

/** Text that stands for itself in a line of fields. */
const BARE_REGEXP = /^[^\s"=]+$/;

/** Makes a line of an entry, without its end. */
export type LogFormat = (entry: LogEntry) => string;

/** Options of {@linkcode lineSink} and {@linkcode consoleSink}. */
export interface LogSinkOptions {
  /**
   * How entries are written. The default is {@linkcode formatLogJson} for lines,
   * and {@linkcode formatLogText} for a console.
   */
  format?: LogFormat;
}

/** A console, or what has its methods. */
export interface LogConsole {
  /** Writes what helps to find mistakes. */
  debug(text: string): void;
  /** Writes what is as it should be. */
  info(text: string): void;
  /** Writes what may become a problem. */
  warn(text: string): void;
  /** Writes what has failed. */
  error(text: string): void;
}

/**
 * A sink that writes lines.
 *
 * If `write` gives a promise that rejects, the logger reports that. It does not
 * wait: `write` sees to the order and the pace of its lines.
 *
 * @param write Writes a line; its end is included.
 * @param options Additional options.
 * @returns The sink.
 * @throws {TypeError} If `write` or `options.format` is not a function.
 *
 * @example Write JSON, a line for each entry
 * ```ts
 * import { lineSink } from "@ilmek/async/log-sink";
 * import { Logger } from "@ilmek/async/logger";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const log = new Logger(lineSink((line) => lines.push(line)));
 * log.error("not saved", {
 *   error: new RangeError("full", { cause: new TypeError("disk") }),
 * });
 *
 * const { message, fields } = JSON.parse(lines[0] ?? "");
 * assertEquals(message, "not saved");
 * assertEquals(fields.error.cause.name, "TypeError");
 * ```
 */
export function lineSink(
  write: (line: string) => unknown,
  options: LogSinkOptions = {},
): LogSink {
  const { format = formatLogJson } = options;
  checkFunction(write, "write log lines", "write");
  checkFunction(format, "write log lines", "format");
  return (entry) => write(`${format(entry)}\n`);
}

/**
 * A sink that writes to a console: each entry by the method of its level.
 *
 * @param target The console.
 * @param options Additional options.
 * @returns The sink.
 * @throws {TypeError} If `target` lacks one of the methods.
 *
 * @example Hand in a console
 * ```ts
 * import { consoleSink } from "@ilmek/async/log-sink";
 * import { Logger } from "@ilmek/async/logger";
 * import { assertEquals } from "@std/assert";
 *
 * const warnings: string[] = [];
 * const target = { ...console, warn: (text: string) => warnings.push(text) };
 * const format = ({ message }: { message: string }) => message;
 * new Logger(consoleSink(target, { format })).warn("late");
 *
 * assertEquals(warnings, ["late"]);
 * ```
 */
export function consoleSink(
  target: LogConsole,
  options: LogSinkOptions = {},
): LogSink {
  const { format = formatLogText } = options;
  const doing = "write to a console";
  if (typeof target !== "object" || target === null) {
    throw new TypeError(
      `Cannot ${doing} as "target" must be a console: current value is ${
        show(target)
      }`,
    );
  }
  for (const level of ["debug", "info", "warn", "error"] as const) {
    checkFunction(target[level], doing, `target.${level}`);
  }
  checkFunction(format, doing, "format");
  return (entry) => target[entry.level](format(entry));
}

/**
 * Writes an entry as JSON.
 *
 * Errors keep their name, message, stack, fields, cause and `errors`. It never
 * throws: what JSON does not know becomes text, circles are cut, and so is what is
 * very deep or long.
 *
 * @param entry The entry.
 * @returns JSON without line breaks.
 *
 * @example Write what JSON does not know
 * ```ts
 * import { formatLogJson } from "@ilmek/async/log-sink";
 * import { assertEquals } from "@std/assert";
 *
 * const text = formatLogJson({
 *   time: 0,
 *   level: "info",
 *   logger: "app",
 *   message: "counted",
 *   context: {},
 *   fields: { rows: 12n, rate: NaN, tags: new Set(["a"]) },
 * });
 *
 * assertEquals(JSON.parse(text), {
 *   time: "1970-01-01T00:00:00.000Z",
 *   level: "info",
 *   logger: "app",
 *   message: "counted",
 *   fields: { rows: "12", rate: "NaN", tags: ["a"] },
 * });
 * ```
 */
export function formatLogJson(entry: LogEntry): string {
  const { time, level, logger, message, task, context, fields } = entry;
  return JSON.stringify({
    time: isoTime(time),
    level,
    logger,
    message,
    task,
    context: isEmpty(context) ? undefined : plainValue(context),
    fields: isEmpty(fields) ? undefined : plainValue(fields),
  });
}

/**
 * Writes an entry as Python's `logging` does with the format
 * `%(asctime)s - %(name)s - %(levelname)s - %(message)s`, in local time.
 *
 * What else the entry tells follows as `name=value`; the stack of an error stands
 * in lines of its own. A value that cannot be read is told as such.
 *
 * @param entry The entry.
 * @returns The text.
 *
 * @example Log as in Python
 * ```ts
 * import { formatLogText } from "@ilmek/async/log-sink";
 * import { assertEquals } from "@std/assert";
 *
 * const text = formatLogText({
 *   time: new Date(2026, 0, 31, 12, 30, 5, 7).getTime(),
 *   level: "warn",
 *   logger: "__main__",
 *   message: "Worker-1 is late",
 *   context: {},
 *   fields: { ms: 20 },
 * });
 *
 * assertEquals(
 *   text,
 *   "2026-01-31 12:30:05,007 - __main__ - WARNING - Worker-1 is late ms=20",
 * );
 * ```
 */
export function formatLogText(entry: LogEntry): string {
  const { level, logger, message, context, fields } = entry;
  const told = Object.entries({ ...context, ...fields });
  const head = [
    localTime(new Date(entry.time)),
    logger,
    PYTHON_LEVELS[level],
    [message, ...told.map(([name, value]) => `${name}=${inline(value)}`)]
      .join(" "),
  ].join(" - ");
  return [head, ...told.flatMap(([, value]) => stackOf(value))].join("\n");
}

/** Many entries are from the same moment: its text is made once. */
let moment: { readonly time: number; readonly text: string | null } = {
  time: NaN,
  text: null,
};

function isoTime(time: number): string | null {
  if (time !== moment.time) moment = { time, text: new Date(time).toJSON() };
  return moment.text;
}

/** The time as Python writes it: `2026-01-31 12:30:05,007`. */
function localTime(date: Date): string {
  const pad = (value: number, length = 2) =>
    String(value).padStart(length, "0");
  const day = [
    date.getFullYear(),
    pad(date.getMonth() + 1),
    pad(date.getDate()),
  ].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((it) => pad(it)).join(":");
  return `${day} ${time},${pad(date.getMilliseconds(), 3)}`;
}

function inline(value: unknown): string {
  try {
    return inlineOf(value);
  } catch {
    return "[unreadable]";
  }
}

function inlineOf(value: unknown): string {
  if (value instanceof Error) {
    return JSON.stringify(`${value.name}: ${value.message}`);
  }
  const plain = plainValue(value);
  if (typeof plain !== "string") return JSON.stringify(plain) ?? "undefined";
  return BARE_REGEXP.test(plain) ? plain : JSON.stringify(plain);
}

/** The lines below an entry that tell where an error is from, and why it came. */
function stackOf(error: unknown): string[] {
  const lines: string[] = [];
  try {
    for (const line of stacksOf(error)) lines.push(line);
  } catch {
    // What can be read of it stands there.
  }
  return lines;
}

function* stacksOf(error: unknown): Generator<string> {
  const seen = new Set<unknown>();
  for (let link = error; link instanceof Error && !seen.has(link);) {
    seen.add(link);
    const stack = link.stack ?? `${link.name}: ${link.message}`;
    yield seen.size === 1 ? stack : `Caused by: ${stack}`;
    link = link.cause;
  }
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}
