import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { assertNoLeaks, LeakError } from "@ilmek/async/assert-no-leaks";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual, testVirtual } from "@ilmek/async/virtual";

/** What `assertNoLeaks` finds. */
async function leaksOf(fn?: () => unknown): Promise<readonly string[]> {
  const error = await assertRejects(() => assertNoLeaks(fn), LeakError);
  return error.leaks;
}

testVirtual("assertNoLeaks() passes where nothing is left", async () => {
  await assertNoLeaks();
  await assertNoLeaks(async () => {
    await createTask(() => sleep(1)).outcome();
  });
});

testVirtual(
  "assertNoLeaks() finds a task, with what it waits for",
  async () => {
    const task = createTask(() => new Future<void>({ name: "gate" }), {
      name: "idler",
    });

    const leaks = await leaksOf();

    assertEquals(leaks, [
      'scope "idler"',
      'task "idler" waits for future "gate"',
    ]);
    task.cancel();
  },
);

testVirtual("assertNoLeaks() tells a wait that has a timer once", async () => {
  const task = createTask(() => sleep(1000), { name: "napper" });

  assertEquals(await leaksOf(), [
    'scope "napper"',
    'task "napper" waits for time to pass',
  ]);
  task.cancel();
});

testVirtual("assertNoLeaks() finds callbacks and holds", async () => {
  const loop = getRunningLoop();
  const handle = loop.callLater(1000, () => {});
  const release = loop.hold("a parcel");

  assertEquals(await leaksOf(), ["a timer: a callback", "a hold: a parcel"]);
  handle.cancel();
  release[Symbol.dispose]();
  await assertNoLeaks();
});

testVirtual(
  "assertNoLeaks() counts only what its function has left",
  async () => {
    const before = createTask(() => sleep(1000));

    await assertNoLeaks(() => sleep(1));
    const late = Promise.withResolvers<void>();
    const leaks = await leaksOf(() => {
      const task = createTask(() => sleep(1000), { name: "late" });
      late.promise.then(() => task.cancel());
    });

    assertEquals(leaks[0], 'scope "late"');
    assertEquals(leaks.length, 2);
    late.resolve();
    before.cancel();
  },
);

testVirtual("assertNoLeaks() does not count the scopes around it", async () => {
  await timeout(1000, () => withScope(() => assertNoLeaks()));
});

testVirtual("assertNoLeaks() lets go what was cancelled last", async () => {
  const slow = createTask(async () => {
    try {
      await sleep(1000);
    } finally {
      for (let i = 0; i < 50; i++) await null;
    }
  });
  await sleep(0);
  slow.cancel();

  await assertNoLeaks();
});

testVirtual(
  "assertNoLeaks() does not wait for time to pass",
  async (virtual) => {
    const task = createTask(() => sleep(1000));

    await leaksOf();

    assertEquals(virtual.now, 0);
    task.cancel();
  },
);

testVirtual("assertNoLeaks() throws what its function throws", async () => {
  await assertRejects(
    () =>
      assertNoLeaks(() => {
        throw new TypeError("mine");
      }),
    TypeError,
    "mine",
  );
  await assertRejects(
    () => assertNoLeaks(1 as never),
    TypeError,
    'Cannot assert that nothing leaks as "fn" must be a function: current value is 1',
  );
});

Deno.test("assertNoLeaks() works in real time", async () => {
  await assertNoLeaks(() => sleep(1));
  let stop: () => void = () => {};

  const leaks = await leaksOf(() => {
    const task = createTask(() => sleep(60_000), { name: "napper" });
    stop = () => task.cancel();
  });

  assertEquals(leaks[0], 'scope "napper"');
  stop();
  await sleep(0);
});

Deno.test("LeakError tells what is left", async () => {
  const error = await assertRejects(() =>
    runVirtual(async () => {
      createTask(() => sleep(1000), { name: "napper" });
      await assertNoLeaks();
    })
  );

  assertInstanceOf(error, LeakError);
  assertEquals(
    error.message,
    "Cannot end cleanly: this is left behind\n" +
      '  scope "napper"\n  task "napper" waits for time to pass',
  );
});
