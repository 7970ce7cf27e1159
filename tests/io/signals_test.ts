import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import { withScope } from "@ilmek/async/scope";
import {
  nextSignal,
  onSignal,
  signals,
  UnsupportedSignalError,
} from "@ilmek/async/signals";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { moveOnAfter } from "@ilmek/async/timeout";
import { Program } from "./_program.ts";

/** Signals cannot be sent to other processes on Windows. */
const ignore = Deno.build.os === "windows";

/** No platform lets a program listen to it. */
const UNKNOWN = "SIGKILL";

Deno.test({
  name: "signals() gives the signals that come, and stops listening at the end",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["iterates"]);
    await program.wrote("ready");

    program.kill("SIGUSR2");
    await program.wrote("heard SIGUSR2\n");
    program.kill("SIGUSR1");
    await program.wrote("heard SIGUSR1\nleft the loop\n");
    program.kill("SIGUSR1");

    assertEquals((await program.end()).signal, "SIGUSR1");
  },
});

Deno.test({
  name: "signals() drops what does not fit while the loop's body is busy",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["is-busy"]);
    await program.wrote("ready");

    program.kill("SIGUSR1");
    await program.wrote("heard SIGUSR1\n");
    program.kill("SIGUSR2");
    await sleep(30);
    program.kill("SIGUSR1");
    await program.wrote("heard SIGUSR2\n");
    await sleep(150);
    program.kill("SIGTERM");

    const { stdout } = await program.end();
    assertEquals(stdout, "ready\nheard SIGUSR1\nheard SIGUSR2\n");
  },
});

Deno.test("signals() begins to listen with the first step", async () => {
  const iterator = signals("SIGINT", UNKNOWN);

  await assertRejects(
    () => iterator.next(),
    UnsupportedSignalError,
    'Cannot listen to the signal "SIGKILL"',
  );
});

Deno.test("signals() ends with the ambient scope", async () => {
  const { timedOut } = await moveOnAfter(5, async () => {
    for await (const _name of signals("SIGINT"));
  });

  assert(timedOut);
});

Deno.test("signals() ends with the signal of its options", async () => {
  const controller = new AbortController();
  const iterator = signals("SIGINT", { signal: controller.signal });
  const step = createTask(() => iterator.next());
  await sleep(0);

  controller.abort(new RangeError("enough"));

  await assertRejects(() => step.toPromise(), RangeError, "enough");
});

Deno.test("signals() refuses a call without a name", () => {
  assertThrows(() => signals(), TypeError, "no name is given");
  assertThrows(() => signals({ capacity: 1 }), TypeError, "no name is given");
});

Deno.test("signals() refuses a name that is not a string", () => {
  const name = 2 as unknown as Deno.Signal;

  assertThrows(() => signals(name), TypeError, "each name must be a string");
});

Deno.test("signals() refuses a capacity below 1", () => {
  assertThrows(() => signals("SIGINT", { capacity: 0 }), RangeError);
});

Deno.test({
  name: "nextSignal() gives the next signal, and stops listening",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["waits"]);
    await program.wrote("ready");

    program.kill("SIGUSR1");
    await program.wrote("heard SIGUSR1\n");
    program.kill("SIGUSR1");

    assertEquals((await program.end()).signal, "SIGUSR1");
  },
});

Deno.test({
  name: "nextSignal() lets the process end if it waits idly",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["waits-idle"]);

    assertEquals((await program.end()).code, 0);
  },
});

Deno.test("nextSignal() ends with the ambient scope", async () => {
  const waits = withScope((scope) => {
    const wait = nextSignal("SIGINT");
    scope.cancel();
    return wait;
  });

  await assertRejects(() => waits, CancelledError);
});

Deno.test("nextSignal() names a signal that the platform does not offer", async () => {
  const error = await assertRejects(
    () => nextSignal("SIGTERM", UNKNOWN),
    UnsupportedSignalError,
  );

  assertEquals([error.signal, error.os], [UNKNOWN, Deno.build.os]);
  assertInstanceOf(error.cause, TypeError);
});

Deno.test({
  name: "onSignal() calls back in the scope and context of the registration",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["is-called"]);
    await program.wrote("ready");

    program.kill("SIGUSR1");
    await program.wrote(
      "heard SIGUSR1 by ada\n" +
        'The listener to the signal "SIGUSR1" has failed: RangeError: late\n',
    );
    program.kill("SIGUSR2");
    await program.wrote(
      'The listener to the signal "SIGUSR2" has failed: RangeError: at once\n' +
        "cancelled\n",
    );
    program.kill("SIGUSR1");

    assertEquals((await program.end()).signal, "SIGUSR1");
  },
});

Deno.test({
  name: "onSignal() keeps the contexts of two registrations apart",
  ignore,
  async fn() {
    await using program = new Program("listening.ts", ["are-called"]);
    await program.wrote("ready");

    program.kill("SIGUSR1");

    const { stdout } = await program.end();
    assertEquals(stdout, "ready\nheard by ada\nheard by bob\n");
  },
});

Deno.test("onSignal() can be disposed of twice", () => {
  const listener = onSignal("SIGINT", () => {});

  listener[Symbol.dispose]();
  listener[Symbol.dispose]();
});

Deno.test("onSignal() throws if the platform does not offer the signal", () => {
  assertThrows(() => onSignal(UNKNOWN, () => {}), UnsupportedSignalError);
});

Deno.test("onSignal() refuses what is not a function", () => {
  const fn = "later" as unknown as () => void;

  assertThrows(() => onSignal("SIGINT", fn), TypeError, '"fn"');
});
