import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { withScope } from "@ilmek/async/scope";
import { shield } from "@ilmek/async/shield";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

testClean(
  "shield() gives the value of a function, a task, a future or a promise",
  async () => {
    const future = new Future<number>();
    future.setResult(3);

    assertEquals(await shield(() => sleep(1, { value: 1 })), 1);
    assertEquals(await shield(createTask(() => 2)), 2);
    assertEquals(await shield(future), 3);
    assertEquals(await shield(Promise.resolve(4)), 4);
  },
);

testClean("shield() throws what the work throws", async () => {
  const error = new TypeError("wrong");

  const thrown = await assertRejects(() => shield(() => Promise.reject(error)));

  assertStrictEquals(thrown, error);
});

testClean("shield() throws on anything else", () => {
  assertThrows(
    () => shield(1 as never),
    TypeError,
    "Cannot shield as each entry must be a function, a task, a future or a promise: current value is 1",
  );
});

testClean(
  "shield() lets its waiter go at once, while the work goes on",
  async ({ virtual }) => {
    const work = createTask(() => sleep(20, { value: "written" }));

    await assertRejects(() => timeout(5, () => shield(work)), TimeoutError);

    assertEquals(virtual.now, 5);
    assertFalse(work.cancelling);
    assertEquals(await work, "written");
  },
);

testClean("shield() of a function starts it as a task of the run", async () => {
  const log: string[] = [];

  await assertRejects(() =>
    timeout(5, () =>
      shield(async () => {
        await sleep(20);
        log.push("written");
      })), TimeoutError);
  await sleep(20);

  assertEquals(log, ["written"]);
});

testClean(
  "shield() shows its waiter that the work itself was cancelled",
  async () => {
    const work = createTask(() => sleep(100));
    const waiter = createTask(async () => await shield(work));
    await sleep(1);

    work.cancel("work");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "work");
  },
);

testClean(
  "shield() can be cancelled as a future, and leaves the work alone",
  async () => {
    const work = createTask(() => sleep(10, { value: "value" }));
    const shielded = shield(work);

    assert(shielded.cancel("not needed"));

    const error = await assertRejects(() => shielded, CancelledError);
    assertEquals(error.reason, "not needed");
    assertEquals(await work, "value");
  },
);

testClean(
  "shield() in a cancelled scope throws, and the work begins all the same",
  async () => {
    const log: string[] = [];

    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(
        () => shield(() => log.push("begun")),
        CancelledError,
      );
    });
    await sleep(1);

    assertEquals(log, ["begun"]);
  },
);

testClean(
  "shield() reports a failure that comes when nobody waits any more",
  async ({ reports }) => {
    await timeout(5, () =>
      shield(async () => {
        await sleep(10);
        throw new TypeError("late");
      })).catch(() => {});

    await sleep(60_000);

    assertEquals(`${reports[0]?.exception}`, "TypeError: late");
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean(
  "shield() reports the late failure of a promise as well",
  async ({ reports }) => {
    const { promise, reject } = Promise.withResolvers<void>();
    shield(promise).cancel();
    reject(new TypeError("late"));

    await sleep(60_000);

    assertEquals(`${reports[0]?.exception}`, "TypeError: late");
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean(
  "shield() keeps a failed future from being reported when it is awaited",
  async () => {
    await assertRejects(
      () => shield(() => Promise.reject(new TypeError("seen"))),
      TypeError,
    );

    await sleep(60_000);
  },
);

testClean(
  "shield() does not keep another waiter from cancelling the work",
  async () => {
    const work = createTask(() => sleep(100));
    const shielded = createTask(async () => await shield(work));
    const plain = createTask(async () => await work);
    await sleep(1);

    plain.cancel();
    await plain.outcome();

    assert(work.cancelled);
    await assertRejects(() => shielded, CancelledError);
  },
);
