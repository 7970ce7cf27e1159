/**
 * A logger whose entries say in which task, and under which context variables,
 * they were written.
 *
 * ```ts
 * import { consoleSink } from "@ilmek/async/log-sink";
 * import { Logger } from "@ilmek/async/logger";
 *
 * const log = new Logger(consoleSink(console), { name: "shop" });
 * log.info("order taken", { order: 17 });
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { wallClock } from "../_internal/wall_clock.ts";
import { ContextVar } from "../primitives/context_var.ts";
import type { ExceptionContext } from "../primitives/loop.ts";
import {
  guardSink,
  type LogSource,
  mergeFields,
  NO_FIELDS,
  readContext,
  readSource,
  taskOf,
} from "./_log_entry.ts";
import type {
  LogContext,
  LogEntry,
  LogFields,
  LoggerChildOptions,
  LoggerOptions,
  LogLevel,
  LogSink,
} from "./_log_types.ts";

export {
  ContextVar,
  type ContextVarOptions,
  Token,
} from "../primitives/context_var.ts";
export type { ExceptionContext } from "../primitives/loop.ts";
export type {
  LogContext,
  LogEntry,
  LogFields,
  LoggerChildOptions,
  LoggerOptions,
  LogLevel,
  LogSink,
  LogTask,
} from "./_log_types.ts";

/** What matters more has a higher one. */
const RANKS: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
};

/**
 * Writes entries to a sink.
 *
 * To write never throws and never waits. A sink that fails is reported once to the
 * exception handler of the loop, until it works again.
 *
 * @example Know which task and which request an entry is from
 * ```ts
 * import { ContextVar } from "@ilmek/async/context-var";
 * import { type LogEntry, Logger } from "@ilmek/async/logger";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new ContextVar<string>("request");
 * const entries: LogEntry[] = [];
 * const log = new Logger((entry) => entries.push(entry), {
 *   context: { request },
 * });
 *
 * await request.run("r-1", () =>
 *   createTask(() => log.info("saved", { rows: 2 }), { name: "save" }));
 *
 * const [entry] = entries;
 * assertEquals(entry?.task?.name, "save");
 * assertEquals(entry?.context, { request: "r-1" });
 * assertEquals(entry?.fields, { rows: 2 });
 * ```
 */
export class Logger {
  /** How entries call the logger. */
  readonly name: string;
  readonly #sink: LogSink;
  readonly #fields: LogFields;
  readonly #context: LogContext;
  /** The entries of the context. */
  readonly #sources: readonly LogSource[];
  readonly #now: () => number;
  #parent: Logger | undefined = undefined;
  /** Invariant: it is given, or there is a parent. */
  #level: LogLevel | undefined;

  /**
   * Creates a logger.
   *
   * @throws {TypeError} If `sink` is not a function.
   * @throws {TypeError} If an option has the wrong type.
   */
  constructor(sink: LogSink, options: LoggerOptions = {}) {
    const doing = "create a logger";
    const { name = "app", level = "info", fields = {} } = options;
    const { context = {}, now = wallClock } = options;
    checkFunction(sink, doing, "sink");
    checkFunction(now, doing, "now");
    const sources = Object.entries(context);
    for (const [key, source] of sources) {
      if (source instanceof ContextVar) continue;
      checkFunction(source, doing, `context.${key}`);
    }
    this.name = name;
    this.#level = checkLevel(level, doing);
    this.#fields = fields;
    this.#context = context;
    this.#sources = sources;
    this.#now = now;
    this.#sink = guardSink(sink, name);
  }

  /**
   * The least level that is written. It may be set at any time; children without
   * a level of their own follow.
   */
  get level(): LogLevel {
    return this.#level ?? this.#parent?.level ?? "info";
  }

  set level(level: LogLevel) {
    this.#level = checkLevel(level, "set a level");
  }

  /**
   * Tells whether entries of a level are written: ask before collecting what is
   * costly.
   *
   * @param level The level.
   * @returns `true` if they are.
   */
  isEnabled(level: LogLevel): boolean {
    return RANKS[level] >= RANKS[this.level];
  }

  /**
   * Writes what only helps to find mistakes.
   *
   * @param message What has happened.
   * @param fields What else there is to tell.
   */
  debug(message: string, fields: LogFields = NO_FIELDS): void {
    if (this.isEnabled("debug")) this.#write("debug", message, fields);
  }

  /**
   * Writes what is as it should be.
   *
   * @param message What has happened.
   * @param fields What else there is to tell.
   */
  info(message: string, fields: LogFields = NO_FIELDS): void {
    if (this.isEnabled("info")) this.#write("info", message, fields);
  }

  /**
   * Writes what may become a problem.
   *
   * @param message What has happened.
   * @param fields What else there is to tell.
   */
  warn(message: string, fields: LogFields = NO_FIELDS): void {
    if (this.isEnabled("warn")) this.#write("warn", message, fields);
  }

  /**
   * Writes what has failed.
   *
   * @param message What has happened.
   * @param fields What else there is to tell, such as `{ error }`.
   */
  error(message: string, fields: LogFields = NO_FIELDS): void {
    if (this.isEnabled("error")) this.#write("error", message, fields);
  }

  /**
   * Writes an entry whose level is known only now.
   *
   * @param level How much it matters.
   * @param entry What has happened, and what else there is to tell.
   * @throws {TypeError} If `level` is none.
   */
  log(level: LogLevel, entry: Pick<LogEntry, "message" | "fields">): void {
    checkLevel(level, "write a log entry");
    const { message, fields } = entry;
    if (this.isEnabled(level)) this.#write(level, message, fields);
  }

  /**
   * Makes a logger that writes to the same place.
   *
   * @param options Its name, its fields, and its level.
   * @returns The logger.
   * @throws {TypeError} If `options.level` is none.
   *
   * @example Tell in all entries what they are about
   * ```ts
   * import { type LogEntry, Logger } from "@ilmek/async/logger";
   * import { assertEquals } from "@std/assert";
   *
   * const entries: LogEntry[] = [];
   * const log = new Logger((entry) => entries.push(entry), { name: "shop" });
   * const orders = log.child({ name: "orders", fields: { order: 17 } });
   * orders.info("paid", { amount: 5 });
   *
   * const [entry] = entries;
   * assertEquals(entry?.logger, "shop.orders");
   * assertEquals(entry?.fields, { order: 17, amount: 5 });
   * ```
   */
  child(options: LoggerChildOptions = {}): Logger {
    const { name, level, fields = {} } = options;
    const child = new Logger(this.#sink, {
      name: name === undefined ? this.name : `${this.name}.${name}`,
      level: level ?? this.level,
      fields: { ...this.#fields, ...fields },
      context: this.#context,
      now: this.#now,
    });
    child.#parent = this;
    if (level === undefined) child.#level = undefined;
    return child;
  }

  #write(level: LogLevel, message: string, fields: LogFields): void {
    const frame = currentFrame();
    const { actor } = frame;
    const entry = {
      time: Number(readSource(this.#now)),
      level,
      logger: this.name,
      message,
      context: readContext(this.#sources, frame),
      fields: mergeFields(this.#fields, fields),
    };
    this.#sink(actor === undefined ? entry : { ...entry, task: taskOf(actor) });
  }
}

/**
 * Makes an exception handler for `run` and its like, which writes the reports of
 * the loop as errors.
 *
 * @param logger Where to write.
 * @returns The exception handler.
 *
 * @example Log what a callback has thrown
 * ```ts
 * import { type LogEntry, Logger, logReports } from "@ilmek/async/logger";
 * import { Runner } from "@ilmek/async/runner";
 * import { sleep } from "@ilmek/async/sleep";
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { assertEquals } from "@std/assert";
 *
 * const entries: LogEntry[] = [];
 * const log = new Logger((entry) => entries.push(entry));
 * await using runner = new Runner({ exceptionHandler: logReports(log) });
 * await runner.run(async () => {
 *   getRunningLoop().callSoon(() => {
 *     throw new RangeError("callback");
 *   });
 *   await sleep(1);
 * });
 *
 * assertEquals(entries.map(({ level }) => level), ["error"]);
 * ```
 */
export function logReports(
  logger: Logger,
): (context: ExceptionContext) => void {
  return ({ message, exception, task, createdAt }) => {
    logger.error(message, {
      ...(exception === undefined ? {} : { error: exception }),
      ...(task === undefined ? {} : { of: String(task) }),
      ...(createdAt === undefined ? {} : { createdAt }),
    });
  };
}

function checkLevel(level: LogLevel, doing: string): LogLevel {
  if (typeof level === "string" && Object.hasOwn(RANKS, level)) return level;
  throw new TypeError(
    `Cannot ${doing} as "level" must be "debug", "info", "warn" or "error": current value is ${
      show(level)
    }`,
  );
}
