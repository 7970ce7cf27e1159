import { AsyncRange, count, range } from "@ilmek/async/range";
import { iter } from "@ilmek/async/async-iter";
import { gather } from "@ilmek/async/gather";
import { CancelledError } from "@ilmek/async/errors";
import { createTask } from "@ilmek/async/task";
import { sleep } from "@ilmek/async/sleep";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { testClean } from "../_leaks.ts";

testClean(
  "range() counts by a step, also down, and may give nothing",
  async () => {
    const cases: [
      start: number,
      end: number,
      step: number,
      wanted: number[],
    ][] = [
      [0, 5, 2, [0, 2, 4]],
      [3, 0, -1, [3, 2, 1]],
      [2, 2, 1, []],
      [3, 2, 1, []],
      [0, 1, -1, []],
      [0, 0.5, 0.1, [0, 0.1, 0.2, 0.30000000000000004, 0.4]],
    ];

    for (const [start, end, step, wanted] of cases) {
      assertEquals(await Array.fromAsync(range(start, end, { step })), wanted);
    }
  },
);

testClean("range() waits before each number", async ({ virtual }) => {
  const at: number[] = [];
  for await (const _ of range(0, 3, { everyMs: 100 })) at.push(virtual.now);

  assertEquals(at, [100, 200, 300]);
});

testClean("range() ends with the scope of whoever goes over it", async () => {
  const task = createTask(() => iter(range(0, 9, { everyMs: 100 })).toArray());
  await sleep(250);
  task.cancel();

  await assertRejects(() => task.toPromise(), CancelledError);
});

testClean(
  "AsyncRange gives each loop all numbers, also at the same time",
  async () => {
    const numbers = new AsyncRange(0, 3, { everyMs: 10 });
    const collect = () => Array.fromAsync(numbers);

    assertEquals(await gather([collect, collect]), [[0, 1, 2], [0, 1, 2]]);
    assertEquals(await collect(), [0, 1, 2]);
  },
);

testClean(
  "AsyncRange gives two who share one loop no number out of range",
  async () => {
    const loop = new AsyncRange(0, 3, { everyMs: 10 })[Symbol.asyncIterator]();
    const collect = () => Array.fromAsync(loop);

    const [a, b] = await gather([collect, collect]);

    assertEquals([...a, ...b].sort(), [0, 1, 2]);
  },
);

testClean(
  "count() counts without an end, from a start and by a step",
  async () => {
    assertEquals(await iter(count()).take(3).toArray(), [0, 1, 2]);
    assertEquals(
      await iter(count({ start: 5, step: -2 })).take(3).toArray(),
      [5, 3, 1],
    );
  },
);

Deno.test("range() throws on numbers with which it would never end, or not begin", () => {
  for (const step of [0, NaN, Infinity]) {
    assertThrows(() => range(0, 2, { step }), RangeError, '"step"');
    assertThrows(() => count({ step }), RangeError, '"step"');
  }
  assertThrows(() => range(NaN, 2), RangeError, '"start"');
  assertThrows(() => range(0, NaN), RangeError, '"end"');
  assertThrows(() => range(0, 2, { everyMs: -1 }), RangeError, '"everyMs"');
});
