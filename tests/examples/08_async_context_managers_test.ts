import { sql } from "@ilmek/async/database";
import { InvalidStateError } from "@ilmek/async/errors";
import { HttpStatusError, JsonError } from "@ilmek/async/http-session";
import { FileNotFoundError } from "@ilmek/async/file";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  asyncResource,
  asyncTimer,
  type DatabaseConnection,
  databaseConnection,
  fileExample,
  fileManager,
  httpSession,
  ResourcePool,
} from "../../examples/08_async_context_managers.ts";
import { capture } from "./_capture.ts";

Deno.test("asyncTimer() used twice at once has two starts", async () => {
  const timer = asyncTimer("T");

  const told = await linesOf(() =>
    gather([
      () => timer.use(() => sleep(3000)),
      () => sleep(1000).then(() => timer.use(() => sleep(1000))),
    ])
  );

  assertEquals(told, [
    "0 [T] Başladı",
    "1 [T] Başladı",
    "2 [T] Bitti (1.00s)",
    "3 [T] Bitti (3.00s)",
  ]);
});

Deno.test("asyncTimer() tells its time also when its body fails", async () => {
  const told = await linesOf(() =>
    assertRejects(() =>
      asyncTimer("T").use(async () => {
        await sleep(500);
        throw new RangeError("body");
      }), RangeError)
  );

  assertEquals(told, ["0 [T] Başladı", "0.5 [T] Bitti (0.50s)"]);
});

Deno.test("databaseConnection() used twice at once has two connections", async () => {
  const rows: unknown[] = [];
  await linesOf(async () => {
    const manager = databaseConnection("h", "d");
    await gather([0, 2000].map((ms) => () =>
      manager.use(async (db) => {
        await sleep(ms);
        rows.push(await db.query(sql`SELECT name FROM users`));
      })
    ));
  });

  assertEquals(rows, [[{ name: "Test" }], [{ name: "Test" }]]);
});

Deno.test("databaseConnection() that is cancelled while it closes is closed", async () => {
  await linesOf(async () => {
    let db: DatabaseConnection | undefined;
    const task = createTask(async () => {
      await databaseConnection("h", "d").use((connection) => {
        db = connection;
      });
    });
    await sleep(600);
    task.cancel();
    await task.outcome();
    assertEquals(db?.isOpen, false);
  });
});

Deno.test("databaseConnection() tells of an error, and passes it on", async () => {
  const told = await linesOf(() =>
    assertRejects(() =>
      databaseConnection("h", "d").use(() => {
        throw new RangeError("x");
      }), RangeError)
  );

  assertEquals(told.at(-1), "0.7 Hata ile kapatıldı: RangeError");
});

Deno.test("DatabaseConnection refuses a query once it is closed", async () => {
  await linesOf(async () => {
    const entered = await databaseConnection("h", "d").enter();
    await entered.exit();
    await assertRejects(
      () => entered.value.query(sql`SELECT 1`),
      InvalidStateError,
      "Bağlantı açık değil",
    );
  });
});

Deno.test("fileManager() closes its file, also when its body fails", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/f`;

  const told = await linesOf(async () => {
    await assertRejects(
      () => fileManager(path).use(() => {}),
      FileNotFoundError,
    );
    await assertRejects(() =>
      fileManager(path, "w").use(() => {
        throw new RangeError("x");
      }), RangeError);
  });
  await Deno.remove(folder, { recursive: true });

  assertEquals(told, [
    `0 Dosya açılıyor: ${path}`,
    `0 Dosya açılıyor: ${path}`,
    `0 Dosya kapatılıyor: ${path}`,
  ]);
});

Deno.test("fileExample() leaves no file", async () => {
  const folder = await Deno.makeTempDir();

  await linesOf(() => fileExample(`${folder}/f`));

  assertEquals([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder);
});

Deno.test("httpSession() does not take a failure for data, and closes", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      request.url.endsWith("/text")
        ? new Response("no json")
        : new Response("x", { status: 500 }),
  );
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;

  const told = await linesOf(async () => {
    await assertRejects(
      () => httpSession(baseUrl).use((session) => session.get("/none")),
      HttpStatusError,
    );
    await assertRejects(
      () => httpSession(baseUrl).use((session) => session.get("/text")),
      JsonError,
    );
  });

  const closed = told.filter((line) => line.includes("kapatılıyor"));
  assertEquals(closed.length, 2);
});

Deno.test("ResourcePool gives back what a cancelled holder has, and nothing to who left", async () => {
  const pool = new ResourcePool("P", 1);

  await linesOf(async () => {
    const [a, b, c] = [1, 2, 3].map(() =>
      createTask(() => pool.use(() => sleep(5000)))
    );
    await sleep(1000);
    b?.cancel();
    a?.cancel();
    await sleep(1000);
    assertEquals(pool.active, 1);
    await c;
    assertEquals(pool.active, 0);
  });
});

Deno.test("asyncResource() is cleaned up when its body was cancelled", async () => {
  const told = await linesOf(async () => {
    const task = createTask(() => asyncResource("R").use(() => sleep(60_000)));
    await sleep(500);
    task.cancel();
    await task.outcome();
  });

  assertEquals(told, ["0 [R] Kaynak alınıyor", "0.5 [R] Kaynak temizleniyor"]);
});

/** What is printed, each line with its time. */
async function linesOf(fn: () => PromiseLike<unknown>): Promise<string[]> {
  const virtual = new VirtualLoop();
  const { lines, total } = await capture(
    virtual,
    () => virtual.run(async () => void await fn()),
  );
  assert(total >= 0);
  return lines.map(({ t, text }) => `${t} ${text}`);
}
