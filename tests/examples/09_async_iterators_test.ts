import { InvalidStateError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { HttpStatusError } from "@ilmek/async/http-session";
import { runVirtual } from "@ilmek/async/virtual";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  asyncBatchGenerator,
  asyncCounter,
  AsyncDataFetcher,
  asyncGeneratorWithSend,
  asyncStreamProcessor,
  readLines,
} from "../../examples/09_async_iterators.ts";

/** Serves posts, and tells which were asked for. */
function serve(asked: string[], status = 200): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, (request) => {
    const id = request.url.split("/").at(-1) ?? "";
    asked.push(id);
    return Response.json({ id: Number(id), title: `Post ${id}` }, { status });
  });
}

function urlOf({ addr }: Deno.HttpServer<Deno.NetAddr>): string {
  return `http://127.0.0.1:${addr.port}`;
}

Deno.test("AsyncDataFetcher gives each post once to those who ask at once", async () => {
  const asked: string[] = [];
  await using server = serve(asked);
  await using fetcher = new AsyncDataFetcher(urlOf(server), 1, 3);
  const loop = fetcher[Symbol.asyncIterator]();

  const answers = await gather([
    () => loop.next(),
    () => loop.next(),
    () => loop.next(),
    () => loop.next(),
  ]);

  assertEquals(answers.map(({ value }) => value?.id), [1, 2, 3, undefined]);
  assertEquals(asked, ["1", "2", "3"]);
});

Deno.test("AsyncDataFetcher begins anew with each loop", async () => {
  await using server = serve([]);
  await using fetcher = new AsyncDataFetcher(urlOf(server), 1, 2);

  for (let i = 0; i < 2; i++) {
    const ids = await Array.fromAsync(fetcher, ({ id }) => id);
    assertEquals(ids, [1, 2]);
  }
});

Deno.test("AsyncDataFetcher does not take a failure for a post", async () => {
  await using server = serve([], 500);
  await using fetcher = new AsyncDataFetcher(urlOf(server), 1, 2);

  await assertRejects(() => Array.fromAsync(fetcher), HttpStatusError);
});

Deno.test("AsyncDataFetcher refuses when it is closed; an empty range ends first", async () => {
  const closed = new AsyncDataFetcher("http://127.0.0.1:1", 1, 2);
  await closed[Symbol.asyncDispose]();
  const empty = new AsyncDataFetcher("http://127.0.0.1:1", 2, 1);
  await empty[Symbol.asyncDispose]();

  await assertRejects(
    () => Array.fromAsync(closed),
    InvalidStateError,
    "Session açık değil",
  );
  assertEquals(await Array.fromAsync(empty), []);
});

Deno.test("readLines() takes off only the ends of lines, and closes its file", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/f`;
  await Deno.writeTextFile(path, "a\n\n  b  \nlast");

  const lines = await Array.fromAsync(readLines(path));
  for await (const _ of readLines(path)) break;

  assertEquals(lines, ["a", "", "  b  ", "last"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("asyncStreamProcessor() ends its stream when the loop is left", async () => {
  await runVirtual(async () => {
    let ended = 0;
    const stream = async function* () {
      try {
        yield* asyncCounter(1, 9, 10);
      } finally {
        ended++;
      }
    };

    for await (const n of asyncStreamProcessor(stream())) {
      assertEquals(n, 2);
      break;
    }

    assertEquals(ended, 1);
  });
});

Deno.test("asyncBatchGenerator() refuses sizes below 1 at once", async () => {
  for (const size of [0, -1, 1.5, NaN]) {
    assertThrows(() => asyncBatchGenerator([1, 2], size), RangeError, "size");
  }
  await runVirtual(async () => {
    const batches = await asyncBatchGenerator([1, 2, 3], 2).toArray();
    assertEquals(batches, [[1, 2], [3]]);
  });
});

Deno.test("asyncGeneratorWithSend() can be sent 0, and is over when it is returned", async () => {
  await runVirtual(async () => {
    const gen = asyncGeneratorWithSend();
    await gen.next();
    await gen.next();

    assertEquals((await gen.next(0)).value, 0);
    assertEquals((await gen.next()).value, 1);
    await gen.return();
    assertEquals((await gen.next()).done, true);
  });
});
