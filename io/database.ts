/**
 * Databases: SQLite within the process, and PostgreSQL by a client that is handed
 * in. Statements are made by `sql`, which binds values instead of writing them into
 * the text, and end with the ambient scope.
 *
 * It needs the permissions `read` and `write` for files of SQLite, and what the
 * client needs for PostgreSQL.
 *
 * ```ts
 * import { openSqlite, sql } from "@ilmek/async/database";
 *
 * await using db = openSqlite(":memory:");
 * await db.execute(sql`create table users (name text)`);
 * await db.execute(sql`insert into users values (${"ada"})`);
 * console.log(await db.query(sql`select * from users`));
 * ```
 *
 * @module
 */
import {
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import {
  type Database,
  DatabaseConnectionError,
  DatabaseError,
} from "./_database_types.ts";
import { type PostgresClient, PostgresDriver } from "./_postgres_driver.ts";
import { SqlConnection } from "./_sql_connection.ts";
import { SqliteDriver } from "./_sqlite_driver.ts";

export type { Duration } from "../_internal/check.ts";
export {
  type Database,
  DatabaseConnectionError,
  DatabaseError,
  type SqlChanges,
  type SqlExecutor,
  type SqlRow,
  type TransactionOptions,
} from "./_database_types.ts";
export type { PostgresClient, PostgresResult } from "./_postgres_driver.ts";
export {
  sql,
  sqlName,
  SqlStatement,
  type SqlText,
  type SqlValue,
} from "./_sql.ts";

/** Options of {@linkcode openSqlite}. */
export interface OpenSqliteOptions {
  /**
   * Whether it only reads.
   *
   * @default {false}
   */
  readOnly?: boolean;
  /**
   * How long a statement waits while another connection writes. Others go on
   * meanwhile.
   *
   * @default {5000}
   */
  busyTimeoutMs?: Duration;
}

/**
 * Opens a database of SQLite.
 *
 * Statements run one at a time, in the order of the calls, and each holds the thread
 * while it is worked on. A transaction has the connection for itself.
 *
 * @param path The file, which is made if it does not exist, or `:memory:`.
 * @param options Additional options.
 * @returns The connection.
 * @throws {TypeError} If `path` is not a path.
 * @throws {RangeError} If a duration is negative or not a number.
 * @throws {DatabaseError} If it cannot be opened.
 *
 * @example Undo what has failed
 * ```ts
 * import { openSqlite, sql } from "@ilmek/async/database";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using db = openSqlite(":memory:");
 * await db.execute(sql`create table accounts (name text, amount integer)`);
 * await assertRejects(() =>
 *   db.transaction(async (tx) => {
 *     await tx.execute(sql`insert into accounts values (${"ada"}, ${100})`);
 *     throw new RangeError("not enough");
 *   })
 * );
 *
 * assertEquals(await db.query(sql`select * from accounts`), []);
 * ```
 */
export function openSqlite(
  path: string | URL,
  options: OpenSqliteOptions = {},
): Database {
  const { readOnly = false, busyTimeoutMs = 5000 } = options;
  if (typeof path !== "string" && !(path instanceof URL)) {
    throw new TypeError(
      `Cannot open a database as "path" must be a string or a URL: current value is ${
        show(path)
      }`,
    );
  }
  const busyMs = toMs(busyTimeoutMs, "open a database", "busyTimeoutMs");
  const name = path instanceof URL ? decodeURIComponent(path.pathname) : path;
  try {
    return new SqlConnection(new SqliteDriver(name, { busyMs, readOnly }));
  } catch (cause) {
    throw new DatabaseError(`open ${name}`, { cause });
  }
}

/** Options of {@linkcode openPostgres}. */
export interface OpenPostgresOptions {
  /**
   * Makes the server stop what it does for this client.
   *
   * @default {a second client, which calls pg_cancel_backend}
   */
  cancel?: (client: PostgresClient) => PromiseLike<void>;
  /**
   * How long it may take until the server has stopped, and until a connection is
   * closed. After that the connection is given up.
   *
   * @default {5000}
   */
  cancelTimeoutMs?: Duration;
}

/**
 * Opens a connection to PostgreSQL.
 *
 * When the ambient scope of a statement is cancelled, the server is made to stop,
 * and that is waited for: the connection can be used again at once.
 *
 * @param connect Makes a connected client, such as `pg.Client` of npm.
 * @param options Additional options.
 * @returns The connection.
 * @throws {TypeError} If `connect` is not a function.
 * @throws {RangeError} If a duration is negative or not a number.
 * @throws {DatabaseConnectionError} If there is no connection.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Connect by a client of npm
 * ```ts ignore
 * import { openPostgres, sql } from "@ilmek/async/database";
 * import { timeout } from "@ilmek/async/timeout";
 * import pg from "npm:pg";
 *
 * await using db = await openPostgres(async () => {
 *   const client = new pg.Client({ host: "127.0.0.1", database: "test" });
 *   await client.connect();
 *   return client;
 * });
 * await timeout(1000, () => db.query(sql`select pg_sleep(${60})`));
 * ```
 */
export async function openPostgres(
  connect: () => PostgresClient | PromiseLike<PostgresClient>,
  options: OpenPostgresOptions = {},
): Promise<Database> {
  const { cancelTimeoutMs = 5000 } = options;
  checkFunction(connect, "open a connection", "connect");
  const cancelMs = toMs(
    cancelTimeoutMs,
    "open a connection",
    "cancelTimeoutMs",
  );
  const { cancel = (client) => cancelBySecond(connect, client) } = options;
  checkFunction(cancel, "open a connection", "cancel");
  throwIfCancelled();
  const client = await connected(connect);
  return new SqlConnection(new PostgresDriver(client, { cancel, cancelMs }));
}

/** Waits for a client; one that comes too late is closed. */
async function connected(
  connect: () => PostgresClient | PromiseLike<PostgresClient>,
): Promise<PostgresClient> {
  let isGivenUp = false;
  const connecting = (async () => await connect())();
  connecting.then((client) => {
    if (isGivenUp) client.end().then(undefined, () => {});
  }, () => {});
  try {
    return await abortable(
      connecting.catch((cause) => {
        throw new DatabaseConnectionError("connect", { cause });
      }),
    );
  } catch (error) {
    isGivenUp = true;
    throw error;
  }
}

async function cancelBySecond(
  connect: () => PostgresClient | PromiseLike<PostgresClient>,
  client: PostgresClient,
): Promise<void> {
  const second = await connected(connect);
  try {
    const text = "select pg_cancel_backend($1)";
    await second.query({ text, values: [client.processID] });
  } finally {
    await second.end();
  }
}
