/**
 * A pool of connections to a database.
 *
 * ```ts
 * import { ConnectionPool } from "@ilmek/async/connection-pool";
 * import { openSqlite, sql } from "@ilmek/async/database";
 *
 * await using pool = new ConnectionPool(() => openSqlite(":memory:"));
 * console.log(await pool.query(sql`select ${42} as answer`));
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import {
  type PoolAcquireOptions,
  type PoolCloseOptions,
  type PoolCloseReport,
  type PoolLease,
  PoolLeaseError,
  type PoolSnapshot,
  ResourcePool,
  type ResourcePoolOptions,
} from "../patterns/resource_pool.ts";
import {
  type Database,
  DatabaseConnectionError,
  sql,
  type SqlChanges,
  type SqlExecutor,
  type SqlRow,
  type SqlStatement,
  type TransactionOptions,
} from "./database.ts";

/**
 * Options of {@linkcode ConnectionPool}: those of a pool of resources, but for what
 * a connection knows by itself.
 *
 * @typeParam C The type of the connections.
 */
export type ConnectionPoolOptions<C extends Database = Database> = Omit<
  ResourcePoolOptions<C>,
  "destroy" | "reset" | "isFatal"
>;

/**
 * A pool of connections, which is a database itself: each statement, and each
 * transaction, has a connection for as long as it takes.
 *
 * Connections that are lost are replaced. What was under way on one fails with a
 * `DatabaseConnectionError`, and is not tried again, since it may have had an
 * effect. Idle connections are looked at by `select 1` before they are used, if that
 * was not done within the last 500 ms.
 *
 * @typeParam C The type of the connections.
 *
 * @example Share connections between many callers
 * ```ts
 * import { ConnectionPool } from "@ilmek/async/connection-pool";
 * import { openSqlite, sql } from "@ilmek/async/database";
 * import { gather } from "@ilmek/async/gather";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ConnectionPool(() => openSqlite(":memory:"), { max: 3 });
 * const work = (n: number) => () => pool.query(sql`select ${n} as n`);
 * const rows = await gather([1, 2, 3, 4, 5, 6].map(work));
 *
 * assertEquals(rows.flat(), [1, 2, 3, 4, 5, 6].map((n) => ({ n })));
 * assertEquals(pool.size, 3);
 * ```
 */
export class ConnectionPool<C extends Database = Database>
  implements SqlExecutor, AsyncDisposable {
  readonly #pool: ResourcePool<C>;

  /**
   * Creates a pool.
   *
   * @param open Opens a connection.
   * @param options Additional options.
   * @throws {TypeError} If a function or an option has the wrong type.
   * @throws {RangeError} If a number lies outside its range.
   */
  constructor(
    open: () => C | PromiseLike<C>,
    options: ConnectionPoolOptions<C> = {},
  ) {
    checkFunction(open, "create a pool", "open");
    this.#pool = new ResourcePool<C>(open, {
      name: "connections",
      validate: isAlive,
      ...options,
      destroy: (connection) => connection.close(),
      // What a cancellation has broken fails with no error of its own.
      reset: throwIfBroken,
      isFatal: (error) => error instanceof DatabaseConnectionError,
    });
  }

  /** How many connections there may be. */
  get max(): number {
    return this.#pool.max;
  }

  /** How many connections there are, those included that open or close. */
  get size(): number {
    return this.#pool.size;
  }

  /** How many connections are idle. */
  get idle(): number {
    return this.#pool.idle;
  }

  /** How many connections are in use. */
  get leased(): number {
    return this.#pool.leased;
  }

  /** How many callers wait for a connection. */
  get waiting(): number {
    return this.#pool.waiting;
  }

  /** Whether the pool was closed. */
  get closed(): boolean {
    return this.#pool.closed;
  }

  /**
   * Waits for a connection.
   *
   * @param options Additional options.
   * @returns The lease of the connection, to be released by the caller.
   * @throws What `acquire` of a `ResourcePool` throws.
   */
  async acquire(options: PoolAcquireOptions = {}): Promise<PoolLease<C>> {
    for (let left = this.max;; left--) {
      const lease = await this.#pool.acquire(options);
      // Of one that is new and broken its user learns by the first statement.
      if (!lease.resource.broken || left === 0) return lease;
      // It was lost while it was idle: nothing was sent, so the next may do.
      lease.release();
    }
  }

  /**
   * Calls `fn` with a connection, which is given back when `fn` has ended.
   *
   * @typeParam R What `fn` returns.
   * @param fn What to do.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `acquire` and `fn` throw.
   */
  async use<R>(
    fn: (connection: C) => R | PromiseLike<R>,
    options: PoolAcquireOptions = {},
  ): Promise<R> {
    checkFunction(fn, "use a connection");
    const lease = await this.acquire(options);
    try {
      return await fn(lease.resource);
    } catch (error) {
      if (!lease.released) lease.release(error);
      throw error;
    } finally {
      if (!lease.released) lease.release();
    }
  }

  /**
   * Runs a statement on a connection, and gives its rows; see `SqlExecutor`.
   *
   * @typeParam T What the rows are taken for. It is not checked.
   * @param statement The statement, made by `sql`.
   * @returns The rows.
   */
  query<T = SqlRow>(statement: SqlStatement): Promise<T[]> {
    return this.use((connection) => connection.query<T>(statement));
  }

  /**
   * Runs a statement on a connection, and gives how much it has changed; see
   * `SqlExecutor`.
   *
   * @param statement The statement, made by `sql`.
   * @returns What it has done.
   */
  execute(statement: SqlStatement): Promise<SqlChanges> {
    return this.use((connection) => connection.execute(statement));
  }

  /**
   * Runs `fn` in a transaction on one connection; see `SqlExecutor`.
   *
   * @typeParam R What `fn` returns.
   * @param fn What to do, by the executor that it receives.
   * @param options Additional options.
   * @returns What `fn` returns.
   */
  transaction<R>(
    fn: (transaction: SqlExecutor) => R | PromiseLike<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    return this.use((connection) => connection.transaction(fn, options));
  }

  /** What the pool looks like, and what it has done. */
  snapshot(): PoolSnapshot {
    return this.#pool.snapshot();
  }

  /**
   * Closes the pool: refuses whoever waits or comes, waits until what is in use was
   * given back, and closes all connections. Closing twice waits twice.
   *
   * @param options Additional options.
   * @returns What was still in use when the grace was over.
   */
  close(options: PoolCloseOptions = {}): Promise<PoolCloseReport> {
    return this.#pool.close(options);
  }

  /** Closes the pool. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function isAlive(connection: Database): Promise<boolean> {
  if (connection.broken) return false;
  await connection.query(sql`select 1`);
  return true;
}

function throwIfBroken(connection: Database): void {
  if (!connection.broken) return;
  throw new PoolLeaseError("Cannot use a connection again: it is broken");
}
