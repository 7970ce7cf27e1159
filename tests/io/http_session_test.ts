import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  CancelledError,
  InvalidStateError,
  TimeoutError,
} from "@ilmek/async/errors";
import {
  BodyTooLargeError,
  HttpSession,
  type HttpSessionOptions,
  HttpStatusError,
  JsonError,
  NetworkError,
  SessionClosedError,
} from "@ilmek/async/http-session";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";

const HOUR_MS = 3_600_000;

/** Calls `fn` with the address of a server, which is closed at the end. */
async function withServer<T>(
  handler: (request: Request) => Response | Promise<Response>,
  fn: (baseUrl: string) => Promise<T>,
): Promise<T> {
  const cut = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: cut.signal,
    onListen: () => {},
    onError: () => new Response("failed", { status: 500 }),
  }, (request) => handler(request));
  try {
    return await fn(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    cut.abort();
    await server.finished;
  }
}

/** Calls `fn` with the address of a server that treats each connection so. */
async function withRawServer<T>(
  treat: (connection: Deno.TcpConn, head: string) => Promise<void>,
  fn: (baseUrl: string) => Promise<T>,
): Promise<T> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push((async () => {
        using _connection = connection;
        const buffer = new Uint8Array(4096);
        const size = await connection.read(buffer) ?? 0;
        const head = new TextDecoder().decode(buffer.subarray(0, size));
        await treat(connection, head);
      })());
    }
  })();
  try {
    return await fn(`http://127.0.0.1:${listener.addr.port}`);
  } finally {
    listener.close();
    await accepting;
    await Promise.all(connections);
  }
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

/** Waits until the other side has closed the connection. */
async function closed(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // A reset is an end, too.
  }
}

/** A session whose fetch gives what `respond` gives. */
function fakeSession(
  respond: (request: Request) => Response | Promise<Response>,
  options: HttpSessionOptions = {},
): HttpSession {
  const fetch = async (request: Request) => await respond(request);
  return new HttpSession({ baseUrl: "http://test", fetch, ...options });
}

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
  });
}

Deno.test("HttpSession.get() gives status, headers, URL and body", async () => {
  const handler = () =>
    new Response("hello", { status: 201, headers: { "x-a": "b" } });

  await withServer(handler, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const response = await session.get("/path");

    assertEquals(response.status, 201);
    assertEquals(response.statusText, "Created");
    assert(response.ok);
    assertEquals(response.headers.get("x-a"), "b");
    assertEquals(response.url, `${baseUrl}/path`);
    assertEquals(response.bodyUsed, false);
    assertEquals(await response.text(), "hello");
    assertEquals(response.bodyUsed, true);
    assertEquals(session.inFlight, 0);
  });
});

for (const method of ["get", "post", "put", "delete"] as const) {
  const name = method.toUpperCase();
  Deno.test(`HttpSession.${method}() sends ${name}`, async () => {
    await using session = fakeSession(({ method }) => new Response(method));

    const response = await session[method]("/");

    assertEquals(await response.text(), name);
  });
}

Deno.test("HttpSession.request() sends any method", async () => {
  await using session = fakeSession(({ method }) => new Response(method));

  const response = await session.request("/", { method: "PATCH" });

  assertEquals(await response.text(), "PATCH");
});

Deno.test("HttpSession.request() puts URLs together", async () => {
  const urlOf = async (baseUrl: string | undefined, path: string | URL) => {
    await using session = new HttpSession({
      ...(baseUrl === undefined ? {} : { baseUrl }),
      fetch: ({ url }) => Promise.resolve(new Response(url)),
    });
    return await (await session.get(path)).text();
  };

  assertEquals(await urlOf("http://a/api", "/users"), "http://a/api/users");
  assertEquals(await urlOf("http://a/api/", "users"), "http://a/api/users");
  assertEquals(await urlOf("http://a/api", "//b/c"), "http://a/api/b/c");
  assertEquals(await urlOf("http://a/api", "http://a/other"), "http://a/other");
  assertEquals(await urlOf(undefined, "http://b/c"), "http://b/c");
  assertEquals(await urlOf(undefined, new URL("http://b/c")), "http://b/c");
});

Deno.test("HttpSession.request() goes to no other origin than its own", async () => {
  await using session = fakeSession(() => new Response());

  for (const path of ["https://test/", "http://other/", "\\\\other\\"]) {
    await assertRejects(
      () => session.get(path),
      TypeError,
      '"path" must stay below http://test',
    );
  }
});

Deno.test("HttpSession.request() needs a URL if there is no baseUrl", async () => {
  await using session = new HttpSession();

  await assertRejects(() => session.get("/users"), TypeError, '"baseUrl"');
});

Deno.test("HttpSession.request() adds the query", async () => {
  await using session = fakeSession(({ url }) => new Response(url));

  const response = await session.get("/x?a=0", {
    query: { b: "c d", e: [1, true], f: undefined },
  });

  assertEquals(await response.text(), "http://test/x?a=0&b=c+d&e=1&e=true");
});

Deno.test("HttpSession.request() merges headers", async () => {
  await using session = fakeSession(
    ({ headers }) => new Response(`${headers.get("a")} ${headers.get("b")}`),
    { headers: { a: "session", b: "session" } },
  );

  const response = await session.get("/", { headers: { B: "request" } });

  assertEquals(await response.text(), "session request");
});

Deno.test("HttpSession.request() sends JSON or a body, not both", async () => {
  await using session = fakeSession(async (request) =>
    new Response(
      `${request.headers.get("content-type")} ${await request.text()}`,
    )
  );

  const asJson = await session.post("/", { json: { a: null } });
  const asText = await session.post("/", { body: "text" });

  assertEquals(await asJson.text(), 'application/json {"a":null}');
  assertEquals(await asText.text(), "text/plain;charset=UTF-8 text");
  await assertRejects(
    () => session.post("/", { json: 1, body: "text" }),
    TypeError,
    'one of "body" and "json"',
  );
});

Deno.test("HttpSession() refuses wrong options", () => {
  assertThrows(() => new HttpSession({ baseUrl: "/api" }), TypeError);
  assertThrows(() => new HttpSession({ baseUrl: "file:///a" }), TypeError);
  assertThrows(() => new HttpSession({ timeoutMs: -1 }), RangeError);
  assertThrows(() => new HttpSession({ maxBodyBytes: 0.5 }), RangeError);
});

Deno.test("HttpResponse.json() gives a value", async () => {
  await using session = fakeSession(() => Response.json({ a: [1] }));

  const value = await (await session.get("/")).json<{ a: number[] }>();

  assertEquals(value.a, [1]);
});

Deno.test("HttpResponse.json() shows what is not JSON", async () => {
  await using session = fakeSession(() => new Response("<html>"));

  const error = await assertRejects(
    async () => await (await session.get("/x?secret")).json(),
    JsonError,
    "Cannot parse the response to GET http://test/x: it is not JSON",
  );

  assertEquals(error.bodySnippet, "<html>");
  assertInstanceOf(error.cause, SyntaxError);
});

Deno.test("HttpResponse.bytes() gives the bytes", async () => {
  await using session = fakeSession(() => new Response(new Uint8Array([1, 2])));

  assertEquals(
    await (await session.get("/")).bytes(),
    new Uint8Array([1, 2]),
  );
});

Deno.test("HttpResponse can be read once", async () => {
  await using session = fakeSession(() => new Response("text"));
  const response = await session.get("/");
  await response.text();

  await assertRejects(() => response.text(), InvalidStateError, "it was read");
});

Deno.test("HttpResponse without a body reads as empty", async () => {
  await using session = fakeSession(() => new Response(null, { status: 204 }));

  const response = await session.delete("/");

  assertEquals(session.inFlight, 0);
  assertEquals(response.body, null);
  assertEquals(await response.text(), "");
});

Deno.test("HttpResponse.text() stops at the limit of the session", async () => {
  const handler = (request: Request) => {
    const body = "x".repeat(2000);
    const isStream = request.url.endsWith("stream");
    return new Response(isStream ? new Blob([body]).stream() : body);
  };

  await withServer(handler, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, maxBodyBytes: 1999 });
    for (const path of ["/text", "/stream"]) {
      const response = await session.get(path);
      const error = await assertRejects(
        () => response.text(),
        BodyTooLargeError,
      );
      assertEquals(error.maxBodyBytes, 1999);
      assertEquals(session.inFlight, 0);
    }
    await using wide = new HttpSession({ baseUrl, maxBodyBytes: 2000 });
    assertEquals((await (await wide.get("/stream")).text()).length, 2000);
  });
});

Deno.test("HttpResponse.text() does not wait for a body that is announced as too large", async () => {
  await using session = fakeSession(
    () => new Response(endless(), { headers: { "content-length": "1000" } }),
    { maxBodyBytes: 999 },
  );

  await assertRejects(
    async () => await (await session.get("/")).text(),
    BodyTooLargeError,
  );
});

Deno.test("HttpResponse.chunks() gives the pieces, and drops the rest", async () => {
  let reason: unknown;
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(3)),
    cancel: (why) => reason = why ?? "cancelled",
  });
  await using session = fakeSession(() => new Response(body));
  const response = await session.get("/");
  let size = 0;

  for await (const chunk of response.chunks()) {
    size += chunk.length;
    if (size === 9) break;
  }

  assertEquals(size, 9);
  assertEquals(reason, "cancelled");
  assertEquals(session.inFlight, 0);
});

Deno.test("HttpResponse.chunks() stops at its limit", async () => {
  await using session = fakeSession(() => new Response("x".repeat(2000)));
  const response = await session.get("/");

  const error = await assertRejects(async () => {
    for await (const _chunk of response.chunks({ maxBytes: 1999 }));
  }, BodyTooLargeError);

  assertEquals(error.maxBodyBytes, 1999);
  assertEquals(session.inFlight, 0);
});

Deno.test("HttpResponse.chunks() tells how far it has come", async () => {
  const headers = { "content-length": "6" };
  const body = () =>
    ReadableStream.from([new Uint8Array(2), new Uint8Array(4)]);
  await using session = fakeSession(({ url }) =>
    new Response(body(), url.endsWith("known") ? { headers } : {})
  );
  const progress: unknown[] = [];

  for (const path of ["/known", "/other"]) {
    const response = await session.get(path);
    const onProgress = (now: unknown) => progress.push(now);
    for await (const _chunk of response.chunks({ onProgress }));
  }

  assertEquals(progress, [
    { receivedBytes: 2, totalBytes: 6 },
    { receivedBytes: 6, totalBytes: 6 },
    { receivedBytes: 2, totalBytes: undefined },
    { receivedBytes: 6, totalBytes: undefined },
  ]);
});

Deno.test("HttpResponse.chunks() drops the body if onProgress throws", async () => {
  await using session = fakeSession(() => new Response(endless()));
  const response = await session.get("/");

  await assertRejects(async () => {
    const onProgress = () => {
      throw new RangeError("stop");
    };
    for await (const _chunk of response.chunks({ onProgress }));
  }, RangeError);

  assertEquals(session.inFlight, 0);
});

Deno.test("HttpResponse.chunks() refuses wrong options", async () => {
  await using session = fakeSession(() => new Response("x"));
  const response = await session.get("/");

  await assertRejects(
    () => response.chunks({ maxBytes: -1 }).next(),
    RangeError,
    '"maxBytes"',
  );
  await assertRejects(
    () => response.chunks({ onProgress: 1 as never }).next(),
    TypeError,
    '"onProgress"',
  );
  assertEquals(await response.text(), "x");
});

Deno.test("HttpResponse.text() decodes as the server says, else as UTF-8", async () => {
  const types: Record<string, string> = {
    "/latin": "text/html; charset=iso-8859-1",
    "/quoted": 'text/html; charset="ISO-8859-1"; x=y',
    "/unknown": "text/html; charset=no-such-thing",
    "/none": "text/html",
  };
  await using session = fakeSession(({ url }) => {
    const type = types[new URL(url).pathname] ?? "";
    const isLatin = type.toLowerCase().includes("8859");
    const body = isLatin ? new Uint8Array([0xe9]) : "\u00e9";
    return new Response(body, { headers: { "content-type": type } });
  });

  for (const path of Object.keys(types)) {
    assertEquals(await (await session.get(path)).text(), "\u00e9", path);
  }
});

Deno.test("a pause within a body that is too long ends the request", async () => {
  await using session = fakeSession(() => new Response(endless()), {
    timeoutMs: null,
    idleTimeoutMs: 5,
  });
  const response = await session.get("/");

  const error = await assertRejects(() => response.text(), TimeoutError);

  assertEquals(
    error.message,
    'Cannot finish "a piece of the response to GET http://test/" in time: 5 ms have passed',
  );
  assertEquals(session.inFlight, 0);
});

Deno.test("pauses within a body may add up to more than the limit of one", async () => {
  async function* slow() {
    for (let i = 0; i < 5; i++) {
      await sleep(4);
      yield new Uint8Array(1);
    }
  }
  await using session = fakeSession(
    () => new Response(ReadableStream.from(slow())),
    { idleTimeoutMs: 1 },
  );

  const response = await session.get("/", { idleTimeoutMs: 500 });

  assertEquals((await response.bytes()).length, 5);
});

/** A server whose bodies break off; how it goes on is told by `answer`. */
async function readBroken(
  answer: (range: string, validator: string) => Response,
  maxResumes = 3,
): Promise<{ text: string; ranges: string[] }> {
  const ranges: string[] = [];
  await using session = fakeSession(({ headers }) => {
    const range = headers.get("range");
    if (range !== null) {
      ranges.push(range);
      return answer(range, headers.get("if-range") ?? "");
    }
    return new Response(breaking("hello "), {
      headers: {
        "etag": '"v1"',
        "accept-ranges": "bytes",
        "content-length": "11",
      },
    });
  });
  const response = await session.get("/");
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.chunks({ maxResumes })) {
      text += decoder.decode(chunk);
    }
  } catch (error) {
    assertInstanceOf(error, NetworkError);
    text += `<${error.sent}>`;
  }
  assertEquals(session.inFlight, 0);
  return { text, ranges };
}

/** A body that gives a text, and breaks. */
function breaking(text: string): ReadableStream<Uint8Array> {
  let isGiven = false;
  return new ReadableStream({
    pull: (controller) => {
      if (isGiven) controller.error(new TypeError("reset"));
      else controller.enqueue(new TextEncoder().encode(text));
      isGiven = true;
    },
  }, { highWaterMark: 0 });
}

function rest(
  body: BodyInit,
  range: string,
  etag = '"v1"',
  status = 206,
): Response {
  return new Response(body, {
    status,
    headers: { "content-range": range, "etag": etag },
  });
}

Deno.test("HttpResponse.chunks() goes on with a body that has broken off", async () => {
  const validators: string[] = [];
  const { text, ranges } = await readBroken((range, validator) => {
    validators.push(validator);
    return range === "bytes=6-"
      ? rest(breaking("wo"), "bytes 6-10/11")
      : rest("rld", "bytes 8-10/11");
  });

  assertEquals(text, "hello world");
  assertEquals(ranges, ["bytes=6-", "bytes=8-"]);
  assertEquals(validators, ['"v1"', '"v1"']);
});

Deno.test("HttpResponse.chunks() does not go on if it is not told to", async () => {
  const { text, ranges } = await readBroken(() => rest("world", ""), 0);

  assertEquals([text, ranges], ["hello <yes>", []]);
});

Deno.test("HttpResponse.chunks() puts nothing together that does not fit", async () => {
  const answers = [
    rest("hello world", "", '"v1"', 200),
    rest("world", "bytes 6-10/11", '"v2"'),
    rest("orld", "bytes 7-10/11"),
    rest("world", "bytes 6-10/12"),
    rest("wor", "bytes 6-8/11"),
    rest("world", "nonsense"),
  ];

  for (const answer of answers) {
    const { text, ranges } = await readBroken(() => answer);
    assertEquals([text, ranges], ["hello <yes>", ["bytes=6-"]]);
  }
});

Deno.test("HttpResponse.body is a stream of the platform", async () => {
  await withServer(() => new Response("hello"), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, maxBodyBytes: 1 });
    const { body } = await session.get("/");

    assertEquals(await new Response(body).text(), "hello");
    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpResponse.body can be cancelled", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const { body } = await session.get("/");

    await body?.cancel();

    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpResponse drops an unread body at the end of its block", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    {
      using response = await session.get("/");
      assertEquals(response.status, 200);
      await using _other = await session.get("/");
      assertEquals(session.inFlight, 2);
    }
    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpResponse.discard() makes reading fail, and can be called twice", async () => {
  await using session = fakeSession(() => new Response("text"));
  const response = await session.get("/");

  await response.discard();
  await response.discard();

  await assertRejects(() => response.text(), InvalidStateError, "dropped");
});

Deno.test("HttpResponse.discard() ends a read that is under way", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const response = await session.get("/");
    const text = createTask(() => response.text());
    await sleep(5);

    await response.discard();

    await assertRejects(() => text.toPromise(), InvalidStateError, "dropped");
  });
});

Deno.test("HttpSession.get() gives a bad status like any other", async () => {
  await using session = fakeSession(() => new Response("no", { status: 404 }));

  using response = await session.get("/");

  assertEquals([response.status, response.ok], [404, false]);
});

Deno.test("HttpSession.get() throws a bad status if it is told to", async () => {
  const body = "é".repeat(3000);
  const handler = () =>
    new Response(body, { status: 503, headers: { "retry-after": "7" } });

  await withServer(handler, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, throwOnError: true });
    const error = await assertRejects(
      () => session.get("/x?secret"),
      HttpStatusError,
      `Cannot use the response to GET ${baseUrl}/x: its status is 503`,
    );

    assertEquals(error.status, 503);
    assertEquals(error.headers.get("retry-after"), "7");
    assertEquals(error.bodySnippet, body.slice(0, 1024));
    assertEquals(session.inFlight, 0);
    using response = await session.get("/", { throwOnError: false });
    assertEquals(response.status, 503);
  });
});

Deno.test("HttpStatusError tells when the server wants to be asked again", () => {
  const date = "Wed, 21 Oct 2026 07:28:00 GMT";
  const cases: [HeadersInit, number | undefined][] = [
    [{}, undefined],
    [{ "retry-after": "120" }, 120_000],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date }, 30_000],
    [{ "retry-after": "Wed, 21 Oct 2026 07:27:30 GMT", date }, 0],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT" }, undefined],
  ];

  for (const [init, expected] of cases) {
    const { retryAfterMs } = new HttpStatusError({
      request: "GET http://test/",
      status: 503,
      headers: new Headers(init),
      bodySnippet: "",
    });
    assertEquals(retryAfterMs, expected);
  }
});

Deno.test("HttpSession.get() says that nothing was sent if there is no connection", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using session = new HttpSession();

  for (const origin of [`127.0.0.1:${port}`, "127.0.0.1:1"]) {
    const error = await assertRejects(
      () => session.get(`http://${origin}/x?secret`),
      NetworkError,
      `Cannot finish GET http://${origin}/x: `,
    );
    assertEquals(error.sent, "no");
    assertInstanceOf(error.cause, TypeError);
  }
  assertEquals(session.inFlight, 0);
});

Deno.test("HttpSession.get() says that it may have been sent if the connection breaks", async () => {
  await withRawServer(() => Promise.resolve(), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });

    const error = await assertRejects(() => session.get("/"), NetworkError);

    assertEquals(error.sent, "maybe");
  });
});

Deno.test("HttpResponse.text() fails if the connection breaks", async () => {
  const treat = (connection: Deno.TcpConn) =>
    write(connection, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");

  await withRawServer(treat, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const response = await session.get("/");

    const error = await assertRejects(() => response.text(), NetworkError);

    assertEquals(error.sent, "yes");
    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpSession.get() fails if the server does not speak HTTP", async () => {
  const treat = (connection: Deno.TcpConn) => write(connection, "SSH-2.0\r\n");

  await withRawServer(treat, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });

    await assertRejects(() => session.get("/"), NetworkError);
  });
});

Deno.test("HttpSession.get() gives up a server that hangs", async () => {
  await withRawServer(closed, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, timeoutMs: 20 });

    const error = await assertRejects(() => session.get("/x"), TimeoutError);

    assertEquals([error.ms, error.label], [20, `GET ${baseUrl}/x`]);
    assertEquals(session.inFlight, 0);
    await assertRejects(
      () => session.get("/x", { timeoutMs: 10 }),
      TimeoutError,
      "10 ms",
    );
  });
});

Deno.test("HttpResponse.text() gives up a body that hangs, within the time of the request", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, timeoutMs: 30 });
    const response = await session.get("/");

    await assertRejects(() => response.text(), TimeoutError, "30 ms");
  });
});

Deno.test("HttpSession drops a body that nobody reads when its time is over", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl, timeoutMs: 20 });
    const response = await session.get("/");

    await sleep(40);

    assertEquals(session.inFlight, 0);
    await assertRejects(() => response.text(), TimeoutError);
  });
});

Deno.test("HttpSession.get() ends with the ambient scope", async () => {
  await withRawServer(closed, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });

    const error = await assertRejects(
      () => timeout(10, () => session.get("/")),
      TimeoutError,
    );

    assertEquals(error.ms, 10);
    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpResponse.text() ends with the ambient scope", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const response = await session.get("/");

    await assertRejects(
      () => timeout(10, () => response.text()),
      TimeoutError,
    );

    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpSession drops an unread body when the scope of its request is cancelled", async () => {
  await withServer(() => new Response(endless()), async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });

    await withScope(async (scope) => {
      const { body } = await session.get("/");
      const read = new Response(body).text();
      scope.cancel();
      await assertRejects(() => read, CancelledError);
    });

    assertEquals(session.inFlight, 0);
  });
});

Deno.test("HttpSession leaves nothing behind, whenever it is cancelled", async () => {
  const handler = async () => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const { readable, writable } = new TransformStream<Uint8Array>();
    const writer = writable.getWriter();
    const write = async () => {
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await writer.write(new Uint8Array(100));
      }
      await writer.close();
    };
    write().catch(() => {});
    return new Response(readable);
  };

  await withServer(handler, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    for (let turns = 0; turns < 25; turns++) {
      await withScope(async (scope) => {
        const work = createTask(async () => {
          const response = await session.get("/");
          return (await response.bytes()).length;
        }, { scope: "current" });
        for (let i = 0; i < turns; i++) await sleep(i % 3 === 0 ? 1 : 0);
        scope.cancel();
        const end = await work.toPromise().catch((error) => error.name);
        assert(end === 500 || end === "CancelledError");
      });
      assertEquals(session.inFlight, 0);
    }
  });
});

Deno.test("HttpSession.get() is refused in a cancelled scope", async () => {
  let calls = 0;
  await using session = fakeSession(() => {
    calls++;
    return new Response();
  });

  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => session.get("/"), CancelledError);
  });

  assertEquals(calls, 0);
});

Deno.test("HttpSession.get() ends with the signal of its options", async () => {
  await withRawServer(closed, async (baseUrl) => {
    await using session = new HttpSession({ baseUrl });
    const controller = new AbortController();
    const { signal } = controller;
    const request = createTask(() => session.get("/", { signal }));
    await sleep(5);

    controller.abort(new RangeError("enough"));

    await assertRejects(() => request.toPromise(), RangeError, "enough");
    await assertRejects(() => session.get("/", { signal }), RangeError);
  });
});

Deno.test("HttpSession.close() ends what is under way", async () => {
  const gate = Promise.withResolvers<Response>();
  const handler = (request: Request) =>
    request.url.endsWith("body") ? new Response(endless()) : gate.promise;

  await withServer(handler, async (baseUrl) => {
    const session = new HttpSession({ baseUrl });
    const unread = await session.get("/body");
    const waiting = createTask(() => session.get("/head"));
    await sleep(5);
    assertEquals([session.inFlight, session.closed], [2, false]);

    session.close();
    session.close();

    await assertRejects(() => waiting.toPromise(), SessionClosedError);
    await assertRejects(() => unread.text(), SessionClosedError);
    await assertRejects(
      () => session.get("/"),
      SessionClosedError,
      `Cannot finish GET ${baseUrl}/: the session was closed`,
    );
    assertEquals([session.inFlight, session.closed], [0, true]);
    gate.resolve(new Response());
  });
});

Deno.test("HttpSession drops a response that came too late", async () => {
  const gate = Promise.withResolvers<Response>();
  const dropped = Promise.withResolvers<void>();
  await using session = fakeSession(() => gate.promise, { timeoutMs: 5 });
  await assertRejects(() => session.get("/"), TimeoutError);

  gate.resolve(
    new Response(new ReadableStream({ cancel: () => dropped.resolve() })),
  );

  await dropped.promise;
});

Deno.test("HttpSession takes only the failures of the network for such", async () => {
  await using session = fakeSession(() => {
    throw new RangeError("a mistake");
  });

  await assertRejects(() => session.get("/"), RangeError, "a mistake");
  assertEquals(session.inFlight, 0);
});

Deno.test("HttpSession makes virtual time stand still", async () => {
  await withServer(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return new Response("late");
  }, async (baseUrl) => {
    const log: string[] = [];

    await runVirtual(async (virtual) => {
      await using session = new HttpSession({ baseUrl });
      createTask(() => sleep(HOUR_MS));
      const response = await session.get("/");
      log.push(await response.text(), `${virtual.now}`);
    });

    assertEquals(log, ["late", "0"]);
  });
});

Deno.test("HttpStatusError and its kind have telling messages", async () => {
  await using session = fakeSession(() => new Response("x".repeat(10)), {
    maxBodyBytes: 5,
  });

  const error = await assertRejects(async () =>
    await (await session.get("/")).text()
  );

  assertStringIncludes(`${error}`, "it has more than 5 bytes");
});
