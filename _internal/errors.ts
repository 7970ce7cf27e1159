/**
 * Why a scope was cancelled: by a call of `cancel()`, by its deadline, because
 * a sibling in its group failed, because an abort signal fired, because a wait
 * was given up, or because the run is ending.
 */
export type CancelKind =
  | "explicit"
  | "deadline"
  | "sibling-failed"
  | "signal"
  | "given-up"
  | "shutdown";

/** What is known about a cancellation when it is issued. */
export interface CancelledErrorOptions extends ErrorOptions {
  /**
   * Why the work was cancelled.
   *
   * @default {"explicit"}
   */
  kind?: CancelKind;
  /** The name of the scope or task that was cancelled. */
  scope?: string;
  /** The name of the task that issued the cancellation, if it was a task. */
  by?: string;
  /** The loop's time at which it was issued, in milliseconds. */
  at?: number;
}

const WHY: Record<CancelKind, string> = {
  "explicit": "it was cancelled",
  "deadline": "its deadline has passed",
  "sibling-failed": "another member of its group failed",
  "signal": "its signal was aborted",
  "given-up": "nobody waits for it any more",
  "shutdown": "the run is ending",
};

let note: (error: CancelledError, scope: string) => void;

/** How many scopes a cancellation remembers on its way down. */
const MAX_THROUGH = 32;

/**
 * What a wait throws when its ambient scope was cancelled.
 *
 * One cancellation is one object, however many waits it strikes: whoever issued
 * it recognizes it with `===`. It tells who cancelled, why, since when, and
 * through which scopes the cancellation has come.
 */
export class CancelledError extends Error {
  static {
    this.prototype.name = "CancelledError";
  }
  /** Why the work was cancelled. */
  readonly kind: CancelKind;
  /** What the caller of `cancel()` gave as the reason. */
  readonly reason: unknown;
  /** The name of the scope that was cancelled. */
  readonly scope: string | undefined;
  /** The name of the task that cancelled, if it was a task. */
  readonly by: string | undefined;
  /** The loop's time of the cancellation, in milliseconds. */
  readonly at: number | undefined;
  readonly #through: string[] = [];

  /** Creates a cancellation; `reason` is free, and shown in the message. */
  constructor(reason?: unknown, options: CancelledErrorOptions = {}) {
    const { kind = "explicit", scope, by, at } = options;
    const told = typeof reason === "string" ? ` (${reason})` : "";
    const issuer = by === undefined ? "" : ` by "${by}"`;
    super(
      `Cannot go on with ${scope === undefined ? "the work" : `"${scope}"`}: ${
        WHY[kind]
      }${issuer}${told}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.kind = kind;
    this.reason = reason;
    this.scope = scope;
    this.by = by;
    this.at = at;
  }

  /** The names of the scopes that it struck, outermost first. */
  get through(): readonly string[] {
    return this.#through;
  }

  static {
    note = (error, scope) => {
      if (error.#through.length < MAX_THROUGH) error.#through.push(scope);
    };
  }
}

/** Adds a scope to the way that a cancellation has come. */
export function notePassage(error: CancelledError, scope: string): void {
  note(error, scope);
}

/** Thrown when a deadline ended the work, by the `timeout` that set it. */
export class TimeoutError extends Error {
  static {
    this.prototype.name = "TimeoutError";
  }
  /** How long the work was given, in milliseconds, where it was a duration. */
  readonly ms: number | undefined;
  /** The loop's time at which it had to be done, in milliseconds. */
  readonly deadline: number | undefined;
  /** The label of the `timeout`, if it was given one. */
  readonly label: string | undefined;

  /** Creates a timeout of `ms` milliseconds, labelled if a label is given. */
  constructor(
    ms?: number,
    options: ErrorOptions & { deadline?: number; label?: string } = {},
  ) {
    const { deadline, label } = options;
    const work = label === undefined ? "the work" : `"${label}"`;
    super(
      ms === undefined
        ? `Cannot finish ${work}: its deadline has passed`
        : `Cannot finish ${work} in time: ${ms} ms have passed`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.ms = ms;
    this.deadline = deadline;
    this.label = label;
  }
}

/** Thrown when an object is not in the state that the call needs. */
export class InvalidStateError extends Error {
  static {
    this.prototype.name = "InvalidStateError";
  }
}

/** Thrown when a wait can never end, since it waits for itself. */
export class DeadlockError extends Error {
  static {
    this.prototype.name = "DeadlockError";
  }
}

/** Thrown when work is put into a scope or group that has ended. */
export class ScopeClosedError extends Error {
  static {
    this.prototype.name = "ScopeClosedError";
  }
}
