import { HttpSession } from "@ilmek/async/http-session";
import { sleep } from "@ilmek/async/sleep";
import { TimeoutError } from "@ilmek/async/timeout";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  asCompletedExample,
  backgroundTask,
  type FetchResult,
  fetchUrl,
  main,
  parallelHttpRequests,
  waitExample,
} from "../../examples/03_asyncio_functions.ts";
import { capture } from "./_capture.ts";

const URL_TEXT = "https://example.com/posts/1";

for (const order of ["fifo", "system"] as const) {
  Deno.test(`asCompletedExample() starts in the order given (${order})`, async () => {
    const virtual = new VirtualLoop({ order });

    const { lines } = await capture(
      virtual,
      () => virtual.run(asCompletedExample),
    );

    assertEquals(lines.slice(0, 4).map(({ text }) => text), [
      "Task-1: 1/1",
      "Task-2: 1/2",
      "Task-3: 1/3",
      "Task-4: 1/4",
    ]);
  });
}

Deno.test("waitExample() leaves nothing running", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(virtual, () =>
    virtual.run(async () => {
      await waitExample();
      await sleep(10_000);
    }));

  assertEquals(lines.at(-1)?.t, 0.5);
});

Deno.test("backgroundTask() with nothing to do returns at once", async () => {
  const virtual = new VirtualLoop();

  const result = await virtual.run(() => backgroundTask("A", 0));

  assertEquals([result, virtual.now], ["A tamamlandı", 0]);
});

Deno.test("fetchUrl() counts bytes", async () => {
  const result = await fetching(() => Promise.resolve(new Response("ığüş")));

  assertEquals(result, { url: URL_TEXT, ok: true, status: 200, size: 8 });
});

Deno.test("fetchUrl() takes a bad status for a failure", async () => {
  const result = await fetching(() =>
    Promise.resolve(new Response("oops", { status: 500 }))
  );

  assertEquals(result, {
    url: URL_TEXT,
    ok: false,
    kind: "status",
    error: "HTTP 500",
  });
});

Deno.test("fetchUrl() has a text for a timeout", async () => {
  const result = await fetching(() => Promise.reject(new TimeoutError(10_000)));

  assert(!result.ok);
  assertEquals(result.kind, "timeout");
  assert(result.error.length > 0);
});

Deno.test("fetchUrl() has a text for a failure of the network", async () => {
  const result = await fetching(() =>
    Promise.reject(new TypeError("error sending request"))
  );

  assert(!result.ok);
  assertEquals(result.kind, "network");
  assert(result.error.length > 0);
});

Deno.test("fetchUrl() throws what is a mistake", async () => {
  const fault = new RangeError("bug");

  const error = await assertRejects(() =>
    fetching(() => Promise.reject(fault))
  );

  assertEquals(error, fault);
});

Deno.test("parallelHttpRequests() tells of failures, in the order of the URLs", async () => {
  const virtual = new VirtualLoop();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      new Response("x", { status: /3$/.test(request.url) ? 404 : 200 }),
  );
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;

  const { lines } = await capture(
    virtual,
    () => virtual.run(() => main({ baseUrl })),
  );
  await server.shutdown();

  assertEquals(lines.slice(-5).map(({ text }) => text), [
    `✓ ${baseUrl}/posts/1: 200 (1 bytes)`,
    `✓ ${baseUrl}/posts/2: 200 (1 bytes)`,
    `❌ ${baseUrl}/posts/3: HTTP 404`,
    `✓ ${baseUrl}/posts/4: 200 (1 bytes)`,
    `✓ ${baseUrl}/posts/5: 200 (1 bytes)`,
  ]);
});

Deno.test("parallelHttpRequests() has a text if there is no server", async () => {
  const virtual = new VirtualLoop();
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const baseUrl = `http://127.0.0.1:${gone.addr.port}`;
  gone.close();

  const { lines } = await capture(
    virtual,
    () => virtual.run(() => parallelHttpRequests(baseUrl)),
  );

  assertEquals(lines.length, 5);
  for (const { text } of lines) {
    assert(/^❌ http:\/\/127\.0\.0\.1:\d+\/posts\/\d: .{10}/.test(text), text);
  }
});

/** What `fetchUrl` makes of a server. */
async function fetching(
  fetch: (request: Request) => Promise<Response>,
): Promise<FetchResult> {
  const virtual = new VirtualLoop();
  return await virtual.run(async () => {
    await using session = new HttpSession({ fetch });
    return await fetchUrl(session, URL_TEXT);
  });
}
