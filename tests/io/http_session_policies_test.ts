import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CircuitBreaker, CircuitOpenError } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { TimeoutError } from "@ilmek/async/errors";
import {
  HttpSession,
  type HttpSessionOptions,
  HttpStatusError,
  NetworkError,
  RequestNotReplayableError,
  SessionClosedError,
} from "@ilmek/async/http-session";
import { KeyedFullError } from "@ilmek/async/keyed";
import { getRunningLoop } from "@ilmek/async/loop";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Timeout } from "@ilmek/async/timeout-policy";
import { runVirtual } from "@ilmek/async/virtual";

/** A server in memory: what it was asked, and what it answers in turn. */
class Server {
  readonly requests: {
    method: string;
    url: string;
    key: string | null;
    body: string;
  }[] = [];
  readonly #answers: (() => Response | Promise<Response>)[];

  constructor(...answers: (() => Response | Promise<Response>)[]) {
    this.#answers = answers;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    this.requests.push({
      method: request.method,
      url: request.url,
      key: request.headers.get("idempotency-key"),
      body: await request.text(),
    });
    const { length } = this.requests;
    const answer = this.#answers[Math.min(length, this.#answers.length) - 1];
    return await (answer ?? good)();
  };
}

const good = () => new Response("good");
const bad = () => new Response("bad", { status: 503 });
const refused = (): never => {
  throw new TypeError("Fetch failed: nobody listens");
};
const cut = (): never => {
  throw new TypeError("the connection broke");
};

function sessionWith(
  server: Server,
  options: HttpSessionOptions = {},
): HttpSession {
  return new HttpSession({
    baseUrl: "https://a.example",
    fetch: server.fetch,
    ...options,
  });
}

const thrice = () => new Retry({ attempts: 3, random: () => 0.5 });

Deno.test("HttpSession sends a request again that has failed, under its policy", () =>
  runVirtual(async () => {
    const server = new Server(bad, cut, good);
    await using session = sessionWith(server, { policy: thrice() });
    const response = await session.get("/users");

    assertEquals(await response.text(), "good");
    assertEquals(server.requests.length, 3);
    assertEquals(session.inFlight, 0);
  }));

Deno.test("HttpSession fails with the status when the policy gives up", () =>
  runVirtual(async () => {
    const server = new Server(bad);
    await using session = sessionWith(server, {
      policy: new Retry({ attempts: 2, throwLast: true }),
    });
    const error = await assertRejects(
      () => session.get("/users"),
      HttpStatusError,
    );

    assertEquals([error.status, error.bodySnippet], [503, "bad"]);
    assertEquals([server.requests.length, session.inFlight], [2, 0]);
  }));

Deno.test("a status that no other attempt can mend is a response, and no failure", () =>
  runVirtual(async () => {
    const server = new Server(() => new Response("none", { status: 404 }));
    const breaker = new CircuitBreaker({ consecutiveFailures: 1 });
    await using session = sessionWith(server, {
      policy: compose(thrice(), breaker),
    });
    const response = await session.get("/users/7");
    await response.text();
    await assertRejects(
      () => session.get("/users/7", { throwOnError: true }),
      HttpStatusError,
    );

    assertEquals([response.status, server.requests.length], [404, 2]);
    assertEquals(breaker.state, "closed");
  }));

Deno.test("the server says when it wants to be asked again", () =>
  runVirtual(async (virtual) => {
    const server = new Server(
      () =>
        new Response("later", { status: 429, headers: { "retry-after": "7" } }),
      good,
    );
    await using session = sessionWith(server, { policy: thrice() });
    await (await session.get("/")).text();

    assert(virtual.now >= 7000 && virtual.now <= 7700, `${virtual.now} ms`);
  }));

Deno.test("each host has policies of its own", () =>
  runVirtual(async () => {
    const made: string[] = [];
    const server = new Server(bad, bad, good);
    await using session = new HttpSession({
      fetch: server.fetch,
      perHost: (origin) => {
        made.push(origin);
        return new CircuitBreaker({ name: origin, consecutiveFailures: 2 });
      },
    });
    for (let i = 0; i < 2; i++) {
      await assertRejects(
        () => session.get("https://a.example/x"),
        HttpStatusError,
      );
    }
    await assertRejects(
      () => session.get("https://a.example/y"),
      CircuitOpenError,
      'Cannot run the call under "https://a.example"',
    );
    await (await session.get("https://b.example/")).text();

    assertEquals(made, ["https://a.example", "https://b.example"]);
    assertEquals(server.requests.length, 3);
  }));

Deno.test("hosts are bounded: one that is as new makes room, one in use does not", () =>
  runVirtual(async () => {
    const server = new Server(good, bad, good);
    await using session = new HttpSession({
      fetch: server.fetch,
      maxHosts: 1,
      perHost: () => new CircuitBreaker({ window: { kind: "time", ms: 1000 } }),
    });
    await (await session.get("https://a.example")).text();
    await sleep(1000);
    await assertRejects(
      () => session.get("https://b.example"),
      HttpStatusError,
    );
    await assertRejects(() => session.get("https://c.example"), KeyedFullError);
  }));

Deno.test("POST is sent again with the same key, and other posts have another", () =>
  runVirtual(async () => {
    const server = new Server(bad, good, good);
    await using session = sessionWith(server, { policy: thrice() });
    for (const n of [1, 2]) {
      await (await session.post("/pay", { json: { n } })).text();
    }
    const [first, again, other] = server.requests;

    assertEquals(first?.key, again?.key);
    assertEquals(first?.body, again?.body);
    assertNotEquals(again?.key, other?.key);
    assertEquals(first?.key?.length, 36);
  }));

Deno.test("POST without a key is sent again only if nothing was sent", () =>
  runVirtual(async () => {
    const idempotencyKey = null;
    const first = new Server(refused, good);
    await using one = sessionWith(first, { policy: thrice() });
    await (await one.post("/pay", { idempotencyKey })).text();
    assertEquals(first.requests.map(({ key }) => key), [null, null]);

    const second = new Server(cut, good);
    await using two = sessionWith(second, {
      policy: new Retry({ attempts: 3, throwLast: true }),
    });
    const error = await assertRejects(
      () => two.post("/pay", { idempotencyKey }),
      RequestNotReplayableError,
      "Cannot send POST https://a.example/pay again: it may have had an effect, and has no Idempotency-Key",
    );
    assertInstanceOf(error.cause, NetworkError);
    assertEquals(second.requests.length, 1);
  }));

Deno.test("a method may be written in small letters", () =>
  runVirtual(async () => {
    const server = new Server(bad, good);
    await using session = sessionWith(server, { policy: thrice() });
    await (await session.request("/users", { method: "get" })).text();
    await (await session.request("/pay", { method: "patch" })).text();

    const sent = server.requests.map((
      { method, key },
    ) => [method, key === null]);
    assertEquals(sent, [["GET", true], ["GET", true], ["PATCH", false]]);
  }));

Deno.test("a body that is a stream is sent once", () =>
  runVirtual(async () => {
    const server = new Server(bad, good);
    await using session = sessionWith(server, {
      policy: new Retry({ attempts: 3, throwLast: true }),
    });
    const body = new Blob(["data"]).stream();

    await assertRejects(
      () => session.put("/file", { body }),
      RequestNotReplayableError,
      "its body is a stream, which is gone",
    );
    assertEquals(server.requests.map((request) => request.body), ["data"]);
  }));

Deno.test("a session without policies sends a request once, and adds no key", () =>
  runVirtual(async () => {
    const server = new Server(bad);
    await using session = sessionWith(server);
    const response = await session.post("/pay");
    await response.text();

    assertEquals([response.status, server.requests.length], [503, 1]);
    assertEquals(server.requests[0]?.key, null);
  }));

Deno.test("a timeout around all attempts ends the one that is under way", async () => {
  const server = new Server(bad, () => new Promise<Response>(() => {}));
  await using session = sessionWith(server, {
    policy: compose(
      new Timeout(50),
      new Retry({ attempts: 3, schedule: spaced(1) }),
    ),
  });
  await assertRejects(() => session.get("/"), TimeoutError);

  assertEquals([server.requests.length, session.inFlight], [2, 0]);
});

Deno.test("a body that is read after all attempts ends with the caller's scope", async () => {
  const reading = Promise.withResolvers<void>();
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: () => reading.resolve(),
    cancel: () => {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const server = new Server(() => new Response(endless));
  await using session = sessionWith(server, {
    policy: compose(new Timeout(60_000), thrice()),
  });
  const task = createTask(async () => {
    const response = await session.get("/");
    await response.text();
  });
  await reading.promise;
  task.cancel();
  await task.outcome();

  assertEquals([cancelled, session.inFlight], [true, 0]);
});

Deno.test("closing a session ends what waits for another attempt", () =>
  runVirtual(async () => {
    const server = new Server(bad);
    const session = sessionWith(server, {
      policy: new Retry({ schedule: spaced(5000) }),
    });
    const task = createTask(() => session.get("/users"));
    await sleep(10);
    session.close();
    await assertRejects(() => task, SessionClosedError);

    assertEquals(getRunningLoop().time(), 10);
    await assertRejects(() => session.get("/users"), SessionClosedError);
    assertEquals([getRunningLoop().time(), server.requests.length], [10, 1]);
  }));

Deno.test("the signal of a request ends its wait for another attempt", () =>
  runVirtual(async () => {
    const server = new Server(bad);
    await using session = sessionWith(server, {
      policy: new Retry({ schedule: spaced(5000) }),
    });
    const controller = new AbortController();
    const { signal } = controller;
    const task = createTask(() => session.get("/users", { signal }));
    await sleep(10);
    const reason = new RangeError("enough");
    controller.abort(reason);

    assertStrictEquals(await assertRejects(() => task), reason);
    assertEquals(getRunningLoop().time(), 10);
  }));

Deno.test("closing a session ends what waits for a turn of its host", () =>
  runVirtual(async () => {
    const session = sessionWith(new Server(good), {
      perHost: () => new RateLimiter({ limit: 1, perMs: 5000 }),
    });
    await (await session.get("/1")).text();
    const task = createTask(() => session.get("/2"));
    await sleep(10);
    session.close();

    await assertRejects(() => task, SessionClosedError);
    assertEquals(getRunningLoop().time(), 10);
  }));

Deno.test("HttpSession() rejects wrong policies", async () => {
  assertThrows(
    () => new HttpSession({ policy: {} as never }),
    TypeError,
    'Cannot create a session as "policy" must give a policy: current value is an object of class Object',
  );
  assertThrows(
    () => new HttpSession({ perHost: "a" as never }),
    TypeError,
    '"perHost" must be a function',
  );
  assertThrows(
    () => new HttpSession({ perHost: () => new Retry(), maxHosts: 0 }),
    RangeError,
  );
  const session = new HttpSession({ perHost: () => undefined as never });
  await assertRejects(
    () => session.get("https://a.example"),
    TypeError,
    '"perHost" must give a policy',
  );
});
