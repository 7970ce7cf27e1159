import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

/** Sleeps, then throws. */
async function failAfter(ms: number, message: string): Promise<never> {
  await sleep(ms);
  throw new TypeError(message);
}

testClean(
  "gather() gives results in the order of its entries",
  async ({ virtual }) => {
    const values = await gather([
      () => sleep(3, { value: "slow" }),
      () => sleep(1, { value: "quick" }),
      () => "at once",
    ]);

    assertEquals(values, ["slow", "quick", "at once"]);
    assertEquals(virtual.now, 3);
  },
);

testClean("gather() keeps the names of a record", async () => {
  const { user, posts } = await gather({
    user: () => sleep(1, { value: "ada" }),
    posts: () => sleep(2, { value: 7 }),
  });

  assertEquals(`${user.toUpperCase()} ${posts + 1}`, "ADA 8");
});

testClean("gather() takes functions, tasks, futures and promises", async () => {
  const future = new Future<string>();
  const task = createTask(() => sleep(1, { value: "task" }));
  const gathered = gather([
    () => "function",
    task,
    future,
    Promise.resolve("promise"),
  ]);

  future.setResult("future");

  assertEquals(await gathered, ["function", "task", "future", "promise"]);
});

testClean("gather() of nothing gives nothing", async () => {
  assertEquals(await gather([]), []);
  assertEquals(await gather({}), {});
});

testClean("gather() takes the same task twice", async () => {
  const task = createTask(() => sleep(1, { value: 1 }));

  assertEquals(await gather([task, task]), [1, 1]);
});

testClean("gather() begins functions in order, not at once", async () => {
  const log: number[] = [];
  const gathered = gather([() => log.push(1), () => log.push(2)]);

  assertEquals(log, []);
  await gathered;

  assertEquals(log, [1, 2]);
});

testClean(
  "gather() throws the first error at once, and the others go on",
  async ({ virtual }) => {
    const log: string[] = [];
    const error = await assertRejects(
      () =>
        gather([
          () => sleep(10).then(() => log.push("went on")),
          () => failAfter(1, "first"),
          () => failAfter(2, "second"),
        ]),
      TypeError,
    );

    assertEquals([error.message, virtual.now], ["first", 1]);
    await sleep(20);
    assertEquals(log, ["went on"]);
  },
);

testClean(
  "gather() that has failed leaves the others out of the caller's scope",
  async () => {
    const log: string[] = [];

    await assertRejects(() =>
      timeout(5, async () => {
        await gather([
          () => sleep(10).then(() => log.push("went on")),
          () => failAfter(1, "first"),
        ]).catch(() => {});
        await sleep(60_000);
      }), TimeoutError);

    await sleep(20);
    assertEquals(log, ["went on"]);
  },
);

testClean("gather() minds errors after the first", async () => {
  await assertRejects(() =>
    gather([() => failAfter(1, "first"), () => failAfter(2, "second")])
  );

  await sleep(60_000);
});

testClean(
  "gather() puts errors in their places with returnExceptions",
  async () => {
    const error = new TypeError("wrong");

    const results = await gather([
      () => 1,
      () => Promise.reject(error),
      () => sleep(1, { value: 3 }),
    ], { returnExceptions: true });

    assertEquals(results, [1, error, 3]);
    assertStrictEquals(results[1], error);
  },
);

testClean(
  "gather() puts cancellations of entries in their places as well",
  async () => {
    const task = createTask(() => sleep(Infinity));
    task.cancel("alone");

    const [result] = await gather([task], { returnExceptions: true });

    assertInstanceOf(result, CancelledError);
    assertEquals(result.reason, "alone");
  },
);

testClean("gather() throws when an entry was cancelled by itself", async () => {
  const task = createTask(() => sleep(Infinity));
  const other = createTask(() => sleep(5, { value: "other" }));
  const gathered = gather([task, other]);
  await sleep(1);

  task.cancel("alone");

  const error = await assertRejects(() => gathered, CancelledError);
  assertEquals(error.reason, "alone");
  assertEquals(await other, "other");
});

testClean(
  "cancelling the one who awaits a gather cancels all entries, and waits",
  async ({ virtual }) => {
    const log: string[] = [];
    const linger = async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(10));
        log.push(`gone at ${virtual.now}`);
      }
    };
    const task = createTask(linger);

    await assertRejects(
      () => timeout(5, () => gather([task, linger])),
      TimeoutError,
    );

    assertEquals(log, ["gone at 15", "gone at 15"]);
    assert(task.cancelled);
  },
);

testClean(
  "gather() with returnExceptions does not hide the caller's cancellation",
  async () => {
    await assertRejects(
      () =>
        timeout(5, () =>
          gather([() => sleep(100), () => sleep(100)], {
            returnExceptions: true,
          })),
      TimeoutError,
    );
  },
);

testClean("Future.cancel() of a gather cancels all entries", async () => {
  const tasks = [1, 2].map(() => createTask(() => sleep(Infinity)));
  const gathered = gather(tasks);
  await sleep(1);

  assert(gathered.cancel("stop"));
  const error = await assertRejects(() => gathered, CancelledError);

  assertEquals(error.reason, "stop");
  assert(gathered.cancelled && tasks.every((task) => task.cancelled));
});

testClean(
  "Future.cancel() of a gather that has ended returns false",
  async () => {
    const gathered = gather([() => 1]);
    await gathered;

    assertFalse(gathered.cancel());
  },
);

testClean("gather() cancels entries that others await, too", async () => {
  const task = createTask(() => sleep(Infinity));
  const other = createTask(async () => await task);
  await sleep(1);

  await assertRejects(() => timeout(5, () => gather([task])), TimeoutError);

  await assertRejects(() => other, CancelledError);
});

testClean(
  "gather() in a cancelled scope cancels its functions before they begin",
  async () => {
    const log: string[] = [];
    await withScope(async (scope) => {
      scope.cancel();
      const error = await assertRejects(() => gather([() => log.push("no")]));
      assertStrictEquals(error, scope.error);
    });

    assertEquals(log, []);
  },
);

testClean(
  "gather() leaves the clock alone once a promise was cancelled",
  async ({ virtual }) => {
    const never = new Promise(() => {});
    const gathered = gather([never]);

    gathered.cancel();
    await assertRejects(() => gathered, CancelledError);
    await sleep(10);

    assertEquals(virtual.now, 10);
  },
);

testClean("gather() of nested gathers is cancelled as a whole", async () => {
  const tasks: Task<void>[] = [];
  const sleeper = () => {
    const task = createTask(() => sleep(Infinity));
    tasks.push(task);
    return task;
  };

  await assertRejects(
    () =>
      timeout(
        5,
        () => gather([gather([sleeper(), sleeper()]), gather([sleeper()])]),
      ),
    TimeoutError,
  );

  assert(tasks.length === 3 && tasks.every((task) => task.cancelled));
});

testClean("gather() throws if it is called as in Python", async () => {
  const task = createTask(() => 1);
  const variadic = gather as unknown as (...args: unknown[]) => unknown;
  const message = "write gather([a, b]) or gather({ a, b })";

  for (const first of [() => 1, task, Promise.resolve(), 1, null, "ab"]) {
    assertThrows(() => variadic(first, () => 2), TypeError, message);
  }
  assertThrows(() => variadic(new Set([() => 1])), TypeError, message);
  assertThrows(() => variadic(), TypeError, message);
  await task;
});

testClean(
  "gather() throws on an entry of another kind, and starts none",
  async () => {
    const log: string[] = [];

    assertThrows(
      () => gather([() => log.push("no"), 5 as never]),
      TypeError,
      "Cannot gather as each entry must be a function, a task, a future or a promise: current value is 5",
    );
    await sleep(1);

    assertEquals(log, []);
  },
);

testClean(
  "a failed gather that nobody looks at is reported once",
  async ({ reports }) => {
    gather([() => failAfter(1, "lost")]);

    await sleep(60_000);

    assertEquals(takeMessages(reports), [
      'Nobody has looked at future "gather", which failed',
    ]);
  },
);
