import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { interval, type IntervalOptions } from "@ilmek/async/interval";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import type { VirtualLoop } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";

/** Ticks and their times, where the bodies take the given times. */
async function ticksOf(
  virtual: VirtualLoop,
  bodies: readonly number[],
  options: IntervalOptions = {},
): Promise<string[]> {
  const seen: string[] = [];
  for await (const tick of interval(10, options)) {
    seen.push(`${tick}@${virtual.now}`);
    const body = bodies[seen.length - 1];
    if (body === undefined) break;
    await sleep(body);
  }
  return seen;
}

testClean(
  "interval() ticks at a steady pace, the body's time included",
  async ({ virtual }) => {
    const seen = await ticksOf(virtual, [3, 9, 0]);

    assertEquals(seen, ["0@10", "1@20", "2@30", "3@40"]);
  },
);

testClean(
  "interval() leaves out the ticks that were missed",
  async ({ virtual }) => {
    const seen = await ticksOf(virtual, [25, 1]);

    assertEquals(seen, ["0@10", "3@40", "4@50"]);
  },
);

testClean(
  "interval() gives a tick that is due at this very moment",
  async ({ virtual }) => {
    const seen = await ticksOf(virtual, [10, 10]);

    assertEquals(seen, ["0@10", "1@20", "2@30"]);
  },
);

testClean(
  "interval() with burst gives missed ticks at once",
  async ({ virtual }) => {
    const seen = await ticksOf(virtual, [25, 0, 0, 0], { missed: "burst" });

    assertEquals(seen, ["0@10", "1@35", "2@35", "3@40", "4@50"]);
  },
);

testClean("interval() with delay shifts its pace", async ({ virtual }) => {
  const seen = await ticksOf(virtual, [25, 1], { missed: "delay" });

  assertEquals(seen, ["0@10", "1@45", "2@55"]);
});

testClean(
  "interval() ends when its loop is left, and leaves no timer",
  async ({ virtual }) => {
    for await (const _ of interval(10)) break;
    await sleep(0);

    assertEquals(virtual.now, 10);
  },
);

testClean(
  "interval() throws when its scope is cancelled",
  async ({ virtual }) => {
    await assertRejects(() =>
      timeout(25, async () => {
        for await (const _ of interval(10));
      }), TimeoutError);

    assertEquals(virtual.now, 25);
  },
);

testClean("interval() does not tick in a cancelled scope", async () => {
  await withScope(async (scope) => {
    scope.cancel();
    const error = await assertRejects(async () => {
      for await (const _ of interval(10)) assert(false);
    });
    assertStrictEquals(error, scope.error);
  });
});

testClean("interval() rejects with the reason of its signal", async () => {
  const controller = new AbortController();
  const reason = new TypeError("left");

  const error = await assertRejects(async () => {
    for await (const _ of interval(10, { signal: controller.signal })) {
      controller.abort(reason);
    }
  });

  assertStrictEquals(error, reason);
});

testClean("interval() takes a Temporal.Duration", async ({ virtual }) => {
  for await (const _ of interval(Temporal.Duration.from({ hours: 1 }))) break;

  assertEquals(virtual.now, 3_600_000);
});

testClean("interval() throws on what is no length", () => {
  assertThrows(
    () => interval(0),
    RangeError,
    'Cannot make an interval as "ms" must be a number > 0: current value is 0',
  );
  assertThrows(() => interval(-1), RangeError, "current value is -1");
  assertThrows(() => interval(NaN), RangeError, "current value is NaN");
  assertThrows(() => interval("1" as never), TypeError, '"1"');
});
