import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectionPool } from "@ilmek/async/connection-pool";
import {
  DatabaseConnectionError,
  DatabaseError,
  sql,
  type SqlExecutor,
  type SqlStatement,
} from "@ilmek/async/database";
import { TimeoutError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { PoolUnavailableError } from "@ilmek/async/resource-pool";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import {
  backends,
  endBackends,
  Gate,
  open,
  uniqueName,
  withTable,
} from "./_postgres.ts";

const LONG = sql`select pg_sleep(60)`;

function add(db: SqlExecutor, table: SqlStatement, x: number) {
  return db.execute(sql`insert into ${table} values (${x})`);
}

async function numbersIn(
  db: SqlExecutor,
  table: SqlStatement,
): Promise<number[]> {
  const rows = await db.query<{ x: number }>(
    sql`select x from ${table} order by x`,
  );
  return rows.map(({ x }) => x);
}

/** Waits until the server works on a statement of that name. */
async function busy(name: string): Promise<void> {
  while ((await backends(name)).active === 0) await sleep(5);
}

Deno.test("PostgreSQL gives rows, counts changes and binds values", async () => {
  await withTable(async (table) => {
    await using db = await open();
    const evil = "'; drop table users --";

    assertEquals(await add(db, table, 1), { changes: 1 });
    await add(db, table, 2);
    assertEquals(
      await db.execute(sql`update ${table} set x = x + ${10}`),
      { changes: 2 },
    );
    const [row] = await db.query(
      sql`select ${evil}::text as a, ${true}::bool as b, ${null}::int as c`,
    );

    assertEquals(row, { a: evil, b: true, c: null });
    assertEquals(await numbersIn(db, table), [11, 12]);
  });
});

Deno.test("PostgreSQL's errors have its code", async () => {
  await withTable(async (table) => {
    await using db = await open();
    await add(db, table, 1);

    const error = await assertRejects(() => add(db, table, 1), DatabaseError);

    assertEquals(error.code, "23505");
    assertEquals(await numbersIn(db, table), [1]);
  });
});

Deno.test("a transaction of PostgreSQL is committed, and seen by others then", async () => {
  await withTable(async (table) => {
    await using db = await open();
    await using other = await open();

    await db.transaction(async (tx) => {
      await add(tx, table, 1);
      assertEquals(await numbersIn(other, table), []);
    }, { isolation: "serializable" });

    assertEquals(await numbersIn(other, table), [1]);
  });
});

Deno.test("a transaction of PostgreSQL is rolled back on an error", async () => {
  await withTable(async (table) => {
    await using db = await open();

    await assertRejects(() =>
      db.transaction(async (tx) => {
        await add(tx, table, 1);
        throw new RangeError("no");
      }), RangeError);

    assertEquals(await numbersIn(db, table), []);
  });
});

Deno.test("a transaction of PostgreSQL is rolled back when it is cancelled", async () => {
  await withTable(async (table) => {
    await using db = await open();

    await assertRejects(() =>
      timeout(100, () =>
        db.transaction(async (tx) => {
          await add(tx, table, 1);
          await tx.query(LONG);
        })), TimeoutError);

    assertEquals(await numbersIn(db, table), []);
  });
});

Deno.test("a part of a transaction of PostgreSQL is undone alone", async () => {
  await withTable(async (table) => {
    await using db = await open();

    await db.transaction(async (tx) => {
      await add(tx, table, 1);
      await assertRejects(
        () => tx.transaction((inner) => add(inner, table, 1)),
        DatabaseError,
      );
      await add(tx, table, 2);
    });

    assertEquals(await numbersIn(db, table), [1, 2]);
  });
});

Deno.test("a commit after a failed statement is an error", async () => {
  await withTable(async (table) => {
    await using db = await open();

    await assertRejects(
      () =>
        db.transaction(async (tx) => {
          await add(tx, table, 1);
          await add(tx, table, 1).catch(() => {});
        }),
      DatabaseError,
      "a statement of the transaction has failed, and it was rolled back",
    );

    assertEquals(await numbersIn(db, table), []);
  });
});

Deno.test("a transaction that only reads cannot write", async () => {
  await withTable(async (table) => {
    await using db = await open();

    const error = await assertRejects(
      () => db.transaction((tx) => add(tx, table, 1), { readOnly: true }),
      DatabaseError,
    );

    assertEquals(error.code, "25006");
  });
});

Deno.test("to cancel a statement stops the server, and frees the connection", async () => {
  const name = uniqueName();
  await using pool = new ConnectionPool(() => open(name), { max: 1 });
  const task = createTask(() => pool.query(LONG));
  await busy(name);
  const start = performance.now();

  task.cancel();
  const { state } = await task.outcome();

  assertEquals(state, "cancelled");
  assertEquals((await backends(name)).active, 0);
  assertEquals(await pool.query(sql`select 1 as n`), [{ n: 1 }]);
  assert(performance.now() - start < 5000);
  // The connection is the same one.
  assertEquals(pool.snapshot().created, 1);
});

Deno.test("a cancelled statement strikes no other, over and over", async () => {
  const name = uniqueName();
  await using pool = new ConnectionPool(() => open(name), { max: 1 });

  for (let i = 0; i < 20; i++) {
    await assertRejects(
      () => timeout(1 + i % 5, () => pool.query(LONG)),
      TimeoutError,
    );
    assertEquals(await pool.query(sql`select ${i}::int as i`), [{ i }]);
  }

  assertEquals(pool.snapshot().created, 1);
});

Deno.test("a pool has never more connections than its maximum, and leaves none", async () => {
  const name = uniqueName();
  const pool = new ConnectionPool(() => open(name), { max: 5 });
  let peak = 0;

  const user = async () => {
    await pool.query(sql`select pg_sleep(0.01)`);
  };
  const watch = async () => {
    while (pool.snapshot().acquired < 40) {
      peak = Math.max(peak, (await backends(name)).all);
    }
  };
  await gather([watch, ...Array.from({ length: 40 }, () => user)]);
  assert(peak >= 1 && peak <= 5, `there were ${peak}`);
  await pool.close();
  while ((await backends(name)).all > 0) await sleep(5);
});

Deno.test("a pool survives the end of all of its connections", async () => {
  const name = uniqueName();
  await using pool = new ConnectionPool(() => open(name), { max: 3 });
  const running = [1, 2].map(() =>
    createTask(() => pool.query(LONG)).outcome()
  );
  await pool.query(sql`select 1`);
  while ((await backends(name)).active < 2) await sleep(5);

  await endBackends(name);
  const outcomes = await Promise.all(running);
  const rows = await gather(
    Array.from({ length: 6 }, () => () => pool.query(sql`select 1 as n`)),
  );

  for (const outcome of outcomes) {
    assert(outcome.state === "failed");
    assert(outcome.error instanceof DatabaseConnectionError);
  }
  assertEquals(rows.flat(), Array(6).fill({ n: 1 }));
});

Deno.test("a pool survives that the server is away for a while", async () => {
  const name = uniqueName();
  await using gate = new Gate();
  await using pool = new ConnectionPool(() => open(name, gate.address), {
    max: 2,
    createRetries: 0,
    backoffMs: 20,
    maxBackoffMs: 50,
  });
  await pool.query(sql`select 1`);

  await gate.shut();
  // The client may not have noticed yet.
  await pool.query(sql`select 1`).catch((error) =>
    assert(
      error instanceof DatabaseConnectionError ||
        error instanceof PoolUnavailableError,
    )
  );
  await assertRejects(() => pool.query(sql`select 1`), PoolUnavailableError);
  gate.open();

  for (;;) {
    try {
      assertEquals(await pool.query(sql`select 1 as n`), [{ n: 1 }]);
      break;
    } catch (error) {
      if (!(error instanceof PoolUnavailableError)) throw error;
      await sleep(error.retryAfterMs);
    }
  }
  assertEquals(pool.snapshot().unavailable, false);
});

Deno.test("who waits while the server is away gets a connection when it is back", async () => {
  const name = uniqueName();
  await using gate = new Gate();
  await using pool = new ConnectionPool(() => open(name, gate.address), {
    createRetries: 100,
    backoffMs: 10,
    maxBackoffMs: 20,
  });
  await gate.shut();
  const waiting = createTask(() => pool.query(sql`select 1 as n`));
  await sleep(100);

  gate.open();

  assertEquals(await waiting, [{ n: 1 }]);
  assert(pool.snapshot().createFailures > 0);
});
