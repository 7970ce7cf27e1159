import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { getRunningLoop } from "@ilmek/async/loop";
import { RateLimitedError, RateLimiter } from "@ilmek/async/rate-limiter";
import { select, trySelect } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const now = () => getRunningLoop().time();

testClean(
  "RateLimiter.acquireOp() takes a turn in the order of the calls",
  async () => {
    const limiter = new RateLimiter({ limit: 1, perMs: 100 });
    limiter.tryAcquire();
    const log: string[] = [];
    const take = async (name: string) => {
      await select({ turn: limiter.acquireOp() });
      log.push(`${name} at ${Math.round(now())}`);
    };

    const tasks = ["a", "b"].map((name) => createTask(() => take(name)));
    await sleep(0);
    const last = limiter.acquire();
    for (const task of tasks) await task;
    await last;

    assertEquals(log, ["a at 100", "b at 200"]);
    assertEquals(Math.round(now()), 300);
  },
);

testClean(
  "RateLimiter.acquireOp() that loses lets those behind move up",
  async () => {
    const limiter = new RateLimiter({ limit: 1, perMs: 100 });
    limiter.tryAcquire();
    const choosing = createTask(() =>
      select({ turn: limiter.acquireOp(), late: sleepOp(50) })
    );
    await sleep(0);
    const behind = limiter.acquire();

    assertEquals((await choosing).key, "late");
    await behind;
    assertEquals(Math.round(now()), 100);
    assertEquals(limiter.snapshot().waiting, 0);
  },
);

testClean("two choices of one limiter take one turn", async () => {
  const limiter = new RateLimiter({ limit: 2, perMs: 100 });
  const other = new RateLimiter({ limiters: [limiter] });
  limiter.tryAcquire(2);
  const taken: number[] = [];
  const choosing = createTask(() =>
    select({
      one: limiter.acquireOp(),
      two: limiter.acquireOp(),
      three: other.acquireOp(),
    })
  );
  await sleep(0);
  limiter.reset();
  taken.push(limiter.snapshot().limits[0]?.remaining ?? NaN);
  await choosing;

  assertEquals(taken, [1]);
  assertEquals(limiter.snapshot().waiting, 0);
  assert(limiter.tryAcquire());
  assertEquals(limiter.tryAcquire(), false);
});

testClean("RateLimiter.acquireOp() fails where acquire() rejects", async () => {
  const limiter = new RateLimiter({ limit: 1, perMs: 100, maxQueue: 1 });
  limiter.tryAcquire();

  const soon = limiter.acquireOp(1, { maxWaitMs: 10 });
  await assertRejects(() => select({ soon }), RateLimitedError);
  assertThrows(() => trySelect({ soon }), RateLimitedError);
  const turn = limiter.acquireOp();
  const waiting = createTask(() => select({ turn }));
  await sleep(0);
  await assertRejects(() => select({ turn }), RateLimitedError);
  limiter.close();
  await assertRejects(() => waiting, RateLimitedError);
  assertThrows(() => limiter.acquireOp(2), RangeError);
});
