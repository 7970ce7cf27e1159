import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Batcher,
  BatcherClosedError,
  BatcherFullError,
  type BatcherOptions,
  BatchSizeError,
} from "@ilmek/async/batcher";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

/** A batcher that squares numbers, and a log of its batches. */
function squaring(options: BatcherOptions<number> & { ms?: number } = {}) {
  const { ms = 0, ...rest } = options;
  const log: number[][] = [];
  const batcher = new Batcher(async (items: readonly number[]) => {
    log.push([...items]);
    await sleep(ms);
    return items.map((n) => n < 0 ? new RangeError(`${n}`) : n * n);
  }, rest);
  return { batcher, log };
}

testClean(
  "Batcher.load() puts those who ask at once into one batch",
  async () => {
    const { batcher, log } = squaring();

    const squares = await Promise.all([1, 2, 3].map((n) => batcher.load(n)));

    assertEquals([squares, log], [[1, 4, 9], [[1, 2, 3]]]);
    assertEquals(await batcher.load(4), 16);
    assertEquals(log.length, 2);
  },
);

testClean(
  "a batch begins when it is full, or has waited long enough",
  async () => {
    const { batcher, log } = squaring({ maxSize: 2, maxWaitMs: 10 });
    const loads = [1, 2, 3].map((n) => batcher.load(n));
    await sleep(1);
    assertEquals([log, batcher.queued], [[[1, 2]], 1]);

    await sleep(10);

    assertEquals(log, [[1, 2], [3]]);
    assertEquals(await Promise.all(loads), [1, 4, 9]);
  },
);

testClean("Batcher works on no more batches at once than it may", async () => {
  const { batcher, log } = squaring({ maxSize: 1, concurrency: 2, ms: 10 });
  const loads = [1, 2, 3].map((n) => batcher.load(n));
  await sleep(5);

  assertEquals([log.length, batcher.running, batcher.queued], [2, 2, 1]);
  assertEquals(await Promise.all(loads), [1, 4, 9]);
});

testClean("an Error among the results is thrown to its item only", async () => {
  const { batcher } = squaring();

  const results = await gather([1, -2, 3].map((n) => batcher.load(n)), {
    returnExceptions: true,
  });

  assertEquals([results[0], results[2]], [1, 9]);
  assertInstanceOf(results[1], RangeError);
});

testClean("an error of the function is thrown to all items", async () => {
  const fault = new RangeError("down");
  const batcher = new Batcher<number, number>(() => {
    throw fault;
  });

  const errors = await gather([1, 2].map((n) => batcher.load(n)), {
    returnExceptions: true,
  });

  assertStrictEquals(errors[0], fault);
  assertStrictEquals(errors[1], fault);
});

testClean(
  "a batch that fails is halved, until the culprit stands alone",
  async () => {
    const log: (readonly number[])[] = [];
    const batcher = new Batcher((items: readonly number[]) => {
      log.push(items);
      if (items.includes(3)) throw new RangeError("3 is bad");
      return items.map((n) => n * 10);
    }, { bisect: true });

    const results = await gather([1, 2, 3, 4].map((n) => batcher.load(n)), {
      returnExceptions: true,
    });

    assertEquals([results[0], results[1], results[3]], [10, 20, 40]);
    assertInstanceOf(results[2], RangeError);
    assertEquals(log, [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]);
  },
);

testClean(
  "too few results, or what is none, is thrown to all items",
  async () => {
    const few = new Batcher<number, number>(() => [1]);
    const [first] = await gather([few.load(1), few.load(2)], {
      returnExceptions: true,
    });
    assertInstanceOf(first, BatchSizeError);
    assertEquals([first.items, first.results], [2, 1]);
    assertEquals(
      first.message,
      "Cannot give the results of a batch: there must be one for each of 2 items: current number is 1",
    );
    const none = new Batcher<number, number>(() => 7 as never);
    await assertRejects(() => none.load(1), TypeError, "must be iterable");
  },
);

testClean("items with the same key are asked for once", async () => {
  const { batcher, log } = squaring({ keyOf: (n) => n });
  const leaving = createTask(() => timeout(1, () => batcher.load(2)));
  const loads = [1, 2, 2, 1].map((n) => batcher.load(n));

  assertEquals(await Promise.all(loads), [1, 4, 4, 1]);
  assertEquals(log, [[1, 2]]);
  await leaving;
});

testClean(
  "an item whose caller leaves is taken out of a batch that has not begun",
  async () => {
    const { batcher, log } = squaring({ maxWaitMs: 10 });
    const leaving = createTask(() => timeout(5, () => batcher.load(1)));
    const staying = createTask(() => batcher.load(2));
    await assertRejects(() => leaving.toPromise(), TimeoutError);
    assertEquals(batcher.queued, 1);

    assertEquals(await staying, 4);

    assertEquals(log, [[2]]);
  },
);

testClean("a batch that all have left before it began is dropped", async () => {
  const { batcher, log } = squaring({ maxWaitMs: 10, maxSize: 2 });
  const loads = [1, 2, 3].map((n) =>
    createTask(() => timeout(5, () => batcher.load(n)))
  );
  await gather(loads, { returnExceptions: true });

  await sleep(20);

  assertEquals(log, [[1, 2]]);
  assertEquals([batcher.queued, batcher.running], [0, 0]);
  assertEquals(await batcher.load(5), 25);
});

testClean(
  "a batch is cancelled when the last caller has left, and not before",
  async () => {
    let reason: unknown;
    const batcher = new Batcher<number, number>(async (items, { signal }) => {
      signal.addEventListener("abort", () => reason = signal.reason);
      await sleep(1000);
      return items;
    });
    const loads = [5, 10].map((ms) =>
      createTask(() => timeout(ms, () => batcher.load(ms)))
    );
    await assertRejects(() =>
      (loads[0] as typeof loads[0] & object).toPromise()
    );
    assertEquals(reason, undefined);

    await gather(loads, { returnExceptions: true });

    assertInstanceOf(reason, CancelledError);
    assertEquals(reason.kind, "given-up");
    assertEquals(batcher.running, 0);
  },
);

testClean(
  "Batcher refuses items when too many wait, or when it is closed",
  async () => {
    const { batcher } = squaring({ capacity: 2, maxWaitMs: 10 });
    const loads = [batcher.load(1), batcher.load(2)];

    const full = await assertRejects(() => batcher.load(3), BatcherFullError);
    assertEquals(
      full.message,
      'Cannot load an item: 2 items wait in "batcher" already',
    );
    batcher.close();
    batcher.close();

    await assertRejects(() => batcher.load(4), BatcherClosedError);
    assert(batcher.closed);
    assertEquals(await Promise.all(loads), [1, 4]);
  },
);

testClean(
  "leaving a batcher waits until every item has its result",
  async () => {
    let load: Promise<number> | undefined;
    {
      await using batcher = squaring({ ms: 10, maxWaitMs: 100 }).batcher;
      load = batcher.load(3) as Promise<number>;
      await sleep(1);
    }

    assertEquals(await load, 9);
  },
);

testClean("Batcher.join() waits for the last batch", async () => {
  const { batcher, log } = squaring({ ms: 5 });
  await batcher.join();
  const loads = [batcher.load(1), batcher.load(2)];

  await batcher.join();

  assertEquals([log.length, batcher.running], [1, 0]);
  assertEquals(await Promise.all(loads), [1, 4]);
});

Deno.test("a caller that is cancelled anywhere does no harm to its batch", async () => {
  await cancelSweep(async (sweep) => {
    const { batcher } = squaring({ maxSize: 2, ms: 1 });
    const swept = [1, 2].map((n) => sweep.target(() => batcher.load(n)));
    const others = [3, 4].map((n) => createTask(() => batcher.load(n)));

    assertEquals([await others[0], await others[1]], [9, 16]);
    for (const target of swept) await target;
    await batcher.join();
    assertEquals([batcher.queued, batcher.running], [0, 0]);
  });
});

Deno.test("Batcher loses no item and doubles none, in any order", async () => {
  await explore(async () => {
    const { batcher, log } = squaring({ maxSize: 2, ms: 1 });
    const tasks = [1, 2, 3, 4, 5].map((n) => createTask(() => batcher.load(n)));
    await sleep(0);
    tasks[1]?.cancel();
    const results = await gather(tasks, { returnExceptions: true });
    await batcher.join();

    assertEquals(results.toSpliced(1, 1), [1, 9, 16, 25]);
    const items = log.flat();
    assertEquals(new Set(items).size, items.length);
    assertEquals([batcher.queued, batcher.running], [0, 0]);
  }, { runs: 100 });
});

testClean("Batcher refuses what makes no sense", async () => {
  const fn = (items: readonly number[]) => items;
  assertThrows(() => new Batcher(1 as never), TypeError);
  assertThrows(() => new Batcher(fn, { maxSize: 0 }), RangeError);
  assertThrows(() => new Batcher(fn, { maxWaitMs: -1 }), RangeError);
  assertThrows(() => new Batcher(fn, { concurrency: 0 }), RangeError);
  assertThrows(() => new Batcher(fn, { capacity: 0 }), RangeError);
  const throwing = new Batcher(fn, {
    keyOf: () => {
      throw new RangeError("key");
    },
  });
  await assertRejects(() => throwing.load(1), RangeError, "key");
  assertEquals(throwing.queued, 0);
});

testClean(
  "a dropped wait for a batch that ends with a cancellation is no unhandled rejection",
  async () => {
    const task = createTask(() => sleep(3_600_000, { value: [1] }));
    const batcher = new Batcher<number, number>(() => task);
    void batcher.load(1);
    await sleep(1);

    task.cancel();
    await sleep(1);

    // The platform looks for rejections that nobody handles between its turns.
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(task.cancelled, true);
  },
);
