import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { waitFor } from "@ilmek/async/wait-for";
import { testClean } from "../_leaks.ts";

testClean(
  "waitFor() gives the value of a function, task, future or promise",
  async () => {
    const future = new Future<number>();
    future.setResult(3);

    assertEquals(await waitFor(() => sleep(1, { value: 1 }), 10), 1);
    assertEquals(await waitFor(createTask(() => 2), 10), 2);
    assertEquals(await waitFor(future, 10), 3);
    assertEquals(await waitFor(Promise.resolve(4), 10), 4);
  },
);

testClean("waitFor() calls a function in the task that waits", async () => {
  const task = createTask(() => waitFor(() => currentTask()?.name, 10), {
    name: "waiter",
  });

  assertEquals(await task, "waiter");
});

testClean("waitFor() throws what is thrown", async () => {
  const error = new TypeError("wrong");

  const thrown = await assertRejects(() =>
    waitFor(() => Promise.reject(error), 10)
  );

  assertStrictEquals(thrown, error);
});

testClean(
  "waitFor() cancels a task when the time runs out, and waits for its end",
  async ({ virtual }) => {
    const task = createTask(async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(20));
      }
    });

    const error = await assertRejects(() => waitFor(task, 5), TimeoutError);

    assertEquals([error.ms, virtual.now], [5, 25]);
    assert(task.cancelled);
  },
);

testClean("waitFor() cancels a task that others await, too", async () => {
  const task = createTask(() => sleep(Infinity));
  const other = createTask(async () => await task);
  await sleep(1);

  await assertRejects(() => waitFor(task, 5), TimeoutError);

  await assertRejects(() => other, CancelledError);
});

testClean(
  "waitFor() that is cancelled cancels the task, also if others await it",
  async () => {
    const task = createTask(() => sleep(Infinity));
    const other = createTask(async () => await task);
    const waiter = createTask(() => waitFor(task, 100));
    await sleep(1);

    waiter.cancel("waiter");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "waiter");
    await assertRejects(() => other, CancelledError);
    assert(task.cancelled);
  },
);

testClean(
  "waitFor() gives the value of a task that swallows its cancellation",
  async () => {
    const task = createTask(async () => {
      await sleep(Infinity).catch(() => {});
      return "salvaged";
    });

    assertEquals(await waitFor(task, 5), "salvaged");
  },
);

testClean(
  "waitFor() throws the error of a task that fails while it ends",
  async () => {
    const task = createTask(() =>
      sleep(Infinity).catch(() => {
        throw new RangeError("cleanup");
      })
    );

    await assertRejects(() => waitFor(task, 5), RangeError, "cleanup");
  },
);

testClean(
  "waitFor() lets a cancellation of the task itself through",
  async () => {
    const task = createTask(() => sleep(Infinity));
    const waiter = createTask(() => waitFor(task, 100));
    await sleep(1);

    task.cancel("task");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "task");
  },
);

testClean(
  "waitFor() does not swallow a cancellation in the step that completes",
  async () => {
    const task = createTask(() => sleep(10, { value: "value" }));
    const waiter = createTask(async () => {
      const value = await waitFor(task, 100);
      await sleep(1);
      return value;
    });
    const killer = createTask(async () => {
      await sleep(10);
      waiter.cancel("outer");
    });
    await killer;

    const error = await assertRejects(() => waiter, CancelledError);

    assertEquals(error.reason, "outer");
  },
);

testClean("waitFor(fn, 0) does not call its function", async () => {
  const log: string[] = [];

  await assertRejects(() => waitFor(() => log.push("no"), 0), TimeoutError);

  assertEquals(log, []);
});

testClean(
  "waitFor(task, 0) takes what is there already, else cancels",
  async () => {
    const ended = createTask(() => "there");
    await ended;
    const slow = createTask(() => sleep(100));

    assertEquals(await waitFor(ended, 0), "there");
    await assertRejects(() => waitFor(slow, 0), TimeoutError);
    assert(slow.cancelled);
  },
);

testClean("waitFor(null) waits without a limit", async ({ virtual }) => {
  await waitFor(() => sleep(1e9), null);

  assertEquals(virtual.now, 1e9);
});

testClean(
  "waitFor() leaves a promise alone when the time runs out",
  async ({ virtual }) => {
    const never = new Promise(() => {});
    const waiter = createTask(() => waitFor(never, 50));
    await new Promise((resolve) => setTimeout(resolve, 0));

    waiter.cancel();
    await assertRejects(() => waiter, CancelledError);
    await sleep(1);

    assertEquals(virtual.now, 1);
  },
);

testClean(
  "waitFor() within a timeout gives the error of who ended it",
  async () => {
    const inner = createTask(() => sleep(Infinity));

    const error = await assertRejects(
      () => timeout(5, () => waitFor(inner, 10), { label: "outer" }),
      TimeoutError,
    );

    assertEquals(error.label, "outer");
    assert(inner.cancelled);
  },
);

testClean(
  "waitFor() leaves no timer when it was quick",
  async ({ virtual }) => {
    await waitFor(() => sleep(1), 1000);
    await sleep(0);

    assertEquals(virtual.now, 1);
  },
);

testClean("waitFor() rejects bad arguments, and starts nothing", async () => {
  const log: string[] = [];
  const fn = () => log.push("no");

  await assertRejects(
    () => waitFor(1 as never, 10),
    TypeError,
    "Cannot wait as each entry must be a function, a task, a future or a promise: current value is 1",
  );
  await assertRejects(
    () => waitFor(fn, -1),
    RangeError,
    'Cannot wait as "ms" must be a number >= 0: current value is -1',
  );
  await assertRejects(() => waitFor(fn, NaN), RangeError, "NaN");

  assertEquals(log, []);
});

testClean("waitFor() ends a future that nobody sets", async () => {
  const future = new Future<void>();

  await assertRejects(() => waitFor(future, 5), TimeoutError);

  assert(future.cancelled);
  assertFalse(future.cancel());
});
