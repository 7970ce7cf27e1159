import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConnectionPool } from "@ilmek/async/connection-pool";
import {
  type Database,
  DatabaseConnectionError,
  openPostgres,
  openSqlite,
  type PostgresClient,
  sql,
} from "@ilmek/async/database";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { PoolClosedError, PoolTimeoutError } from "@ilmek/async/resource-pool";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

/** Opens connections that take half a second, as in the guide. */
function slowly(): () => Promise<Database> {
  return () => sleep(500).then(() => openSqlite(":memory:"));
}

testClean(
  "6 users of 3 connections take 2.5 s, and never have more",
  async () => {
    await using pool = new ConnectionPool(slowly(), {
      max: 3,
      createConcurrency: 3,
    });
    let peak = 0;

    const user = () =>
      pool.use(async () => {
        peak = Math.max(peak, pool.leased);
        await sleep(1000);
      });
    await gather(Array.from({ length: 6 }, () => user));

    assertEquals(getRunningLoop().time(), 2500);
    assertEquals([peak, pool.size, pool.idle], [3, 3, 3]);
  },
);

testClean("simultaneous callers never exceed the maximum", async () => {
  await using pool = new ConnectionPool(slowly(), {
    max: 1,
    acquireTimeoutMs: 1000,
  });

  const [lease] = await gather([() => pool.acquire()]);
  await assertRejects(() => pool.acquire(), PoolTimeoutError);

  assertEquals(pool.snapshot().created, 1);
  lease.release();
});

testClean("an error of a user gives the connection back", async () => {
  await using pool = new ConnectionPool(slowly(), { max: 1 });

  await assertRejects(() => pool.use(() => Promise.reject("failed")));

  assertEquals(await pool.query(sql`select 1 as n`), [{ n: 1 }]);
});

testClean("releasing twice gives a connection to one user only", async () => {
  await using pool = new ConnectionPool(slowly(), { max: 2 });
  const lease = await pool.acquire();
  lease.release();
  lease.release();

  const leases = await gather([() => pool.acquire(), () => pool.acquire()]);

  assert(leases[0]?.resource !== leases[1]?.resource);
  for (const lease of leases) lease.release();
});

testClean(
  "ConnectionPool.close() refuses, wakes, and closes what comes back",
  async () => {
    const pool = new ConnectionPool(slowly(), { max: 1 });
    const lease = await pool.acquire();
    const connection = lease.resource;
    const waiter = createTask(() => pool.acquire());
    await sleep(0);

    const closing = createTask(() => pool.close());
    await assertRejects(() => waiter, PoolClosedError);
    await assertRejects(() => pool.acquire(), PoolClosedError);
    assertEquals(connection.broken, false);
    lease.release();
    await closing;

    assert(connection.broken);
    assert(pool.closed);
    assertEquals([pool.size, pool.waiting, pool.max], [0, 0, 1]);
  },
);

Deno.test("ConnectionPool is a database: statements and transactions", async () => {
  await using pool = new ConnectionPool(() => openSqlite(":memory:"), {
    max: 1,
  });
  await pool.execute(sql`create table t (x integer)`);

  await assertRejects(() =>
    pool.transaction(async (tx) => {
      await tx.execute(sql`insert into t values (${1})`);
      throw new RangeError("no");
    }), RangeError);
  await pool.transaction((tx) => tx.execute(sql`insert into t values (${2})`));

  assertEquals(await pool.query(sql`select x from t`), [{ x: 2 }]);
});

/** Connections to a server that can be made to fail. */
class FakeServer {
  opened = 0;
  readonly clients: { onError: () => void }[] = [];
  /** How many statements will fail. */
  failures = 0;

  readonly open = (): Promise<Database> => {
    this.opened++;
    const connection = { onError: () => {} };
    this.clients.push(connection);
    const client: PostgresClient = {
      on: (event, fn) => {
        if (event === "error") connection.onError = fn;
      },
      query: () =>
        this.failures-- > 0
          ? Promise.reject(new TypeError("reset"))
          : Promise.resolve({ rows: [{ ok: true }], rowCount: 1 }),
      end: () => Promise.resolve(),
    };
    return openPostgres(() => client);
  };
}

Deno.test("a connection that was lost while idle is replaced unseen", async () => {
  const server = new FakeServer();
  await using pool = new ConnectionPool(server.open, { max: 3 });
  const leases = await gather([1, 2, 3].map(() => () => pool.acquire()));
  for (const lease of leases) lease.release();

  for (const client of server.clients) client.onError();

  assertEquals(await pool.query(sql`select 1`), [{ ok: true }]);
  assertEquals(server.opened, 4);
});

Deno.test("a server that drops every connection is not asked for ever", async () => {
  const server = new FakeServer();
  const open = async () => {
    const connection = await server.open();
    server.clients.at(-1)?.onError();
    return connection;
  };
  await using pool = new ConnectionPool(open, { max: 3 });

  await assertRejects(() => pool.query(sql`select 1`), DatabaseConnectionError);
  assertEquals(server.opened, 4);
});

Deno.test("a statement on a connection that is lost fails, the next does not", async () => {
  const server = new FakeServer();
  await using pool = new ConnectionPool(server.open, { max: 1 });
  await pool.query(sql`select 1`);
  server.failures = 1;

  await assertRejects(() => pool.query(sql`select 1`), DatabaseConnectionError);

  assertEquals(await pool.query(sql`select 1`), [{ ok: true }]);
  assertEquals(server.opened, 2);
});

Deno.test("an idle connection is asked before it is used again", async () => {
  const server = new FakeServer();
  await using pool = new ConnectionPool(server.open, {
    max: 1,
    validateAfterMs: 1,
    createRetries: 0,
  });
  await pool.query(sql`select 1`);
  server.failures = 1;
  await sleep(5);

  assertEquals(await pool.query(sql`select 1`), [{ ok: true }]);
  assertEquals(pool.snapshot().invalid, 1);
});

Deno.test("ConnectionPool() refuses what makes no sense", async () => {
  assertThrows(() => new ConnectionPool(7 as never), TypeError, '"open"');
  assertThrows(
    () => new ConnectionPool(() => openSqlite(":memory:"), { max: 0 }),
    RangeError,
    '"max"',
  );
  await using pool = new ConnectionPool(() => openSqlite(":memory:"));
  await assertRejects(() => pool.use(7 as never), TypeError, '"fn"');
});
