/**
 * What the other side can do wrong, and how it ends: in an error of a class that
 * says what it was, with nothing left open.
 *
 * @module
 */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { TimeoutError } from "@ilmek/async/errors";
import {
  BodyEncodingError,
  BodyTooLargeError,
  HttpSession,
  type HttpSessionOptions,
  JsonError,
  NetworkError,
} from "@ilmek/async/http-session";
import { ProcessError, runProcess, startProcess } from "@ilmek/async/process";
import {
  connectTcp,
  serveTcp,
  TcpLostError,
  type TcpStream,
} from "@ilmek/async/tcp";
import { timeout } from "@ilmek/async/timeout";

const TEN_GB = 10_000_000_000;

/** Calls `fn` with a session for a server that treats each connection so. */
async function withServer(
  treat: (stream: TcpStream) => unknown,
  fn: (session: HttpSession) => Promise<void>,
  options: HttpSessionOptions = {},
): Promise<void> {
  await using server = serveTcp(async (stream) => {
    // The request, which is small.
    await stream.read();
    await treat(stream);
  }, { hostname: "127.0.0.1", graceMs: 0 });
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;
  await using session = new HttpSession({ baseUrl, ...options });
  await fn(session);
  assertEquals(session.inFlight, 0);
}

/** Waits until the other side has gone. */
async function gone(stream: TcpStream): Promise<void> {
  for await (const _chunk of stream);
}

function head(...headers: readonly string[]): string {
  return `${["HTTP/1.1 200 OK", ...headers].join("\r\n")}\r\n\r\n`;
}

Deno.test("a server that never answers: TimeoutError", async () => {
  await withServer(gone, async (session) => {
    await assertRejects(() => session.get("/"), TimeoutError);
  }, { timeoutMs: 20 });
});

Deno.test("a server that stops in the middle of a body: TimeoutError", async () => {
  await withServer(async (stream) => {
    await stream.write(head("Content-Length: 100") + "half");
    await gone(stream);
  }, async (session) => {
    const response = await session.get("/");
    await assertRejects(() => response.text(), TimeoutError);
  }, { idleTimeoutMs: 20, timeoutMs: null });
});

Deno.test("a server that hangs up instead of an answer: NetworkError", async () => {
  await withServer((stream) => stream.close(), async (session) => {
    const error = await assertRejects(() => session.get("/"), NetworkError);
    assertEquals(error.sent, "maybe");
  });
});

Deno.test("a server that resets the connection within the body: NetworkError", async () => {
  await withServer(async (stream) => {
    await stream.write(head("Transfer-Encoding: chunked") + "5\r\nhello\r\n");
    stream.close();
  }, async (session) => {
    const error = await assertRejects(
      async () => await (await session.get("/")).text(),
      NetworkError,
    );
    assertEquals(error.sent, "yes");
  });
});

Deno.test("a server that sends half a body: NetworkError", async () => {
  await withServer(
    (stream) => stream.write(head("Content-Length: 100") + "half"),
    async (session) => {
      const error = await assertRejects(
        async () => await (await session.get("/")).bytes(),
        NetworkError,
      );
      assertEquals(error.sent, "yes");
    },
  );
});

Deno.test("a server that announces 10 GB: BodyTooLargeError, at once", async () => {
  await withServer(async (stream) => {
    await stream.write(head(`Content-Length: ${TEN_GB}`) + "0");
    await gone(stream);
  }, async (session) => {
    const response = await session.get("/");
    const error = await assertRejects(
      () => response.bytes(),
      BodyTooLargeError,
    );
    assertEquals(error.maxBodyBytes, 64 * 1024 * 1024);
  });
});

Deno.test("a server that sends zeros without end: BodyTooLargeError", async () => {
  const zeros = new Uint8Array(65_536);
  let sent = 0;
  await withServer(async (stream) => {
    await stream.write(head("Connection: close"));
    while (sent < TEN_GB) {
      await stream.write(zeros);
      sent += zeros.length;
    }
  }, async (session) => {
    const response = await session.get("/");
    await assertRejects(async () => {
      for await (const _chunk of response.chunks({ maxBytes: 1_000_000 }));
    }, BodyTooLargeError);
  });

  assertEquals(sent < 100_000_000, true);
});

Deno.test("a server that sends no UTF-8: BodyEncodingError", async () => {
  await withServer(async (stream) => {
    await stream.write(head("Content-Length: 4"));
    await stream.write(new Uint8Array([0x22, 0xff, 0xfe, 0x22]));
  }, async (session) => {
    for (const read of ["text", "json"] as const) {
      const response = await session.get("/");
      const error = await assertRejects(
        () => response[read](),
        BodyEncodingError,
      );
      assertEquals(error.encoding, "utf-8");
      assertInstanceOf(error.cause, TypeError);
    }
  });
});

Deno.test("a server that sends a page instead of JSON: JsonError", async () => {
  await withServer(
    (stream) => stream.write(head("Content-Length: 6") + "<html>"),
    async (session) => {
      const response = await session.get("/");
      const error = await assertRejects(() => response.json(), JsonError);
      assertEquals(error.bodySnippet, "<html>");
    },
  );
});

Deno.test("a server that does not speak HTTP: NetworkError", async () => {
  await withServer(
    (stream) => stream.write("220 mail.example.com ESMTP\r\n"),
    async (session) => {
      await assertRejects(() => session.get("/"), NetworkError);
    },
  );
});

Deno.test("a peer that resets a connection: TcpLostError", async () => {
  await using server = serveTcp(async (stream) => {
    await stream.read();
    stream.close();
  }, { hostname: "127.0.0.1" });
  await using stream = await connectTcp(server.addr);

  await assertRejects(async () => {
    for (;;) await stream.write(new Uint8Array(100_000));
  }, TcpLostError);
});

const STUBBORN = "Deno.addSignalListener('SIGTERM', () => {});" +
  "console.log('ready'); setInterval(() => {}, 1000)";

Deno.test("a child that ignores SIGTERM: killed, and reaped", async () => {
  await using child = startProcess([Deno.execPath(), "eval", STUBBORN], {
    graceMs: 50,
  });
  for await (const _chunk of child.chunks()) break;

  const { signal } = await child.terminate();

  assertEquals(signal, "SIGKILL");
  await assertRejects(
    () => child.check(),
    ProcessError,
    "it was ended by SIGKILL",
  );
});

Deno.test("a child that takes too long: TimeoutError", async () => {
  const argv = [Deno.execPath(), "eval", "setInterval(() => {}, 1000)"];

  await assertRejects(() => timeout(50, () => runProcess(argv)), TimeoutError);
});
