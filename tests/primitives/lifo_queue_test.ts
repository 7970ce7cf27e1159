import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { LifoQueue } from "@ilmek/async/lifo-queue";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

testClean("LifoQueue.get() gives the newest item first", async () => {
  const queue = new LifoQueue<number>();
  for (const item of [1, 2, 3]) await queue.put(item);

  assertEquals([await queue.get(), await queue.get()], [3, 2]);
  queue.putNowait(4);
  assertEquals([await queue.get(), await queue.get()], [4, 1]);
});

testClean(
  "LifoQueue serves those who wait in the order of their calls",
  async () => {
    const queue = new LifoQueue<number>({ capacity: 1 });
    const log: string[] = [];
    const getters = ["a", "b"].map((name) =>
      createTask(async () => log.push(`${name}: ${await queue.get()}`))
    );
    await sleep(1);
    for (const item of [1, 2]) await queue.put(item);
    for (const getter of getters) await getter;

    assertEquals(log, ["a: 1", "b: 2"]);
  },
);

Deno.test("LifoQueue is a queue, and checks its capacity", () => {
  assertInstanceOf(new LifoQueue(), Queue);
  assertThrows(
    () => new LifoQueue({ capacity: 0 }),
    RangeError,
    'Cannot create a queue as "capacity" must be an integer >= 1: current value is 0',
  );
});
