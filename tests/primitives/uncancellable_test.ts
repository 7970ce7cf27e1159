import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

testClean("uncancellable() gives what its function returns", async () => {
  assertEquals(await uncancellable(() => sleep(1, { value: 1 })), 1);
  assertEquals(await uncancellable(() => 2), 2);
});

testClean("uncancellable() throws what its function throws", async () => {
  const error = new TypeError("wrong");

  const thrown = await assertRejects(() =>
    uncancellable(() => Promise.reject(error))
  );

  assertStrictEquals(thrown, error);
});

testClean("uncancellable() rejects bad arguments", async () => {
  await assertRejects(
    () => uncancellable(1 as never),
    TypeError,
    'Cannot run cleanup as "fn" must be a function',
  );
  for (const graceMs of [-1, NaN]) {
    await assertRejects(
      () => uncancellable(() => {}, { graceMs }),
      RangeError,
      'Cannot run cleanup as "graceMs" must be a number >= 0',
    );
  }
});

testClean(
  "uncancellable() may wait in a scope that was cancelled before",
  async ({ virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      await uncancellable(async () => {
        assertFalse(currentScope().cancelled);
        await sleep(10);
      });
      assertEquals(virtual.now, 10);
      await assertRejects(() => sleep(1), CancelledError);
    });
  },
);

testClean(
  "uncancellable() does not see a cancellation that comes meanwhile",
  async ({ virtual }) => {
    const task = createTask(async () => {
      await uncancellable(() => sleep(10));
      await sleep(1);
    });
    await sleep(1);

    task.cancel();

    await assertRejects(() => task, CancelledError);
    assertEquals(virtual.now, 10);
  },
);

testClean(
  "uncancellable() keeps scopes inside from being cancelled, too",
  async () => {
    const task = createTask(() =>
      uncancellable(() => withScope(() => sleep(10, { value: "inside" })))
    );
    await sleep(1);

    task.cancel();

    assertEquals(await task, "inside");
  },
);

testClean(
  "uncancellable() is cancelled when its grace is over, and reported by name",
  async ({ reports, virtual }) => {
    const task = createTask(() =>
      uncancellable(() => sleep(Infinity), { graceMs: 20, name: "close pool" })
    );
    await sleep(5);

    task.cancel("enough");
    const error = await assertRejects(() => task, CancelledError);

    assertEquals(virtual.now, 25);
    assertEquals(error.reason, "enough");
    assertStrictEquals(reports[0]?.exception, error);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "close pool": its grace of 20 ms is over',
    ]);
  },
);

testClean(
  "uncancellable() has a grace of 5 s by default",
  async ({ reports, virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(
        () => uncancellable(() => sleep(Infinity)),
        CancelledError,
      );
    });

    assertEquals(virtual.now, 5000);
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean(
  "uncancellable() counts its grace from the first cancellation",
  async ({ reports, virtual }) => {
    const task = createTask(() =>
      withScope(async (scope) => {
        setScopeLater(scope, 10);
        await uncancellable(() => sleep(Infinity), { graceMs: 20 });
      })
    );
    await sleep(15);

    task.cancel();
    await task.outcome();

    assertEquals(virtual.now, 30);
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean(
  "uncancellable() with no grace is cancelled at the next turn",
  async ({ reports, virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(
        () => uncancellable(() => sleep(10), { graceMs: 0 }),
        CancelledError,
      );
    });

    assertEquals(virtual.now, 0);
    takeMessages(reports);
  },
);

testClean(
  "uncancellable() with an endless grace is never cancelled",
  async () => {
    await withScope(async (scope) => {
      scope.cancel();
      await uncancellable(() => sleep(1e9), { graceMs: Infinity });
    });
  },
);

testClean(
  "uncancellable() takes its grace back when it ends",
  async ({ virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      await uncancellable(() => sleep(1));
    });
    await sleep(0);

    assertEquals(virtual.now, 1);
  },
);

testClean(
  "a timeout inside of uncancellable() counts as ever",
  async ({ virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(
        () => uncancellable(() => timeout(10, () => sleep(100))),
        TimeoutError,
      );
    });

    assertEquals(virtual.now, 10);
  },
);

testClean(
  "a scope inside of uncancellable() can be cancelled by itself",
  async () => {
    await uncancellable(async () => {
      await assertRejects(() =>
        withScope((scope) => {
          scope.cancel();
          return sleep(1);
        }), CancelledError);
      await sleep(1);
    });
  },
);

testClean(
  "an error that its function throws by itself is not absorbed",
  async () => {
    const foreign = new CancelledError("foreign");

    const error = await assertRejects(() =>
      uncancellable(() => Promise.reject(foreign))
    );

    assertStrictEquals(error, foreign);
  },
);

testClean("uncancellable() stands for its own function only", async () => {
  await withScope(async (scope) => {
    const cleanup = uncancellable(() => sleep(10));
    const sibling = sleep(10);
    scope.cancel();

    await assertRejects(() => sibling, CancelledError);
    await cleanup;
  });
});

testClean(
  "the waits of another task are not hidden by uncancellable()",
  async () => {
    const other = createTask(() => sleep(100));
    const task = createTask(() => uncancellable(async () => await other));
    await sleep(1);

    task.cancel();
    await sleep(1);
    assertFalse(other.cancelling);

    other.cancel("other");
    const error = await assertRejects(() => task, CancelledError);
    assert(other.cancelled);
    assertEquals(error.reason, "other");
  },
);

testClean(
  "uncancellable() in uncancellable() has a grace of its own",
  async ({ reports, virtual }) => {
    const task = createTask(() =>
      uncancellable(
        () => uncancellable(() => sleep(Infinity), { graceMs: 10 }),
        { graceMs: 20 },
      )
    );
    await sleep(0);

    task.cancel();
    await task.outcome();

    assertEquals(virtual.now, 30);
    assertEquals(takeMessages(reports).length, 2);
  },
);

testClean(
  "uncancellable() joins a task that its function returns",
  async () => {
    const child = createTask(() => sleep(10, { value: "child" }));
    const task = createTask(() => uncancellable(() => child));
    await sleep(1);

    task.cancel();

    assertEquals(await task, "child");
  },
);

function setScopeLater(scope: { cancel(): boolean }, ms: number): void {
  createTask(async () => {
    await sleep(ms);
    scope.cancel();
  });
}
