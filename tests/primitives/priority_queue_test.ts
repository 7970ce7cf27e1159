import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { PriorityQueue } from "@ilmek/async/priority-queue";
import { Queue, type QueueOptions } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const SEED = 20_261_125;

/** Takes all that is there. */
function drain<T>(queue: PriorityQueue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty) items.push(queue.getNowait());
  return items;
}

testClean("PriorityQueue.get() gives the smallest item first", async () => {
  const queue = new PriorityQueue<number>();
  for (const item of [3, 1, 2]) await queue.put(item);

  assertEquals(drain(queue), [1, 2, 3]);
});

testClean(
  "PriorityQueue gives equal items in the order in which they came",
  () => {
    const queue = new PriorityQueue<{ priority: number; name: string }>({
      compare: (a, b) => a.priority - b.priority,
    });
    for (const [i, priority] of [2, 1, 2, 1, 2, 1].entries()) {
      queue.putNowait({ priority, name: `${priority}${"abcdef"[i]}` });
    }

    assertEquals(drain(queue).map(({ name }) => name), [
      "1b",
      "1d",
      "1f",
      "2a",
      "2c",
      "2e",
    ]);
  },
);

testClean("PriorityQueue compares arrays element by element", () => {
  const queue = new PriorityQueue<(number | string)[]>();
  const sorted = [[1], [1, "a"], [1, "b"], [2, "a"]];
  for (const i of [3, 1, 0, 2]) queue.putNowait(sorted[i] as string[]);

  assertEquals(drain(queue), sorted);
});

testClean(
  "PriorityQueue counts those who wait for room as behind what is there",
  async () => {
    const queue = new PriorityQueue<number>({ capacity: 2 });
    for (const item of [5, 6]) queue.putNowait(item);
    const putter = createTask(() => queue.put(1));
    await sleep(1);

    assertEquals(queue.getNowait(), 5);
    await putter;
    assertEquals(drain(queue), [1, 6]);
  },
);

Deno.test(`PriorityQueue gives what sorting gives (seed ${SEED})`, () => {
  let state = SEED;
  const draw = (count: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % count;
  };
  for (let round = 0; round < 100; round++) {
    const queue = new PriorityQueue<readonly [number, number]>({
      compare: ([a], [b]) => a - b,
    });
    let model: (readonly [number, number])[] = [];
    for (let i = 0; i < 60; i++) {
      if (draw(3) > 0) {
        const item = [draw(10), i] as const;
        queue.putNowait(item);
        model = [...model, item].toSorted(([a], [b]) => a - b);
      } else {
        assertEquals(queue.tryGet(), model.shift());
      }
    }
    assertEquals(drain(queue), model);
  }
});

Deno.test("PriorityQueue keeps what it holds if the comparison throws", () => {
  let broken = false;
  const queue = new PriorityQueue<number>({
    compare(a, b) {
      if (broken) throw new RangeError("broken");
      return a - b;
    },
  });
  for (const item of [3, 1, 2]) queue.putNowait(item);
  broken = true;

  assertThrows(() => queue.putNowait(0), RangeError, "broken");
  assertThrows(() => queue.getNowait(), RangeError, "broken");
  broken = false;
  assertEquals([queue.size, queue.unfinished], [3, 3]);
  assertEquals(drain(queue), [1, 2, 3]);
});

Deno.test("a put whose comparison throws fails by itself", async () => {
  const queue = new PriorityQueue<number>({
    compare() {
      throw new RangeError("broken");
    },
  });
  queue.putNowait(1);

  await assertRejects(() => queue.put(2), RangeError, "broken");
  assertEquals(queue.size, 1);
});

testClean(
  "a put that waits for room fails by itself if its comparison throws",
  async () => {
    const queue = new PriorityQueue<number>({
      capacity: 2,
      compare(a, b) {
        if (a === 0 || b === 0) throw new RangeError("broken");
        return a - b;
      },
    });
    for (const item of [1, 2]) queue.putNowait(item);
    const putter = createTask(() => queue.put(0));
    await sleep(1);

    assertEquals(queue.getNowait(), 1);
    await assertRejects(async () => await putter, RangeError, "broken");
    assertEquals([queue.size, queue.unfinished], [1, 2]);
  },
);

Deno.test("PriorityQueue is a queue, and checks its options", () => {
  assertInstanceOf(new PriorityQueue(), Queue);
  assertThrows(
    () => new PriorityQueue({ compare: "less" as never }),
    TypeError,
    'Cannot create a queue as "compare" must be a function: current value is "less"',
  );
  assertThrows(
    () => new Queue({ order: "random" } as unknown as QueueOptions<number>),
    TypeError,
    'Cannot create a queue as "order" must be "fifo", "lifo" or a function: current value is "random"',
  );
});
