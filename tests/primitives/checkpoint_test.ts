import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  abortable,
  checkpoint,
  throwIfCancelled,
} from "@ilmek/async/checkpoint";
import { TimeoutError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

/** Waits for something that is ready until a turn has come, or for ever. */
async function roundsUntilTurn(step: () => PromiseLike<unknown>) {
  let turned = false;
  getRunningLoop().callSoon(() => turned = true);
  let rounds = 0;
  while (!turned && rounds < 10_000) {
    rounds++;
    await step();
  }
  return rounds;
}

testClean("checkpoint() does not wait as a rule", async () => {
  const log: string[] = [];
  getRunningLoop().callSoon(() => log.push("turn"));

  await checkpoint();

  assertEquals(log, []);
  await sleep(0);
});

testClean("checkpoint() throws in a cancelled scope", async () => {
  await withScope(async (scope) => {
    await checkpoint();
    scope.cancel();
    assertStrictEquals(await assertRejects(checkpoint), scope.error);
  });
});

testClean("checkpoint() gives way now and then", async () => {
  assertLess(await roundsUntilTurn(checkpoint), 1000);
});

testClean("awaiting a task that has ended gives way now and then", async () => {
  const task = createTask(() => 1);
  await task;

  assertLess(await roundsUntilTurn(() => task), 1000);
});

testClean("awaiting a future that is done gives way now and then", async () => {
  const future = new Future<number>();
  future.setResult(1);

  assertLess(await roundsUntilTurn(() => future), 1000);
});

testClean(
  "awaiting a task that was cancelled gives way now and then",
  async () => {
    const task = createTask(() => sleep(Infinity));
    task.cancel();
    const swallow = () => task.catch(() => {});

    assertLess(await roundsUntilTurn(swallow), 1000);
  },
);

testClean(
  "throwIfCancelled() throws in a cancelled scope, at once",
  async () => {
    await withScope((scope) => {
      throwIfCancelled();
      scope.cancel();
      assertStrictEquals(assertThrows(throwIfCancelled), scope.error);
    });
  },
);

testClean("abortable() gives what the promise gives", async () => {
  assertEquals(await abortable(Promise.resolve(1)), 1);
  await assertRejects(
    () => abortable(Promise.reject(new TypeError("wrong"))),
    TypeError,
    "wrong",
  );
});

testClean(
  "abortable() leaves a promise that never settles",
  async ({ virtual }) => {
    const gate = Promise.withResolvers<void>();
    const work = createTask(() => abortable(gate.promise));
    await nextMacrotask();

    work.cancel("enough");
    const error = await assertRejects(() => work);

    assertEquals(virtual.now, 0);
    assert(`${error}`.includes("enough"));
  },
);

testClean(
  "abortable() holds the clock until the promise is settled",
  async ({ virtual }) => {
    const log: string[] = [];
    getRunningLoop().callLater(10, () => log.push("timer"));

    await abortable(nextMacrotask());
    log.push(`settled at ${virtual.now}`);
    await sleep(10);

    assertEquals(log, ["settled at 0", "timer"]);
  },
);

testClean(
  "abortable() lets the clock go on once it was cancelled",
  async ({ virtual }) => {
    const work = createTask(() => abortable(new Promise(() => {})));
    await nextMacrotask();
    work.cancel();
    await work.outcome();

    await sleep(10);

    assertEquals(virtual.now, 10);
  },
);

testClean("abortable() drops what the promise gives later", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const work = createTask(() => abortable(promise));
  await nextMacrotask();
  work.cancel();
  await work.outcome();

  reject(new TypeError("too late"));

  await nextMacrotask();
});

testClean("abortable() takes a promise that calls back at once", async () => {
  const ready = {
    then(onDone: (value: number) => void) {
      onDone(7);
    },
  } as PromiseLike<number>;

  assertEquals(await abortable(ready), 7);
});

testClean(
  "abortable() rejects if then() throws, and holds nothing",
  async () => {
    const broken = {
      then() {
        throw new TypeError("then");
      },
    } as unknown as PromiseLike<number>;

    await assertRejects(() => abortable(broken), TypeError, "then");
  },
);

testClean("abortable() rejects with the reason of its signal", async () => {
  const controller = new AbortController();
  const reason = new TypeError("left");
  const never = new Promise(() => {});
  const work = abortable(never, { signal: controller.signal });

  controller.abort(reason);

  assertStrictEquals(await assertRejects(() => work), reason);
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(
    await assertRejects(() => abortable(never, { signal })),
    reason,
  );
});

testClean(
  "abortable() throws in a cancelled scope, and minds the promise",
  async () => {
    await withScope(async (scope) => {
      scope.cancel();
      const failing = Promise.reject(new TypeError("nobody sees it"));
      assertStrictEquals(
        await assertRejects(() => abortable(failing)),
        scope.error,
      );
    });
  },
);

testClean("abortable() rejects anything but a promise", async () => {
  await assertRejects(
    () => abortable(1 as never),
    TypeError,
    'Cannot wait as "promise" must be a promise: current value is 1',
  );
});

Deno.test("abortable() in real time is ended by a timeout", async () => {
  const never = new Promise(() => {});

  await assertRejects(() => timeout(1, () => abortable(never)), TimeoutError);
});

/** A turn of the platform, which virtual time cannot see. */
function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
