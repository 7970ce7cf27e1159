import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { InvalidStateError } from "@ilmek/async/errors";
import { type ExceptionContext, getRunningLoop } from "@ilmek/async/loop";
import { InterruptedError, run, type RunOptions } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Program } from "./_program.ts";

/** Signals cannot be sent to other processes on Windows. */
const ignore = Deno.build.os === "windows";

Deno.test("run() gives what main returns", async () => {
  assertEquals(await run(() => sleep(1, { value: "done" })), "done");
});

Deno.test("run() throws what main throws", async () => {
  const main = () => Promise.reject(new RangeError("no"));

  await assertRejects(() => run(main), RangeError, "no");
});

Deno.test("run() cancels what main leaves, and waits for it", async () => {
  const log: string[] = [];

  await run(async () => {
    createTask(async () => {
      try {
        await sleep(60_000);
      } finally {
        log.push("cancelled");
      }
    });
    await sleep(1);
    log.push("main ended");
  });

  assertEquals(log, ["main ended", "cancelled"]);
});

Deno.test("run() waits for what main leaves if it is told to", async () => {
  const log: string[] = [];

  await run(() => {
    createTask(async () => {
      await sleep(5);
      log.push("finished");
    });
  }, { leftovers: "wait" });

  assertEquals(log, ["finished"]);
});

Deno.test("run() reports what does not end within the grace, once", async () => {
  const reports: ExceptionContext[] = [];
  const start = performance.now();

  await run(async () => {
    createTask(() => new Promise(() => {}), { name: "stuck" });
    await sleep(1);
  }, { graceMs: 30, exceptionHandler: (context) => reports.push(context) });

  assert(performance.now() - start < 1000);
  assertEquals(reports.map(({ message }) => message), [
    'Cannot wait longer for "stuck": the grace of 30 ms is over',
  ]);
});

Deno.test("run() refuses to run inside of a run", async () => {
  const nested = () => run(() => run(() => 1));

  await assertRejects(nested, InvalidStateError, "inside of another");
});

Deno.test("run() can be called again", async () => {
  assertEquals([await run(() => 1), await run(() => 2)], [1, 2]);
});

Deno.test("run() closes its loop", async () => {
  const loop = await run(() => getRunningLoop());

  assert(loop.closed);
});

Deno.test("run() refuses what is not a function", async () => {
  const main = sleep(0) as unknown as () => void;

  await assertRejects(() => run(main), TypeError, "pass the function");
});

Deno.test("run() refuses an unknown mode", async () => {
  const options = { interrupt: "maybe" } as unknown as RunOptions;

  await assertRejects(() => run(() => 1, options), TypeError, '"interrupt"');
});

Deno.test("run() takes debug mode from its option", async () => {
  const isDebugging = () => getRunningLoop().debug;

  assertEquals(await run(isDebugging), false);
  assertEquals(await run(isDebugging, { debug: true }), true);
});

Deno.test("InterruptedError tells the exit code of its signal", () => {
  assertEquals(new InterruptedError("SIGINT").exitCode, 130);
  assertEquals(new InterruptedError("SIGTERM").exitCode, 143);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  const fn = async () => {
    await using program = new Program("interrupted.ts", ["cleans"]);
    await program.wrote("ready");

    program.kill(signal);

    const end = await program.end();
    assertEquals(end.stdout, "ready\ncleaned up\n");
    assertEquals([end.code, end.signal], [code, null]);
  };
  Deno.test({
    name: `run() cleans up and exits with ${code} after ${signal}`,
    ignore,
    fn,
  });
}

Deno.test({
  name: "run() gives cleanup no more time after a second signal",
  ignore,
  async fn() {
    await using program = new Program("interrupted.ts", ["holds-on"]);
    await program.wrote("ready");

    program.kill("SIGINT");
    await program.wrote("cleaning up");
    program.kill("SIGINT");

    assertEquals((await program.end()).code, 130);
  },
});

Deno.test({
  name: "run() exits on the spot after a third signal",
  ignore,
  async fn() {
    await using program = new Program("interrupted.ts", ["hangs"]);
    await program.wrote("ready");

    for (let i = 0; i < 3; i++) {
      program.kill("SIGTERM");
      await sleep(50);
    }

    assertEquals((await program.end()).code, 143);
  },
});

Deno.test({
  name: "run() rejects after a signal if interrupt is throw",
  ignore,
  async fn() {
    const args = ["cleans", JSON.stringify({ interrupt: "throw" })];
    await using program = new Program("interrupted.ts", args);
    await program.wrote("ready");

    program.kill("SIGTERM");

    const { code, stdout } = await program.end();
    assertStringIncludes(stdout, "cleaned up\n");
    assertStringIncludes(stdout, "run threw InterruptedError SIGTERM 143\n");
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "run() rejects on the spot after a third signal if interrupt is throw",
  ignore,
  async fn() {
    const args = ["hangs", JSON.stringify({ interrupt: "throw" })];
    await using program = new Program("interrupted.ts", args);
    await program.wrote("ready");

    for (let i = 0; i < 3; i++) {
      program.kill("SIGINT");
      await sleep(50);
    }

    await program.wrote("run threw InterruptedError SIGINT 130\n");
  },
});

Deno.test({
  name:
    "run() gives the value of a main that survives the signal, and restores " +
    "the signal's effect",
  ignore,
  async fn() {
    await using program = new Program("interrupted.ts", ["ends-well"]);
    await program.wrote("ready");

    program.kill("SIGINT");
    await program.wrote("run gave a value\nstill here\n");
    program.kill("SIGINT");

    assertEquals((await program.end()).signal, "SIGINT");
  },
});

Deno.test({
  name: "run() throws what fails while it is cancelled by a signal",
  ignore,
  async fn() {
    await using program = new Program("interrupted.ts", ["ends-badly"]);
    await program.wrote("ready");

    program.kill("SIGINT");

    const { code, stderr } = await program.end();
    assertEquals(code, 1);
    assertStringIncludes(stderr, "RangeError: the cleanup has failed");
  },
});

Deno.test({
  name: "run() cancels leftovers that it waits for after a signal",
  ignore,
  async fn() {
    const args = ["leaves-a-task", JSON.stringify({ leftovers: "wait" })];
    await using program = new Program("interrupted.ts", args);
    await program.wrote("ready");

    program.kill("SIGINT");

    const { code, stdout } = await program.end();
    assertStringIncludes(stdout, "run gave a value\n");
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "run() leaves signals alone if interrupt is none",
  ignore,
  async fn() {
    const args = ["listens-itself", JSON.stringify({ interrupt: "none" })];
    await using program = new Program("interrupted.ts", args);
    await program.wrote("ready");

    program.kill("SIGINT");
    await program.wrote("heard\n");
    program.kill("SIGTERM");

    assertEquals((await program.end()).signal, "SIGTERM");
  },
});

Deno.test({
  name: "run() does not exit before another run has cleaned up",
  ignore,
  async fn() {
    const args = ["ends-at-once", "{}", "cleans"];
    await using program = new Program("interrupted.ts", args);
    await program.wrote("ready\nready\n");

    program.kill("SIGINT");

    const { code, stdout } = await program.end();
    assertEquals(stdout, "ready\nready\ncleaned up\n");
    assertEquals(code, 130);
  },
});

Deno.test("run() looks at ILMEK_DEBUG if it may", async () => {
  const modeWith = async (...flags: string[]) => {
    await using program = new Program("debug_mode.ts", [], flags);
    return (await program.end()).stdout;
  };

  assertEquals(await modeWith(), "false\n");
  assertEquals(await modeWith("--allow-env=ILMEK_DEBUG"), "true\n");
});
