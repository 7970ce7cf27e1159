import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { keyed, KeyedFullError } from "@ilmek/async/keyed";
import { getRunningLoop } from "@ilmek/async/loop";
import { PolicyError } from "@ilmek/async/policy";
import {
  fixedWindow,
  gcra,
  type RateAlgorithmFactory,
  slidingWindow,
  slidingWindowLog,
  tokenBucket,
} from "@ilmek/async/rate-algorithms";
import { RateLimitedError, RateLimiter } from "@ilmek/async/rate-limiter";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { layersOf } from "../../patterns/_layers.ts";
import { takeMessages, testClean } from "../_leaks.ts";
import { againUntil, logging, policyOf } from "./_policies.ts";

const now = (): number => Math.round(getRunningLoop().time() * 1000) / 1000;

/** At most 3 in any window of 1 s. */
const exact = (options: object = {}) =>
  new RateLimiter({
    limit: 3,
    perMs: 1000,
    algorithm: slidingWindowLog,
    ...options,
  });

/** One each 100 ms. */
const steady = (options: object = {}) =>
  new RateLimiter({ limit: 10, perMs: 1000, burst: 1, ...options });

/** Starts one waiter for each name; the log tells when each has its turn. */
function waiters(
  limiter: RateLimiter,
  names: readonly string[],
  log: string[],
  options: Parameters<RateLimiter["acquire"]>[1] = {},
) {
  return names.map((name) =>
    createTask(async () => {
      await limiter.acquire(1, options);
      log.push(`${name} ${now()}`);
    })
  );
}

/** Keeps a failure that a test looks at later. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

testClean(
  "RateLimiter.acquire() lets a burst through, then one at a time",
  async () => {
    const limiter = new RateLimiter({ limit: 10, perMs: 1000, burst: 3 });
    const times: number[] = [];
    for (let i = 0; i < 6; i++) {
      await limiter.acquire();
      times.push(now());
    }

    assertEquals(times, [0, 0, 0, 100, 200, 300]);
  },
);

testClean(
  "RateLimiter.acquire() serves in the order of the calls",
  async () => {
    const limiter = steady();
    const log: string[] = [];

    for (const task of waiters(limiter, ["a", "b", "c"], log)) await task;

    assertEquals(log, ["a 0", "b 100", "c 200"]);
    assertEquals(limiter.waiting, 0);
  },
);

testClean("RateLimiter.acquire() lets no newcomer overtake", async () => {
  const limiter = steady({ burst: 3 });
  const log: string[] = [];
  await limiter.acquire(3);
  const big = createTask(async () => {
    await limiter.acquire(3);
    log.push(`big ${now()}`);
  });
  await sleep(150);

  // One token is there, and promised to the one who waits for three.
  assertEquals(limiter.tryTake().ok, false);
  const small = waiters(limiter, ["small"], log);
  await big;
  await small[0];

  assertEquals(log, ["big 300", "small 400"]);
});

const EXACT_TIMES: [RateAlgorithmFactory, number[]][] = [
  [gcra, [0, 0, 0, 333.333, 666.667, 1000, 1333.333]],
  [tokenBucket, [0, 0, 0, 333.333, 666.667, 1000, 1333.333]],
  [slidingWindowLog, [0, 0, 0, 1000, 1000, 1000, 2000]],
  [slidingWindow, [0, 0, 0, 1333.333, 1666.667, 2000, 2500]],
  [fixedWindow, [0, 0, 0, 1000, 1000, 1000, 2000]],
];
for (const [algorithm, wanted] of EXACT_TIMES) {
  testClean(`RateLimiter counts by ${algorithm.name}()`, async () => {
    const limiter = exact({ algorithm });
    const times = await Promise.all(
      wanted.map(() => limiter.acquire().then(now)),
    );

    assertEquals(times, wanted);
  });
}

testClean("RateLimiter.acquire() takes as much as it is told", async () => {
  const limiter = steady({ burst: 5 });

  await limiter.acquire(5);
  await limiter.acquire(2);
  assertEquals(now(), 200);
  await limiter.acquire(0.5);

  assertEquals(now(), 250);
});

testClean("RateLimiter refuses at once what can never fit", async () => {
  const limiter = steady({ burst: 5 });
  for (const cost of [6, 0, -1, NaN, Infinity]) {
    const message =
      `"cost" must be a number > 0 and at most 5, the burst: current value is ${cost}`;
    await assertRejects(() => limiter.acquire(cost), RangeError, message);
    await assertRejects(() => limiter.take(cost), RangeError, message);
    assertThrows(() => limiter.tryTake(cost), RangeError, message);
    assertThrows(() => limiter.tryAcquire(cost), RangeError, message);
    assertThrows(() => limiter.peek(cost), RangeError, message);
    assertThrows(() => limiter.refund(cost), RangeError, message);
  }
  const text = "1" as unknown as number;
  await assertRejects(() => limiter.acquire(text), TypeError, '"1"');

  assertEquals(limiter.peek().remaining, 5);
});

testClean(
  "RateLimiter.acquire() rejects on bad options, and takes nothing",
  async () => {
    const limiter = steady();
    await assertRejects(
      () => limiter.acquire(1, { maxWaitMs: -1 }),
      RangeError,
      'Cannot acquire from a rate limiter as "maxWaitMs" must be a number >= 0',
    );
    await assertRejects(
      () => limiter.acquire(1, { priority: NaN }),
      RangeError,
      '"priority" must be a finite number: current value is NaN',
    );

    assertEquals(limiter.peek().ok, true);
  },
);

testClean("RateLimiter() throws on what makes no rate", () => {
  const rate = { limit: 1, perMs: 1000 };
  const make = (options: object) => () =>
    new RateLimiter({ ...rate, ...options });

  for (const limit of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(make({ limit }), RangeError, '"limit" must be');
    assertThrows(make({ burst: limit }), RangeError, '"burst" must be');
  }
  for (const perMs of [0, -1, NaN, Infinity]) {
    assertThrows(make({ perMs }), RangeError, '"perMs" must be');
  }
  assertThrows(make({ maxQueue: -1 }), RangeError, '"maxQueue" must be');
  assertThrows(make({ maxWaitMs: NaN }), RangeError, '"maxWaitMs" must be');
  assertThrows(make({ agingMs: Infinity }), RangeError, '"agingMs" must be');
  assertThrows(
    make({ overflow: "drop" }),
    TypeError,
    '"overflow" must be one of "reject", "drop-oldest", "drop-lowest": current value is "drop"',
  );
  assertThrows(make({ algorithm: "gcra" }), TypeError, '"algorithm" must be');
});

testClean("RateLimiter takes a Temporal.Duration for times", async () => {
  const perMs = { total: () => 500 };
  const limiter = new RateLimiter({ limit: 1, perMs });

  await limiter.acquire();
  await limiter.acquire();

  assertEquals(now(), 500);
});

testClean("RateLimiter.take() tells what is left after the turn", async () => {
  const limiter = exact();
  await limiter.acquire(2);

  const last = await limiter.take();
  const waited = await limiter.take(2);

  assertEquals(last, {
    ok: true,
    remaining: 0,
    limit: 3,
    perMs: 1000,
    retryAfterMs: 0,
    resetAfterMs: 1000,
  });
  assertEquals([now(), waited.remaining], [1000, 1]);
});

testClean(
  "RateLimiter.tryTake() tells when to try again, and changes nothing then",
  async () => {
    const limiter = steady();
    assertEquals(limiter.tryTake().ok, true);
    await sleep(30);

    const refused = [limiter.tryTake(), limiter.tryTake()];
    await sleep(refused[0]?.retryAfterMs ?? 0);

    assertEquals(refused.map(({ ok, retryAfterMs }) => [ok, retryAfterMs]), [
      [false, 70],
      [false, 70],
    ]);
    assertEquals(limiter.tryTake().ok, true);
    assertEquals([limiter.snapshot().taken, limiter.snapshot().refused], [
      2,
      2,
    ]);
  },
);

testClean(
  "RateLimiter.tryTake() counts those who wait in the time to wait",
  async () => {
    const limiter = steady();
    const log: string[] = [];
    const tasks = waiters(limiter, ["a", "b", "c", "d"], log);
    await sleep(10);

    assertEquals(limiter.tryTake().retryAfterMs, 390);
    assertEquals(limiter.peek().retryAfterMs, 390);
    for (const task of tasks) await task;
  },
);

testClean("RateLimiter.tryAcquire() takes or not", () => {
  const limiter = steady();

  assertEquals([limiter.tryAcquire(), limiter.tryAcquire()], [true, false]);
});

testClean("RateLimiter.peek() takes nothing", () => {
  const limiter = exact();
  for (let i = 0; i < 5; i++) assertEquals(limiter.peek(3).ok, true);
  limiter.tryTake(2);

  const { ok, remaining } = limiter.peek(2);

  assertEquals([ok, remaining], [false, 1]);
  assertEquals(limiter.snapshot().taken, 1);
});

testClean("RateLimiter refuses at once who would wait too long", async () => {
  const limiter = steady({ maxWaitMs: 250, name: "api" });
  const log: string[] = [];
  const tasks = waiters(limiter, ["a", "b", "c"], log);
  await sleep(0);

  const error = await assertRejects(() => limiter.acquire(), RateLimitedError);
  assertEquals(now(), 0);
  for (const task of tasks) await task;

  assertInstanceOf(error, PolicyError);
  assertEquals(
    error.message,
    'Cannot pass "api": its turn would come too late (free in 300 ms)',
  );
  assertEquals([error.policy, error.reason, error.rejected], [
    "api",
    "wait-too-long",
    true,
  ]);
  assertEquals([error.retryAfterMs, error.remaining, error.limit], [
    300,
    0,
    10,
  ]);
  assertEquals(log, ["a 0", "b 100", "c 200"]);
});

testClean(
  "RateLimiter.acquire() refuses at once what cannot be before the deadline",
  async () => {
    const limiter = steady();
    await limiter.acquire();
    const log: string[] = [];

    await timeout(150, async () => {
      await assertRejects(
        () =>
          Promise.all([
            limiter.acquire().then(() => log.push("first")),
            limiter.acquire(),
          ]),
        RateLimitedError,
        "its deadline comes before its turn",
      );
      assertEquals(now(), 0);
      await sleep(120);
    });

    assertEquals(log, ["first"]);
  },
);

testClean(
  "RateLimiter.acquire() waits no longer than it may, whatever happens meanwhile",
  async () => {
    const limiter = steady({ maxWaitMs: 250 });
    await limiter.acquire();
    const late = quiet(limiter.acquire());
    await sleep(10);
    limiter.penalize(60_000);

    const error = await assertRejects(() => late, RateLimitedError);

    assertEquals([now(), error.reason], [250, "wait-too-long"]);
    assertEquals(error.retryAfterMs, 59_760);
    assertEquals(limiter.waiting, 0);
  },
);

testClean(
  "RateLimiter.acquire() needs nothing of a limiter that refuses at once",
  async () => {
    const limiter = steady({ maxWaitMs: 0 });

    await limiter.acquire();
    await assertRejects(() => limiter.acquire(), RateLimitedError);
    await limiter.acquire(1, { maxWaitMs: 100 });

    assertEquals(now(), 100);
  },
);

testClean("A RateLimiter refuses newcomers when its line is full", async () => {
  const limiter = steady({ maxQueue: 2 });
  const log: string[] = [];
  const tasks = waiters(limiter, ["a", "b", "c"], log);
  await sleep(0);

  const error = await assertRejects(() => limiter.acquire(), RateLimitedError);
  for (const task of tasks) await task;

  assertEquals([error.reason, error.retryAfterMs], ["queue-full", 300]);
  assertEquals(log, ["a 0", "b 100", "c 200"]);
});

testClean(
  "A RateLimiter with drop-oldest refuses who has waited longest",
  async () => {
    const limiter = steady({ maxQueue: 2, overflow: "drop-oldest" });
    const log: string[] = [];
    const tasks = waiters(limiter, ["a", "b", "c", "d"], log);

    const outcomes = [];
    for (const task of tasks) outcomes.push((await task.outcome()).state);

    assertEquals(outcomes, ["done", "failed", "done", "done"]);
    assertEquals(log, ["a 0", "c 100", "d 200"]);
    assertEquals((tasks[1]?.exception() as RateLimitedError).reason, "dropped");
  },
);

testClean(
  "A RateLimiter with drop-lowest refuses the last by priority",
  async () => {
    const limiter = steady({ maxQueue: 2, overflow: "drop-lowest" });
    const log: string[] = [];
    await limiter.acquire();
    const low = waiters(limiter, ["low"], log, { priority: -1 });
    const middle = waiters(limiter, ["middle"], log);
    const high = waiters(limiter, ["high"], log, { priority: 1 });
    await sleep(0);

    const error = await assertRejects(
      () => limiter.acquire(1, { priority: -1 }),
      RateLimitedError,
    );
    for (const task of [...middle, ...high]) await task;

    assertEquals(error.reason, "queue-full");
    assertEquals((await low[0]?.outcome())?.state, "failed");
    assertEquals(log, ["high 100", "middle 200"]);
  },
);

testClean("A RateLimiter with maxQueue 0 lets nobody wait", async () => {
  const limiter = steady({ maxQueue: 0 });
  await limiter.acquire();

  await assertRejects(() => limiter.acquire(), RateLimitedError);
});

testClean(
  "RateLimiter.acquire() leaves the line when its signal aborts",
  async () => {
    const limiter = steady();
    const log: string[] = [];
    await limiter.acquire();
    const controller = new AbortController();
    const reason = new TypeError("enough");
    const left = quiet(limiter.acquire(1, { signal: controller.signal }));
    const [behind] = waiters(limiter, ["behind"], log);
    await sleep(50);

    controller.abort(reason);

    assertStrictEquals(await left.catch((error) => error), reason);
    await behind;
    // The turn of the one who left goes to the next.
    assertEquals(log, ["behind 100"]);
  },
);

testClean(
  "RateLimiter.acquire() takes nothing if its signal has aborted",
  async () => {
    const limiter = steady();
    const reason = new TypeError("enough");
    const signal = AbortSignal.abort(reason);

    const error = await limiter.acquire(1, { signal }).catch((error) => error);

    assertStrictEquals(error, reason);
    assertEquals(limiter.peek().remaining, 1);
  },
);

testClean(
  "RateLimiter.acquire() keeps what it took if the abort comes later",
  async () => {
    const limiter = steady();
    const controller = new AbortController();
    await limiter.acquire();
    const granted = limiter.acquire(1, { signal: controller.signal });
    await sleep(100);

    controller.abort();

    await granted;
    assertEquals(limiter.peek().ok, false);
  },
);

testClean(
  "RateLimiter.acquire() leaves the line when its scope is cancelled",
  async () => {
    const limiter = steady();
    await limiter.acquire();
    const task = createTask(() => limiter.acquire());
    await sleep(50);
    assertEquals(limiter.waiting, 1);

    task.cancel();
    await assertRejects(() => task.toPromise(), CancelledError);

    assertEquals(limiter.waiting, 0);
    await sleep(50);
    assertEquals(limiter.tryTake().ok, true);
  },
);

testClean(
  "RateLimiter.acquire() is refused in a cancelled scope, and takes nothing",
  async () => {
    const limiter = steady();
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => limiter.acquire(), CancelledError);
      await assertRejects(() => limiter.run(() => {}), CancelledError);
    }).catch(() => {});

    assertEquals(limiter.peek().remaining, 1);
  },
);

testClean("One who leaves lets those behind go who need less", async () => {
  const limiter = steady({ burst: 5 });
  const log: string[] = [];
  await limiter.acquire(4);
  const big = createTask(() => limiter.acquire(5));
  const small = waiters(limiter, ["small"], log);
  await sleep(50);

  big.cancel();
  await small[0];

  assertEquals(log, ["small 50"]);
  await assertRejects(() => big.toPromise(), CancelledError);
});

testClean(
  "A thread that was blocked lets no crowd through",
  async ({ virtual }) => {
    const limiter = exact();
    const log: number[] = [];
    const tasks = Array.from({ length: 12 }, () =>
      createTask(async () => {
        await limiter.acquire();
        log.push(now());
      }));
    await sleep(500);

    virtual.advance(10_000);
    for (const task of tasks) await task;

    // By the times at which they had booked, nine could go at 10.5 s.
    assertEquals(log, [
      ...[0, 0, 0],
      ...[10_500, 10_500, 10_500],
      ...[11_500, 11_500, 11_500],
      ...[12_500, 12_500, 12_500],
    ]);
  },
);

testClean(
  "A thread that was blocked releases no more than the burst",
  async ({ virtual }) => {
    const limiter = steady({ burst: 2 });
    const log: number[] = [];
    const tasks = Array.from({ length: 6 }, () =>
      createTask(async () => {
        await limiter.acquire();
        log.push(now());
      }));
    await sleep(50);

    virtual.advance(60_000);
    for (const task of tasks) await task;

    assertEquals(log, [0, 0, 60_050, 60_050, 60_150, 60_250]);
  },
);

testClean("Those who wait are spread, and do not wake together", async () => {
  const limiter = new RateLimiter({
    limit: 50,
    perMs: 1000,
    burst: 5,
    maxWaitMs: 200,
  });
  const results = await Promise.all(
    Array.from(
      { length: 20 },
      () => limiter.acquire().then(now, (error) => error.retryAfterMs),
    ),
  );

  assertEquals(results.slice(0, 5), [0, 0, 0, 0, 0]);
  assertEquals(results.slice(5, 15), [
    20,
    40,
    60,
    80,
    100,
    120,
    140,
    160,
    180,
    200,
  ]);
  assertEquals(results.slice(15), [220, 220, 220, 220, 220]);
});

testClean(
  "RateLimiter.refund() gives back, also to those who wait",
  async () => {
    const limiter = exact();
    await limiter.acquire(3);
    const log: string[] = [];
    const [waiter] = waiters(limiter, ["a"], log);
    await sleep(100);

    limiter.refund();
    await waiter;

    assertEquals(log, ["a 100"]);
  },
);

testClean(
  "RateLimiter.penalize() holds up newcomers and those who wait",
  async () => {
    const limiter = steady();
    const log: string[] = [];
    await limiter.acquire();
    const tasks = waiters(limiter, ["a", "b"], log);
    await sleep(50);

    limiter.penalize(1000);
    limiter.penalize(10);

    assertEquals(limiter.peek().remaining, 0);
    for (const task of tasks) await task;
    assertEquals(log, ["a 1050", "b 1150"]);
    assertThrows(() => limiter.penalize(-1), RangeError, "Cannot penalize");
  },
);

testClean(
  "RateLimiter.reset() forgets what was taken, and penalties",
  async () => {
    const limiter = exact();
    await limiter.acquire(3);
    limiter.penalize(60_000);
    const log: string[] = [];
    const tasks = waiters(limiter, ["a", "b", "c", "d"], log);
    await sleep(5);

    limiter.reset();
    for (const task of tasks) await task;

    assertEquals(log, ["a 5", "b 5", "c 5", "d 1005"]);
  },
);

const answer = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers: new Headers(headers),
});

testClean(
  "RateLimiter.observeResponse() waits as the server says, with all who wait already",
  async () => {
    const limiter = steady();
    const log: string[] = [];
    await limiter.acquire();
    const tasks = waiters(limiter, ["a", "b"], log);
    await sleep(50);

    limiter.observeResponse(answer(503, { "Retry-After": "2" }));
    for (const task of tasks) await task;

    assertEquals(log, ["a 2050", "b 2150"]);
  },
);

testClean(
  "RateLimiter.observeResponse() stops when the server has nothing left",
  () => {
    const limiter = steady();

    limiter.observeResponse(answer(200, { "RateLimit": '"a";r=0;t=7' }));

    assertEquals(limiter.tryTake().retryAfterMs, 7000);
  },
);

testClean(
  "RateLimiter.observeResponse() slows down after 429, and comes back",
  async () => {
    const limiter = steady();
    limiter.observeResponse(answer(429));
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      await limiter.acquire();
      times.push(now());
    }

    assertEquals(times[0], 0);
    assertAlmostEquals(times[1] ?? 0, 143, 2);
    assertAlmostEquals(times[2] ?? 0, 284, 2);
    assertAlmostEquals(limiter.snapshot().limits[0]?.pace ?? 0, 0.73, 0.01);
    await sleep(3000);
    assertEquals(limiter.snapshot().limits[0]?.pace, 1);
    assertEquals(limiter.snapshot().epoch, 1);
  },
);

testClean(
  "RateLimiter.observeResponse() slows down once for all calls of an epoch",
  () => {
    const limiter = steady();
    const { epoch } = limiter;
    for (let i = 0; i < 50; i++) {
      limiter.observeResponse(answer(429), { epoch });
    }

    assertEquals(limiter.snapshot().limits[0]?.pace, 0.7);
  },
);

testClean(
  "RateLimiter.observeResponse() never ends a freeze by an older answer",
  () => {
    const limiter = steady();
    const { epoch } = limiter;
    limiter.observeResponse(answer(429, { "Retry-After": "60" }));

    limiter.observeResponse(answer(429, { "Retry-After": "1" }), { epoch });
    limiter.observeResponse(answer(200, { "RateLimit": '"a";r=9;t=1' }));

    assertEquals(limiter.tryTake().retryAfterMs, 60_000);
  },
);

testClean("A higher priority goes first", async () => {
  const limiter = steady();
  const log: string[] = [];
  await limiter.acquire();
  const tasks = [
    ...waiters(limiter, ["a", "b"], log),
    ...waiters(limiter, ["high"], log, { priority: 1 }),
    ...waiters(limiter, ["low"], log, { priority: -0.5 }),
  ];
  for (const task of tasks) await task;

  assertEquals(log, ["high 100", "a 200", "b 300", "low 400"]);
});

testClean(
  "Who waits grows older, and goes before a higher priority at last",
  async () => {
    const limiter = steady({ agingMs: 250 });
    const log: string[] = [];
    await limiter.acquire();
    const tasks = waiters(limiter, ["patient"], log);
    for (let i = 0; i < 6; i++) {
      tasks.push(...waiters(limiter, [`high${i}`], log, { priority: 1 }));
      await sleep(100);
    }
    for (const task of tasks) await task;

    assertEquals(log.map((line) => line.split(" ")[0]), [
      "high0",
      "high1",
      "high2",
      "patient",
      "high3",
      "high4",
      "high5",
    ]);
  },
);

testClean("Tenants take turns while many wait", async () => {
  const limiter = steady();
  const log: string[] = [];
  await limiter.acquire();
  const tasks = [
    ...waiters(limiter, ["a1", "a2", "a3", "a4"], log, { tenant: "a" }),
    ...waiters(limiter, ["b1", "b2"], log, { tenant: "b" }),
  ];
  for (const task of tasks) await task;

  assertEquals(log.map((line) => line.split(" ")[0]), [
    "a1",
    "b1",
    "a2",
    "b2",
    "a3",
    "a4",
  ]);
});

testClean(
  "RateLimiter.run() calls in the caller's context when it is its turn",
  async () => {
    const limiter = steady();
    const name = new ContextVar<string>("name");
    const log: string[] = [];
    const tasks = ["a", "b"].map((it) =>
      createTask(async () => {
        name.set(it);
        const result = await limiter.run(async ({ attempt }) => {
          await sleep(1);
          return `${name.get()} ${attempt}`;
        });
        log.push(`${result} ${now()}`);
      })
    );
    for (const task of tasks) await task;

    assertEquals(log, ["a 1 1", "b 1 101"]);
  },
);

testClean("RateLimiter.run() does not call what it refuses", async () => {
  const limiter = steady({ maxWaitMs: 0 });
  let calls = 0;
  const count = () => calls++;

  await limiter.run(count);
  await assertRejects(() => limiter.run(count), RateLimitedError);

  assertEquals(calls, 1);
});

testClean(
  "RateLimiter.run() ends its wait when the signal aborts",
  async () => {
    const limiter = steady();
    await limiter.acquire();
    const controller = new AbortController();
    const reason = new TypeError("enough");
    const run = quiet(
      limiter.run(() => "never", { signal: controller.signal }),
    );
    await sleep(10);

    controller.abort(reason);

    assertStrictEquals(await run.catch((error) => error), reason);
    assertEquals(limiter.waiting, 0);
  },
);

testClean("RateLimiter tells its hooks what it does", async () => {
  const told: unknown[] = [];
  const limiter = steady({
    maxQueue: 1,
    onTake: (event: unknown) => told.push(["take", event]),
    onWait: (event: unknown) => told.push(["wait", event]),
    onReject: ({ reason }: RateLimitedError) => told.push(["reject", reason]),
    onFreeze: (event: unknown) => told.push(["freeze", event]),
  });

  await limiter.acquire();
  const waiter = limiter.acquire();
  await assertRejects(() => limiter.acquire(), RateLimitedError);
  limiter.penalize(300);
  await waiter;

  assertEquals(told, [
    ["take", { cost: 1, waitedMs: 0, remaining: 0 }],
    ["wait", { cost: 1, waitMs: 100 }],
    ["reject", "queue-full"],
    ["freeze", { ms: 300 }],
    ["take", { cost: 1, waitedMs: 300, remaining: 0 }],
  ]);
});

testClean(
  "A hook that throws is reported, and breaks nothing",
  async ({ reports }) => {
    const limiter = steady({
      name: "api",
      onTake: () => {
        throw new TypeError("no");
      },
    });

    await limiter.acquire();

    assertEquals(takeMessages(reports), ['A hook of "api" has thrown']);
  },
);

testClean(
  "A hook may use the limiter, and sees its state as it is",
  async () => {
    const seen: number[] = [];
    const controller = new AbortController();
    const limiter: RateLimiter = steady({
      burst: 2,
      onTake: () => {
        seen.push(limiter.peek().remaining);
        if (seen.length === 3) controller.abort();
        if (seen.length < 3) limiter.tryTake();
      },
    });

    const first = limiter.acquire();
    const second = limiter.acquire(1, { signal: controller.signal });
    await first;
    // The abort came after the turn, and changes nothing.
    await second;

    assertEquals(seen[0], 1);
    assertEquals(now(), 100);
  },
);

testClean(
  "RateLimiter.close() refuses who waits, and whoever comes",
  async () => {
    const limiter = steady();
    await limiter.acquire();
    const waiter = quiet(limiter.acquire());
    await sleep(10);

    limiter.close();
    limiter.close();

    const error = await assertRejects(() => waiter, RateLimitedError);
    assertEquals([error.reason, error.retryAfterMs], ["closed", Infinity]);
    await assertRejects(() => limiter.acquire(), RateLimitedError, "closed");
    assertEquals(limiter.tryTake().ok, false);
    assertEquals(limiter.closed, true);
  },
);

testClean("RateLimiter is closed by using", async () => {
  let kept: RateLimiter;
  {
    using limiter = steady();
    kept = limiter;
    await limiter.acquire();
  }

  assert(kept.closed);
});

testClean("RateLimiter.snapshot() is plain data", async () => {
  const limiter = exact({ name: "api" });
  await limiter.acquire(2);
  limiter.penalize(10);

  assertEquals(JSON.parse(JSON.stringify(limiter.snapshot())), {
    name: "api",
    limits: [{
      algorithm: "sliding-window-log",
      limit: 3,
      perMs: 1000,
      burst: 3,
      remaining: 0,
      frozenMs: 10,
      pace: 1,
    }],
    waiting: 0,
    taken: 1,
    refused: 0,
    epoch: 0,
    closed: false,
  });
  assertEquals(String(limiter), '<RateLimiter "api" 0/3, 0 waiting>');
});

testClean(
  "RateLimiter is pristine only as long as a new one could stand in",
  async () => {
    const limiter = steady();
    assert(limiter.pristine);
    limiter.tryTake();
    assert(!limiter.pristine);
    await sleep(99);
    assert(!limiter.pristine);
    await sleep(1);
    assert(limiter.pristine);

    limiter.penalize(50);
    assert(!limiter.pristine);
    limiter.reset();
    limiter.observeResponse(answer(429));
    assert(!limiter.pristine);
    await sleep(3000);
    assert(limiter.pristine);
  },
);

testClean(
  "keyed() keeps limiters apart, and drops none that limits somebody",
  async () => {
    const limiters = keyed((name: string) => steady({ name }), { max: 2 });
    limiters.get("a").tryTake();
    limiters.get("b").tryTake();

    assertThrows(() => limiters.get("c"), KeyedFullError);
    assertEquals(limiters.get("a").tryTake().ok, false);
    await sleep(100);
    assertEquals(limiters.get("c").tryTake().ok, true);

    assertEquals(limiters.size, 2);
  },
);

testClean(
  "A RateLimiter has no timer while nobody waits",
  async ({ virtual }) => {
    const limiter = steady();
    await limiter.acquire();
    const task = createTask(() => limiter.acquire());
    await sleep(1);
    task.cancel();
    await task.outcome();
    const before = virtual.now;

    await sleep(0);

    assertEquals(virtual.now, before);
  },
);

Deno.test("RateLimiter survives a cancellation at every wait point", async () => {
  await cancelSweep(async (sweep) => {
    const limiter = exact();
    const log: number[] = [];
    await limiter.acquire(2);
    const target = sweep.target(async () => {
      await limiter.acquire();
      await limiter.acquire(2);
      await limiter.run(() => log.push(now()));
    });
    const others = [1, 2].map(() =>
      createTask(async () => {
        await limiter.acquire();
        log.push(now());
      })
    );
    await target;
    for (const other of others) await other;
    assert(log.length >= 2);
    assertEquals(limiter.waiting, 0);
    const { remaining } = limiter.peek();
    assert(remaining >= 0 && remaining <= 3);
  });
});

Deno.test("RateLimiter keeps its limit in every interleaving", async () => {
  await explore(async () => {
    const limiter = exact();
    const times: number[] = [];
    const tasks = Array.from({ length: 7 }, (_, i) =>
      createTask(async () => {
        if (i % 3 === 2) await sleep(400 * i);
        await limiter.acquire();
        times.push(getRunningLoop().time());
      }));
    await sleep(10);
    tasks[3]?.cancel();
    for (const task of tasks) await task.outcome();

    times.sort((a, b) => a - b);
    for (const [i, time] of times.entries()) {
      const third = times[i + 3];
      assert(third === undefined || third - time >= 1000 - 1e-5);
    }
    assertEquals(limiter.waiting, 0);
  }, { runs: 100 });
});

testClean("Callers in a hurry get as much as others, and no more", async () => {
  for (const algorithm of [gcra, slidingWindowLog]) {
    const limiter = new RateLimiter({ limit: 1000, perMs: 1000, algorithm });
    let count = 0;
    while (limiter.tryAcquire()) count++;

    assertEquals(count, 1000);
    assertEquals(limiter.peek().remaining, 0);
    assertEquals(limiter.snapshot().taken, 1000);
    await sleep(2000);
    assertEquals(limiter.peek().remaining, 1000);
  }
});

testClean(
  "What callers in a hurry take may count later than it was, by a 64th of the burst",
  async () => {
    const limiter = new RateLimiter({ limit: 1000, perMs: 1000 });
    for (let i = 0; i < 3; i++) limiter.tryAcquire();
    await sleep(5000);

    for (let i = 0; i < 10; i++) limiter.tryAcquire();

    const { remaining } = limiter.peek();
    assert(remaining <= 990 && remaining >= 990 - 1000 / 64);
    await sleep(10_000);
    assertEquals(limiter.peek().remaining, 1000);
  },
);

testClean(
  "A limiter of less than 64 counts each take at its moment",
  async () => {
    const limiter = new RateLimiter({ limit: 63, perMs: 1000 });
    for (let i = 0; i < 10; i++) limiter.tryAcquire();
    await sleep(5000);

    for (let i = 0; i < 10; i++) limiter.tryAcquire();
    await sleep(500);

    assertEquals(limiter.peek().remaining, 63);
  },
);

testClean("A penalty and a close end the hurry at once", () => {
  const penalized = new RateLimiter({ limit: 1000, perMs: 1000 });
  const closed = new RateLimiter({ limit: 1000, perMs: 1000 });
  for (const limiter of [penalized, closed]) {
    for (let i = 0; i < 3; i++) limiter.tryAcquire();
  }

  penalized.penalize(10);
  closed.close();

  assertEquals([penalized.tryAcquire(), closed.tryAcquire()], [false, false]);
});

testClean(
  "RateLimiter.acquire() lets nobody overtake who would not even be in the way",
  async () => {
    const limiter = exact({ limit: 5 });
    const log: string[] = [];
    await limiter.acquire(4);
    const big = createTask(() => limiter.acquire(3));
    await sleep(10);

    const [small] = waiters(limiter, ["small"], log);
    await big;
    await small;

    assertEquals(log, ["small 1000"]);
  },
);

testClean("RateLimiter forecasts anew when somebody has left", async () => {
  const limiter = steady({ maxWaitMs: 250 });
  const log: string[] = [];
  await limiter.acquire();
  const tasks = waiters(limiter, ["a", "b"], log);
  await sleep(0);

  tasks[0]?.cancel();
  await limiter.acquire();

  assertEquals([now(), log], [200, ["b 100"]]);
});

testClean(
  "RateLimiter forecasts anew when somebody has gone ahead",
  async () => {
    const limiter = steady({ maxWaitMs: 350 });
    const log: string[] = [];
    await limiter.acquire();
    const tasks = [
      ...waiters(limiter, ["a", "b"], log),
      ...waiters(limiter, ["high"], log, { priority: 1 }),
    ];
    await sleep(0);

    const error = await assertRejects(
      () => limiter.acquire(),
      RateLimitedError,
    );
    for (const task of tasks) await task;

    assertEquals(error.retryAfterMs, 400);
    assertEquals(log, ["high 100", "a 200", "b 300"]);
  },
);

testClean("A refusal never says to come again at once", () => {
  const limiter = new RateLimiter({ limit: 10_000, perMs: 1000, burst: 1 });
  limiter.tryTake();

  assertEquals(limiter.tryTake().retryAfterMs, 1);
});

testClean(
  "RateLimiter does not wait for another attempt in a cancelled scope",
  async () => {
    const limiter = steady();
    const policy = policyOf(
      logging([], "again", { exit: againUntil(2) }),
      ...layersOf(limiter) ?? [],
    );
    let thrown: unknown;

    await withScope(async (scope) => {
      const run = policy.run(() => {
        scope.cancel();
        throw new TypeError("no");
      });
      thrown = await run.catch((error) => error);
    });

    assertInstanceOf(thrown, CancelledError);
    assertEquals([now(), limiter.waiting], [0, 0]);
  },
);
