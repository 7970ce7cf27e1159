/**
 * What limiters on npm get wrong, shown with the packages themselves, and what
 * ours does in their place.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { getRunningLoop } from "@ilmek/async/loop";
import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { runVirtual } from "@ilmek/async/virtual";
import { RateLimiter as OldLimiter, TokenBucket } from "limiter@3";
import pThrottle from "p-throttle";

const LIMIT = 10;
const PER_MS = 200;

/** The most calls that any stretch of `ms` has seen. */
function mostIn(times: readonly number[], ms: number): number {
  const counts = times.map((from) =>
    times.filter((at) => at >= from && at < from + ms).length
  );
  return Math.max(...counts);
}

/** Our limiter, for so many in any stretch of so long. */
const exact = (limit = LIMIT, perMs = PER_MS) =>
  new RateLimiter({ limit, perMs, algorithm: slidingWindowLog });

/** One call at first, nine at the end of the window, and then a crowd. */
const EDGE: readonly (readonly [at: number, calls: number])[] = [
  [0, 1],
  [195, 9],
  [205, 10],
];

Deno.test("p-throttle 8.1.1 lets 19 calls into 150 ms at a limit of 10 per 200 ms", async () => {
  using time = new FakeTime();
  const start = Date.now();
  const times: number[] = [];
  const throttled = pThrottle({ limit: LIMIT, interval: PER_MS })(() => {
    times.push(Date.now() - start);
  });

  for (const [at, calls] of EDGE) {
    await time.tickAsync(start + at - Date.now());
    for (let i = 0; i < calls; i++) throttled();
  }
  await time.tickAsync(1000);

  assertEquals(times.length, 20);
  assertEquals(mostIn(times, 150), 19);
});

Deno.test("RateLimiter lets 10 of the same calls into any 200 ms", async () => {
  const times: number[] = [];
  await runVirtual(async () => {
    const limiter = exact();
    for (const [at, calls] of EDGE) {
      await sleep(at - getRunningLoop().time());
      for (let i = 0; i < calls; i++) {
        createTask(async () => {
          await limiter.acquire();
          times.push(getRunningLoop().time());
        });
      }
    }
    await sleep(1000);
  });

  assertEquals(times.length, 20);
  assertEquals(mostIn(times, PER_MS), LIMIT);
});

for (const strict of [false, true]) {
  Deno.test(`p-throttle 8.1.1 releases two windows at once after a stall (strict: ${strict})`, async () => {
    const times: number[] = [];
    const throttled = pThrottle({ limit: LIMIT, interval: PER_MS, strict })(
      () => {
        times.push(performance.now());
      },
    );
    const calls = Array.from({ length: 3 * LIMIT }, () => throttled());
    await new Promise((resolve) => setTimeout(resolve, 20));

    block(500);
    await Promise.all(calls);

    assertEquals(mostIn(times, PER_MS - 5), 2 * LIMIT);
  });
}

Deno.test("RateLimiter releases one window after a stall", async () => {
  const times: number[] = [];
  const limiter = exact();
  const calls = Array.from({ length: 3 * LIMIT }, async () => {
    await limiter.acquire();
    times.push(performance.now());
  });
  await sleep(20);

  block(500);
  await Promise.all(calls);

  assertEquals(mostIn(times, PER_MS - 5), LIMIT);
});

Deno.test("limiter 3.0.0 wakes all who wait at once, and takes no turns", async () => {
  const limiter = new OldLimiter({ tokensPerInterval: 1, interval: 50 });
  const order: string[] = [];
  const call = async (name: string) => {
    await limiter.removeTokens(1);
    order.push(name);
  };
  await call("first");
  const early = call("early");
  await new Promise((resolve) => setTimeout(resolve, 30));
  block(40);

  await Promise.all([call("newcomer"), early]);

  assertEquals(order, ["first", "newcomer", "early"]);
});

Deno.test("RateLimiter lets no newcomer go before who waits", async () => {
  const limiter = exact(1, 50);
  const order: string[] = [];
  const call = async (name: string) => {
    await limiter.acquire();
    order.push(name);
  };
  await call("first");
  const early = call("early");
  await sleep(30);
  block(40);

  await Promise.all([call("newcomer"), early]);

  assertEquals(order, ["first", "early", "newcomer"]);
});

Deno.test("limiter 3.0.0 takes from the parent again for each try of a child", async () => {
  const parentBucket = new TokenBucket({
    bucketSize: 100,
    tokensPerInterval: 1,
    interval: 3_600_000,
  });
  parentBucket.content = 100;
  const child = new TokenBucket({
    bucketSize: 1,
    tokensPerInterval: 1,
    interval: 20,
    parentBucket,
  });
  child.content = 1;

  await Promise.all(Array.from({ length: 4 }, () => child.removeTokens(1)));

  // Four calls went through, and more than four were taken.
  const taken = 100 - Math.floor(parentBucket.content);
  assertEquals(taken > 4, true, `${taken} were taken`);
});

Deno.test("RateLimiter.all() takes once for each call", async () => {
  const parent = new RateLimiter({ limit: 100, perMs: 3_600_000 });
  const child = RateLimiter.all([exact(1, 20), parent]);

  await Promise.all(Array.from({ length: 4 }, () => child.acquire()));

  assertEquals(parent.peek().remaining, 96);
});

/** Blocks the thread. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
