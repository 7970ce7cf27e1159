import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type Database,
  DatabaseConnectionError,
  DatabaseError,
  openPostgres,
  openSqlite,
  type PostgresClient,
  type PostgresResult,
  sql,
  type SqlExecutor,
  sqlName,
  SqlStatement,
} from "@ilmek/async/database";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
  TimeoutError,
} from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";

/** A database in memory with an empty table of names. */
async function memory(): Promise<Database> {
  const db = openSqlite(":memory:");
  await db.execute(sql`create table users (name text unique)`);
  return db;
}

function add(db: SqlExecutor, name: string) {
  return db.execute(sql`insert into users values (${name})`);
}

async function namesIn(db: SqlExecutor): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    sql`select name from users order by name`,
  );
  return rows.map(({ name }) => name);
}

/** Calls `fn` with the path of a file that does not exist yet. */
async function withFile(fn: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await fn(`${directory}/test.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("sql`...` binds values, and never writes them into the text", () => {
  const evil = "'; drop table users --";
  const statement = sql`select * from users where name = ${evil} or age > ${7}`;

  assertEquals(statement.render((i) => `$${i}`), {
    text: "select * from users where name = $1 or age > $2",
    values: [evil, 7],
  });
});

Deno.test("sql`...` puts statements into statements, with their values", () => {
  const where = sql`age > ${7} and ${sqlName("first name")} = ${"ada"}`;
  const statement = sql`select ${1} from users where ${where} limit ${10}`;

  assertEquals(statement.render((i) => `$${i}`), {
    text: 'select $1 from users where age > $2 and "first name" = $3 limit $4',
    values: [1, 7, "ada", 10],
  });
});

Deno.test("sql refuses strings and values that cannot be bound", () => {
  assertThrows(
    () => sql("select 1" as never),
    TypeError,
    "write sql`...` without parentheses",
  );
  assertThrows(
    () => sql`select ${undefined as never}`,
    TypeError,
    "value 1 must be a string, a number, a boolean, bytes, a date or null: current value is undefined",
  );
  assertThrows(() => sql`select ${{} as never}`, TypeError);
  assertThrows(() => sqlName(""), TypeError, '"name"');
  assertThrows(() => sqlName("a\0b"), TypeError);
});

Deno.test("a database takes no statement that sql`...` did not make", async () => {
  await using db = await memory();

  for (const run of ["query", "execute"] as const) {
    await assertRejects(
      () => db[run]("select 1" as never),
      TypeError,
      'Cannot run a statement as "statement" must be made by sql`...`: current value is "select 1"',
    );
  }
  assertInstanceOf(sql`select 1`, SqlStatement);
});

Deno.test("SQLite gives rows and counts changes", async () => {
  await using db = await memory();

  assertEquals(await add(db, "ada"), { changes: 1 });
  await add(db, "eve");
  assertEquals(
    await db.execute(sql`update users set name = name || '!'`),
    { changes: 2 },
  );
  assertEquals(await db.execute(sql`create table other (x)`), { changes: 0 });

  assertEquals(await db.query(sql`select * from users`), [
    { name: "ada!" },
    { name: "eve!" },
  ]);
});

Deno.test("SQLite takes values of all kinds", async () => {
  await using db = openSqlite(":memory:");
  const bytes = new Uint8Array([1, 2]);
  const date = new Date(0);

  const rows = await db.query(
    sql`select ${"a"} a, ${1.5} b, ${2n} c, ${true} d, ${bytes} e, ${date} f, ${null} g`,
  );

  assertEquals(rows, [{
    a: "a",
    b: 1.5,
    c: 2,
    d: 1,
    e: bytes,
    f: "1970-01-01T00:00:00.000Z",
    g: null,
  }]);
});

Deno.test("what a database refuses is an error with the statement", async () => {
  await using db = await memory();
  await add(db, "ada");

  const error = await assertRejects(() => add(db, "ada"), DatabaseError);

  assertEquals(error.statement, "insert into users values (?)");
  assertEquals(error.code, "2067");
  assertEquals(
    error.message,
    'Cannot run "insert into users values (?)": UNIQUE constraint failed: users.name',
  );
  assert(error.cause instanceof Error);
});

Deno.test("a database that cannot be opened is an error", () => {
  assertThrows(
    () => openSqlite("/no/such/directory/test.db", { readOnly: true }),
    Error,
  );
  assertThrows(() => openSqlite(7 as never), TypeError, '"path"');
  assertThrows(
    () => openSqlite(":memory:", { busyTimeoutMs: -1 }),
    RangeError,
    '"busyTimeoutMs"',
  );
});

Deno.test("a transaction is committed when its function has ended well", async () => {
  await using db = await memory();

  const result = await db.transaction(async (tx) => {
    await add(tx, "ada");
    await sleep(1);
    await add(tx, "eve");
    return 42;
  });

  assertEquals(result, 42);
  assertEquals(await namesIn(db), ["ada", "eve"]);
});

Deno.test("a transaction is rolled back when its function throws", async () => {
  await using db = await memory();

  await assertRejects(
    () =>
      db.transaction(async (tx) => {
        await add(tx, "ada");
        throw new RangeError("no");
      }),
    RangeError,
    "no",
  );

  assertEquals(await namesIn(db), []);
});

Deno.test("a transaction is rolled back when its scope is cancelled", async () => {
  await using db = await memory();

  await assertRejects(
    () =>
      timeout(5, () =>
        db.transaction(async (tx) => {
          await add(tx, "ada");
          await sleep(60_000);
        })),
    TimeoutError,
  );

  assertEquals(await namesIn(db), []);
});

Deno.test("a transaction that swallows a cancellation is not committed", async () => {
  await using db = await memory();

  await withScope(async (scope) => {
    await assertRejects(() =>
      db.transaction(async (tx) => {
        await add(tx, "ada");
        scope.cancel();
        await sleep(1).catch(() => {});
      }), CancelledError);
  }).catch(() => {});

  assertEquals(await namesIn(db), []);
});

Deno.test("a transaction within a transaction is undone alone", async () => {
  await using db = await memory();

  await db.transaction(async (tx) => {
    await add(tx, "ada");
    await assertRejects(() =>
      tx.transaction(async (inner) => {
        await add(inner, "eve");
        throw new RangeError("no");
      }), RangeError);
    await tx.transaction((inner) => add(inner, "bob"));
  });

  assertEquals(await namesIn(db), ["ada", "bob"]);
});

Deno.test("a transaction has the connection for itself", async () => {
  await using db = await memory();
  const log: string[] = [];
  const writer = createTask(() =>
    db.transaction(async (tx) => {
      await add(tx, "ada");
      await sleep(10);
      log.push("committed");
    })
  );
  await sleep(1);

  log.push((await namesIn(db)).join());
  await writer;

  assertEquals(log, ["committed", "ada"]);
});

Deno.test("statements wait in line, and leave it when they are cancelled", async () => {
  await using db = await memory();
  const writer = createTask(() => db.transaction(() => sleep(20)));
  await sleep(1);
  const first = createTask(() => add(db, "first"));
  const second = createTask(() => add(db, "second"));
  await sleep(1);

  first.cancel();
  await gather([writer, second]);

  assertEquals(first.cancelled, true);
  assertEquals(await namesIn(db), ["second"]);
});

Deno.test("to use the database itself within its transaction is told of", async () => {
  await using db = await memory();
  const task = createTask(
    () => db.transaction(() => namesIn(db)),
    { name: "nested" },
  );

  await assertRejects(
    () => task,
    DeadlockError,
    'Cannot wait for the database ":memory:": "nested" is in a transaction of it, and must use what the transaction has given it',
  );
  assertEquals(await namesIn(db), []);
});

Deno.test("a transaction that only reads changes nothing", async () => {
  await using db = await memory();
  await add(db, "ada");

  const names = await db.transaction(namesIn, { readOnly: true });
  const error = await assertRejects(
    () => db.transaction((tx) => add(tx, "bob"), { readOnly: true }),
    DatabaseError,
  );

  assertEquals(names, ["ada"]);
  assertStringIncludes(String(error.cause), "readonly");
  await add(db, "bob");
  await db.transaction((tx) => add(tx, "eve"));
  assertEquals(await namesIn(db), ["ada", "bob", "eve"]);
});

Deno.test("an isolation that does not exist is refused", async () => {
  await using db = await memory();
  const isolation = "serializable; drop table users" as "serializable";

  await assertRejects(
    () => db.transaction(namesIn, { isolation }),
    TypeError,
    'Cannot run a transaction as "isolation" must be one of "read-committed", "repeatable-read", "serializable"',
  );
});

Deno.test("what a transaction has given is of no use afterwards", async () => {
  await using db = await memory();
  let kept: SqlExecutor | undefined;
  await db.transaction((tx) => {
    kept = tx;
  });

  await assertRejects(
    () => namesIn(kept as SqlExecutor),
    InvalidStateError,
    'Cannot run a statement: its transaction of the database ":memory:" has ended',
  );
});

Deno.test("statements that nobody awaits are over before the commit", async () => {
  await using db = await memory();

  await db.transaction((tx) => {
    add(tx, "ada");
  });

  assertEquals(await namesIn(db), ["ada"]);
});

Deno.test("a writer waits for another connection, and others go on", async () => {
  await withFile(async (path) => {
    await using one = openSqlite(path);
    await using two = openSqlite(path);
    await one.execute(sql`create table users (name text unique)`);
    const writer = createTask(() =>
      one.transaction(async (tx) => {
        await add(tx, "ada");
        await sleep(20);
      })
    );
    await sleep(1);

    await two.transaction((tx) => add(tx, "eve"));

    assert(writer.done);
    assertEquals(await namesIn(two), ["ada", "eve"]);
  });
});

Deno.test("a writer gives up after busyTimeoutMs", async () => {
  await withFile(async (path) => {
    await using one = openSqlite(path);
    await using two = openSqlite(path, { busyTimeoutMs: 10 });
    const writer = createTask(() => one.transaction(() => sleep(60_000)));
    await sleep(1);

    await assertRejects(
      () => two.transaction(() => {}),
      DatabaseError,
      "database is locked",
    );
    writer.cancel();
    await writer.outcome();
  });
});

Deno.test("a database that is closed refuses, and closing twice does nothing", async () => {
  const db = await memory();
  await db.close();
  await db.close();

  assert(db.broken);
  await assertRejects(
    () => namesIn(db),
    InvalidStateError,
    'Cannot run a statement: the database ":memory:" was closed',
  );
});

Deno.test("close() waits for what is under way", async () => {
  const db = await memory();
  const log: string[] = [];
  const writer = createTask(() =>
    db.transaction(async (tx) => {
      await sleep(5);
      await add(tx, "ada");
      log.push("written");
    })
  );
  await sleep(1);

  await db.close();
  log.push("closed");
  await writer;

  assertEquals(log, ["written", "closed"]);
});

/** A client that answers as it is told, in place of one of PostgreSQL. */
class FakeClient implements PostgresClient {
  readonly processID = 7;
  readonly log: string[] = [];
  readonly #answer: (
    text: string,
  ) => PostgresResult | Promise<PostgresResult>;
  onError: () => void = () => {};

  constructor(
    answer: (text: string) => PostgresResult | Promise<PostgresResult>,
  ) {
    this.#answer = answer;
  }

  on(event: string, fn: () => void): void {
    if (event === "error") this.onError = fn;
  }

  async query(
    { text, values }: { text: string; values: unknown[] },
  ): Promise<PostgresResult> {
    this.log.push(values.length > 0 ? `${text} [${values}]` : text);
    return await this.#answer(text);
  }

  end(): Promise<void> {
    this.log.push("end");
    return Promise.resolve();
  }
}

const NOTHING: PostgresResult = { rows: [], rowCount: 0 };

Deno.test("PostgreSQL gets numbered placeholders and isolation levels", async () => {
  const client = new FakeClient(() => NOTHING);
  await using db = await openPostgres(() => client);

  await db.transaction(
    (tx) => tx.query(sql`select ${1}, ${"a"}`),
    { isolation: "repeatable-read", readOnly: true },
  );

  assertEquals(client.log, [
    "begin isolation level repeatable read read only",
    "select $1, $2 [1,a]",
    "commit",
  ]);
});

Deno.test("a commit that PostgreSQL takes for a rollback is an error", async () => {
  const client = new FakeClient((text) => ({
    ...NOTHING,
    command: text === "commit" ? "ROLLBACK" : "OTHER",
  }));
  await using db = await openPostgres(() => client);

  await assertRejects(
    () => db.transaction(() => {}),
    DatabaseError,
    'Cannot run "commit": a statement of the transaction has failed, and it was rolled back',
  );
});

Deno.test("a cancelled statement is stopped by a second client", async () => {
  const running = Promise.withResolvers<PostgresResult>();
  const clients: FakeClient[] = [];
  const connect = () => {
    const client = new FakeClient((text) => {
      if (text.includes("sleep")) return running.promise;
      if (text.includes("pg_cancel_backend")) {
        running.reject(
          Object.assign(new TypeError("canceled"), { severity: "ERROR" }),
        );
      }
      return NOTHING;
    });
    clients.push(client);
    return client;
  };
  await using db = await openPostgres(connect);

  await assertRejects(
    () => timeout(5, () => db.query(sql`select pg_sleep(60)`)),
    TimeoutError,
  );

  assertEquals(clients[1]?.log, ["select pg_cancel_backend($1) [7]", "end"]);
  assertEquals(db.broken, false);
});

Deno.test("a statement that cannot be stopped costs the connection", async () => {
  const client = new FakeClient(() => new Promise(() => {}));
  const db = await openPostgres(() => client, {
    cancel: () => Promise.resolve(),
    cancelTimeoutMs: 10,
  });

  await assertRejects(
    () => timeout(5, () => db.query(sql`select pg_sleep(60)`)),
    TimeoutError,
  );

  assert(db.broken);
  assertEquals(client.log.at(-1), "end");
  await assertRejects(() => db.query(sql`select 1`), DatabaseConnectionError);
});

Deno.test("a lost connection is an error of its own", async () => {
  const client = new FakeClient(() => {
    throw new TypeError("Connection terminated unexpectedly");
  });
  const db = await openPostgres(() => client);

  const error = await assertRejects(
    () => db.query(sql`select 1`),
    DatabaseConnectionError,
  );

  assertInstanceOf(error, DatabaseError);
  assert(db.broken);
});

Deno.test("a connection that is lost while it is idle is broken", async () => {
  const client = new FakeClient(() => NOTHING);
  const db = await openPostgres(() => client);

  client.onError();

  assert(db.broken);
});

Deno.test("openPostgres() tells why there is no connection", async () => {
  await assertRejects(
    () => openPostgres(() => Promise.reject(new TypeError("refused"))),
    DatabaseConnectionError,
    'Cannot run "connect": refused',
  );
  await assertRejects(() => openPostgres(7 as never), TypeError, '"connect"');
  await assertRejects(
    () =>
      openPostgres(() => new FakeClient(() => NOTHING), {
        cancelTimeoutMs: -1,
      }),
    RangeError,
    '"cancelTimeoutMs"',
  );
});

Deno.test("a client that connects after its caller has gone is closed", async () => {
  const connecting = Promise.withResolvers<PostgresClient>();
  const client = new FakeClient(() => NOTHING);

  await assertRejects(
    () => timeout(5, () => openPostgres(() => connecting.promise)),
    TimeoutError,
  );
  connecting.resolve(client);
  await sleep(1);

  assertEquals(client.log, ["end"]);
});
