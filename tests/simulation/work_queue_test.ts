import { assert, assertEquals } from "@std/assert";
import { moveOnAfter } from "@ilmek/async/timeout";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { WorkQueue } from "@ilmek/async/work-queue";
import { simulate } from "./_harness.ts";

const ITEMS = 30;

simulate(
  "WorkQueue loses no item, whoever fails, hangs or leaves",
  async (simulation) => {
    const maxAttempts = simulation.int(2, 6);
    const queue = new WorkQueue<number>({
      leaseMs: 40,
      maxAttempts,
      retryDelayMs: () => simulation.gap(5),
    });
    const attempts = new Map<number, number>();
    const done = new Map<number, number>();
    const work = async (item: number) => {
      const count = (attempts.get(item) ?? 0) + 1;
      attempts.set(item, count);
      // Some take longer than their lease.
      await sleep(simulation.gap(15));
      if (simulation.chance(0.3)) throw new RangeError(`item ${item}`);
      done.set(item, (done.get(item) ?? 0) + 1);
    };
    // Consumers come and go; the last one stays.
    const passing = Array.from({ length: 3 }, () =>
      createTask(async () => {
        for (let i = 0; i < 5; i++) {
          await moveOnAfter(
            simulation.gap(40),
            () => queue.process(work, { concurrency: simulation.int(1, 3) }),
          );
          await sleep(simulation.gap(10));
        }
      }));
    for (let item = 0; item < ITEMS; item++) {
      await sleep(simulation.gap(4));
      queue.put(item, {
        delayMs: simulation.chance(0.2) ? simulation.gap(20) : 0,
      });
    }
    queue.close();
    await queue.process(work, { concurrency: 2 });
    for (const consumer of passing) await consumer;

    const dead = new Set(queue.dead.map(({ item }) => item));
    for (let item = 0; item < ITEMS; item++) {
      const times = done.get(item) ?? 0;
      assert(
        times === 1 || dead.has(item),
        `item ${item}: ${times} times done`,
      );
      assert(times === 0 || !dead.has(item), `item ${item} is done and dead`);
    }
    for (const { item, attempts: told } of queue.dead) {
      assertEquals(told, maxAttempts, `item ${item}`);
    }
    assertEquals([queue.size, queue.leased, queue.waiting], [0, 0, 0]);
  },
);
