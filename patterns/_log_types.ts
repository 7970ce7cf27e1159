import type { ContextVar } from "../primitives/context_var.ts";

/** How much an entry matters, least first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What an entry carries besides its message: any values, errors included. */
export interface LogFields {
  /** A value. */
  readonly [name: string]: unknown;
}

/** A task, as an entry tells of it. */
export interface LogTask {
  /** The number of the task. */
  readonly id: number;
  /** Its name. */
  readonly name: string;
  /** The task whose group it belongs to, if there is one. */
  readonly parent?: Omit<LogTask, "parent">;
}

/** What a sink receives. */
export interface LogEntry {
  /** When it was written, in milliseconds since 1970. */
  readonly time: number;
  /** How much it matters. */
  readonly level: LogLevel;
  /** The name of the logger. */
  readonly logger: string;
  /** What has happened. */
  readonly message: string;
  /** The task that wrote it, if it was one. */
  readonly task?: LogTask;
  /** The values of `LoggerOptions.context` where it was written. */
  readonly context: LogFields;
  /** The fields of the logger, and those of the call. */
  readonly fields: LogFields;
}

/** Where entries go. What it throws, or rejects with, breaks nothing. */
export type LogSink = (entry: LogEntry) => unknown;

/** What all entries tell: context variables, or functions that find it out. */
export interface LogContext {
  /** Where the value comes from. */
  readonly [name: string]:
    | ContextVar<never>
    | ContextVar<unknown>
    | (() => unknown);
}

/** Options of `Logger`. */
export interface LoggerOptions {
  /**
   * How entries call the logger.
   *
   * @default {"app"}
   */
  name?: string;
  /**
   * What matters less than this is not written.
   *
   * @default {"info"}
   */
  level?: LogLevel;
  /** Fields of all entries. */
  fields?: LogFields;
  /**
   * What all entries tell of where they were written: the value of a context
   * variable if it was set, or what a function gives.
   */
  context?: LogContext;
  /**
   * Where the time comes from, in milliseconds since 1970.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

/** Options of `Logger.child`. */
export interface LoggerChildOptions {
  /** What is added to the name, after a dot. */
  name?: string;
  /** The least level; that of the parent, as it changes, if it is not given. */
  level?: LogLevel;
  /** Fields of all entries, besides those of the parent. */
  fields?: LogFields;
}
