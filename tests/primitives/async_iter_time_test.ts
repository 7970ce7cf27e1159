/**
 * The operators of `AsyncIter` that look at the time.
 */
import { iter } from "@ilmek/async/async-iter";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { assertEquals } from "@std/assert";
import { testClean } from "../_leaks.ts";

/** Gives 0, 1, 2, ... at these moments, counted from the start. */
function at(moments: readonly number[]) {
  return iter(async function* () {
    let now = 0;
    for (const [n, moment] of moments.entries()) {
      if (moment > now) await sleep(moment - now);
      now = moment;
      yield n;
    }
  });
}

testClean(
  "AsyncIter.batch() gives a list when its time is over",
  async ({ virtual }) => {
    const lists: [number, number[]][] = [];
    const source = at([1, 2, 3, 20, 21, 50]).batch(2, { withinMs: 10 });
    for await (const list of source) lists.push([virtual.now, list]);

    assertEquals(lists, [
      [2, [0, 1]],
      [13, [2]],
      [21, [3, 4]],
      [50, [5]],
    ]);
  },
);

testClean(
  "AsyncIter.batch() keeps what comes while a list is used",
  async () => {
    const lists: number[][] = [];
    for await (const list of at([1, 2, 3, 4, 5]).batch(3, { withinMs: 1.5 })) {
      lists.push(list);
      await sleep(20);
    }

    assertEquals(lists.flat(), [0, 1, 2, 3, 4]);
  },
);

testClean(
  "AsyncIter.batch() takes no item of a queue that is not in a list",
  async () => {
    const queue = new Queue<number>();
    const run = iter(queue).batch(2, { withinMs: 10 })[Symbol.asyncIterator]();
    const first = createTask(() => run.next());
    queue.putNowait(1);
    assertEquals((await first).value, [1]);
    await run.return?.();

    queue.putNowait(2);
    assertEquals(queue.tryGet(), 2);
  },
);

testClean(
  "AsyncIter.debounce() gives the last of each burst, and the last of all",
  async ({ virtual }) => {
    const seen: [number, number][] = [];
    const source = at([1, 3, 5, 30, 32, 60, 61]).debounce(10);
    for await (const n of source) seen.push([virtual.now, n]);

    assertEquals(seen, [[15, 2], [42, 4], [61, 6]]);
  },
);

testClean(
  "AsyncIter.throttle() gives the first, then the latest after a pause",
  async ({ virtual }) => {
    const seen: [number, number][] = [];
    const source = at([1, 3, 5, 30, 32, 33]).throttle(10);
    for await (const n of source) seen.push([virtual.now, n]);

    assertEquals(seen, [[1, 0], [11, 2], [30, 3], [33, 5]]);
  },
);

testClean(
  "AsyncIter.buffered() reads ahead while an item is used",
  async ({ virtual }) => {
    const source = at([10, 20, 30, 40]);

    await source.tap(() => sleep(10)).forEach(() => {});
    const without = virtual.now;
    await source.buffered(2).tap(() => sleep(10)).forEach(() => {});

    assertEquals(without, 80);
    assertEquals(virtual.now - without, 50);
  },
);

testClean("AsyncIter.buffered() reads no further than it may", async () => {
  for (const capacity of [0, 1, 5]) {
    let pulls = 0;
    const run = iter(function* () {
      for (;;) yield pulls++;
    }).buffered(capacity)[Symbol.asyncIterator]();

    await run.next();
    await sleep(10);

    assertEquals(pulls, 1 + capacity);
    await run.return?.();
  }
});
