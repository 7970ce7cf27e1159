import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { asCompleted } from "@ilmek/async/as-completed";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, Task } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { outcomeOf } from "../../_internal/outcome.ts";
import { testClean } from "../_leaks.ts";

testClean(
  "asCompleted() gives values in the order in which they come",
  async () => {
    const seen: string[] = [];
    const entries = [
      () => sleep(3, { value: "slow" }),
      () => sleep(1, { value: "quick" }),
      () => sleep(2, { value: "middle" }),
    ];

    for (const next of asCompleted(entries)) seen.push(await next);

    assertEquals(seen, ["quick", "middle", "slow"]);
  },
);

testClean(
  "asCompleted() gives the very tasks and futures to for await",
  async () => {
    const slow: Task<string> = createTask(() => sleep(3, { value: "slow" }));
    const future = new Future<string>();
    future.setResult("future");
    const seen: unknown[] = [];

    for await (const handle of asCompleted([slow, future])) {
      assert(handle.done);
      seen.push(handle);
    }

    assertStrictEquals(seen[0], future);
    assertStrictEquals(seen[1], slow);
    assertEquals(seen.length, 2);
  },
);

testClean("asCompleted() starts functions as tasks, in order", async () => {
  const log: number[] = [];
  const entries = [1, 2, 3].map((n) => () => log.push(n));

  for await (const task of asCompleted(entries)) assert(task instanceof Task);

  assertEquals(log, [1, 2, 3]);
});

testClean("asCompleted() takes promises", async () => {
  const seen: unknown[] = [];
  for (const next of asCompleted([Promise.resolve(1)])) seen.push(await next);

  assertEquals(seen, [1]);
});

testClean(
  "asCompleted() throws an error at its turn, and the rest can be taken",
  async () => {
    const seen: string[] = [];
    const entries = [
      () => sleep(1, { value: "one" }),
      async () => {
        await sleep(2);
        throw new TypeError("two");
      },
      () => sleep(3, { value: "three" }),
    ];

    for (const next of asCompleted(entries)) {
      seen.push(await next.then((value) => value, (error) => `${error}`));
    }

    assertEquals(seen, ["one", "TypeError: two", "three"]);
  },
);

testClean(
  "asCompleted() gives a failed task to for await, without throwing",
  async () => {
    const states: string[] = [];
    const failing = createTask((): Promise<void> =>
      Promise.reject(new TypeError("wrong"))
    );
    for await (const task of asCompleted([failing])) {
      states.push(task.exception() instanceof TypeError ? "failed" : "done");
    }

    assertEquals(states, ["failed"]);
  },
);

testClean("asCompleted() of nothing gives nothing", async () => {
  for (const _ of asCompleted([])) assert(false);
  for await (const _ of asCompleted([], { timeoutMs: 5 })) assert(false);
});

testClean("an awaitable of asCompleted() can be awaited again", async () => {
  const results = asCompleted([() => 1, () => 2]);
  for (const next of results) {
    assertEquals(await next, await next);
  }
});

testClean(
  "the awaitables of asCompleted() can all be taken first",
  async () => {
    const nexts = [...asCompleted([
      () => sleep(2, { value: "b" }),
      () => sleep(1, { value: "a" }),
    ])];

    assertEquals(await Promise.all(nexts), ["a", "b"]);
  },
);

testClean("leaving the loop early leaves the others running", async () => {
  const slow = createTask(() => sleep(5, { value: "slow" }));
  const quick = createTask(() => sleep(1, { value: "quick" }));

  for await (const task of asCompleted([slow, quick])) {
    assertStrictEquals(task, quick);
    break;
  }

  assertFalse(slow.cancelling);
  assertEquals(await slow, "slow");
});

testClean(
  "an awaitable that was taken before the loop was left gives its value",
  async () => {
    const firsts: PromiseLike<string>[] = [];
    const other = createTask(() => sleep(2, { value: "other" }));
    const entries = [createTask(() => sleep(1, { value: "first" })), other];
    for (const next of asCompleted(entries)) {
      firsts.push(next);
      break;
    }

    assertEquals(await firsts[0], "first");
    await other;
  },
);

testClean(
  "asCompleted() throws a TimeoutError for what has not come in time",
  async ({ virtual }) => {
    const seen: string[] = [];
    const slow = createTask(() => sleep(100, { value: "slow" }));
    const quick = createTask(() => sleep(1, { value: "quick" }));

    const error = await assertRejects(async () => {
      for (const next of asCompleted([slow, quick], { timeoutMs: 10 })) {
        seen.push(await next);
      }
    }, TimeoutError);

    assertEquals([error.ms, seen, virtual.now], [10, ["quick"], 10]);
    assertFalse(slow.cancelling);
    await slow;
  },
);

testClean(
  "asCompleted() throws a TimeoutError for each that has not come",
  async () => {
    const tasks = [1, 2].map(() => createTask(() => sleep(20)));
    const errors: unknown[] = [];

    for (const next of asCompleted(tasks, { timeoutMs: 10 })) {
      errors.push(await next.then(() => "value", (error) => error.name));
    }

    assertEquals(errors, ["TimeoutError", "TimeoutError"]);
    await tasks[1];
  },
);

testClean(
  "asCompleted() throws a TimeoutError for all that wait at once",
  async ({ virtual }) => {
    const tasks = [1, 2].map(() => createTask(() => sleep(20)));

    const results = await Promise.all(
      [...asCompleted(tasks, { timeoutMs: 10 })].map((next) =>
        next.then(() => "value", (error) => [error.name, virtual.now])
      ),
    );

    assertEquals(results, [["TimeoutError", 10], ["TimeoutError", 10]]);
    await tasks[1];
  },
);

testClean(
  "asCompleted() keeps what has come in time, although it is taken later",
  async () => {
    const slow = createTask(() => sleep(20));
    const entries = [slow, createTask(() => sleep(1, { value: "in time" }))];
    const [first, second] = [...asCompleted(entries, { timeoutMs: 10 })];
    await sleep(15);

    assertEquals(await first, "in time");
    await assertRejects(async () => await second, TimeoutError);
    await slow;
  },
);

testClean(
  "asCompleted() in for await takes nothing when its wait is cancelled",
  async () => {
    const slow = createTask(() => sleep(10, { value: "slow" }));
    const results = asCompleted([slow])[Symbol.asyncIterator]();
    await assertRejects(() => timeout(5, () => results.next()), TimeoutError);

    const { done = false, value } = await results.next();

    assertFalse(done);
    assertStrictEquals(value, slow);
  },
);

testClean(
  "asCompleted() throws its TimeoutError in for await as well",
  async () => {
    const slow = createTask(() => sleep(20));

    await assertRejects(async () => {
      for await (const _ of asCompleted([slow], { timeoutMs: 10 })) {
        assert(false);
      }
    }, TimeoutError);
    await slow;
  },
);

testClean(
  "asCompleted() counts its time from the call",
  async ({ virtual }) => {
    const slow = createTask(() => sleep(50));
    const results = asCompleted([slow], { timeoutMs: 10 });
    await sleep(8);

    for (const next of results) {
      await assertRejects(() => next, TimeoutError);
    }

    assertEquals(virtual.now, 10);
    await slow;
  },
);

testClean(
  "asCompleted() takes its timer back when all have come",
  async ({ virtual }) => {
    for (const next of asCompleted([() => sleep(1)], { timeoutMs: 1000 })) {
      await next;
    }
    await sleep(0);

    assertEquals(virtual.now, 1);
  },
);

testClean(
  "asCompleted() takes its timer back when the loop is left",
  async ({ virtual }) => {
    const slow = createTask(() => sleep(5));
    const entries = [slow, createTask(() => 1)];
    for await (const _ of asCompleted(entries, { timeoutMs: 1000 })) break;
    await slow;
    await sleep(0);

    assertEquals(virtual.now, 5);
  },
);

testClean(
  "asCompleted() leaves no callback on tasks when its loop is left",
  async () => {
    const slow = createTask(() => sleep(100));
    const entries = [slow, createTask(() => sleep(1))];
    for await (const _ of asCompleted(entries)) break;

    assertEquals(outcomeOf(slow)?.unsubscribe(() => true), 0);
    await slow;
  },
);

testClean("cancelling the one who waits leaves the tasks running", async () => {
  const slow = createTask(() => sleep(10, { value: "slow" }));

  await assertRejects(() =>
    timeout(5, async () => {
      for (const next of asCompleted([slow])) await next;
    }), TimeoutError);

  assertFalse(slow.cancelling);
  assertEquals(await slow, "slow");
});

testClean("a result whose waiter was cancelled goes to the next", async () => {
  const results = asCompleted([
    () => sleep(10, { value: "a" }),
    () => sleep(20, { value: "b" }),
  ]);
  const [first, second] = [...results];
  const waiter = createTask(async () => await first);
  await sleep(1);
  waiter.cancel();
  await waiter.outcome();

  assertEquals(await second, "a");
  await sleep(20);
});

testClean("asCompleted() throws in a cancelled scope", async () => {
  const slow = createTask(() => sleep(5));
  await withScope(async (scope) => {
    scope.cancel();
    for (const next of asCompleted([slow])) {
      assertStrictEquals(await assertRejects(() => next), scope.error);
    }
  });
  await slow;
});

testClean(
  "asCompleted() shows a cancelled task as its cancellation",
  async () => {
    const task = createTask(() => sleep(Infinity));
    task.cancel("alone");

    for (const next of asCompleted([task])) {
      const error = await assertRejects(() => next, CancelledError);
      assertEquals(error.reason, "alone");
    }
  },
);

testClean(
  "asCompleted() throws on bad arguments, and starts nothing",
  async () => {
    const log: string[] = [];
    const fn = () => log.push("no");

    assertThrows(
      () => asCompleted([fn, 1 as never]),
      TypeError,
      "Cannot wait as each entry must be a function, a task, a future or a promise: current value is 1",
    );
    assertThrows(
      () => asCompleted([fn], { timeoutMs: -1 }),
      RangeError,
      'Cannot wait as "timeoutMs" must be a number >= 0: current value is -1',
    );
    await sleep(1);

    assertEquals(log, []);
  },
);
