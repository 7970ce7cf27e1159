import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
import { sleep } from "@ilmek/async/sleep";
import {
  createEdge,
  type EdgeOptions,
  OriginError,
  type Page,
} from "../../examples/edge.ts";
import { denoServe } from "../_deno_serve.ts";
import { testClean } from "../_leaks.ts";

function pageOf(text: string, status = 200): Page {
  const body = new TextEncoder().encode(text);
  return { status, type: "text/plain", body };
}

/** Serves the edge for one test. */
function start(options: Partial<EdgeOptions> = {}) {
  const { fetch } = createEdge({
    load: (path) => Promise.resolve(pageOf(`page ${path}`)),
    clientOf: (request) => request.headers.get("X-Client") ?? "nobody",
    ...options,
  });
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, fetch);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The status, the body and the headers of a response. */
async function get(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  const { status, headers } = response;
  return { status, headers, text: await response.text() };
}

/** Calls the edge as the platform does. */
async function call(
  edge: Deno.ServeDefaultExport,
  options: { headers?: HeadersInit; hostname?: string } = {},
): Promise<Response> {
  const { headers = {}, hostname = "1.2.3.4" } = options;
  const request = new Request("http://edge.example/", { headers });
  const remoteAddr = { transport: "tcp", hostname, port: 1 } as const;
  const completed = Promise.resolve();
  return await edge.fetch(request, { remoteAddr, completed });
}

Deno.test("the edge gives pages, with their type and what is left", async () => {
  await using edge = start({ limit: 10, perMs: 60_000 });

  const { status, text, headers } = await get(`${edge.url}/a?b=1`);

  assertEquals([status, text], [200, "page /a?b=1"]);
  assertEquals(headers.get("Content-Type"), "text/plain");
  const { limits: [limit] } = parseRateLimitHeaders(headers);
  assertEquals([limit?.policy, limit?.remaining], ["client", 9]);
});

Deno.test("the edge limits each client by itself", async () => {
  await using edge = start({ limit: 2, perMs: 3_600_000 });
  const statuses = async (client: string, count: number) => {
    const seen: number[] = [];
    for (let i = 0; i < count; i++) {
      const headers = { "X-Client": client };
      seen.push((await get(`${edge.url}/`, { headers })).status);
    }
    return seen;
  };

  assertEquals(await statuses("ada", 4), [200, 200, 429, 429]);
  assertEquals(await statuses("bob", 1), [200]);
  const { headers } = await get(`${edge.url}/`, {
    headers: { "X-Client": "ada" },
  });
  assert((parseRateLimitHeaders(headers).retryAfterMs ?? 0) > 1_000_000);
});

Deno.test("the edge limits by address, whatever a client says of itself", async () => {
  const edge = createEdge({
    load: () => Promise.resolve(pageOf("page")),
    limit: 1,
    perMs: 3_600_000,
  });
  const ask = async (hostname: string) => {
    const headers = { "X-Forwarded-For": crypto.randomUUID() };
    return (await call(edge, { headers, hostname })).status;
  };

  const statuses = [await ask("1.2.3.4"), await ask("1.2.3.4")];
  assertEquals([...statuses, await ask("1.2.3.5")], [200, 429, 200]);
});

Deno.test("the edge loads a page once for all who ask", async () => {
  let loads = 0;
  await using edge = start({
    load: async (path) => {
      loads++;
      return await sleep(20, { value: pageOf(path) });
    },
  });

  const answers = await Promise.all(
    Array.from({ length: 10 }, () => get(`${edge.url}/same`)),
  );
  answers.push(await get(`${edge.url}/same`));

  assert(answers.every(({ text }) => text === "/same"));
  assertEquals(loads, 1);
});

testClean("the edge gives the last page while the origin fails", async () => {
  let loads = 0;
  const edge = createEdge({
    freshMs: 1000,
    staleMs: 60_000,
    load: () => {
      loads++;
      return loads === 1
        ? Promise.resolve(pageOf("good"))
        : Promise.reject(new OriginError("down"));
    },
  });
  const texts: string[] = [];

  for (let i = 0; i < 3; i++) {
    texts.push(await (await call(edge)).text());
    await sleep(5000);
  }
  await sleep(60_000);
  const last = await call(edge);

  assertEquals(texts, ["good", "good", "good"]);
  assertEquals(last.status, 503);
  assert(loads > 3);
});

testClean(
  "the edge answers in time, with a page of its own if it must",
  async ({ virtual }) => {
    const edge = createEdge({
      deadlineMs: 300,
      load: (_path, signal) => sleep(60_000, { value: pageOf("late"), signal }),
    });

    const response = await call(edge);

    assertEquals(virtual.now, 300);
    assertEquals(response.status, 503);
    assertEquals(await response.text(), "Come back in a moment\n");
    assertEquals(response.headers.get("Retry-After"), "5");
  },
);

Deno.test("the edge tries again, and tells of an origin that is down", async () => {
  let loads = 0;
  await using edge = start({
    load: () => {
      loads++;
      return Promise.reject(new OriginError("down"));
    },
  });
  assertEquals((await get(`${edge.url}/readyz`)).status, 200);

  const statuses = await Promise.all(
    Array.from({ length: 30 }, (_, i) => get(`${edge.url}/${i}`)),
  );
  const ready = await get(`${edge.url}/readyz`);

  assert(statuses.every(({ status }) => status === 503));
  assert(loads >= 30);
  assertEquals(ready.status, 503);
  assertEquals(JSON.parse(ready.text).origin, "open");
  assertEquals((await get(`${edge.url}/livez`)).text, "ok\n");
});

Deno.test("the edge is only to be read", async () => {
  await using edge = start();

  const post = await get(edge.url, { method: "POST", body: "x" });
  const head = await get(edge.url, { method: "HEAD" });

  assertEquals([post.status, post.headers.get("Allow")], [405, "GET, HEAD"]);
  assertEquals([head.status, head.text], [200, ""]);
});

Deno.test("the edge runs by deno serve, and loads from its origin only", async () => {
  const asked: string[] = [];
  await using origin = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname, search } = new URL(request.url);
      asked.push(pathname + search);
      if (pathname === "/broken") return new Response("oh", { status: 500 });
      const status = pathname === "/missing" ? 404 : 200;
      return new Response(`origin ${pathname}`, { status });
    },
  );
  await using edge = await denoServe("examples/edge.ts", {
    env: { ORIGIN: `http://127.0.0.1:${origin.addr.port}` },
  });

  const page = await get(`${edge.url}/page?x=1`);
  const missing = await get(`${edge.url}/missing`);
  const broken = await get(`${edge.url}/broken`);
  const sneaky = await get(`${edge.url}//elsewhere.example/x`);

  assertEquals([page.status, page.text], [200, "origin /page"]);
  assertStringIncludes(page.headers.get("Content-Type") ?? "", "text/plain");
  assertEquals([missing.status, missing.text], [404, "origin /missing"]);
  assertEquals(broken.status, 503);
  assertEquals([sneaky.status, sneaky.text], [
    200,
    "origin //elsewhere.example/x",
  ]);
  assertEquals(asked, [
    "/page?x=1",
    "/missing",
    "/broken",
    "/broken",
    "//elsewhere.example/x",
  ]);
});
