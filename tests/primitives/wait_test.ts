import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  ALL_COMPLETED,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  wait,
} from "@ilmek/async/wait";
import { outcomeOf } from "../../_internal/outcome.ts";
import { takeMessages, testClean } from "../_leaks.ts";

/** A task that sleeps, then throws. */
const failing = (ms: number, message = "wrong") =>
  createTask(async (): Promise<void> => {
    await sleep(ms);
    throw new TypeError(message);
  });

testClean(
  "wait() waits for all by default, in whatever way they end",
  async ({ virtual }) => {
    const done = createTask(() => sleep(1));
    const failed = failing(2);
    const cancelled = createTask(() => sleep(Infinity));
    const future = new Future<void>();
    const setter = createTask(async () => {
      await sleep(3);
      cancelled.cancel();
      future.setResult();
    });

    const result = await wait([done, failed, cancelled, future]);

    assertEquals(virtual.now, 3);
    assertEquals(result.done, new Set([done, failed, cancelled, future]));
    assertEquals(result.pending, new Set());
    assert(failed.exception() !== undefined);
    await setter;
  },
);

testClean(
  "wait() returns at the first end with FIRST_COMPLETED",
  async ({ virtual }) => {
    const quick = createTask(() => sleep(1));
    const slow = createTask(() => sleep(5));

    const { done, pending } = await wait([slow, quick], {
      returnWhen: FIRST_COMPLETED,
    });

    assertEquals([done, pending], [new Set([quick]), new Set([slow])]);
    assertEquals(virtual.now, 1);
    await slow;
  },
);

testClean(
  "wait() takes a cancelled task for ended with FIRST_COMPLETED",
  async () => {
    const cancelled = createTask(() => sleep(Infinity));
    const slow = createTask(() => sleep(5));
    cancelled.cancel();

    const { done } = await wait([slow, cancelled], {
      returnWhen: FIRST_COMPLETED,
    });

    assertEquals(done, new Set([cancelled]));
    await slow;
  },
);

testClean(
  "wait() returns at the first failure with FIRST_EXCEPTION",
  async ({ virtual }) => {
    const quick = createTask(() => sleep(1));
    const cancelled = createTask(() => sleep(Infinity));
    cancelled.cancel();
    const bad = failing(2);
    const slow = createTask(() => sleep(5));

    const { done, pending } = await wait([quick, cancelled, bad, slow], {
      returnWhen: FIRST_EXCEPTION,
    });

    assertEquals(done, new Set([quick, cancelled, bad]));
    assertEquals(pending, new Set([slow]));
    assertEquals(virtual.now, 2);
    await slow;
  },
);

testClean(
  "wait() waits for all with FIRST_EXCEPTION if none fails",
  async ({ virtual }) => {
    const tasks = [1, 5].map((ms) => createTask(() => sleep(ms)));

    const { pending } = await wait(tasks, { returnWhen: FIRST_EXCEPTION });

    assertEquals([pending.size, virtual.now], [0, 5]);
  },
);

testClean(
  "wait() returns when the time runs out, and cancels nothing",
  async ({ virtual }) => {
    const quick = createTask(() => sleep(1));
    const slow = createTask(() => sleep(100, { value: "slow" }));

    const { done, pending } = await wait<typeof quick | typeof slow>(
      [quick, slow],
      { timeoutMs: 10 },
    );

    assertEquals([done, pending], [new Set([quick]), new Set([slow])]);
    assertEquals(virtual.now, 10);
    assertFalse(slow.cancelling);
    assertEquals(await slow, "slow");
  },
);

testClean(
  "wait() takes its timer back when it was quick",
  async ({ virtual }) => {
    const quick = createTask(() => sleep(1));

    await wait([quick], { timeoutMs: 1000 });
    await sleep(0);

    assertEquals(virtual.now, 1);
  },
);

testClean("wait() leaves no callback on a task that lives long", async () => {
  const slow = createTask(() => sleep(100));
  const waiter = createTask(() => wait([slow]));
  await wait([slow], { timeoutMs: 1 });
  waiter.cancel();
  await waiter.outcome();

  assertEquals(outcomeOf(slow)?.unsubscribe(() => true), 0);
  await slow;
});

testClean("wait() with no time looks at what has ended already", async () => {
  const ended = createTask(() => 1);
  await ended;
  const slow = createTask(() => sleep(5, { value: 2 }));

  const { done, pending } = await wait([ended, slow], { timeoutMs: 0 });

  assertEquals([done, pending], [new Set([ended]), new Set([slow])]);
  await slow;
});

testClean("wait() puts every task into one of the sets, once", async () => {
  const task = createTask(() => 1);

  const { done } = await wait([task, task]);

  assertEquals(done.size, 1);
});

testClean("wait() takes any iterable", async () => {
  const task = createTask(() => 1);
  const tasks = new Set([task]);

  assertEquals((await wait(tasks)).done, tasks);
});

testClean(
  "wait() that is cancelled cancels nothing, and takes no error",
  async () => {
    const slow = createTask(() => sleep(10, { value: "slow" }));
    const waiter = createTask(() => wait([slow]));
    await sleep(1);

    waiter.cancel("waiter");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "waiter");
    assertFalse(slow.cancelling);
    assertEquals(await slow, "slow");
  },
);

testClean(
  "wait() in a cancelled scope throws, and leaves no trace",
  async () => {
    const slow = createTask(() => sleep(10));
    await withScope(async (scope) => {
      scope.cancel();
      assertStrictEquals(await assertRejects(() => wait([slow])), scope.error);
    });
    await slow;
  },
);

testClean("wait() rejects with the reason of its signal", async () => {
  const controller = new AbortController();
  const reason = new TypeError("left");
  const slow = createTask(() => sleep(10));
  const waiting = wait([slow], { signal: controller.signal });
  await sleep(1);

  controller.abort(reason);

  assertStrictEquals(await assertRejects(() => waiting), reason);
  const { signal } = controller;
  assertStrictEquals(
    await assertRejects(() => wait([slow], { signal })),
    reason,
  );
  await slow;
});

testClean(
  "wait() does not look at errors, unless it waits for them",
  async ({ reports }) => {
    const ignored = failing(1, "ignored");
    const wanted = failing(1, "wanted");

    await wait([ignored]);
    await wait([wanted], { returnWhen: FIRST_EXCEPTION });
    await sleep(60_000);

    assertEquals(reports.map(({ exception }) => `${exception}`), [
      "TypeError: ignored",
    ]);
    takeMessages(reports);
  },
);

testClean("wait([]) rejects", async () => {
  await assertRejects(
    () => wait([]),
    RangeError,
    'Cannot wait as "tasks" must hold at least one: there is nothing in it',
  );
});

testClean(
  "wait() rejects functions and promises, and starts nothing",
  async () => {
    const log: string[] = [];
    const fn = () => log.push("no");

    await assertRejects(
      () => wait([fn as never]),
      TypeError,
      "it must be a task or a future, see createTask()",
    );
    await assertRejects(() => wait([Promise.resolve() as never]), TypeError);
    await assertRejects(() => wait([1 as never]), TypeError, "wait for 1");
    await sleep(1);

    assertEquals(log, []);
  },
);

testClean("wait() rejects bad options", async () => {
  const task = createTask(() => 1);

  await assertRejects(
    () => wait([task], { returnWhen: "FIRST_COMPLETED" as never }),
    TypeError,
    'as "returnWhen" must be one of the three conditions',
  );
  await assertRejects(
    () => wait([task], { timeoutMs: -1 }),
    RangeError,
    'Cannot wait as "timeoutMs" must be a number >= 0: current value is -1',
  );
  await task;
});

testClean("wait() takes the three conditions of asyncio", () => {
  assertEquals([FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED], [
    "first-completed",
    "first-exception",
    "all-completed",
  ]);
});
