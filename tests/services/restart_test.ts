import { assert, assertEquals } from "@std/assert";
import { ConnectionPool } from "@ilmek/async/connection-pool";
import { DatabaseConnectionError, sql } from "@ilmek/async/database";
import { gather } from "@ilmek/async/gather";
import { PoolUnavailableError } from "@ilmek/async/resource-pool";
import { sleep } from "@ilmek/async/sleep";
import { open } from "./_postgres.ts";
import { OwnServer, POSTGRES_BIN } from "./_own_server.ts";

const USERS = 8;

Deno.test({
  name:
    "a pool survives restarts of its server, and no write is lost or doubled",
  // Elsewhere the server is not ours to stop.
  ignore: POSTGRES_BIN === undefined,
  fn: async () => {
    await using server = await OwnServer.create();
    await using pool = new ConnectionPool(
      () => open("ilmek restart", server.address),
      { max: 4, createRetries: 0, backoffMs: 10, maxBackoffMs: 50 },
    );
    await pool.execute(sql`create table writes (id integer)`);
    const confirmed: number[] = [];
    const unknown: number[] = [];
    let failures = 0;
    let isOver = false;
    let lastId = 0;

    const user = async () => {
      while (!isOver) {
        const id = ++lastId;
        try {
          await pool.transaction((tx) =>
            tx.execute(sql`insert into writes values (${id})`)
          );
          confirmed.push(id);
        } catch (error) {
          if (error instanceof PoolUnavailableError) {
            await sleep(error.retryAfterMs);
          } else if (error instanceof DatabaseConnectionError) {
            unknown.push(id);
          } else throw error;
          failures++;
        }
      }
    };
    const restarts = async () => {
      for (let i = 0; i < 2; i++) {
        await sleep(150);
        await server.stop();
        await sleep(50);
        await server.start();
      }
      const before = confirmed.length;
      while (confirmed.length < before + USERS) await sleep(5);
      isOver = true;
    };
    await gather([restarts, ...Array.from({ length: USERS }, () => user)]);

    const rows = await pool.query<{ id: number }>(
      sql`select id from writes order by id`,
    );
    const ids = rows.map(({ id }) => id);
    assertEquals(new Set(ids).size, ids.length);
    const written = new Set(ids);
    assertEquals(confirmed.filter((id) => !written.has(id)), []);
    const possible = new Set([...confirmed, ...unknown]);
    assertEquals(ids.filter((id) => !possible.has(id)), []);
    assert(failures > 0);
    assert(pool.size <= 4);
  },
});
