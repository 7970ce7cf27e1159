import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { sleep } from "@ilmek/async/sleep";
import { Timer } from "@ilmek/async/timer";
import { testClean } from "../_leaks.ts";

testClean(
  "Timer.elapsedMs counts the loop's time until it is stopped",
  async () => {
    const timer = new Timer("nap");
    await sleep(5);
    assertEquals([timer.elapsedMs, timer.running], [5, true]);

    assertEquals(timer.stop(), 5);
    await sleep(5);

    assertEquals([timer.elapsedMs, timer.running], [5, false]);
  },
);

testClean(
  "Timer.stop() calls onStop once, with the time and the timer",
  async () => {
    const calls: unknown[] = [];
    const timer = new Timer("nap", {
      onStop: (elapsedMs, stopped) => {
        calls.push(elapsedMs, stopped.name, stopped.running);
      },
    });
    await sleep(5);

    timer.stop();
    timer.stop();
    timer[Symbol.dispose]();

    assertEquals(calls, [5, "nap", false]);
  },
);

testClean("using of a timer stops it, also when its block throws", async () => {
  const times: number[] = [];
  const nap = async () => {
    using _timer = new Timer("nap", { onStop: (ms) => times.push(ms) });
    await sleep(5);
    throw new TypeError("block");
  };

  await nap().catch(() => {});

  assertEquals(times, [5]);
});

testClean("a timer is stopped although its onStop throws", () => {
  const timer = new Timer("nap", {
    onStop: () => {
      throw new TypeError("hook");
    },
  });

  assertThrows(() => timer.stop(), TypeError, "hook");

  assertFalse(timer.running);
  assertEquals(timer.stop(), 0);
});

testClean("two timers run side by side", async () => {
  const first = new Timer();
  await sleep(1);
  const second = new Timer();
  await sleep(1);

  assertEquals([first.stop(), second.stop()], [2, 1]);
  assertEquals(first.name, "");
});

testClean("Timer() throws on an onStop that is no function", () => {
  assertThrows(
    () => new Timer("nap", { onStop: 1 as never }),
    TypeError,
    'Cannot create a timer as "onStop" must be a function',
  );
});

Deno.test("Timer.elapsedMs in real time never goes back", () => {
  const timer = new Timer();
  let last = 0;

  for (let i = 0; i < 1000; i++) {
    const now = timer.elapsedMs;
    assert(now >= last);
    last = now;
  }
});
