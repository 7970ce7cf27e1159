import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { wait } from "@ilmek/async/wait";
import { timeout } from "@ilmek/async/timeout";
import { leftovers, takeMessages, testClean } from "../_leaks.ts";

testClean("Future.setResult() wakes all who wait, in order", async () => {
  const future = new Future<number>();
  const log: string[] = [];
  const waiters = ["a", "b", "c"].map((name) =>
    createTask(async () => {
      log.push(`${name} ${await future}`);
    })
  );
  await sleep(1);
  assertFalse(future.done);

  future.setResult(7);
  for (const waiter of waiters) await waiter;

  assertEquals(log, ["a 7", "b 7", "c 7"]);
  assertEquals([future.done, future.cancelled, future.result()], [
    true,
    false,
    7,
  ]);
});

testClean("Future.setException() makes all who wait throw", async () => {
  const future = new Future<number>();
  const error = new TypeError("wrong");
  const waiters = [1, 2].map(() => createTask(async () => await future));
  await sleep(1);

  future.setException(error);

  for (const waiter of waiters) {
    assertStrictEquals(await assertRejects(() => waiter), error);
  }
  assertStrictEquals(future.exception(), error);
  assertStrictEquals(assertThrows(() => future.result()), error);
});

testClean("a future can be set only once", async () => {
  const done = new Future<number>({ name: "answer" });
  done.setResult(1);
  const failed = new Future<number>();
  failed.setException(new TypeError("wrong"));
  const cancelled = new Future<number>();
  cancelled.cancel();

  assertThrows(
    () => done.setResult(2),
    InvalidStateError,
    'Cannot set the result of future "answer": it is done already',
  );
  assertThrows(
    () => done.setException(new TypeError("x")),
    InvalidStateError,
    'Cannot set the exception of future "answer": it is done already',
  );
  assertThrows(() => failed.setResult(1), InvalidStateError, "it is failed");
  assertThrows(() => cancelled.setResult(1), InvalidStateError, "cancelled");
  assertFalse(done.cancel());
  assertEquals(await done, 1);
  await assertRejects(() => failed, TypeError);
});

testClean("Future.result() and exception() throw while it is pending", () => {
  const future = new Future<number>({ name: "answer" });

  assertThrows(
    () => future.result(),
    InvalidStateError,
    'Cannot read the result of future "answer": it is pending',
  );
  assertThrows(
    () => future.exception(),
    InvalidStateError,
    'Cannot read the exception of future "answer": it is pending',
  );
});

testClean("Future.exception() is undefined for a value", () => {
  const future = new Future<number>();
  future.setResult(1);

  assertEquals(future.exception(), undefined);
});

testClean("a future takes falsy values for what they are", async () => {
  for (const value of [undefined, null, 0, "", false]) {
    const future = new Future<unknown>();
    const waiter = createTask(async () => await future);
    await sleep(0);
    future.setResult(value as never);
    assertEquals(await waiter, value);
  }
});

testClean(
  "a future that lives long keeps none of the waits that gave up",
  async () => {
    const future = new Future<void>();
    const keeper = createTask(async () => await future);
    await sleep(0);
    const before = leftovers();

    for (let i = 0; i < 100; i++) {
      await timeout(1, () => future).catch(() => {});
    }

    assertEquals(leftovers(), before);
    future.setResult();
    await keeper;
  },
);

testClean(
  "Future.setResult() throws on a promise, a task or a future",
  async () => {
    const future = new Future<unknown>();
    const task = createTask(() => 1);

    for (
      const value of [Promise.resolve(), task, new Future(), { then() {} }]
    ) {
      assertThrows(
        () => future.setResult(value as never),
        TypeError,
        'Cannot set the result of a future as "value" must not be awaitable',
      );
    }
    assertFalse(future.done);
    await task;
  },
);

testClean(
  "Future.cancel() makes all who wait throw the one CancelledError",
  async () => {
    const future = new Future<void>({ name: "answer" });
    const waiters = [1, 2].map(() => createTask(async () => await future));
    await sleep(1);

    assert(future.cancel("not needed"));
    const errors = [];
    for (const waiter of waiters) {
      errors.push(await assertRejects(() => waiter, CancelledError));
    }

    assertStrictEquals(errors[0], errors[1]);
    assertEquals([errors[0]?.reason, errors[0]?.scope], [
      "not needed",
      "answer",
    ]);
    assert(future.cancelled);
    assertFalse(future.cancel());
    assertStrictEquals(assertThrows(() => future.exception()), errors[0]);
  },
);

testClean("cancelling the only waiter cancels the future", async () => {
  const future = new Future<void>();
  const waiter = createTask(async () => await future);
  await sleep(1);

  waiter.cancel();
  await waiter.outcome();

  assert(future.cancelled);
});

testClean("cancelling one of two waiters leaves the future", async () => {
  const future = new Future<string>();
  const one = createTask(async () => await future);
  const two = createTask(async () => await future);
  await sleep(1);

  one.cancel();
  await one.outcome();

  assertFalse(future.done);
  future.setResult("value");
  assertEquals(await two, "value");
});

testClean("cancelling both waiters one by one cancels the future", async () => {
  const future = new Future<string>();
  const one = createTask(async () => await future);
  const two = createTask(async () => await future);
  await sleep(1);

  one.cancel();
  await one.outcome();
  two.cancel();
  await two.outcome();

  assert(future.cancelled);
});

testClean(
  "await of a pending future in a cancelled scope cancels it",
  async () => {
    const future = new Future<void>();
    await withScope(async (scope) => {
      scope.cancel();
      assertStrictEquals(await assertRejects(() => future), scope.error);
    });

    assert(future.cancelled);
  },
);

testClean(
  "a value wins over a cancellation of the waiter in the same step",
  async () => {
    const future = new Future<string>();
    const waiter = createTask(async () => await future);
    await sleep(1);

    future.setResult("granted");
    waiter.cancel();

    assertEquals(await waiter, "granted");
  },
);

testClean(
  "a waiter that is cancelled first does not take the value",
  async () => {
    const future = new Future<string>();
    const waiter = createTask(async () => await future);
    const other = createTask(async () => await future);
    await sleep(1);

    waiter.cancel();
    future.setResult("value");

    await assertRejects(() => waiter, CancelledError);
    assertEquals(await other, "value");
  },
);

testClean(
  "a future with onCancel decides itself how it is cancelled",
  async () => {
    const log: string[] = [];
    const future: Future<string> = new Future({
      onCancel: (error) => {
        log.push(`${error.reason}`);
        return true;
      },
    });
    const waiter = createTask(async () => await future);
    await sleep(1);

    assert(future.cancel("please"));
    assertFalse(future.done);
    future.setResult("anyway");

    assertEquals(await waiter, "anyway");
    assertEquals(log, ["please"]);
  },
);

testClean("Future.cancel() returns what onCancel returns", () => {
  const future = new Future({ onCancel: () => false });

  assertFalse(future.cancel());
  assertFalse(future.done);
});

testClean(
  "an onCancel that throws is reported, and keeps nobody from being cancelled",
  async ({ reports }) => {
    const future = new Future({
      name: "broken",
      onCancel: () => {
        throw new TypeError("hook");
      },
    });
    await withScope(async (scope) => {
      const options = { scope: "current" } as const;
      const waiter = createTask(async () => await future, options);
      const sibling = createTask(() => sleep(100), options);
      await sleep(1);

      assert(scope.cancel());

      await uncancellable(() => wait([waiter, sibling]));
      assert(waiter.cancelled && sibling.cancelled);
    });

    assertEquals(`${reports[0]?.exception}`, "TypeError: hook");
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean("Future() throws on a bad onCancel", () => {
  assertThrows(
    () => new Future({ onCancel: 1 as never }),
    TypeError,
    'Cannot create a future as "onCancel" must be a function',
  );
});

testClean(
  "Future.addDoneCallback() calls in order, later, with the future",
  async () => {
    const future = new Future<number>();
    const log: string[] = [];
    future.addDoneCallback((done) => log.push(`one ${done === future}`));
    future.addDoneCallback(() => log.push("two"));

    future.setResult(1);
    log.push("set");
    future.addDoneCallback(() => log.push("late"));
    await sleep(0);

    assertEquals(log, ["set", "one true", "two", "late"]);
  },
);

testClean(
  "Future.addDoneCallback() calls in the context of who registered",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const future = new Future<void>();
    const log: unknown[] = [];
    await withScope(
      () =>
        user.run(
          "ada",
          () =>
            future.addDoneCallback(() =>
              log.push(user.get(), currentTask(), currentScope().name)
            ),
        ),
      { name: "registrant" },
    );

    future.setResult();
    await sleep(0);

    assertEquals(log, ["ada", undefined, "root"]);
  },
);

testClean(
  "Future.addDoneCallback() reports what a callback throws, and goes on",
  async ({ reports }) => {
    const future = new Future<void>();
    const log: string[] = [];
    future.addDoneCallback(() => {
      throw new TypeError("callback");
    });
    future.addDoneCallback(() => log.push("next"));

    future.setResult();
    await sleep(0);

    assertEquals(log, ["next"]);
    assertEquals(`${reports[0]?.exception}`, "TypeError: callback");
    takeMessages(reports);
  },
);

testClean(
  "a done callback may set another future, and read this one",
  async () => {
    const first = new Future<number>();
    const second = new Future<number>();
    first.addDoneCallback((done) => second.setResult(done.result() + 1));

    first.setResult(1);

    assertEquals(await second, 2);
  },
);

testClean(
  "Future.removeDoneCallback() takes back all calls of a function",
  async () => {
    const future = new Future<void>();
    const log: string[] = [];
    const twice = (): void => {
      log.push("twice");
    };
    future.addDoneCallback(twice);
    future.addDoneCallback(twice);
    future.addDoneCallback(() => log.push("once"));

    assertEquals(future.removeDoneCallback(twice), 2);
    assertEquals(future.removeDoneCallback(twice), 0);
    future.setResult();
    await sleep(0);

    assertEquals(log, ["once"]);
  },
);

testClean("Future.addDoneCallback() throws on anything but a function", () => {
  assertThrows(
    () => new Future().addDoneCallback(1 as never),
    TypeError,
    'Cannot add a callback as "fn" must be a function',
  );
});

testClean(
  "a failed future that nobody looks at is reported once",
  async ({ reports }) => {
    new Future({ name: "lonely" }).setException(new TypeError("lost"));

    await sleep(60_000);

    assertEquals(takeMessages(reports), [
      'Nobody has looked at future "lonely", which failed',
    ]);
  },
);

testClean(
  "a failed future that somebody looked at is not reported",
  async () => {
    const fail = () => {
      const future = new Future<void>();
      future.setException(new TypeError("seen"));
      return [future] as const;
    };
    const [one] = fail();
    const [two] = fail();
    const [three] = fail();

    one.exception();
    await two.catch(() => {});
    assertThrows(() => three.result(), TypeError);

    await sleep(60_000);
  },
);

testClean("Future.then() and catch() pass on as promises do", async () => {
  const future = new Future<number>();
  future.setResult(1);
  const failed = new Future<number>();
  failed.setException(new TypeError("wrong"));

  assertEquals(await future.then((n) => n + 1), 2);
  assertEquals(await failed.catch((error) => `${error}`), "TypeError: wrong");
});

testClean("Future prints its name and its state", () => {
  const future = new Future<number>({ name: "answer" });
  assertEquals(String(future), '<Future "answer" pending>');

  future.setResult(1);

  assertEquals(String(future), '<Future "answer" done>');
  assertEquals(Deno.inspect(future), String(future));
  assertEquals(new Future().name, "unnamed");
  assertEquals(Object.prototype.toString.call(future), "[object Future]");
});
