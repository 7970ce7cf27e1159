import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { getRunningLoop } from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import {
  type DeadLetter,
  WorkQueue,
  WorkQueueClosedError,
  WorkQueueFullError,
} from "@ilmek/async/work-queue";
import { takeMessages, testClean } from "../_leaks.ts";

const HOUR_MS = 3_600_000;

/** A queue that holds these items. */
function queueOf(...items: string[]): WorkQueue<string> {
  const queue = new WorkQueue<string>({ leaseMs: 100, maxAttempts: 3 });
  for (const item of items) queue.put(item);
  return queue;
}

testClean(
  "WorkQueue.get() gives items in order, those of a higher priority first",
  async () => {
    const queue = queueOf("a", "b");
    queue.put("urgent", { priority: 1 });

    const items: string[] = [];
    for (let i = 0; i < 3; i++) {
      const delivery = await queue.get();
      items.push(delivery.item);
      assert(delivery.ack());
    }

    assertEquals(items, ["urgent", "a", "b"]);
    assertEquals([queue.size, queue.tryGet()], [0, undefined]);
  },
);

testClean(
  "WorkQueue.get() serves those who wait in the order of their calls",
  async () => {
    const queue = queueOf();
    const log: string[] = [];
    const getters = ["x", "y"].map((name) =>
      createTask(async () => {
        const delivery = await queue.get();
        log.push(name + delivery.item);
        delivery.ack();
      })
    );
    await sleep(1);
    assertEquals(queue.waiting, 2);

    queue.put("1");
    queue.put("2");
    for (const getter of getters) await getter;

    assertEquals(log, ["x1", "y2"]);
  },
);

testClean("a get that is cancelled takes no item", async () => {
  const queue = queueOf();
  const getter = createTask(() => queue.get());
  const controller = new AbortController();
  const aborted = queue.get({ signal: controller.signal });
  await sleep(1);

  getter.cancel();
  controller.abort("enough");
  queue.put("a");

  await assertRejects(() => getter.toPromise(), CancelledError);
  assertEquals(await aborted.catch((reason) => reason), "enough");
  assertEquals([queue.ready, queue.leased], [1, 0]);
});

testClean("an item comes back when its lease ends", async () => {
  const queue = queueOf("a");
  const first = await queue.get();
  assertEquals([first.attempt, first.remainingMs, queue.leased], [1, 100, 1]);

  const second = await queue.get();

  assertEquals(getRunningLoop().time(), 100);
  assertEquals([second.item, second.attempt, second.id], ["a", 2, first.id]);
  assertEquals([first.over, first.remainingMs], [true, 0]);
  assertEquals([first.ack(), first.nack(), first.extend()], [
    false,
    false,
    false,
  ]);
  assert(second.ack());
  assertEquals(queue.size, 0);
});

testClean("WorkDelivery.extend() keeps an item for longer", async () => {
  const queue = queueOf("a");
  const delivery = await queue.get();
  await sleep(90);
  assert(delivery.extend(200));
  await sleep(190);

  assertEquals([delivery.over, delivery.remainingMs], [false, 10]);
  assert(delivery.extend());
  assertEquals(delivery.remainingMs, 100);
  delivery.ack();
});

testClean(
  "WorkDelivery.nack() gives an item back, after a delay if there is one",
  async () => {
    const queue = queueOf("a");
    const first = await queue.get();
    first.nack();
    const second = await queue.get();
    assertEquals(getRunningLoop().time(), 0);

    second.nack({ delayMs: 50 });
    assertEquals([queue.ready, queue.delayed], [0, 1]);
    const third = await queue.get();

    assertEquals([third.attempt, getRunningLoop().time()], [3, 50]);
    third.ack();
  },
);

testClean("the delay after a failure grows as the queue says", async () => {
  const queue = new WorkQueue<string>({
    retryDelayMs: (attempt) => attempt * 10,
  });
  queue.put("a");
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const delivery = await queue.get();
    times.push(getRunningLoop().time());
    if (i < 2) delivery.nack();
    else delivery.ack();
  }

  assertEquals(times, [0, 10, 30]);
});

testClean(
  "an item that fails too often is dead, and can be revived",
  async () => {
    const told: DeadLetter<string>[] = [];
    const queue = new WorkQueue<string>({
      maxAttempts: 2,
      onDead: (letter) => told.push(letter),
    });
    const id = queue.put("a");
    const fault = new RangeError("bad");
    for (let i = 0; i < 2; i++) (await queue.get()).nack({ error: fault });

    assertEquals(queue.dead, [{ id, item: "a", attempts: 2, error: fault }]);
    assertEquals([told, queue.size], [queue.dead, 0]);
    assertEquals([queue.revive(id + 1), queue.revive(id)], [false, true]);

    const delivery = await queue.get();
    assertEquals([delivery.id, delivery.attempt, queue.dead], [id, 1, []]);
    delivery.ack();
  },
);

testClean(
  "a function that throws does not break the queue",
  async ({ reports }) => {
    const queue = new WorkQueue<string>({
      maxAttempts: 2,
      onDead: () => {
        throw new RangeError("dead");
      },
      retryDelayMs: () => {
        throw new RangeError("delay");
      },
    });
    queue.put("a");
    for (let i = 0; i < 2; i++) (await queue.get()).nack();

    assertEquals(queue.dead.length, 1);
    assertEquals(takeMessages(reports), [
      'The function "retryDelayMs" of queue "work" has thrown',
      'The function "onDead" of queue "work" has thrown',
    ]);
  },
);

testClean("only so many dead items are kept, the latest", async () => {
  const queue = new WorkQueue<number>({ maxAttempts: 1, maxDead: 2 });
  for (let i = 0; i < 4; i++) {
    queue.put(i);
    (await queue.get()).nack();
  }

  assertEquals(queue.dead.map(({ item }) => item), [2, 3]);
});

testClean("an item can be put for later", async () => {
  const queue = new WorkQueue<string>();
  queue.put("later", { delayMs: 20 });
  queue.put("now");
  const log: string[] = [];
  for (let i = 0; i < 2; i++) {
    const delivery = await queue.get();
    log.push(`${getRunningLoop().time()} ${delivery.item}`);
    delivery.ack();
  }

  assertEquals(log, ["0 now", "20 later"]);
});

testClean(
  "WorkQueue.process() works on all items, several at once",
  async () => {
    const queue = queueOf("a", "b", "c", "d");
    queue.close();
    let inside = 0;
    let most = 0;
    const done: string[] = [];

    await queue.process(async (item) => {
      most = Math.max(most, ++inside);
      await sleep(10);
      inside--;
      done.push(item);
    }, { concurrency: 2 });

    assertEquals([most, done], [2, ["a", "b", "c", "d"]]);
    assertEquals(getRunningLoop().time(), 20);
  },
);

testClean(
  "a failure in WorkQueue.process() ends neither the consumer nor the item",
  async () => {
    const queue = queueOf("good", "flaky", "bad");
    queue.close();
    const log: string[] = [];

    await queue.process((item, { attempt }) => {
      log.push(item);
      if (item === "bad" || item === "flaky" && attempt === 1) {
        throw new RangeError(item);
      }
    });

    assertEquals(log.filter((item) => item === "flaky").length, 2);
    assertEquals(log.filter((item) => item === "bad").length, 3);
    assertEquals(queue.dead.map(({ item, error }) => [item, `${error}`]), [
      ["bad", "RangeError: bad"],
    ]);
  },
);

testClean("WorkQueue.process() cancels what outlives its lease", async () => {
  const queue = new WorkQueue<string>({ leaseMs: 10, maxAttempts: 1 });
  queue.put("slow");
  queue.put("extended");
  queue.close();
  const log: string[] = [];

  await queue.process(async (item, delivery) => {
    if (item === "extended") delivery.extend(50);
    await sleep(item === "slow" ? HOUR_MS : 40);
    log.push(item);
  });

  assertEquals(log, ["extended"]);
  assertEquals(queue.dead.map(({ item }) => item), ["slow"]);
});

testClean(
  "what is being worked on is given back when the consumer is cancelled",
  async () => {
    for (const concurrency of [1, 2]) {
      const queue = queueOf("a");
      await assertRejects(
        () => timeout(5, () => queue.process(() => sleep(50), { concurrency })),
        TimeoutError,
      );

      const delivery = queue.tryGet();
      assertEquals([delivery?.item, delivery?.attempt], ["a", 1]);
      delivery?.ack();
    }
  },
);

testClean("WorkQueue.process() ends when its signal aborts", async () => {
  for (const concurrency of [1, 2]) {
    const queue = queueOf();
    const controller = new AbortController();
    const { signal } = controller;
    const processing = queue.process(() => {}, { concurrency, signal });
    await sleep(1);

    controller.abort("enough");

    assertEquals(await processing.catch((reason) => reason), "enough");
  }
});

testClean("WorkQueue.join() waits until no item is left", async () => {
  const queue = queueOf("a", "b");
  const joined = createTask(() => queue.join());
  const processing = createTask(() => queue.process(() => sleep(10)));

  await joined;

  assertEquals([getRunningLoop().time(), queue.size], [20, 0]);
  await queue.join();
  queue.close();
  await processing;
});

testClean(
  "a closed queue takes no items, and tells those who wait in vain",
  async () => {
    const queue = queueOf("a");
    const first = await queue.get();
    const waiter = createTask(() => queue.get());
    await sleep(1);

    queue.close();
    queue.close();
    assertThrows(() => queue.put("b"), WorkQueueClosedError);
    assertEquals([queue.closed, queue.waiting], [true, 1]);
    first.nack();
    const second = await waiter;
    const late = createTask(() => queue.get());
    await sleep(1);
    second.ack();

    await assertRejects(() => late.toPromise(), WorkQueueClosedError);
    await assertRejects(() => queue.get(), WorkQueueClosedError);
  },
);

testClean(
  "WorkQueue.put() refuses items for which there is no room",
  async () => {
    const queue = new WorkQueue<string>({ capacity: 2 });
    queue.put("a");
    queue.put("b", { delayMs: 10 });

    const error = assertThrows(() => queue.put("c"), WorkQueueFullError);
    assertEquals(
      error.message,
      'Cannot put an item: the queue "work" holds 2 already',
    );
    const first = await queue.get();
    assertThrows(() => queue.put("c"), WorkQueueFullError);
    first.ack();
    queue.put("c");
    for (let i = 0; i < 2; i++) (await queue.get()).ack();
  },
);

Deno.test("what a run has left can be got in the next one", async () => {
  const queue = queueOf("leased", "dropped");
  await using runner = new Runner();
  await runner.run(async () => {
    await queue.get();
    queue.put("delayed", { delayMs: HOUR_MS });
  });
  await runner.close();

  await runVirtual(async () => {
    const items: string[] = [];
    for (let i = 0; i < 3; i++) {
      const delivery = await queue.get();
      items.push(`${delivery.item} ${delivery.attempt}`);
      delivery.ack();
    }
    assertEquals(items, ["dropped 1", "delayed 1", "leased 2"]);
  });
});

Deno.test("WorkQueue loses no item, whoever is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const queue = new WorkQueue<number>({ leaseMs: 50, maxAttempts: 9 });
    const done: number[] = [];
    const work = (item: number) => sleep(1).then(() => void done.push(item));
    const consumer = sweep.target(() => queue.process(work));
    for (let i = 0; i < 3; i++) queue.put(i);
    queue.close();
    await queue.process(work);
    await consumer;

    assertEquals([...new Set(done)].toSorted(), [0, 1, 2]);
    assertEquals([queue.size, queue.dead.length], [0, 0]);
  });
});

Deno.test("WorkQueue loses no item in any order", async () => {
  await explore(async () => {
    const queue = new WorkQueue<number>({ leaseMs: 1000 });
    const done: number[] = [];
    const consumers = [1, 2].map(() =>
      createTask(() =>
        queue.process(async (item, { attempt }) => {
          await sleep(item % 2);
          if (item === 2 && attempt === 1) throw new RangeError("once");
          done.push(item);
        })
      )
    );
    for (let i = 0; i < 4; i++) queue.put(i);
    queue.close();
    for (const consumer of consumers) await consumer;

    assertEquals(done.toSorted(), [0, 1, 2, 3]);
  }, { runs: 60 });
});

testClean("WorkQueue refuses what makes no sense", async () => {
  assertThrows(() => new WorkQueue({ capacity: 0 }), RangeError);
  assertThrows(() => new WorkQueue({ leaseMs: -1 }), RangeError);
  assertThrows(() => new WorkQueue({ maxAttempts: 0 }), RangeError);
  assertThrows(() => new WorkQueue({ retryDelayMs: NaN }), RangeError);
  assertThrows(() => new WorkQueue({ onDead: 1 as never }), TypeError);
  const queue = queueOf();
  assertThrows(() => queue.put("a", { delayMs: -1 }), RangeError);
  assertThrows(() => queue.put("a", { priority: NaN }), RangeError);
  await assertRejects(() => queue.process(1 as never), TypeError);
  await assertRejects(
    () => queue.process(() => {}, { concurrency: 0 }),
    RangeError,
  );
  queue.put("a");
  const delivery = await queue.get();
  assertThrows(() => delivery.nack({ delayMs: -1 }), RangeError);
  assertThrows(() => delivery.extend(NaN), RangeError);
  delivery.ack();
});
