import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import { TimeoutError } from "@ilmek/async/errors";
import {
  type HttpAuthorizeContext,
  HttpSession,
  type HttpSessionOptions,
  SessionClosedError,
} from "@ilmek/async/http-session";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

/** A server that takes the latest token only. */
class Server {
  token = 1;
  readonly seen: string[] = [];
  /** Holds back the answers to "/late". */
  readonly gate = Promise.withResolvers<void>();

  readonly fetch = async (request: Request): Promise<Response> => {
    const token = request.headers.get("authorization") ?? "none";
    this.seen.push(`${request.method} ${token} ${await request.text()}`.trim());
    if (request.url.endsWith("/late")) await this.gate.promise;
    return token === `Bearer ${this.token}`
      ? new Response("good")
      : new Response("who?", { status: 401 });
  };
}

function sessionOf(
  server: Server,
  authorize: (context: HttpAuthorizeContext) => Promise<HeadersInit>,
  options: HttpSessionOptions = {},
): HttpSession {
  const { fetch } = server;
  const baseUrl = "https://a.example";
  return new HttpSession({ baseUrl, fetch, authorize, ...options });
}

async function statusOf(session: HttpSession, path: string): Promise<number> {
  const response = await session.get(path);
  await response.text();
  return response.status;
}

testClean(
  "HttpSession asks for its authorization once, for all requests",
  async () => {
    const server = new Server();
    const asked: boolean[] = [];
    await using session = sessionOf(server, async ({ refused }) => {
      asked.push(refused);
      await sleep(10);
      return { authorization: `Bearer ${server.token}` };
    });
    const first = await Promise.all(
      [1, 2, 3].map((id) => statusOf(session, `/${id}`)),
    );
    server.token = 2;
    const later = await Promise.all(
      [1, 2, 3].map((id) => statusOf(session, `/${id}`)),
    );

    assertEquals([...first, ...later], [200, 200, 200, 200, 200, 200]);
    assertEquals(asked, [false, true]);
    assertEquals(server.seen.length, 9);
  },
);

testClean(
  "a request that is refused late takes the authorization made meanwhile",
  async () => {
    const server = new Server();
    let asked = 0;
    await using session = sessionOf(server, () => {
      asked++;
      return Promise.resolve({ authorization: `Bearer ${server.token}` });
    });
    await statusOf(session, "/");
    server.token = 2;
    const late = createTask(() => statusOf(session, "/late"));
    await checkpoint();
    assertEquals(await statusOf(session, "/early"), 200);
    server.gate.resolve();

    assertEquals(await late, 200);
    assertEquals(asked, 2);
  },
);

testClean("a request is authorized anew only once", async () => {
  const server = new Server();
  await using session = sessionOf(
    server,
    () => Promise.resolve({ authorization: "Bearer wrong" }),
  );

  assertEquals(await statusOf(session, "/"), 401);
  assertEquals(server.seen.length, 2);
  assertEquals(session.inFlight, 0);
});

testClean(
  "a request is sent again with its body, unless that is a stream",
  async () => {
    const server = new Server();
    server.token = 2;
    let token = 1;
    await using session = sessionOf(
      server,
      () => Promise.resolve({ authorization: `Bearer ${token++}` }),
    );
    const response = await session.post("/", { body: "text" });
    await response.text();
    server.token = 9;
    const streamed = await session.post("/", {
      body: new Blob(["stream"]).stream(),
    });
    await streamed.text();

    assertEquals([response.status, streamed.status], [200, 401]);
    assertEquals(server.seen, [
      "POST Bearer 1 text",
      "POST Bearer 2 text",
      "POST Bearer 2 stream",
    ]);
  },
);

testClean("what authorize throws is thrown, and asked for again", async () => {
  const server = new Server();
  let asked = 0;
  await using session = sessionOf(server, () => {
    if (asked++ === 0) throw new RangeError("no token");
    return Promise.resolve({ authorization: "Bearer 1" });
  });
  await assertRejects(() => session.get("/"), RangeError, "no token");

  assertEquals(session.inFlight, 0);
  assertEquals(await statusOf(session, "/"), 200);
});

testClean(
  "an authorization that hangs ends with the request's time",
  async () => {
    const aborted: unknown[] = [];
    await using session = sessionOf(new Server(), ({ signal }) => {
      signal.addEventListener(
        "abort",
        () => aborted.push(getRunningLoop().time()),
      );
      return sleep(60_000, { value: {} });
    }, { timeoutMs: 100 });
    await assertRejects(() => session.get("/"), TimeoutError);

    assertEquals(getRunningLoop().time(), 100);
    assertEquals(aborted.length, 1);
  },
);

testClean("closing a session ends its wait for an authorization", async () => {
  const session = sessionOf(new Server(), () => sleep(60_000, { value: {} }));
  const task = createTask(() => session.get("/"));
  await sleep(10);
  session.close();

  await assertRejects(() => task, SessionClosedError);
  assertEquals(getRunningLoop().time(), 10);
});

Deno.test("HttpSession() rejects an authorize that is no function", () => {
  const authorize = "Bearer" as unknown as () => HeadersInit;

  assertThrows(() => new HttpSession({ authorize }), TypeError, '"authorize"');
});
