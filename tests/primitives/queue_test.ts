import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import {
  CancelledError,
  InvalidStateError,
  TimeoutError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import {
  Queue,
  QueueEmptyError,
  QueueFullError,
  QueueShutDownError,
} from "@ilmek/async/queue";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

/** A queue that holds these items, and no more. */
function fullQueue<T>(...items: T[]): Queue<T> {
  const queue = new Queue<T>({ capacity: items.length });
  for (const item of items) queue.putNowait(item);
  return queue;
}

testClean("Queue.get() gives items in the order of Queue.put()", async () => {
  const queue = new Queue<number>();
  for (const n of [1, 2, 3]) await queue.put(n);

  assertEquals([queue.size, queue.empty, queue.full], [3, false, false]);
  assertEquals([await queue.get(), await queue.get(), await queue.get()], [
    1,
    2,
    3,
  ]);
  assert(queue.empty);
});

testClean(
  "Queue.get() serves those who wait in the order of their calls",
  async () => {
    const queue = new Queue<number>();
    const log: string[] = [];
    const getters = ["a", "b", "c"].map((name) =>
      createTask(async () => log.push(`${name}${await queue.get()}`))
    );
    await sleep(1);
    assertEquals(queue.waiting, 3);

    for (const n of [1, 2, 3]) queue.putNowait(n);
    for (const getter of getters) await getter;

    assertEquals(log, ["a1", "b2", "c3"]);
    assertEquals([queue.waiting, queue.size], [0, 0]);
  },
);

testClean("Queue.put() waits for room, in the order of the calls", async () => {
  const queue = fullQueue("x");
  const log: string[] = [];
  const putters = ["a", "b"].map((name) =>
    createTask(async () => {
      await queue.put(name);
      log.push(name);
    })
  );
  await sleep(1);
  assertEquals([log, queue.waiting, queue.full], [[], 2, true]);

  assertEquals(queue.getNowait(), "x");
  await putters[0];
  assertEquals([log, queue.waiting], [["a"], 1]);
  assertEquals([await queue.get(), await queue.get()], ["a", "b"]);
  await putters[1];
});

testClean("a newcomer never overtakes a put that waits", async () => {
  const queue = fullQueue("x");
  const putter = createTask(() => queue.put("first"));
  await sleep(1);

  queue.getNowait();

  assertFalse(queue.tryPut("newcomer"));
  await putter;
  assertEquals(queue.getNowait(), "first");
});

testClean(
  "a newcomer never takes an item that was handed to a waiter",
  async () => {
    const queue = new Queue<string>();
    const getter = createTask(() => queue.get());
    await sleep(1);

    queue.putNowait("item");

    assertEquals(queue.tryGet(), undefined);
    assertEquals(await getter, "item");
  },
);

testClean("a get that is cancelled takes no item", async () => {
  const queue = new Queue<string>();
  const getter = createTask(() => queue.get());
  const next = createTask(() => queue.get());
  await sleep(1);

  getter.cancel();
  queue.putNowait("item");

  await assertRejects(() => getter, CancelledError);
  assertEquals(await next, "item");
  assertEquals(queue.waiting, 0);
});

testClean("a put that is cancelled leaves no item", async () => {
  const queue = fullQueue("x");
  const putter = createTask(() => queue.put("cancelled"));
  const next = createTask(() => queue.put("next"));
  await sleep(1);

  putter.cancel();
  await assertRejects(() => putter, CancelledError);
  assertEquals(queue.waiting, 1);

  assertEquals([await queue.get(), await queue.get()], ["x", "next"]);
  await next;
  assertEquals(queue.unfinished, 2);
});

testClean(
  "an item that was handed over is not lost by a late cancel",
  async () => {
    const queue = new Queue<string>();
    const getter = createTask(() => queue.get());
    await sleep(1);

    queue.putNowait("item");
    getter.cancel();

    assertEquals(await getter, "item");
  },
);

testClean(
  "Queue.get() and put() throw in a cancelled scope, without effect",
  async () => {
    const queue = new Queue<number>();
    queue.putNowait(1);
    await withScope(async (scope) => {
      scope.cancel();
      for (const start of [() => queue.get(), () => queue.put(2)]) {
        assertStrictEquals(await assertRejects(start), scope.error);
      }
      assertStrictEquals(await assertRejects(() => queue.join()), scope.error);
    });

    assertEquals([queue.size, queue.unfinished], [1, 1]);
  },
);

testClean(
  "the waits of a queue end with their signal, and leave the line",
  async () => {
    const reason = new TypeError("left");
    const empty = new Queue<number>();
    const full = fullQueue(1);
    const starts = [
      (signal: AbortSignal) => empty.get({ signal }),
      (signal: AbortSignal) => full.put(2, { signal }),
      (signal: AbortSignal) => full.join({ signal }),
    ];
    for (const start of starts) {
      const controller = new AbortController();
      const waiting = start(controller.signal);
      controller.abort(reason);
      assertStrictEquals(await assertRejects(() => waiting), reason);
      const again = () => start(controller.signal);
      assertStrictEquals(await assertRejects(again), reason);
    }

    assertEquals([empty.waiting, full.waiting, full.size], [0, 0, 1]);
  },
);

testClean("Queue.getNowait() and putNowait() throw instead of waiting", () => {
  const empty = new Queue<number>();
  const full = fullQueue(1, 2);

  assertThrows(
    () => empty.getNowait(),
    QueueEmptyError,
    "Cannot get an item: the queue is empty",
  );
  assertThrows(
    () => full.putNowait(3),
    QueueFullError,
    "Cannot put an item: the queue holds 2 already",
  );
  assertEquals([empty.tryGet(), full.tryPut(3)], [undefined, false]);
  assertEquals(full.size, 2);
});

testClean("Queue takes falsy items for what they are", async () => {
  const queue = new Queue<unknown>();
  const items = [undefined, null, 0, "", false];
  for (const item of items) queue.putNowait(item);

  for (const item of items) assertStrictEquals(await queue.get(), item);
  const getter = createTask(() => queue.get());
  await sleep(1);
  queue.putNowait(undefined);
  assertEquals(await getter, undefined);
});

testClean("Queue refuses promises and tasks", async () => {
  const queue = new Queue<unknown>();
  const task = createTask(() => 1);
  const message = 'Cannot put an item as "item" must not be awaitable';

  for (const item of [Promise.resolve(), task, { then() {} }]) {
    await assertRejects(() => queue.put(item), TypeError, message);
    assertThrows(() => queue.putNowait(item), TypeError, message);
    assertThrows(() => queue.tryPut(item), TypeError, message);
  }

  assertEquals([queue.size, queue.unfinished], [0, 0]);
  await task;
});

testClean("Queue() throws on a capacity below 1", () => {
  for (const capacity of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new Queue({ capacity }),
      RangeError,
      `Cannot create a queue as "capacity" must be an integer >= 1: current value is ${capacity}`,
    );
  }
  assertEquals(new Queue().capacity, Infinity);
});

testClean("Queue.join() waits until all items are done with", async () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  queue.putNowait(2);
  const log: string[] = [];
  const joiner = createTask(async () => {
    await queue.join();
    log.push("joined");
  });

  await queue.get();
  queue.taskDone();
  await queue.get();
  await sleep(1);
  assertEquals([log, queue.unfinished], [[], 1]);
  queue.taskDone();
  await joiner;

  assertEquals(log, ["joined"]);
  await queue.join();
});

testClean(
  "Queue.join() counts items that wait to be put once they are in",
  async () => {
    const queue = fullQueue("x");
    const putter = createTask(() => queue.put("y"));
    await sleep(1);
    assertEquals(queue.unfinished, 1);

    await queue.get();
    assertEquals(queue.unfinished, 2);

    await putter;
  },
);

testClean(
  "Queue.join() that is cancelled leaves the others waiting",
  async () => {
    const queue = fullQueue(1);
    const other = createTask(() => queue.join());

    await assertRejects(() => timeout(1, () => queue.join()), TimeoutError);
    queue.taskDone();

    await other;
  },
);

testClean("Queue.taskDone() throws if it is called too often", async () => {
  const queue = new Queue<number>();
  assertThrows(
    () => queue.taskDone(),
    InvalidStateError,
    "Cannot mark an item as done: taskDone() was called for all items",
  );

  await queue.put(1);
  queue.taskDone();

  assertThrows(() => queue.taskDone(), InvalidStateError);
});

testClean(
  "Queue.shutdown() lets what is there be taken, and nothing be put",
  async () => {
    const queue = new Queue<number>();
    queue.putNowait(1);

    assertEquals(queue.shutdown(), []);
    queue.shutdown();

    assert(queue.closed);
    const message = "Cannot put an item: the queue was shut down";
    await assertRejects(() => queue.put(2), QueueShutDownError, message);
    assertThrows(() => queue.putNowait(2), QueueShutDownError, message);
    assertEquals(await queue.get(), 1);
    await assertRejects(
      () => queue.get(),
      QueueShutDownError,
      "Cannot get an item: the queue was shut down",
    );
    assertThrows(() => queue.getNowait(), QueueShutDownError);
    assertEquals(queue.tryGet(), undefined);
  },
);

testClean("Queue.shutdown() ends those who wait", async () => {
  const empty = new Queue<number>();
  const full = fullQueue(1);
  const getter = createTask(() => empty.get());
  const putter = createTask(() => full.put(2));
  await sleep(1);

  empty.shutdown();
  full.shutdown();

  await assertRejects(() => getter, QueueShutDownError, "get an item");
  await assertRejects(() => putter, QueueShutDownError, "put an item");
  assertEquals([empty.waiting, full.waiting], [0, 0]);
  assertEquals(await full.get(), 1);
});

testClean(
  "Queue.shutdown() with immediate drops the items, and ends join()",
  async () => {
    const queue = fullQueue(1, 2);
    const joiner = createTask(() => queue.join());
    await sleep(1);

    assertEquals(queue.shutdown({ immediate: true }), [1, 2]);

    await joiner;
    assertEquals([queue.size, queue.unfinished], [0, 0]);
    await assertRejects(() => queue.get(), QueueShutDownError);
  },
);

testClean(
  "Queue.shutdown() with immediate leaves items in hand unfinished",
  async () => {
    const queue = fullQueue(1, 2);
    await queue.get();

    queue.shutdown({ immediate: true });

    assertEquals(queue.unfinished, 1);
    queue.taskDone();
    await queue.join();
  },
);

testClean(
  "for await over a queue ends when it is shut down and empty",
  async () => {
    const queue = new Queue<number>();
    const seen: number[] = [];
    const consumer = createTask(async () => {
      for await (const item of queue) seen.push(item);
    });
    for (const n of [1, 2, 3]) await queue.put(n);
    await sleep(1);

    queue.shutdown();
    await consumer;

    assertEquals(seen, [1, 2, 3]);
  },
);

testClean("two loops over a queue share its items", async () => {
  const queue = new Queue<number>();
  const seen: number[] = [];
  const consumers = [1, 2].map(() =>
    createTask(async () => {
      for await (const item of queue) {
        seen.push(item);
        await sleep(1);
      }
    })
  );
  for (let n = 0; n < 6; n++) queue.putNowait(n);
  queue.shutdown();
  for (const consumer of consumers) await consumer;

  assertEquals(seen, [0, 1, 2, 3, 4, 5]);
});

Deno.test("a queue loses and doubles nothing in any order, cancellations included", async () => {
  await explore(async () => {
    const queue = new Queue<number>({ capacity: 2 });
    const taken: number[] = [];
    const consume = async () => {
      for (;;) taken.push(await queue.get());
    };
    const consumers = [1, 2, 3].map(() => createTask(consume));
    const producers = [0, 10].map((base) =>
      createTask(async () => {
        for (let n = base; n < base + 4; n++) await queue.put(n);
      })
    );
    await checkpoint();
    consumers[0]?.cancel();
    producers[1]?.cancel();
    await producers[0];
    await producers[1]?.outcome();
    while (!queue.empty) await sleep(1);
    await sleep(1);

    const first = taken.filter((n) => n < 10);
    const second = taken.filter((n) => n >= 10);
    assertEquals(first.toSorted(), [0, 1, 2, 3]);
    assertEquals(second.toSorted(), second.map((_, i) => 10 + i));
    assertEquals([queue.unfinished, queue.size], [taken.length, 0]);
  }, { runs: 100 });
});

testClean("Queue.putOp() and getOp() are choices of select()", async () => {
  const queue = new Queue<number>({ capacity: 1 });

  assertEquals(await select({ put: queue.putOp(1) }), {
    key: "put",
    value: undefined,
  });
  const late = await select({ put: queue.putOp(2), late: sleepOp(1) });
  assertEquals([late.key, queue.size, queue.waiting], ["late", 1, 0]);
  const taken = await select({ item: queue.getOp(), late: sleepOp(1) });
  assertEquals(taken, { key: "item", value: 1 });
  const none = await select({ item: queue.getOp(), late: sleepOp(1) });
  assertEquals([none.key, queue.waiting], ["late", 0]);
});

testClean(
  "Queue.putOp() and getOp() fail when the queue is shut down",
  async () => {
    const queue = new Queue<number>();
    const waiting = select({ item: queue.getOp() });
    queue.shutdown();

    await assertRejects(() => waiting, QueueShutDownError);
    await assertRejects(() => select({ a: queue.getOp() }), QueueShutDownError);
    await assertRejects(
      () => select({ a: queue.putOp(1) }),
      QueueShutDownError,
    );
    assertThrows(() => queue.putOp(Promise.resolve() as never), TypeError);
  },
);

testClean(
  "select() between a put and a get of one queue does one of them",
  async () => {
    const queue = new Queue<number>({ capacity: 1 });
    queue.putNowait(1);
    const { key } = await select({ put: queue.putOp(2), get: queue.getOp() });

    assertEquals([key, queue.size], ["get", 0]);
  },
);

testClean("Queue.getBatch() waits for as many as it needs", async () => {
  const queue = new Queue<number>();
  const batch = createTask(() => queue.getBatch(3, { min: 2 }));
  await sleep(1);
  queue.putNowait(1);
  await sleep(1);
  assertEquals([batch.done, queue.size], [false, 1]);
  queue.putNowait(2);

  assertEquals(await batch, [1, 2]);
});

testClean("Queue.getBatch() lets nobody overtake while it waits", async () => {
  const queue = new Queue<number>();
  const batch = createTask(() => queue.getBatch(2, { min: 2 }));
  await sleep(1);
  queue.putNowait(1);

  assertEquals(queue.tryGet(), undefined);
  assertThrows(() => queue.getNowait(), QueueEmptyError);
  const behind = createTask(() => queue.get());
  await sleep(1);
  for (const item of [2, 3]) queue.putNowait(item);
  assertEquals([await batch, await behind], [[1, 2], 3]);
});

testClean(
  "Queue.getBatch() takes nothing when it is cancelled, and lets others pass",
  async () => {
    const queue = new Queue<number>();
    const batch = createTask(() => queue.getBatch(2, { min: 2 }));
    const behind = createTask(() => queue.get());
    await sleep(1);
    queue.putNowait(1);
    await sleep(1);
    batch.cancel();

    assertEquals(await behind, 1);
  },
);

testClean(
  "Queue.getBatch() gives what there is when its time is over",
  async ({ virtual }) => {
    const queue = new Queue<number>();
    queue.putNowait(1);

    assertEquals(await queue.getBatch(3, { min: 2, withinMs: 5 }), [1]);
    assertEquals(await queue.getBatch(3, { withinMs: 5 }), []);
    assertEquals(virtual.now, 10);
  },
);

testClean("Queue.getBatch() makes room for those who wait to put", async () => {
  const queue = new Queue<number>({ capacity: 2 });
  for (const item of [1, 2]) queue.putNowait(item);
  const putter = createTask(() => queue.put(3));
  await sleep(1);

  assertEquals(await queue.getBatch(3), [1, 2, 3]);
  await putter;
});

testClean("Queue.shutdown() gives a waiting batch what is left", async () => {
  const queue = new Queue<number>();
  const batch = createTask(() => queue.getBatch(3, { min: 3 }));
  const behind = createTask(() => queue.get());
  await sleep(1);
  for (const item of [1, 2]) queue.putNowait(item);
  queue.shutdown();

  assertEquals(await batch, [1, 2]);
  await assertRejects(async () => await behind, QueueShutDownError);
  await assertRejects(() => queue.getBatch(1), QueueShutDownError);
});

testClean("Queue.getBatch() rejects what can never be", async () => {
  const queue = new Queue<number>({ capacity: 2 });

  await assertRejects(
    () => queue.getBatch(3, { min: 3 }),
    RangeError,
    'Cannot get items as "min" must not exceed "max" and the capacity: current value is 3',
  );
  await assertRejects(() => queue.getBatch(1, { min: 2 }), RangeError);
  await assertRejects(() => queue.getBatch(0), RangeError);
  await assertRejects(() => queue.getBatch(1, { withinMs: -1 }), RangeError);
});

testClean(
  "Queue.jobs() marks items as done once, also when the loop is left",
  async () => {
    const queue = new Queue<number>();
    for (const item of [1, 2, 3]) queue.putNowait(item);
    for await (using job of queue.jobs()) {
      if (job.value === 2) job[Symbol.dispose]();
      if (job.value === 2) break;
    }

    assertEquals(queue.unfinished, 1);
  },
);

Deno.test(
  "a batch loses and doubles nothing in any order, cancellations included",
  async () => {
    await explore(async () => {
      const queue = new Queue<number>({ capacity: 3 });
      const taken: number[] = [];
      const consumers = [1, 2, 3].map((max) =>
        createTask(async () => {
          for (;;) taken.push(...await queue.getBatch(max, { min: max }));
        })
      );
      const putters = [0, 1, 2, 3, 4, 5].map((item) =>
        createTask(() => queue.put(item))
      );
      await checkpoint();
      consumers[1]?.cancel();
      for (const putter of putters) await putter;
      await checkpoint();
      for (const consumer of consumers) await consumer[Symbol.asyncDispose]();
      taken.push(...queue.shutdown({ immediate: true }));
      assertEquals(taken.toSorted(), [0, 1, 2, 3, 4, 5]);
    }, { runs: 100 });
  },
);

testClean("the errors of a queue are of their own classes", () => {
  assertInstanceOf(new QueueEmptyError(), RangeError);
  assertInstanceOf(new QueueFullError(), RangeError);
  assertInstanceOf(new QueueShutDownError(), InvalidStateError);
  assertEquals(new QueueEmptyError().name, "QueueEmptyError");
  assertEquals(new QueueFullError().name, "QueueFullError");
  assertEquals(new QueueShutDownError().name, "QueueShutDownError");
});

Deno.test("a loop of ready puts and gets in real time lets timers fire", async () => {
  const queue = new Queue<number>();
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  let rounds = 0;
  for (; !fired && rounds < 1_000_000; rounds++) {
    await queue.put(rounds);
    await queue.get();
  }

  clearTimeout(timer);
  assert(fired);
});

Deno.test("a loop of ready gets in real time lets timers fire", async () => {
  const queue = new Queue<number>();
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  for (let rounds = 0; !fired && rounds < 1_000_000; rounds++) {
    queue.putNowait(rounds);
    await queue.get();
  }

  clearTimeout(timer);
  assert(fired);
});

Deno.test("a loop of ready puts in real time lets timers fire", async () => {
  const queue = new Queue<number>();
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  for (let rounds = 0; !fired && rounds < 1_000_000; rounds++) {
    await queue.put(rounds);
    queue.getNowait();
  }

  clearTimeout(timer);
  assert(fired);
});

/** A queue of numbers in order, whose comparison can be made to throw. */
function fragile(): { queue: Queue<number>; breaks: boolean } {
  const test = {
    breaks: false,
    queue: new Queue<number>({
      order: (a, b) => {
        if (test.breaks) throw new RangeError("odd");
        return a - b;
      },
    }),
  };
  return test;
}

testClean(
  "a comparison that throws is told to who takes, and no item is lost",
  async () => {
    const test = fragile();
    const { queue } = test;
    for (const n of [3, 1, 2, 5, 4]) queue.putNowait(n);
    test.breaks = true;

    const got = queue.get();
    await assertRejects(() => got, RangeError);
    const batch = queue.getBatch(3);
    await assertRejects(() => batch, RangeError);
    assertThrows(() => queue.getNowait(), RangeError);
    test.breaks = false;
    assertEquals(await queue.getBatch(9), [1, 2, 3, 4, 5]);
  },
);

/** A comparison that throws for two items, which are compared as one is taken. */
function refusing(product: number): (a: number, b: number) => number {
  return (a, b) => {
    if (a * b === product) throw new RangeError("odd");
    return a - b;
  };
}

testClean(
  "a comparison that throws ends the waits that it was made for",
  async () => {
    const queue = new Queue<number>({ order: refusing(2 * 3) });
    const batch = createTask(() => queue.getBatch(4, { min: 4 }));
    const behind = createTask(() => queue.get());
    await sleep(1);
    for (const n of [1, 2, 3]) queue.putNowait(n);
    await queue.put(4);

    await assertRejects(() => batch.toPromise(), RangeError, "odd");
    await assertRejects(() => behind.toPromise(), RangeError, "odd");
    assertEquals([queue.waiting, queue.size], [0, 4]);
  },
);

testClean(
  "Queue.getBatch() gives what it took before a comparison has thrown",
  async () => {
    const queue = new Queue<number>({ order: refusing(3 * 4) });
    for (const n of [1, 2, 3, 4]) queue.putNowait(n);

    assertEquals(await queue.getBatch(4), [1]);
    await assertRejects(() => queue.get(), RangeError, "odd");
    assertEquals(queue.size, 3);
  },
);

testClean(
  "Queue.shutdown() with immediate drops all, though a comparison throws",
  async () => {
    const test = fragile();
    const { queue } = test;
    for (const n of [2, 3, 1]) queue.putNowait(n);
    test.breaks = true;

    assertEquals(queue.shutdown({ immediate: true }).sort(), [1, 2, 3]);
    assertEquals([queue.size, queue.unfinished], [0, 0]);
    await queue.join();
  },
);

testClean(
  "Queue.shutdown() with immediate gives what it drops in the order of the queue",
  () => {
    const orders = ["fifo", "lifo", (a: number, b: number) => a - b] as const;
    const dropped = orders.map((order) => {
      const queue = new Queue<number>({ order });
      for (const n of [2, 3, 1]) queue.putNowait(n);
      return queue.shutdown({ immediate: true });
    });

    assertEquals(dropped, [[2, 3, 1], [1, 3, 2], [1, 2, 3]]);
  },
);

testClean("a signal that is none is refused, and leaves no trace", async () => {
  const queue = new Queue<number>();
  for (const signal of [null, 5, {}, { aborted: false }]) {
    const waiting = queue.get({ signal: signal as unknown as AbortSignal });
    await assertRejects(
      () => waiting,
      TypeError,
      'Cannot get an item as "signal" must be an AbortSignal: current value is',
    );
  }

  assertEquals(queue.waiting, 0);
});
