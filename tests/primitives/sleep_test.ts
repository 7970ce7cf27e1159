import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  CancelledError,
  DeadlockError,
  TimeoutError,
} from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { sleep, sleepUntil } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";

testClean(
  "sleep() waits for the time, and gives the value",
  async ({ virtual }) => {
    assertEquals(await sleep(5), undefined);
    assertEquals(await sleep(5, { value: "ready" }), "ready");
    assertEquals(await sleep(0, { value: "turn" }), "turn");
    assertEquals(virtual.now, 10);
  },
);

testClean(
  "sleep() takes fractions and a Temporal.Duration",
  async ({ virtual }) => {
    await sleep(0.5);
    await sleep(Temporal.Duration.from({ minutes: 1 }));

    assertEquals(virtual.now, 60_000.5);
  },
);

testClean("sleep() rejects what is no length", async () => {
  for (const ms of [-1, -Infinity, NaN]) {
    await assertRejects(
      () => sleep(ms),
      RangeError,
      `Cannot sleep as "ms" must be a number >= 0: current value is ${ms}`,
    );
  }
  for (const ms of ["5", undefined, null, 5n]) {
    await assertRejects(() => sleep(ms as never), TypeError);
  }
});

testClean(
  "sleep() ends in the order of the moments, then of the calls",
  async () => {
    const log: string[] = [];
    const nap = async (ms: number, name: string) => {
      await sleep(ms);
      log.push(name);
    };

    await Promise.all([
      nap(3, "d"),
      nap(1, "a"),
      nap(2, "b"),
      nap(2, "c"),
      nap(3, "e"),
    ]);

    assertEquals(log, ["a", "b", "c", "d", "e"]);
  },
);

testClean("sleep() waits beyond 2^31-1 ms", async ({ virtual }) => {
  await sleep(2 ** 31);
  await sleep(2 ** 40);

  assertEquals(virtual.now, 2 ** 31 + 2 ** 40);
});

testClean("sleep(0) gives way for one turn, in order", async () => {
  const log: string[] = [];
  const loop = getRunningLoop();
  loop.callSoon(() => log.push("before"));
  const nap = sleep(0).then(() => log.push("nap"));
  loop.callSoon(() => log.push("after"));
  await Promise.resolve();
  assertEquals(log, []);

  await nap;
  await sleep(0);

  assertEquals(log.filter((name) => name !== "nap"), ["before", "after"]);
  assertEquals(log.length, 3);
});

testClean("sleep(0) lets timers run that are due", async ({ virtual }) => {
  const log: string[] = [];
  getRunningLoop().callLater(5, () => log.push("timer"));
  virtual.advance(5);

  await sleep(0);
  await sleep(0);

  assertEquals(log, ["timer"]);
});

testClean(
  "sleep(0) that was cancelled throws in its turn, and only then",
  async () => {
    const log: string[] = [];
    await withScope(async (scope) => {
      const nap = sleep(0).catch(() => log.push("thrown"));
      scope.cancel();
      await Promise.resolve();
      log.push("microtask");
      await nap;
    });

    assertEquals(log, ["microtask", "thrown"]);
  },
);

testClean(
  "sleep(Infinity) waits until it is cancelled",
  async ({ virtual }) => {
    await assertRejects(
      () => timeout(1e12, () => sleep(Infinity)),
      TimeoutError,
    );

    assertEquals(virtual.now, 1e12);
  },
);

testClean(
  "sleep() in a cancelled scope throws, and leaves no timer",
  async ({ virtual }) => {
    await withScope(async (scope) => {
      scope.cancel();
      assertStrictEquals(await assertRejects(() => sleep(100)), scope.error);
    });
    await sleep(0);

    assertEquals(virtual.now, 0);
  },
);

testClean("sleep() that is cancelled leaves no timer", async ({ virtual }) => {
  const task = createTask(() => sleep(100));
  await sleep(1);

  task.cancel();
  await assertRejects(() => task, CancelledError);
  await sleep(0);

  assertEquals(virtual.now, 1);
});

testClean(
  "sleep() is cancelled before and at its moment, not after",
  async () => {
    const early = createTask(() => sleep(10));
    const late = createTask(() => sleep(10, { value: "granted" }));
    await sleep(9);
    early.cancel();
    await sleep(1);

    late.cancel();

    await assertRejects(() => early, CancelledError);
    assertEquals(await late, "granted");
  },
);

testClean(
  "sleep() rejects with the reason of its signal, unwrapped",
  async ({ virtual }) => {
    const controller = new AbortController();
    const reason = { why: "left" };
    getRunningLoop().callLater(5, () => controller.abort(reason));
    let caught: unknown;

    await sleep(100, { signal: controller.signal }).catch((e) => caught = e);

    assertStrictEquals(caught, reason);
    assertEquals(virtual.now, 5);
  },
);

testClean(
  "sleep() does not begin if its signal was aborted before",
  async ({ virtual }) => {
    const signal = AbortSignal.abort(new TypeError("before"));

    await assertRejects(() => sleep(100, { signal }), TypeError, "before");
    await sleep(0);

    assertEquals(virtual.now, 0);
  },
);

testClean("sleep() forgets its signal when the time has come", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (
    ...args: Parameters<typeof removeEventListener>
  ) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };

  await sleep(1, { signal });
  const second = sleep(5, { signal });
  const third = sleep(1, { signal });
  assertEquals(listeners, 1);
  await third;
  assertEquals(listeners, 1);
  await second;

  assertEquals(listeners, 0);
  controller.abort();
});

testClean(
  "sleep() keeps its value when its signal aborts after the time",
  async () => {
    const controller = new AbortController();
    const nap = sleep(1, { value: "value", signal: controller.signal });
    await sleep(1);

    controller.abort();

    assertEquals(await nap, "value");
  },
);

testClean("an idle sleep ends in passing", async ({ virtual }) => {
  const log: string[] = [];
  const nap = sleep(5, { idle: true }).then(() => log.push("idle"));

  await sleep(10);
  await nap;

  assertEquals([log, virtual.now], [["idle"], 10]);
});

testClean(
  "an idle sleep is not what virtual time waits for",
  async ({ virtual }) => {
    const nap = createTask(() => sleep(1000, { idle: true }));
    await sleep(5);

    nap.cancel();
    await nap.outcome();

    assertEquals(virtual.now, 5);
  },
);

Deno.test("an idle sleep keeps no run alive", async () => {
  await assertRejects(
    () => runVirtual(() => sleep(5, { idle: true })),
    DeadlockError,
    "time to pass",
  );
});

testClean(
  "sleepUntil() waits until the loop's time is there",
  async ({ virtual }) => {
    virtual.advance(100);

    await sleepUntil(130);

    assertEquals(virtual.now, 130);
  },
);

testClean(
  "sleepUntil() of a moment that is past takes one turn",
  async ({ virtual }) => {
    virtual.advance(100);
    const log: string[] = [];
    getRunningLoop().callSoon(() => log.push("turn"));

    await sleepUntil(50);

    assertEquals([log, virtual.now], [["turn"], 100]);
  },
);

testClean(
  "sleepUntil() rejects what is no time, and takes a signal",
  async () => {
    await assertRejects(
      () => sleepUntil(NaN),
      RangeError,
      'Cannot sleep as "when" must be a number: current value is NaN',
    );
    await assertRejects(() => sleepUntil("1" as never), RangeError, '"when"');
    const signal = AbortSignal.abort(new TypeError("left"));
    await assertRejects(() => sleepUntil(10, { signal }), TypeError, "left");
  },
);

testClean("sleepUntil(Infinity) waits until it is cancelled", async () => {
  await assertRejects(
    () => timeout(10, () => sleepUntil(Infinity)),
    TimeoutError,
  );
});

testClean(
  "sleep() ends with the scope of its caller, not of who wakes",
  async () => {
    const gate = new Future<void>();
    const sleeper = createTask(async () => {
      await gate;
      await sleep(10);
      return "slept";
    });
    const waker = createTask(async () => {
      gate.setResult();
      await sleep(100);
    });
    await sleep(1);

    waker.cancel();

    assertEquals(await sleeper, "slept");
  },
);

Deno.test("sleep() in real time never ends early", async () => {
  const start = performance.now();
  await sleep(3);

  assertGreaterOrEqual(performance.now() - start, 3);
});

Deno.test("sleep() in real time leaves no timer when it is cancelled", async () => {
  const task = createTask(() => sleep(60_000));
  const other = createTask(() => sleep(1));
  await other;

  task.cancel();

  await assertRejects(() => task, CancelledError);
});

Deno.test("sleep(0) in real time lets timers of the platform run", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1);
  let fired = false;
  promise.then(() => fired = true);

  for (let i = 0; i < 100_000 && !fired; i++) await sleep(0);

  clearTimeout(timer);
  assert(fired);
});
