import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { InvalidStateError, isCancelled } from "../primitives/errors.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import {
  DatabaseConnectionError,
  DatabaseError,
  type SqlDriver,
  type SqlKind,
  type SqlResult,
  type TransactionOptions,
} from "./_database_types.ts";
import type { SqlValue } from "./_sql.ts";

/** A client of PostgreSQL by its shape, which is that of `pg.Client` on npm. */
export interface PostgresClient {
  /** The number of the server's process. */
  readonly processID?: number | null;
  /** Runs a statement. */
  query(
    statement: { text: string; values: unknown[] },
  ): PromiseLike<PostgresResult>;
  /** Closes the connection. */
  end(): PromiseLike<void>;
  /** Calls `fn` when the connection breaks, or ends. */
  on?(event: "error" | "end", fn: () => void): unknown;
}

/** What a client of PostgreSQL gives. */
export interface PostgresResult {
  /** The rows. */
  readonly rows: readonly object[];
  /** How many rows the statement has touched. */
  readonly rowCount?: number | null;
  /** The kind of the statement. */
  readonly command?: string;
}

/** What the driver is told. */
export interface PostgresDriverOptions {
  /** Ends what the server does for this client. */
  readonly cancel: (client: PostgresClient) => PromiseLike<void>;
  /** How long that may take, and the end of a connection. */
  readonly cancelMs: number;
}

/** PostgreSQL, by a client that the user has connected. */
export class PostgresDriver implements SqlDriver {
  readonly name: string = "the connection to PostgreSQL";
  readonly #client: PostgresClient;
  readonly #options: PostgresDriverOptions;
  #broken = false;

  constructor(client: PostgresClient, options: PostgresDriverOptions) {
    this.#client = client;
    this.#options = options;
    const onBreak = (): void => {
      this.#broken = true;
    };
    // Nobody waits while a connection is idle: an error would end the process.
    client.on?.("error", onBreak);
    client.on?.("end", onBreak);
  }

  get broken(): boolean {
    return this.#broken;
  }

  placeholder(index: number): string {
    return `$${index}`;
  }

  begin({ isolation, readOnly = false }: TransactionOptions): string[] {
    const level = isolation === undefined
      ? ""
      : ` isolation level ${isolation.replace("-", " ")}`;
    return [`begin${level}${readOnly ? " read only" : ""}`];
  }

  async run(
    text: string,
    values: readonly SqlValue[],
    _kind: SqlKind,
  ): Promise<SqlResult> {
    throwIfCancelled();
    if (this.#broken) {
      throw new DatabaseConnectionError(text, {
        cause: new InvalidStateError(`${this.name} was lost`),
      });
    }
    let isDone = false;
    const running = this.#send(text, values).finally(() => isDone = true);
    try {
      const { rows, rowCount, command } = await abortable(running);
      return {
        rows,
        changes: rowCount ?? 0,
        ...(command === undefined ? {} : { command }),
      };
    } catch (error) {
      if (!isDone) await this.#stop(running);
      if (!isDone || isCancelled(error)) throw error;
      throw this.#errorOf(text, error);
    }
  }

  async close(): Promise<void> {
    this.#broken = true;
    await moveOnAfter(this.#options.cancelMs, async () => {
      await abortable(this.#client.end());
    });
  }

  async #send(
    text: string,
    values: readonly SqlValue[],
  ): Promise<PostgresResult> {
    return await this.#client.query({ text, values: [...values] });
  }

  /**
   * Makes the server stop, and waits until it has: the next statement must not be
   * struck by what was meant for this one.
   */
  async #stop(running: Promise<unknown>): Promise<void> {
    const { cancel, cancelMs } = this.#options;
    await uncancellable(async () => {
      try {
        const { timedOut } = await moveOnAfter(cancelMs, async () => {
          await abortable(cancel(this.#client));
          await abortable(running.then(() => {}, () => {}));
        });
        if (!timedOut) return;
      } catch {
        // Without a way to cancel, the connection is given up.
      }
      this.#broken = true;
      // It closes the socket if a statement is under way.
      this.#client.end().then(undefined, () => {});
    }, { name: `the cancellation of a statement`, graceMs: Infinity });
  }

  #errorOf(text: string, cause: unknown): DatabaseError {
    const { code, severity } = Object(cause) as {
      readonly code?: unknown;
      readonly severity?: unknown;
    };
    const options = {
      cause,
      code: typeof code === "string" ? code : undefined,
    };
    // What does not come from the server comes from the connection to it.
    const isLost = severity === undefined ||
      LOST_REGEXP.test(options.code ?? "");
    if (isLost) this.#broken = true;
    return isLost
      ? new DatabaseConnectionError(text, options)
      : new DatabaseError(text, options);
  }
}

/** Connection exceptions, and a server that shuts down, or has ended the session. */
const LOST_REGEXP = /^(08...|57P0[1235])$/;
