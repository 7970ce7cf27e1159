import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { bind } from "@ilmek/async/detach";
import { CancelledError } from "@ilmek/async/errors";
import type { ExceptionContext } from "@ilmek/async/loop";
import { run } from "@ilmek/async/run";
import { Runner } from "@ilmek/async/runner";
import { currentScope, withScope } from "@ilmek/async/scope";
import {
  serve,
  type ServeHandler,
  type ServeOptions,
} from "@ilmek/async/serve";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { moveOnAfter, timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";

const LOCAL = { hostname: "127.0.0.1", port: 0 } as const;
const HOUR_MS = 3_600_000;

/** Runs `main` on a loop of its own, and gives what was reported to it. */
async function reportsOf(main: () => unknown): Promise<string[]> {
  const reports: string[] = [];
  const exceptionHandler = ({ message, exception }: ExceptionContext): void => {
    reports.push(
      exception === undefined ? message : `${message}: ${exception}`,
    );
  };
  await run(async () => {
    await main();
  }, { interrupt: "none", exceptionHandler });
  return reports;
}

/** Starts a server for one test. */
function start(handler: ServeHandler, options: ServeOptions = {}) {
  return serve(handler, { ...LOCAL, ...options });
}

async function textOf(input: string | URL): Promise<string> {
  return await (await fetch(input)).text();
}

/** A body that gives `count` chunks; with Infinity it never ends. */
function chunks(count: number, between: () => unknown): ReadableStream {
  let given = 0;
  return new ReadableStream({
    async pull(controller) {
      await between();
      if (given++ === count) controller.close();
      else controller.enqueue(new TextEncoder().encode("chunk "));
    },
  });
}

Deno.test("serve() answers requests", async () => {
  await using server = start((request) =>
    new Response(`${request.method} ${new URL(request.url).pathname}`)
  );

  assertEquals(await textOf(`${server.url}/a?b`), "GET /a");
});

Deno.test("serve() gives the handler what the platform knows", async () => {
  await using server = start((_request, info) =>
    new Response(info.remoteAddr.hostname)
  );

  assertEquals(await textOf(server.url), "127.0.0.1");
});

Deno.test("serve() tells the address when it listens", async () => {
  const seen: number[] = [];

  await using server = start(() => new Response(), {
    onListen: ({ port }) => seen.push(port),
  });

  assertEquals(seen, [server.addr.port]);
  assertEquals(server.url, `http://127.0.0.1:${server.addr.port}`);
});

Deno.test("serve() throws if the port is taken", async () => {
  await using server = start(() => new Response());

  const again = () => start(() => new Response(), { port: server.addr.port });

  assertThrows(again, Deno.errors.AddrInUse);
});

Deno.test("serve() throws in a cancelled scope", async () => {
  await withScope((scope) => {
    scope.cancel();
    assertThrows(() => start(() => new Response()), CancelledError);
  });
});

Deno.test("serve() throws if its signal has aborted", () => {
  const signal = AbortSignal.abort(new RangeError("no"));

  assertThrows(() => start(() => new Response(), { signal }), RangeError);
});

Deno.test("serve() refuses wrong arguments", () => {
  const handler = "handler" as unknown as ServeHandler;

  assertThrows(() => start(handler), TypeError, '"handler"');
  assertThrows(
    () => start(() => new Response(), { deadlineMs: -1 }),
    RangeError,
    '"deadlineMs"',
  );
  assertThrows(
    () => start(() => new Response(), { graceMs: NaN }),
    RangeError,
    '"graceMs"',
  );
});

Deno.test("serve() runs handlers as tasks in the caller's context", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const handler = () => {
    const told = `${currentTask()?.name}, ${user.get()}`;
    user.set("changed");
    return new Response(told);
  };

  await using server = user.run("ada", () => start(handler));

  assertEquals(await textOf(`${server.url}/x`), "GET /x, ada");
  assertEquals(await textOf(`${server.url}/x`), "GET /x, ada");
});

Deno.test("serve() answers 500 and reports if the handler fails", async () => {
  let response: Response | undefined;

  const reports = await reportsOf(async () => {
    await using server = start(() => {
      throw new RangeError("no");
    });
    response = await fetch(`${server.url}/x`);
    await response.body?.cancel();
  });

  assertEquals(response?.status, 500);
  assertEquals(reports, [
    "Cannot answer GET /x: the handler has failed: RangeError: no",
  ]);
});

Deno.test("serve() answers what onError gives", async () => {
  await using server = start(() => Promise.reject(new RangeError("no")), {
    onError: (error, request) =>
      new Response(`${error} at ${request.method}`, { status: 418 }),
  });

  const response = await fetch(server.url);

  assertEquals(response.status, 418);
  assertEquals(await response.text(), "RangeError: no at GET");
});

Deno.test("serve() answers 500 if onError gives nothing or fails", async () => {
  const statuses: number[] = [];

  const reports = await reportsOf(async () => {
    let calls = 0;
    await using server = start(() => Promise.reject(new RangeError("no")), {
      onError: () => {
        if (++calls === 2) throw new TypeError("neither");
      },
    });
    for (let i = 0; i < 2; i++) {
      const response = await fetch(server.url);
      await response.body?.cancel();
      statuses.push(response.status);
    }
  });

  assertEquals(statuses, [500, 500]);
  assertEquals(reports, [
    "Cannot answer GET /: the handler has failed: RangeError: no",
    'Cannot answer GET /: "onError" has failed: TypeError: neither',
  ]);
});

Deno.test("serve() reports a handler that gives no response", async () => {
  const reports = await reportsOf(async () => {
    const handler = (() => "text") as unknown as ServeHandler;
    await using server = start(handler);
    const response = await fetch(server.url);
    await response.body?.cancel();
    assertEquals(response.status, 500);
  });

  assertEquals(reports.length, 1);
  assertStringIncludes(reports[0] ?? "", "must return a Response");
});

Deno.test("serve() reports a body that fails", async () => {
  const reports = await reportsOf(async () => {
    await using server = start(() =>
      new Response(chunks(1, () => {
        throw new RangeError("no more");
      }))
    );
    const response = await fetch(server.url);
    await assertRejects(() => response.text(), TypeError);
  });

  assertEquals(reports, [
    "Trouble with server: a response cannot be delivered: RangeError: no more",
  ]);
});

Deno.test("serve() answers 503 when the deadline passes", async () => {
  const log: string[] = [];
  const handler = async () => {
    try {
      await sleep(HOUR_MS);
    } finally {
      log.push(`${currentScope().error?.kind}`);
    }
    return new Response("too late");
  };
  await using server = start(handler, { deadlineMs: 20 });

  const response = await fetch(server.url);

  assertEquals(response.status, 503);
  assertEquals(await response.text(), "Service Unavailable");
  assertEquals(log, ["deadline"]);
});

Deno.test("serve() answers at the deadline though cleanup takes longer", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = async () => {
    await uncancellable(() => gate.promise);
    return new Response("too late");
  };
  await using server = start(handler, { deadlineMs: 20 });

  const response = await fetch(server.url);
  await response.body?.cancel();

  assertEquals(response.status, 503);
  assertEquals(server.inFlight, 1);
  gate.resolve();
});

Deno.test("serve() takes a TimeoutError of the handler for a failure", async () => {
  const onError = (error: unknown) => new Response(`${error}`);
  const handler = () =>
    timeout(1, () => sleep(HOUR_MS, { value: new Response() }));
  await using server = start(handler, { deadlineMs: HOUR_MS, onError });

  assertStringIncludes(await textOf(server.url), TimeoutError.name);
});

Deno.test("serve() lets a stream take longer than the deadline", async () => {
  const handler = () => new Response(chunks(3, () => sleep(15)));
  await using server = start(handler, { deadlineMs: 20 });

  assertEquals(await textOf(server.url), "chunk chunk chunk ");
});

Deno.test("serve() cancels the scope when the client leaves", async () => {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  const handler = async () => {
    started.resolve();
    await sleep(HOUR_MS).catch((error) => ended.resolve(error));
    return new Response();
  };
  await using server = start(handler);
  const client = new AbortController();
  const answer = fetch(server.url, { signal: client.signal });
  await started.promise;
  await sleep(10);

  client.abort();

  await assertRejects(() => answer);
  const error = await ended.promise;
  assertInstanceOf(error, CancelledError);
  assertEquals(error.reason, "the client has left");
});

Deno.test("serve() cancels the scope when the client leaves a stream", async () => {
  const ended = Promise.withResolvers<string>();
  const handler = () => {
    createTask(async () => {
      await sleep(HOUR_MS).catch((error) => ended.resolve(error.reason));
    }, { scope: "current" });
    return new Response(chunks(Infinity, () => sleep(5)));
  };
  await using server = start(handler);
  const client = new AbortController();
  const response = await fetch(server.url, { signal: client.signal });
  const reader = response.body?.getReader();
  await reader?.read();

  client.abort();

  await assertRejects(async () => await reader?.read());
  assertEquals(await ended.promise, "the client has left");
  while (server.inFlight > 0) await sleep(1);
});

for (const kind of ["text", "stream"] as const) {
  Deno.test(`serve() does not cancel the scope after a success (${kind})`, async () => {
    const ended = Promise.withResolvers<string>();
    const handler = async () => {
      createTask(async () => {
        await sleep(60).catch(() => {});
        ended.resolve(`${currentScope().cancelled}`);
      }, { scope: "current" });
      // Long enough for the server to look after the client.
      await sleep(10);
      return new Response(
        kind === "text" ? "text" : chunks(2, () => sleep(5)),
      );
    };
    await using server = start(handler);

    await textOf(server.url);

    assertEquals(await ended.promise, "false");
  });
}

Deno.test("serve() keeps the request's scope until its stream is delivered", async () => {
  const scopes: boolean[] = [];
  const handler = () => {
    const look = bind(async () => {
      await sleep(5);
      scopes.push(currentTask()?.done ?? true);
    });
    return new Response(chunks(2, look));
  };
  await using server = start(handler);

  const response = await fetch(server.url);
  assertEquals(server.inFlight, 1);
  await response.text();

  assertEquals(scopes, [false, false, false]);
});

Deno.test("Server.shutdown() lets 20 requests in flight end", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = async (request: Request) => {
    await gate.promise;
    await sleep(5);
    return new Response(new URL(request.url).pathname);
  };
  await using server = start(handler);
  const answers = Array.from(
    { length: 20 },
    (_, i) => textOf(`${server.url}/${i}`),
  );
  while (server.inFlight < 20) await sleep(1);

  const shutdown = server.shutdown();
  gate.resolve();
  await shutdown;

  assertEquals(server.inFlight, 0);
  assertEquals(await Promise.all(answers), answers.map((_, i) => `/${i}`));
  await assertRejects(() => fetch(server.url), TypeError);
});

Deno.test("Server.shutdown() answers newcomers with 503 while it drains", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = async () => {
    await gate.promise;
    return new Response("late");
  };
  await using server = start(handler);
  const early = textOf(server.url);
  while (server.inFlight < 1) await sleep(1);

  const shutdown = server.shutdown();
  const response = await fetch(server.url);
  await response.body?.cancel();
  gate.resolve();
  await shutdown;

  assertEquals(response.status, 503);
  assertEquals(await early, "late");
});

Deno.test("Server.shutdown() lets onRefused answer newcomers while it drains", async () => {
  const gate = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  const reports = await reportsOf(async () => {
    const server = start(async ({ url }) => {
      if (url.endsWith("/slow")) {
        began.resolve();
        await gate.promise;
      }
      return new Response("handled");
    }, {
      onRefused: ({ url }) => {
        if (url.endsWith("/bad")) throw new RangeError("no");
        return url.endsWith("/live") ? new Response("alive") : undefined;
      },
    });
    const slow = textOf(`${server.url}/slow`);
    await began.promise;
    const closing = server.shutdown();

    assertEquals(await textOf(`${server.url}/live`), "alive");
    for (const path of ["other", "bad"]) {
      const response = await fetch(`${server.url}/${path}`);
      await response.body?.cancel();
      assertEquals(response.status, 503);
    }
    gate.resolve();
    assertEquals(await slow, "handled");
    await closing;
  });

  assertEquals(reports, [
    'Trouble with server: "onRefused" has failed: RangeError: no',
  ]);
});

Deno.test("Server.requests tells what is at work, and what it waits for", async () => {
  const gate = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  await reportsOf(async () => {
    await using server = start(async ({ url }) => {
      if (url.endsWith("/sleeping")) await sleep(HOUR_MS);
      else {
        began.resolve();
        await gate.promise;
      }
      return new Response("handled");
    });
    assertEquals(server.requests, []);
    const abort = new AbortController();
    const sleeping = fetch(`${server.url}/sleeping`, { signal: abort.signal })
      .catch(() => {});
    while (server.inFlight < 1) await sleep(1);
    const hanging = textOf(`${server.url}/hanging`);
    await began.promise;

    assertEquals(
      server.requests.map(({ name, waitsFor }) => ({ name, waitsFor })),
      [
        {
          name: "GET /sleeping",
          waitsFor: ['task "GET /sleeping" waits for time to pass'],
        },
        {
          name: "GET /hanging",
          waitsFor: [
            'task "GET /hanging" awaits something that the loop cannot see',
          ],
        },
      ],
    );
    gate.resolve();
    await hanging;
    abort.abort();
    await sleeping;
  });
});

Deno.test("Server.shutdown() cancels what is left after the grace", async () => {
  const handler = () => sleep(HOUR_MS, { value: new Response() });
  await using server = start(handler);
  const answer = fetch(server.url);
  while (server.inFlight < 1) await sleep(1);

  await server.shutdown({ graceMs: 20 });

  const response = await answer;
  await response.body?.cancel();
  assertEquals(response.status, 503);
});

Deno.test("Server.shutdown() can be called again with a shorter grace", async () => {
  const handler = () => sleep(HOUR_MS, { value: new Response() });
  await using server = start(handler);
  const answer = fetch(server.url);
  while (server.inFlight < 1) await sleep(1);

  const patient = server.shutdown({ graceMs: HOUR_MS });
  await sleep(5);
  await server.shutdown({ graceMs: 0 });
  await patient;

  const response = await answer;
  await response.body?.cancel();
  assertEquals(response.status, 503);
});

Deno.test("Server.shutdown() cuts a stream that does not end", async () => {
  const handler = () => new Response(chunks(Infinity, () => sleep(5)));
  await using server = start(handler);
  const response = await fetch(server.url);

  await server.shutdown({ graceMs: 20 });

  await assertRejects(() => response.text(), TypeError);
});

Deno.test("Server.shutdown() lets cancelled requests clean up", async () => {
  const log: string[] = [];
  const handler = async () => {
    try {
      await sleep(HOUR_MS);
    } finally {
      await uncancellable(() => sleep(20));
      log.push("cleaned up");
    }
    return new Response();
  };
  await using server = start(handler);
  const answer = fetch(server.url);
  while (server.inFlight < 1) await sleep(1);

  await server.shutdown({ graceMs: 0 });

  assertEquals(log, ["cleaned up"]);
  await (await answer).body?.cancel();
});

Deno.test("Server.shutdown() can be called twice, and after the end", async () => {
  const server = start(() => new Response());

  await Promise.all([server.shutdown(), server.shutdown()]);
  await server.shutdown();
  await server[Symbol.asyncDispose]();
});

Deno.test("Server.shutdown() rejects a wrong grace", async () => {
  await using server = start(() => new Response());

  await assertRejects(() => server.shutdown({ graceMs: -1 }), RangeError);
});

Deno.test("Server drains when its scope is cancelled", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = async () => {
    await sleep(20);
    gate.resolve();
    return new Response("late");
  };
  let answer: Promise<string> | undefined;

  const program = withScope(async (scope) => {
    await using server = start(handler);
    answer = textOf(server.url);
    while (server.inFlight < 1) await sleep(1);
    scope.cancel();
    await server.finished;
  });

  await assertRejects(() => program, CancelledError);
  await gate.promise;
  assertEquals(await answer, "late");
});

Deno.test("Server drains when the run ends that it was left in", async () => {
  let answer: Promise<string> | undefined;

  const reports = await reportsOf(async () => {
    const server = start(() => sleep(20, { value: new Response("late") }));
    answer = textOf(server.url);
    while (server.inFlight < 1) await sleep(1);
  });

  assertEquals(await answer, "late");
  assertEquals(reports, []);
});

Deno.test("Server shuts down when its signal aborts", async () => {
  const controller = new AbortController();
  await using server = start(() => new Response(), {
    signal: controller.signal,
  });

  controller.abort();

  await server.finished;
});

Deno.test("Server.finished is a wait, and to leave it ends nothing", async () => {
  await using server = start(() => new Response("still here"));

  const { timedOut } = await moveOnAfter(5, async () => {
    await server.finished;
  });

  assert(timedOut);
  assertEquals(await textOf(server.url), "still here");
});

Deno.test("serve() leaves nothing behind, whenever the client leaves", async () => {
  const handler = async () => {
    await sleep(3);
    return new Response(chunks(3, () => sleep(2)));
  };
  await using server = start(handler);

  for (let turns = 0; turns < 20; turns++) {
    const client = new AbortController();
    const answer = fetch(server.url, { signal: client.signal })
      .then((response) => response.text())
      .catch((error) => error.name);
    for (let i = 0; i < turns; i++) await sleep(i % 2);
    client.abort();
    assertStringIncludes("chunk chunk chunk AbortError", await answer);
  }

  while (server.inFlight > 0) await sleep(1);
});

Deno.test("serve() cancels the scope when the connection is reset", async () => {
  const ended = Promise.withResolvers<string>();
  const handler = async () => {
    await sleep(HOUR_MS).catch((error) => ended.resolve(error.reason));
    return new Response();
  };
  await using server = start(handler);
  {
    const { hostname, port } = server.addr;
    using connection = await Deno.connect({ hostname, port });
    const head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    await connection.write(new TextEncoder().encode(head));
    while (server.inFlight === 0) await sleep(1);
  }

  assertEquals(await ended.promise, "the client has left");
});

Deno.test("Server ends at once when its run is cancelled hard", async () => {
  const exceptionHandler = (): void => {};
  await using runner = new Runner({ exceptionHandler });
  const started = Promise.withResolvers<void>();
  let answer: Promise<string> | undefined;
  const program = runner.run(async () => {
    const server = start(() => sleep(HOUR_MS, { value: new Response() }), {
      graceMs: HOUR_MS,
    });
    answer = textOf(server.url).catch((error) => error.message);
    while (server.inFlight < 1) await sleep(1);
    started.resolve();
    await server.finished;
  });
  await started.promise;

  runner.cancel();
  runner.cancelHard();

  await assertRejects(() => program, CancelledError);
  assert(typeof await answer === "string");
});
