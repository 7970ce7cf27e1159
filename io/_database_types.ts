import type { SqlStatement, SqlValue } from "./_sql.ts";

/** A row: values by the names of their columns. */
export interface SqlRow {
  /** The value of a column, of the type that the client gives it. */
  readonly [column: string]: unknown;
}

/** What a statement has done. */
export interface SqlChanges {
  /** How many rows were inserted, updated or deleted. */
  readonly changes: number;
}

/** Options of {@linkcode Database.transaction}. */
export interface TransactionOptions {
  /**
   * What it sees of others.
   *
   * @default {what the database does by itself}
   */
  isolation?: "read-committed" | "repeatable-read" | "serializable";
  /**
   * Whether it only reads. A statement that would change something fails.
   *
   * @default {false}
   */
  readOnly?: boolean;
}

/** What can run statements: a database, a transaction, or a pool of connections. */
export interface SqlExecutor {
  /**
   * Runs a statement, and gives its rows.
   *
   * @typeParam T What the rows are taken for. It is not checked.
   * @param statement The statement, made by {@linkcode sql}.
   * @returns The rows.
   * @throws {DatabaseError} If the database refuses it.
   * @throws {DatabaseConnectionError} If the connection is lost.
   * @throws {TypeError} If it was not made by `sql`.
   * @throws {CancelledError} If the ambient scope is cancelled; the database stops
   * working on it.
   */
  query<T = SqlRow>(statement: SqlStatement): Promise<T[]>;
  /**
   * Runs a statement, and gives how much it has changed.
   *
   * @param statement The statement, made by {@linkcode sql}.
   * @returns What it has done.
   * @throws What `query` throws.
   */
  execute(statement: SqlStatement): Promise<SqlChanges>;
  /**
   * Runs `fn` in a transaction, which is committed when `fn` has ended well, and
   * rolled back when it throws or its scope is cancelled. Within a transaction it is
   * a part of it, that is undone alone.
   *
   * @typeParam R What `fn` returns.
   * @param fn What to do, by the executor that it receives.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   * @throws {DatabaseError} If it cannot be committed.
   * @throws {TypeError} If `options.isolation` is none.
   */
  transaction<R>(
    fn: (transaction: SqlExecutor) => R | PromiseLike<R>,
    options?: TransactionOptions,
  ): Promise<R>;
}

/** A connection to a database. */
export interface Database extends SqlExecutor, AsyncDisposable {
  /** Whether it cannot be used any more. */
  readonly broken: boolean;
  /** Closes the connection, when what is under way has ended. */
  close(): Promise<void>;
}

/** Thrown if a database refuses a statement. Its `cause` is what the client throws. */
export class DatabaseError extends Error {
  static {
    this.prototype.name = "DatabaseError";
  }
  /** The code of the database, such as SQLSTATE `23505`, if it has one. */
  readonly code: string | undefined;
  /** The text of the statement, without its values. */
  readonly statement: string;

  /** Creates the error of a statement. */
  constructor(
    statement: string,
    options: ErrorOptions & { code?: string | undefined },
  ) {
    const { cause, code } = options;
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot run ${shorten(statement)}: ${why}`, { cause });
    this.code = code;
    this.statement = statement;
  }
}

/** Thrown if the connection is lost. Whether the statement had an effect is open. */
export class DatabaseConnectionError extends DatabaseError {
  static {
    this.prototype.name = "DatabaseConnectionError";
  }
}

/** What is asked for: the rows, or how much has changed. */
export type SqlKind = "query" | "execute";

/** What talks to one kind of database. Only one call at a time is made. */
export interface SqlDriver {
  /** What errors call it. */
  readonly name: string;
  readonly broken: boolean;
  placeholder(index: number): string;
  /** What begins a transaction. */
  begin(options: TransactionOptions): string[];
  /** What follows its end, however that was. */
  after?(options: TransactionOptions): string[];
  /** Ends when the database is done with it, also if the scope is cancelled. */
  run(
    text: string,
    values: readonly SqlValue[],
    kind: SqlKind,
  ): Promise<SqlResult>;
  close(): Promise<void>;
}

/** What came of a statement. */
export interface SqlResult {
  readonly rows: readonly object[];
  readonly changes: number;
  /** What the database has done, if it says so. */
  readonly command?: string;
}

const SHOWN_CHARACTERS = 80;

function shorten(statement: string): string {
  const line = statement.replace(/\s+/g, " ").trim();
  if (line.length <= SHOWN_CHARACTERS) return `"${line}"`;
  return `"${line.slice(0, SHOWN_CHARACTERS)}..."`;
}
