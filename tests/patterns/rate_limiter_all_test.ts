import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { explore } from "@ilmek/async/explore";
import { getRunningLoop } from "@ilmek/async/loop";
import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
import { RateLimitedError, RateLimiter } from "@ilmek/async/rate-limiter";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const now = (): number => Math.round(getRunningLoop().time() * 1000) / 1000;

/** At most `limit` in any window of `perMs`. */
const exact = (limit: number, perMs: number) =>
  new RateLimiter({ limit, perMs, algorithm: slidingWindowLog });

function waiter(
  limiter: RateLimiter,
  name: string,
  log: string[],
  cost = 1,
): Task<void> {
  return createTask(async () => {
    await limiter.acquire(cost);
    log.push(`${name} ${now()}`);
  });
}

testClean(
  "RateLimiter.all() takes from all limiters at once, or from none",
  () => {
    const [narrow, wide] = [exact(2, 1000), exact(5, 60_000)];
    const both = RateLimiter.all([narrow, wide]);

    assertEquals(both.tryTake(2).ok, true);
    assertEquals(both.tryTake().ok, false);

    assertEquals([narrow.peek().remaining, wide.peek().remaining], [0, 3]);
  },
);

testClean(
  "RateLimiter.all() tells of the limit of which least is left",
  async () => {
    const both = RateLimiter.all([exact(3, 1000), exact(5, 60_000)]);

    const first = await both.take(3);
    await sleep(1000);
    const second = both.tryTake();

    assertEquals([first.limit, first.remaining], [3, 0]);
    assertEquals([second.limit, second.remaining, second.perMs], [
      5,
      1,
      60_000,
    ]);
    assertEquals(second.resetAfterMs, 60_000);
  },
);

testClean("RateLimiter.all() waits for the slowest", async () => {
  const both = RateLimiter.all([exact(2, 100), exact(3, 1000)]);
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    await both.acquire();
    times.push(now());
  }

  assertEquals(times, [0, 0, 100, 1000, 1000, 1100, 2000]);
});

testClean(
  "RateLimiter.all() refuses what one of them can never let through",
  async () => {
    const both = RateLimiter.all([exact(2, 100), exact(3, 1000)]);

    assertEquals(both.burst, 2);
    await assertRejects(() => both.acquire(3), RangeError, "at most 2");
  },
);

testClean("RateLimiter.all() counts a limiter once that is named twice", () => {
  const limiter = exact(2, 1000);
  const both = RateLimiter.all([limiter, RateLimiter.all([limiter])]);

  assertEquals(both.tryTake(2).ok, true);
});

testClean("RateLimiter.all() throws without a limiter", () => {
  assertThrows(() => RateLimiter.all([]), TypeError, "at least one");
});

testClean(
  "Who is blocked elsewhere holds up nobody whom it need not",
  async () => {
    const site = exact(10, 1000);
    const [ada, bob] = [exact(1, 5000), exact(3, 1000)];
    const forAda = RateLimiter.all([site, ada]);
    const forBob = RateLimiter.all([site, bob]);
    const log: string[] = [];
    const tasks = ["ada1", "ada2"].map((name) => waiter(forAda, name, log));
    await sleep(10);

    tasks.push(...["bob1", "bob2"].map((name) => waiter(forBob, name, log)));
    tasks.push(waiter(site, "direct", log));
    await sleep(0);
    const isFree = site.tryTake().ok;
    for (const task of tasks) await task;

    assert(isFree);
    assertEquals(log, [
      "ada1 0",
      "bob1 10",
      "bob2 10",
      "direct 10",
      "ada2 5000",
    ]);
  },
);

testClean(
  "Who waits for several is not delayed by those who overtake it",
  async () => {
    const site = exact(2, 1000);
    const ada = exact(1, 1500);
    const both = RateLimiter.all([site, ada]);
    const log: string[] = [];
    await both.acquire();
    const tasks = [waiter(both, "ada", log)];
    await sleep(10);

    // One more fits at once. After that the site has room for two at 1000 and at
    // 1010, and one of these must be left for 1500.
    for (let i = 1; i <= 5; i++) tasks.push(waiter(site, `other${i}`, log));
    for (const task of tasks) await task;

    assertEquals(log[0], "other1 10");
    assert(log.includes("ada 1500"), log.join());
    assertEquals(log.length, 6);
  },
);

testClean(
  "Others pass whenever there is room, between the moments of who is blocked",
  async () => {
    const site = exact(2, 1000);
    const both = RateLimiter.all([site, exact(1, 10_000)]);
    const log: string[] = [];
    await both.acquire();
    const tasks = [waiter(both, "blocked", log)];
    await sleep(10);
    assert(site.tryTake().ok);

    tasks.push(waiter(site, "other", log));
    for (const task of tasks) await task;

    assertEquals(log, ["other 1000", "blocked 10000"]);
  },
);

testClean(
  "Who waits for several is not delayed at a rate that was lowered",
  async () => {
    const site = new RateLimiter({ limit: 10, perMs: 1000 });
    const ada = exact(5, 1000);
    const log: string[] = [];
    ada.penalize(50);
    site.observeResponse({ status: 429, headers: new Headers() });
    const tasks = [waiter(RateLimiter.all([site, ada]), "ada", log)];
    await sleep(10);

    tasks.push(waiter(site, "other", log));
    for (const task of tasks) await task;

    assertEquals(log[0], "ada 50");
  },
);

testClean(
  "Who waits for several overtakes nobody who waits for one of them",
  async () => {
    const [free, full] = [exact(5, 1000), exact(5, 1000)];
    const log: string[] = [];
    await full.acquire(4);
    const tasks = [waiter(full, "big", log, 3)];
    await sleep(10);

    tasks.push(waiter(RateLimiter.all([free, full]), "both", log));
    for (const task of tasks) await task;

    assertEquals(log, ["big 1000", "both 1000"]);
  },
);

testClean(
  "Who is blocked elsewhere does not count in the time to wait",
  async () => {
    const site = new RateLimiter({ limit: 10, perMs: 1000, burst: 1 });
    const ada = exact(1, 60_000);
    ada.penalize(60_000);
    const task = createTask(() => RateLimiter.all([site, ada]).acquire());
    await sleep(10);

    assertEquals(site.tryTake().ok, true);
    assertEquals(site.tryTake().retryAfterMs, 100);
    task.cancel();
    await task.outcome();
  },
);

testClean(
  "Those who wait for the same limiters in any order never block each other",
  async () => {
    const [a, b] = [exact(1, 100), exact(1, 130)];
    const [ab, ba] = [RateLimiter.all([a, b]), RateLimiter.all([b, a])];
    const log: string[] = [];
    const tasks: Task<void>[] = [];
    for (let i = 0; i < 4; i++) {
      tasks.push(waiter(ab, "ab", log), waiter(ba, "ba", log));
      tasks.push(waiter(a, "a", log), waiter(b, "b", log));
    }
    for (const task of tasks) await task;

    assertEquals(log.length, 16);
    assertEquals([ab.waiting, ba.waiting, a.waiting, b.waiting], [0, 0, 0, 0]);
  },
);

testClean(
  "A penalty of one limiter holds up who waits for several",
  async () => {
    const [a, b] = [exact(1, 100), exact(1, 100)];
    const both = RateLimiter.all([a, b]);
    const log: string[] = [];
    await both.acquire();
    const task = waiter(both, "both", log);
    await sleep(50);

    b.penalize(1000);
    await task;

    assertEquals(log, ["both 1050"]);
  },
);

testClean(
  "RateLimiter.all() refuses at once what comes too late by one of them",
  async () => {
    const [a, b] = [exact(5, 100), exact(1, 60_000)];
    const both = RateLimiter.all([a, b], { maxWaitMs: 1000, name: "both" });
    await both.acquire();

    const error = await assertRejects(() => both.acquire(), RateLimitedError);

    assertEquals([error.policy, error.retryAfterMs], ["both", 60_000]);
    assertEquals(a.peek().remaining, 4);
  },
);

testClean("RateLimiter.all() keeps a line of its own", async () => {
  const a = exact(1, 100);
  const both = RateLimiter.all([a, exact(1, 50)], { maxQueue: 1 });
  await both.acquire();
  const task = createTask(() => both.acquire());
  await sleep(1);

  await assertRejects(() => both.acquire(), RateLimitedError, "too many wait");
  assertEquals([a.waiting, both.waiting], [0, 1]);
  await task;
});

Deno.test("RateLimiter.all() survives a cancellation at every wait point", async () => {
  await cancelSweep(async (sweep) => {
    const [a, b] = [exact(2, 100), exact(1, 70)];
    const both = RateLimiter.all([a, b]);
    const target = sweep.target(async () => {
      await both.acquire();
      await both.acquire();
    });
    const others = [a, b, both].map((limiter) =>
      createTask(async () => {
        await limiter.acquire();
        await limiter.acquire();
      })
    );
    await target;
    for (const other of others) await other;
    assertEquals([a.waiting, b.waiting, both.waiting], [0, 0, 0]);
  });
});

Deno.test("RateLimiter.all() loses nobody in any interleaving", async () => {
  await explore(async () => {
    const [a, b] = [exact(2, 100), exact(1, 70)];
    const both = RateLimiter.all([a, b]);
    const tasks = [a, b, both, both, b, a].map((limiter, i) =>
      createTask(async () => {
        if (i % 2 === 1) await sleep(20 * i);
        await limiter.acquire();
      })
    );
    await sleep(30);
    tasks[2]?.cancel();
    for (const task of tasks) await task.outcome();
    assertEquals([a.waiting, b.waiting, both.waiting], [0, 0, 0]);
  }, { runs: 100 });
});
