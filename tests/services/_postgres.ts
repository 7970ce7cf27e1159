/**
 * Connections to a PostgreSQL that is there: at 127.0.0.1, with the database `test`,
 * unless the variables `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD` and `PGDATABASE`
 * say otherwise.
 *
 * @module
 */
import {
  type Database,
  openPostgres,
  type PostgresClient,
  sql,
  sqlName,
  type SqlStatement,
} from "@ilmek/async/database";
import pg from "pg";

/** Where a client connects. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where the server is. */
export const SERVER: Address = {
  host: Deno.env.get("PGHOST") ?? "127.0.0.1",
  port: Number(Deno.env.get("PGPORT") ?? 5432),
};

/** Opens a connection. `name` is what the server calls it. */
export function open(
  name = "ilmek tests",
  address: Address = SERVER,
): Promise<Database> {
  return openPostgres(() => connect(name, address));
}

/** Makes a connected client. */
export async function connect(
  name: string,
  address: Address,
  database: string = Deno.env.get("PGDATABASE") ?? "test",
): Promise<PostgresClient> {
  const password = Deno.env.get("PGPASSWORD");
  const client = new pg.Client({
    ...address,
    user: Deno.env.get("PGUSER") ?? "postgres",
    database,
    application_name: name,
    connectionTimeoutMillis: 10_000,
    ...(password === undefined ? {} : { password }),
  });
  await client.connect();
  return client;
}

/** A name that no other test has. */
export function uniqueName(): string {
  return `ilmek_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** Calls `fn` with the name of a table of its own, with a column `x` of numbers. */
export async function withTable(
  fn: (table: SqlStatement) => Promise<void>,
): Promise<void> {
  const table = sqlName(uniqueName());
  await using db = await open();
  await db.execute(sql`create table ${table} (x integer primary key)`);
  try {
    await fn(table);
  } finally {
    await db.execute(sql`drop table ${table}`);
  }
}

/** How many connections of that name the server has; `active` counts busy ones. */
export async function backends(
  name: string,
): Promise<{ all: number; active: number }> {
  await using db = await open();
  const [row] = await db.query<{ all: number; active: number }>(sql`
    select count(*)::int as all,
      (count(*) filter (where state = 'active'))::int as active
    from pg_stat_activity where application_name = ${name}`);
  return row ?? { all: 0, active: 0 };
}

/** Ends all connections of that name, as a server does that shuts down. */
export async function endBackends(name: string): Promise<void> {
  await using db = await open();
  await db.query(sql`
    select pg_terminate_backend(pid)
    from pg_stat_activity where application_name = ${name}`);
}

/**
 * A way to the server that can be shut: clients see what they see of a server that
 * is restarted.
 */
export class Gate implements AsyncDisposable {
  readonly address: Address;
  #listener: Deno.TcpListener | undefined;
  readonly #connections = new Set<Deno.TcpConn>();
  #accepting: Promise<void>;

  constructor() {
    const listener = this.#listener = Deno.listen({
      hostname: "127.0.0.1",
      port: 0,
    });
    this.address = { host: "127.0.0.1", port: listener.addr.port };
    this.#accepting = this.#accept(listener);
  }

  /** Cuts all connections; there are no new ones. */
  async shut(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    for (const connection of this.#connections) close(connection);
    await this.#accepting;
  }

  /** Lets clients in again. */
  open(): void {
    const { port } = this.address;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#accepting = this.#accept(this.#listener);
  }

  /** Shuts the gate. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shut();
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    const passing: Promise<void>[] = [];
    for await (const client of listener) passing.push(this.#pass(client));
    await Promise.all(passing);
  }

  async #pass(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    const { host: hostname, port } = SERVER;
    const server = await Deno.connect({ hostname, port });
    this.#connections.add(server);
    const pump = async (from: Deno.TcpConn, to: Deno.TcpConn) => {
      await from.readable.pipeTo(to.writable).catch(() => {});
      close(from);
      close(to);
    };
    await Promise.all([pump(client, server), pump(server, client)]);
    this.#connections.delete(client);
    this.#connections.delete(server);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It was closed by its own stream.
  }
}
