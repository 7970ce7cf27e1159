import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { BrokenLockError } from "@ilmek/async/lock";
import { getRunningLoop } from "@ilmek/async/loop";
import { type Permit, ReentrantLock } from "@ilmek/async/reentrant-lock";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

testClean(
  "ReentrantLock is free when it was given back as often as taken",
  async () => {
    const lock = new ReentrantLock();
    const log: string[] = [];
    const outer = await lock.acquire();
    const inner = await lock.acquire();
    const other = createTask(() => lock.run(() => log.push("other")));
    await sleep(0);
    assertEquals([lock.depth, lock.locked, lock.waiting], [2, true, 1]);

    inner.release();
    await sleep(1);
    assertEquals([lock.depth, log.length], [1, 0]);
    outer.release();
    await other;

    assertEquals([lock.depth, lock.locked], [0, false]);
  },
);

testClean(
  "the permits of a reentrant lock may be given back in any order",
  async () => {
    const lock = new ReentrantLock();
    const [a, b, c] = [
      await lock.acquire(),
      await lock.acquire(),
      await lock.acquire(),
    ];

    a.release();
    assertEquals(lock.depth, 2);
    a.release();
    assertEquals(lock.depth, 2);
    c.release();
    assertEquals([lock.depth, b.held], [1, true]);
    b.release();

    assertFalse(lock.locked);
  },
);

testClean(
  "ReentrantLock.release() gives back what was taken last",
  async () => {
    const lock = new ReentrantLock();
    const outer = await lock.acquire();
    const inner = await lock.acquire();

    lock.release();
    assertEquals([outer.held, inner.held, lock.depth], [true, false, 1]);
    inner.release();
    assertEquals(lock.depth, 1);
    lock.release();

    assertEquals([outer.held, lock.locked], [false, false]);
    assertThrows(() => lock.release(), InvalidStateError, "nobody holds it");
  },
);

testClean(
  "a stale permit of a reentrant lock frees nobody else's",
  async () => {
    const lock = new ReentrantLock();
    const stale = await lock.acquire();
    lock.release();
    const other = createTask(() => lock.run(() => sleep(1)), { name: "other" });
    await sleep(0);
    stale.release();

    assertEquals([lock.depth, lock.owner], [1, "other"]);
    assertThrows(() => lock.release(), InvalidStateError, 'task "other" holds');
    await other;
  },
);

testClean("ReentrantLock.run() nests", async () => {
  const lock = new ReentrantLock();
  const depth = await lock.run(() =>
    lock.run(() => lock.run(() => lock.depth))
  );

  assertEquals([depth, lock.locked], [3, false]);
  await assertRejects(
    () =>
      lock.run(() =>
        lock.run(() => {
          throw new RangeError("failed");
        })
      ),
    RangeError,
  );
  assertFalse(lock.locked);
});

testClean("another task is kept out of a reentrant lock", async () => {
  const lock = new ReentrantLock();
  using _permit = await lock.acquire();
  const tried = await gather([
    () => lock.tryAcquire(),
    async () =>
      (await select({ lock: lock.acquireOp(), late: sleepOp(1) })).key,
  ]);

  assertEquals(tried, [undefined, "late"]);
  using _again = lock.tryAcquire();
  const { key, value } = await select({ lock: lock.acquireOp() });
  assertEquals([key, lock.depth], ["lock", 3]);
  value.release();
});

testClean(
  "ReentrantLock.acquire() ends with its scope and its signal",
  async () => {
    const lock = new ReentrantLock();
    const holder = createTask(() => lock.run(() => sleep(5)));
    await sleep(0);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = lock.acquire({ signal });
    controller.abort(new RangeError("enough"));
    await assertRejects(() => aborted, RangeError, "enough");
    await withScope(async (scope) => {
      const waiting = lock.acquire();
      scope.cancel();
      await assertRejects(() => waiting, CancelledError);
    });
    assertEquals(lock.waiting, 0);
    await holder;

    using _permit = await lock.acquire();
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => lock.acquire(), CancelledError);
    });
    assertEquals(lock.depth, 1);
  },
);

testClean("a reentrant lock is broken if its task ends", async () => {
  const lock = new ReentrantLock();
  let inner: Permit | undefined;
  await gather([async () => {
    await lock.acquire();
    inner = await lock.acquire();
  }]);

  await assertRejects(() => lock.acquire(), BrokenLockError);
  assert(inner?.held);
});

testClean("debug mode refuses code side by side in one task", async () => {
  getRunningLoop().debug = true;
  const lock = new ReentrantLock({ name: "door" });
  const work = () => lock.run(() => sleep(1));
  const task = createTask(() => Promise.allSettled([work(), work()]), {
    name: "both",
  });
  const [first, second] = await task;

  assertEquals(first.status, "fulfilled");
  assert(second.status === "rejected");
  assert(second.reason instanceof InvalidStateError);
  assertEquals(
    second.reason.message,
    'Cannot acquire reentrant lock "door" again: other code of task "both" runs side by side with this',
  );
  assertEquals(await lock.run(() => lock.run(() => lock.depth)), 2);
});

Deno.test("ReentrantLock refuses to be taken outside of tasks", async () => {
  const lock = new ReentrantLock();
  const message = "outside of a task: nobody would own it";

  await assertRejects(() => lock.acquire(), InvalidStateError, message);
  await assertRejects(() => lock.run(() => {}), InvalidStateError, message);
  assertThrows(() => lock.tryAcquire(), InvalidStateError, message);
  await assertRejects(
    () => lock.run(1 as unknown as () => void),
    TypeError,
    '"fn" must be a function',
  );
  assertFalse(lock.locked);
});

Deno.test("ReentrantLock lets one task in at a time in every order", async () => {
  await explore(async () => {
    const lock = new ReentrantLock();
    let inside = 0;
    const work = () =>
      lock.run(async () => {
        assertEquals(++inside, 1);
        await lock.run(() => checkpoint());
        inside--;
      });
    await gather([work, work, work]);

    assertEquals([lock.depth, lock.waiting], [0, 0]);
  }, { runs: 100 });
});

Deno.test("ReentrantLock loses nothing, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const lock = new ReentrantLock();
    const work = () => lock.run(() => lock.run(() => sleep(1)));
    sweep.check(() => assertEquals([lock.depth, lock.waiting], [0, 0]));
    const first = createTask(work);
    sweep.target(work, { name: "a" });
    sweep.target(work, { name: "b" });
    const last = createTask(work);
    await first;
    await last;
  });
});

testClean("ReentrantLock behaves as a number", () =>
  randomly(async (draw) => {
    const lock = new ReentrantLock();
    const permits: Permit[] = [];
    for (let step = 0; step < 300; step++) {
      const action = draw(3);
      if (action === 0) permits.push(await lock.acquire());
      else if (action === 1 && permits.length > 0) {
        lock.release();
        const index = permits.findIndex(({ held }) => !held);
        permits.splice(index, 1);
      } else if (permits.length > 0) {
        const [permit] = permits.splice(draw(permits.length), 1);
        permit?.release();
      }
      assertEquals(lock.depth, permits.length);
      assert(permits.every(({ held }) => held));
    }
    for (const permit of permits) permit.release();
    assertFalse(lock.locked);
  }));
