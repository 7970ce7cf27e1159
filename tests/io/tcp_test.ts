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
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  connectTcp,
  serveTcp,
  type ServeTcpOptions,
  TcpConnectError,
  type TcpHandler,
  TcpLostError,
  type TcpServer,
  type TcpStream,
} from "@ilmek/async/tcp";
import { timeout } from "@ilmek/async/timeout";

const HOST = "127.0.0.1";
const MANY_MB = 32_000_000;

function serve(handler: TcpHandler, options: ServeTcpOptions = {}): TcpServer {
  return serveTcp(handler, { hostname: HOST, ...options });
}

async function echo(stream: TcpStream): Promise<void> {
  for await (const chunk of stream) await stream.write(chunk);
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("connectTcp() and serveTcp() carry bytes in both directions", async () => {
  await using server = serve(echo);
  await using stream = await connectTcp(server.addr);

  await stream.write("hello ");
  await stream.write(new TextEncoder().encode("world"));
  await stream.closeWrite();

  assertEquals(await stream.text(), "hello world");
  assertEquals(await stream.read(), undefined);
  assertEquals(stream.remoteAddr.port, server.addr.port);
  assertEquals(stream.localAddr.hostname, HOST);
});

Deno.test("writes side by side go out whole, in the order of the calls", async () => {
  await using server = serve(echo);
  await using stream = await connectTcp(server.addr);
  const parts = ["a", "b", "c"].map((c) => c.repeat(200_000));

  const writing = gather(parts.map((part) => () => stream.write(part)));
  const reading = gather([() => stream.text()]);
  await writing;
  await stream.closeWrite();
  const [text] = await reading;

  assertEquals(text === parts.join(""), true);
});

Deno.test("who writes faster than the other side reads has to wait", async () => {
  const gate = Promise.withResolvers<void>();
  let received = 0;
  await using server = serve(async (stream) => {
    await gate.promise;
    for await (const chunk of stream) received += chunk.length;
  });
  await using stream = await connectTcp(server.addr);
  const writer = createTask(async () => {
    await stream.write(new Uint8Array(MANY_MB));
    await stream.closeWrite();
  });

  await sleep(50);
  assertEquals(writer.done, false);
  gate.resolve();
  await writer;
  await stream.text();

  assertEquals(received, MANY_MB);
});

Deno.test("a read that is cancelled takes nothing", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = serve(async (stream) => {
    await gate.promise;
    await stream.write("hello");
  });
  await using stream = await connectTcp(server.addr);

  await assertRejects(() => timeout(5, () => stream.read()), TimeoutError);
  gate.resolve();
  await sleep(10);

  assertEquals(textOf(await stream.read()), "hello");
});

Deno.test("a write that is cancelled goes out as a whole", async () => {
  const gate = Promise.withResolvers<void>();
  let received = 0;
  await using server = serve(async (stream) => {
    await gate.promise;
    for await (const chunk of stream) received += chunk.length;
  });
  await using stream = await connectTcp(server.addr);
  const data = new Uint8Array(MANY_MB);

  await assertRejects(
    () => timeout(20, () => stream.write(data)),
    TimeoutError,
  );
  gate.resolve();
  await stream.write("end");
  await stream.closeWrite();
  await stream.text();

  assertEquals(received, MANY_MB + 3);
});

Deno.test("a write in a cancelled scope sends nothing", async () => {
  const texts: string[] = [];
  await using server = serve(async (stream) => {
    texts.push(await stream.text());
  });
  await using stream = await connectTcp(server.addr);

  const failing = withScope(async (scope) => {
    scope.cancel();
    await stream.write("late");
  });
  await assertRejects(() => failing, CancelledError);
  await stream.write("sent");
  await stream.closeWrite();
  await server.shutdown();

  assertEquals(texts, ["sent"]);
});

Deno.test("only one may read at a time", async () => {
  await using server = serve(echo);
  await using stream = await connectTcp(server.addr);
  const reader = createTask(() => stream.read());
  await sleep(1);

  await assertRejects(
    () => stream.read(),
    InvalidStateError,
    "somebody reads from it already",
  );
  await stream.write("x");
  assertEquals(textOf(await reader), "x");
});

Deno.test("a connection that is refused is an error of its own", async () => {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  listener.close();

  const error = await assertRejects(
    () => connectTcp({ hostname: HOST, port }),
    TcpConnectError,
  );

  assertEquals([error.hostname, error.port], [HOST, port]);
  assertStringIncludes(error.message, `Cannot connect to ${HOST}:${port}: `);
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
});

Deno.test("a connection that is reset is an error of its own", async () => {
  await using server = serve(async (stream) => {
    // To close with unread data is a reset.
    await sleep(20);
    stream.close();
  });
  await using stream = await connectTcp(server.addr);
  await stream.write(new Uint8Array(100_000));

  const error = await assertRejects(async () => {
    for (;;) {
      await stream.write(new Uint8Array(100_000));
      await sleep(1);
    }
  }, TcpLostError);

  assert(error.cause instanceof Error);
});

Deno.test("a connection is closed when its scope is cancelled", async () => {
  const ends: unknown[] = [];
  await using server = serve(async (stream) => {
    ends.push(await stream.read());
  });
  let kept: TcpStream | undefined;

  await withScope(async (scope) => {
    kept = await connectTcp(server.addr);
    await sleep(10);
    scope.cancel();
  }).catch(() => {});
  await sleep(10);

  assert(kept?.closed);
  assertEquals(ends, [undefined]);
  await assertRejects(() => kept?.read() ?? Promise.resolve(), CancelledError);
});

Deno.test("a connection that was closed refuses, and closing twice does nothing", async () => {
  await using server = serve(echo);
  const stream = await connectTcp(server.addr);
  const reading = stream.read();

  stream.close();
  stream.close();

  await assertRejects(() => reading, InvalidStateError, "it was closed");
  await assertRejects(() => stream.read(), InvalidStateError, "it was closed");
  await assertRejects(() => stream.write("x"), InvalidStateError);
  await assertRejects(() => stream.closeWrite(), InvalidStateError);
});

Deno.test("connectTcp() ends with its time and with its signal", async () => {
  const controller = new AbortController();
  controller.abort("enough");
  await using server = serve(echo);

  const reason = await connectTcp(server.addr, { signal: controller.signal })
    .catch((error) => error);
  assertEquals(reason, "enough");
  await assertRejects(
    () => connectTcp(server.addr, { timeoutMs: 0 }),
    TimeoutError,
  );
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => connectTcp(server.addr), CancelledError);
  });
  await sleep(5);
});

Deno.test("a connection is closed when its handler has ended", async () => {
  await using server = serve((stream) => stream.write("bye"));
  await using stream = await connectTcp(server.addr);

  assertEquals(await stream.text(), "bye");
  await sleep(5);
  assertEquals(server.connections, 0);
});

Deno.test("what a handler throws is told, and the server goes on", async () => {
  const errors: unknown[] = [];
  await using server = serve((stream) => {
    if (errors.length > 0) return stream.write("fine");
    throw new RangeError("failed");
  }, { onError: (error) => errors.push(error) });
  await using first = await connectTcp(server.addr);
  assertEquals(await first.text(), "");

  await using second = await connectTcp(server.addr);

  assertEquals(await second.text(), "fine");
  assertInstanceOf(errors[0], RangeError);
});

Deno.test("without onError the loop's exception handler is told", async () => {
  const loop = getRunningLoop();
  const messages: string[] = [];
  const { exceptionHandler } = loop;
  loop.exceptionHandler = ({ message }) => messages.push(message);
  try {
    await using server = serve(() => {
      throw new RangeError("failed");
    }, { name: "door" });
    await using stream = await connectTcp(server.addr);
    await stream.text();
  } finally {
    loop.exceptionHandler = exceptionHandler;
  }

  assertEquals(messages, ["Trouble with door: a handler has failed"]);
});

Deno.test("that clients leave is no failure of a handler", async () => {
  const errors: unknown[] = [];
  await using server = serve(async (stream) => {
    for (;;) await stream.write(new Uint8Array(100_000));
  }, { onError: (error) => errors.push(error) });
  {
    await using stream = await connectTcp(server.addr);
    await stream.read();
  }
  while (server.connections > 0) await sleep(1);

  assertEquals(errors, []);
});

Deno.test("a server has never more than maxConnections at once", async () => {
  let now = 0;
  let peak = 0;
  await using server = serve(async (stream) => {
    peak = Math.max(peak, ++now);
    await sleep(5);
    await stream.write("done");
    now--;
  }, { maxConnections: 2 });

  const clients = Array.from({ length: 6 }, () => async () => {
    await using stream = await connectTcp(server.addr);
    return await stream.text();
  });
  const texts = await gather(clients);

  assertEquals(texts, Array(6).fill("done"));
  assertEquals(peak, 2);
});

Deno.test("TcpServer.shutdown() lets connections end", async () => {
  const server = serve(async (stream) => {
    await sleep(20);
    await stream.write("finished");
  });
  await using stream = await connectTcp(server.addr);
  while (server.connections === 0) await sleep(1);

  await gather([
    () => server.shutdown(),
    async () => assertEquals(await stream.text(), "finished"),
  ]);

  await assertRejects(() => connectTcp(server.addr), TcpConnectError);
});

Deno.test("TcpServer.shutdown() cancels what takes longer than its grace", async () => {
  const log: string[] = [];
  const server = serve(async (stream) => {
    try {
      await stream.read();
    } catch (error) {
      if (error instanceof CancelledError) log.push("cancelled");
      throw error;
    }
  });
  await using stream = await connectTcp(server.addr);
  while (server.connections === 0) await sleep(1);

  await server.shutdown({ graceMs: 10 });

  assertEquals(log, ["cancelled"]);
  assertEquals(server.connections, 0);
  assertEquals(await stream.read().catch(() => undefined), undefined);
});

Deno.test("a later shutdown can make the grace shorter", async () => {
  const server = serve((stream) => stream.read());
  await using _stream = await connectTcp(server.addr);
  while (server.connections === 0) await sleep(1);

  const patient = createTask(() => server.shutdown({ graceMs: 60_000 }));
  await sleep(5);
  await server.shutdown({ graceMs: 0 });
  await patient;
});

Deno.test("a server drains when its scope is cancelled", async () => {
  const log: string[] = [];
  let stream: TcpStream | undefined;
  let server: TcpServer | undefined;

  const life = withScope(async (scope) => {
    server = serve(async () => {
      await sleep(20);
      log.push("handled");
    });
    stream = await createTaskOutside(server);
    while (server.connections === 0) await sleep(1);
    scope.cancel();
  });
  await life.catch(() => {});
  await server?.finished;

  assertEquals(log, ["handled"]);
  stream?.close();
});

Deno.test("a server shuts down when its signal aborts", async () => {
  const controller = new AbortController();
  const server = serve(echo, { signal: controller.signal });

  controller.abort();
  await server.finished;

  await assertRejects(() => connectTcp(server.addr), TcpConnectError);
});

Deno.test("connectTcp() and serveTcp() refuse what makes no sense", async () => {
  const connect = (hostname: unknown, port: unknown) => () =>
    connectTcp({ hostname, port } as never);

  await assertRejects(connect(7, 80), TypeError, '"hostname"');
  await assertRejects(connect("", 80), TypeError, '"hostname"');
  await assertRejects(connect(HOST, 0), RangeError, '"port"');
  await assertRejects(
    connect(HOST, 65_536),
    RangeError,
    '"port" must be at most 65535: current value is 65536',
  );
  assertThrows(() => serve(7 as never), TypeError, '"handler"');
  assertThrows(
    () => serve(echo, { maxConnections: 0 }),
    RangeError,
    '"maxConnections"',
  );
  assertThrows(() => serve(echo, { graceMs: -1 }), RangeError, '"graceMs"');
  await using server = serve(echo);
  await using stream = await connectTcp(server.addr);
  await assertRejects(() => stream.write(7 as never), TypeError, '"data"');
});

Deno.test("a server that is full is shut down within its grace", async () => {
  const server = serve(() => sleep(60_000), { maxConnections: 1 });
  await using _first = await connectTcp(server.addr);
  while (server.connections === 0) await sleep(1);

  await timeout(2000, () => server.shutdown({ graceMs: 20 }));

  assertEquals(server.connections, 0);
});

/** Connects in a scope of its own, which goes on. */
function createTaskOutside(server: TcpServer): Promise<TcpStream> {
  return createTask(() => connectTcp(server.addr)).toPromise();
}
