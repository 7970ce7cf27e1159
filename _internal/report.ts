/** What the loop tells its exception handler. */
export interface ExceptionContext {
  /** What went wrong. */
  readonly message: string;
  /** The error, if there is one. */
  readonly exception?: unknown;
  /** The task that it happened to, or that failed unobserved. */
  readonly task?: object;
  /** The callback's handle, if a callback failed. */
  readonly handle?: object;
  /** The future, if it happened to one. */
  readonly future?: object;
  /** Where the task was created, in debug mode. */
  readonly createdAt?: string;
}

/** Writes a report to the console: what a loop does if no handler is set. */
export function reportToConsole(context: ExceptionContext): void {
  const { message, exception, createdAt } = context;
  const site = createdAt === undefined ? "" : `\n${createdAt}`;
  if (exception === undefined) console.error(`ilmek: ${message}${site}`);
  else console.error(`ilmek: ${message}${site}\n`, exception);
}
