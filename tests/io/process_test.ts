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
import { LineTooLongError } from "@ilmek/async/lines";
import {
  pipeProcesses,
  type Process,
  ProcessError,
  ProcessOutputError,
  ProcessStartError,
  runProcess,
  startProcess,
} from "@ilmek/async/process";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";

const CHILD = new URL("fixtures/child.ts", import.meta.url).href;
const SEVERAL_MB = 5_000_000;

/** The command line of a child that does what `mode` says. */
function child(mode: string, argument = ""): string[] {
  return [
    Deno.execPath(),
    ...["run", "-q", "--no-check", "--no-config", "--no-lock", "--no-prompt"],
    ...["--allow-env", "--allow-read", CHILD, mode, argument],
  ];
}

/** Reads up to the end of a line. */
async function line(process: Process): Promise<string> {
  const decoder = new TextDecoder();
  const reader = process.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value } = await reader.read();
    if (value === undefined) break;
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return text;
}

/** Whether a process of that number exists, zombies included, where one can tell. */
function exists(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

Deno.test("runProcess() gives stdout, stderr and the status", async () => {
  const output = await runProcess(child("fail", "0"));

  assertEquals(output.stdout, "so far, so good\n");
  assertEquals(output.stderr, "first line\nit went wrong\n");
  assertEquals([output.success, output.code, output.signal], [true, 0, null]);
});

Deno.test("runProcess() throws on an exit code other than 0", async () => {
  const error = await assertRejects(
    () => runProcess(child("fail", "3")),
    ProcessError,
  );

  assertEquals([error.success, error.code, error.signal], [false, 3, null]);
  assertEquals(error.stderr, "first line\nit went wrong\n");
  assertEquals(error.command, Deno.execPath());
  assertEquals(
    error.message,
    `Cannot use the result of "${Deno.execPath()}": it exited with code 3 (it went wrong)`,
  );
});

Deno.test("runProcess() gives a bad status where it is not to throw", async () => {
  const output = await runProcess(child("fail", "3"), { throwOnError: false });

  assertEquals([output.success, output.code], [false, 3]);
  assertEquals(output.stdout, "so far, so good\n");
});

Deno.test("a child reads strings, bytes, streams and what is iterated", async () => {
  async function* words() {
    yield "ho";
    await sleep(1);
    yield new TextEncoder().encode("la");
  }
  const inputs = {
    "hello": "hello",
    "bytes": new TextEncoder().encode("bytes"),
    "stream": new Response("stream").body ?? "",
    "hola": words(),
    "": "",
  };

  const outputs = await gather(
    Object.values(inputs).map((input) => () =>
      runProcess(child("cat"), { input })
    ),
  );

  assertEquals(outputs.map(({ stdout }) => stdout), Object.keys(inputs));
});

Deno.test("input and output may be larger than all buffers", async () => {
  const input = new Uint8Array(SEVERAL_MB).fill(7);

  const { stdoutBytes } = await runProcess(child("cat"), { input });

  assertEquals(stdoutBytes.length, SEVERAL_MB);
  assertEquals(stdoutBytes.at(-1), 7);
});

Deno.test("a child that does not read its input is no failure", async () => {
  const input = new Uint8Array(SEVERAL_MB);

  const { stdout } = await runProcess(child("closes stdin"), { input });

  assertEquals(stdout, "ready\n");
});

Deno.test("an input that fails ends the child, and comes out", async () => {
  async function* broken() {
    yield "half";
    await sleep(1);
    throw new RangeError("no more");
  }

  await assertRejects(
    () => runProcess(child("upper"), { input: broken() }),
    RangeError,
    "no more",
  );
});

Deno.test("a source of input is closed when its child has ended", async () => {
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) {
        yield "more";
        await sleep(1);
      }
    } finally {
      isClosed = true;
    }
  }

  await runProcess(child("closes stdin"), { input: endless() });

  assert(isClosed);
});

Deno.test("a child has its own directory and variables", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const { stdout: where } = await runProcess(child("where"), { cwd });
    assertEquals(where, await Deno.realPath(cwd));
    const names = child("variables", "ILMEK_A,ILMEK_B");
    const { stdout } = await runProcess(names, { env: { ILMEK_A: "1" } });
    assertEquals(stdout, '["1",null]');
  } finally {
    await Deno.remove(cwd);
  }
});

Deno.test("with clearEnv a child sees no other variables", async () => {
  const cache = await Deno.makeTempDir();
  try {
    const { stdout } = await runProcess(child("variables", "HOME,ILMEK_A"), {
      clearEnv: true,
      env: { ILMEK_A: "1", DENO_DIR: cache },
    });

    assertEquals(stdout, '[null,"1"]');
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("startProcess() throws if there is no such program", () => {
  const error = assertThrows(
    () => startProcess(["/no/such/program"]),
    ProcessStartError,
  );

  assertEquals(error.command, "/no/such/program");
  assertStringIncludes(error.message, 'Cannot start "/no/such/program": ');
  assert(error.cause !== undefined);
});

Deno.test("startProcess() refuses what makes no sense", async () => {
  assertThrows(() => startProcess([]), TypeError, '"argv" must be a list');
  assertThrows(() => startProcess("ls -l" as never), TypeError, '"argv"');
  assertThrows(() => startProcess(["ls", 1 as never]), TypeError, '"argv"');
  assertThrows(
    () => startProcess(child("cat"), { graceMs: -1 }),
    RangeError,
    '"graceMs"',
  );
  assertThrows(
    () => startProcess(child("cat"), { input: 5 as never }),
    TypeError,
    '"input[Symbol.asyncIterator]" must be a function',
  );
  await assertRejects(() => pipeProcesses([]), TypeError, '"commands"');
});

Deno.test("startProcess() does not start in a cancelled scope", async () => {
  await withScope((scope) => {
    scope.cancel();
    assertThrows(() => startProcess(child("forever")), CancelledError);
  });
});

Deno.test("Process.terminate() ends a child by SIGTERM, and it is gone", async () => {
  const process = startProcess(child("forever"));
  await line(process);

  const status = await process.terminate();

  assertEquals(status.signal, "SIGTERM");
  assertEquals(process.status, status);
  assertEquals(process.kill(), false);
  assert(!exists(process.pid));
});

Deno.test("a child that ignores SIGTERM is killed after the grace", async () => {
  const process = startProcess(child("stubborn"), { graceMs: 100 });
  await line(process);
  const start = performance.now();

  const { signal } = await process.terminate();

  assertEquals(signal, "SIGKILL");
  assert(performance.now() - start >= 99);
  assert(!exists(process.pid));
});

Deno.test("a child has the time to clean up", async () => {
  await using process = startProcess(child("graceful"));
  await line(process);
  process.kill("SIGTERM");

  assertEquals(await line(process), "cleaned up\n");
  assertEquals((await process.wait()).code, 0);
});

Deno.test("a child ends with the scope that it was started in", async () => {
  let process: Process | undefined;

  await assertRejects(
    () =>
      withScope(async (scope) => {
        process = startProcess(child("stubborn"), { graceMs: 50 });
        await line(process);
        scope.cancel();
        await sleep(60_000);
      }),
    CancelledError,
  );
  await process?.wait();

  assertEquals(process?.status?.signal, "SIGKILL");
  await process?.terminate();
});

Deno.test("runProcess() waits until a cancelled child is gone", async () => {
  const task = createTask(() => runProcess(child("forever")));
  await sleep(150);

  task.cancel();
  const { state } = await task.outcome();

  assertEquals(state, "cancelled");
});

Deno.test("await using ends a child, and drops what nobody has read", async () => {
  let pid = 0;
  {
    await using process = startProcess(child("flood"));
    pid = process.pid;
    await sleep(50);
  }

  assert(!exists(pid));
});

Deno.test("to cancel a wait does not end a child of another scope", async () => {
  await using process = startProcess(child("forever"));
  await line(process);

  await assertRejects(() => timeout(5, () => process.wait()), TimeoutError);

  assertEquals(process.status, undefined);
});

Deno.test("a child that writes too much is ended", async () => {
  const error = await assertRejects(
    () => runProcess(child("flood"), { maxOutputBytes: 100_000 }),
    ProcessOutputError,
  );

  assertEquals(error.maxOutputBytes, 100_000);
  assertEquals(
    error.message,
    `Cannot keep the output of "${Deno.execPath()}": it has more than 100000 bytes`,
  );
});

Deno.test("of a long stderr the end is kept, and nobody has to read it", async () => {
  await using process = startProcess(child("flood", "stderr"));
  while (process.stderrTail.length < 4096) await sleep(10);

  await process.terminate();

  assertEquals(process.stderrTail.length, 4096);
  await assertRejects(() => process.check(), ProcessError);
});

Deno.test("output that is no UTF-8 is decoded as far as it goes", async () => {
  const { stdout, stdoutBytes } = await runProcess(child("garbage"));

  assertEquals(stdout, "h\ufffd\ufffd(i");
  assertEquals(stdoutBytes.length, 5);
});

Deno.test("Process.chunks() gives what comes, and drops the rest", async () => {
  await using process = startProcess(child("flood"));
  let size = 0;

  for await (const chunk of process.chunks()) {
    size += chunk.length;
    if (size > 100_000) break;
  }
  const { success } = await process.wait();

  assertEquals(success, false);
});

Deno.test("Process.lines() gives each line as it comes", async () => {
  await using process = startProcess(child("cat"), { stdin: "piped" });
  const writer = process.stdin.getWriter();
  const encoder = new TextEncoder();
  const lines = process.lines();

  await writer.write(encoder.encode("one\ntw"));
  assertEquals((await lines.next()).value, "one");
  await writer.write(encoder.encode("o\r\nthree"));
  assertEquals((await lines.next()).value, "two");
  await writer.close();

  assertEquals((await lines.next()).value, "three");
  assertEquals((await lines.next()).done, true);
  await process.check();
});

Deno.test("Process.lines() stops at a line that is too long, and drops the rest", async () => {
  await using process = startProcess(child("flood"));

  await assertRejects(async () => {
    for await (const _line of process.lines({ maxLineBytes: 1000 }));
  }, LineTooLongError);

  assertEquals((await process.wait()).success, false);
});

Deno.test("Process.lines() ends with the ambient scope", async () => {
  await using process = startProcess(child("forever"));

  await assertRejects(() =>
    timeout(500, async () => {
      for await (const line of process.lines()) assertEquals(line, "ready");
    }), TimeoutError);
});

Deno.test("the output of a child is read by one only, and if it is piped", async () => {
  await using process = startProcess(child("forever"), { stderr: "null" });
  const _stream = process.stdout;

  assertThrows(() => process.stderr, InvalidStateError, "it is not piped");
  await assertRejects(
    () => process.output(),
    InvalidStateError,
    `Cannot read stdout of "${Deno.execPath()}": somebody reads it already`,
  );
});

Deno.test("a child can be written to", async () => {
  await using process = startProcess(child("upper"), { stdin: "piped" });
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello"));
  await writer.close();

  assertEquals((await process.output()).stdout, "HELLO");
});

Deno.test("pipeProcesses() lets each child read from the one before", async () => {
  const { stdout } = await pipeProcesses(
    [child("cat"), child("upper"), child("cat")],
    { input: "hello" },
  );

  assertEquals(stdout, "HELLO");
});

Deno.test("pipeProcesses() throws for the first that fails", async () => {
  const error = await assertRejects(
    () => pipeProcesses([child("fail", "4"), child("upper")]),
    ProcessError,
  );

  assertInstanceOf(error, ProcessError);
  assertEquals(error.code, 4);
  assertEquals(error.stderr, "first line\nit went wrong\n");
});

Deno.test("pipeProcesses() ends all if one cannot be started", async () => {
  await assertRejects(
    () => pipeProcesses([child("flood"), ["/no/such/program"]]),
    ProcessStartError,
  );
});

Deno.test("pipeProcesses() ends a writer whose reader has ended", async () => {
  const { stdout } = await pipeProcesses(
    [child("flood"), child("closes stdin")],
    { throwOnError: false },
  );

  assertEquals(stdout, "ready\n");
});

Deno.test("a child that has left its stdin to another one is ended at once", async () => {
  const heir = `new Deno.Command(Deno.execPath(), {
    args: ["eval", "setTimeout(() => {}, 1500)"],
    stdin: "inherit", stdout: "null", stderr: "null",
  }).spawn();
  console.log("ready");
  setInterval(() => {}, 1000);`;
  const process = startProcess([Deno.execPath(), "eval", heir], {
    input: "x".repeat(SEVERAL_MB),
  });
  await line(process);

  const start = performance.now();
  await process.terminate();

  assert(performance.now() - start < 1000);
  // What is left of the input breaks off with who could have read it.
  await sleep(2000);
});
