import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { InvalidStateError } from "@ilmek/async/errors";
import { Event } from "@ilmek/async/event";
import {
  type HealthCheck,
  HealthChecks,
  HealthFailedError,
  type HealthReport,
  HealthTimeoutError,
} from "@ilmek/async/health";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { moveOnAfter, timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import { takeMessages, testClean } from "../_leaks.ts";

/** Checks of a program that has come up. */
function startedWith(
  checks: HealthCheck[],
  options: ConstructorParameters<typeof HealthChecks>[1] = {},
): HealthChecks {
  const health = new HealthChecks(checks, options);
  health.markStarted();
  return health;
}

/** Whether the program has started, is alive and is ready. */
function answers({ startup, live, ready }: HealthReport): boolean[] {
  return [startup.ok, live.ok, ready.ok];
}

testClean("HealthChecks keeps the three questions apart", async () => {
  const up = { startup: true, live: true, ready: true };
  const health = startedWith([
    { name: "migration", kind: "startup", check: () => up.startup },
    { name: "watchdog", kind: "live", check: () => up.live },
    { name: "database", check: () => up.ready },
  ]);
  assertEquals(answers(await health.refresh()), [true, true, true]);

  up.ready = false;
  assertEquals(answers(await health.refresh()), [true, true, false]);
  up.ready = true;
  up.live = false;
  assertEquals(answers(await health.refresh()), [true, false, true]);
  up.live = true;
  // It has come up once, and does so for good.
  up.startup = false;
  assertEquals(answers(await health.refresh()), [true, true, true]);
});

testClean(
  "a program that has not come up is alive, but not ready",
  async () => {
    const health = new HealthChecks([{ name: "database", check: () => true }]);
    assertEquals(answers(await health.refresh()), [false, true, false]);
    assertEquals(health.report().ready.reasons, ["the program is coming up"]);

    health.markStarted();
    assertEquals(answers(health.report()), [true, true, true]);
  },
);

testClean(
  "a check for the startup that fails keeps a program from coming up",
  async () => {
    let isUp = false;
    const health = startedWith([
      { name: "warm", kind: "startup", check: () => isUp },
    ]);
    assertEquals(answers(await health.refresh()), [false, true, false]);

    isUp = true;
    assertEquals(answers(await health.refresh()), [true, true, true]);
  },
);

testClean("a program that is drained is not ready, but alive", async () => {
  const health = startedWith([{ name: "database", check: () => true }]);
  await health.refresh();

  health.drain();

  assert(health.draining);
  assertEquals(answers(health.report()), [true, true, false]);
  assertEquals(answers(await health.refresh()), [true, true, false]);
  assertEquals(health.report().ready.reasons, ["the program is being drained"]);
});

testClean("what is optional only degrades a program", async () => {
  const health = startedWith([
    {
      name: "cache",
      optional: true,
      check: () => Promise.reject(new RangeError("no cache")),
    },
  ]);

  const { ready } = await health.refresh();

  assertEquals([ready.ok, ready.degraded], [true, true]);
  assertEquals(ready.reasons, ["cache: no cache"]);
});

testClean(
  "a check fails by what it throws, by false, and by its time",
  async ({ virtual }) => {
    const fault = new RangeError("down");
    const health = startedWith([
      {
        name: "throws",
        check: () => {
          throw fault;
        },
      },
      { name: "false", check: () => Promise.resolve(false) },
      { name: "nothing", check: () => {} },
      { name: "rejects", check: () => Promise.reject(undefined) },
      { name: "slow", check: () => sleep(60_000), timeoutMs: 30 },
    ]);

    const { ready } = await health.refresh();

    assertEquals(virtual.now, 30);
    const [throws, isFalse, nothing, rejects, slow] = ready.checks;
    assertEquals(throws?.error, fault);
    assert(isFalse?.error instanceof HealthFailedError);
    assertEquals(nothing?.state, "ok");
    assert(rejects?.error instanceof HealthFailedError);
    assert(slow?.error instanceof HealthTimeoutError);
    assertEquals([slow.error.check, slow.error.ms, slow.ms], ["slow", 30, 30]);
    assertEquals(
      ready.reasons.at(-1),
      'slow: Cannot pass health check "slow": it took longer than 30 ms',
    );
  },
);

testClean(
  "a check that takes too long is cancelled, by its signal, too",
  async () => {
    const log: string[] = [];
    const health = startedWith([
      {
        name: "slow",
        async check({ signal, name }) {
          signal.onabort = () => log.push(`${name} aborted`);
          try {
            await sleep(60_000);
          } finally {
            log.push("ended");
          }
        },
      },
    ], { timeoutMs: 10 });

    await health.refresh();
    await sleep(0);

    assertEquals(log.toSorted(), ["ended", "slow aborted"]);
  },
);

testClean(
  "a check that cannot be ended is never called twice at once",
  async ({ virtual }) => {
    let calls = 0;
    const end = new Event();
    const health = startedWith([
      {
        name: "stuck",
        check: () => {
          calls++;
          return uncancellable(() => end.wait(), { graceMs: Infinity });
        },
      },
    ], { timeoutMs: 10 });

    for (let i = 1; i <= 3; i++) {
      assertEquals((await health.refresh()).ready.ok, false);
      assertEquals([calls, virtual.now], [1, i * 10]);
    }
    end.set();
    await sleep(0);
    // What it has found so late counts for nothing.
    assertEquals(health.report().ready.ok, false);
    assert((await health.refresh()).ready.ok);
    assertEquals(calls, 2);
  },
);

testClean("looks at one instant are shared", async () => {
  let calls = 0;
  const health = startedWith([
    { name: "counted", check: () => (calls++, sleep(5)) },
  ]);

  const reports = await Promise.all([health.refresh(), health.refresh()]);

  assertEquals(calls, 1);
  assert(reports.every(({ ready }) => ready.ok));
});

testClean(
  "a look goes on when one of those who wait for it is cancelled",
  async () => {
    let ended = 0;
    const health = startedWith([
      {
        name: "slow",
        async check() {
          await sleep(20);
          ended++;
        },
      },
    ]);
    const other = createTask(() => health.refresh());

    await assertRejects(
      () => timeout(10, () => health.refresh()),
      TimeoutError,
    );

    assert((await other).ready.ok);
    assertEquals(ended, 1);
  },
);

testClean(
  "of a check that is too old nothing is known: not ready, but alive",
  async () => {
    const health = startedWith([
      { name: "database", check: () => true },
      { name: "watchdog", kind: "live", check: () => true },
      { name: "new", kind: "live", check: () => true },
    ], { staleAfterMs: 50 });
    await health.refresh();

    await sleep(49);
    assertEquals(answers(health.report()), [true, true, true]);
    await sleep(1);

    const report = health.report();
    assertEquals(answers(report), [true, true, false]);
    assertEquals(report.ready.checks[0]?.state, "unknown");
    assertEquals(report.ready.reasons, [
      "database: the last look was 50 ms ago",
    ]);
  },
);

testClean("a check that was never looked at is not ready", () => {
  const health = startedWith([{ name: "database", check: () => true }]);

  const { ready } = health.report();

  assertEquals(ready.reasons, ["database: it was not looked at yet"]);
  assertEquals(ready.ok, false);
});

testClean(
  "run() looks again and again, until it is cancelled",
  async ({ virtual }) => {
    const at: number[] = [];
    const reports: HealthReport[] = [];
    const health = startedWith([
      { name: "counted", check: () => void at.push(virtual.now) },
    ], { intervalMs: 100, onReport: (report) => reports.push(report) });
    const running = createTask(() => health.run());
    await sleep(250);
    await assertRejects(() => health.run(), InvalidStateError, "run already");

    running.cancel();
    await running.catch(() => {});
    await sleep(500);

    assertEquals(at, [0, 100, 200]);
    assertEquals(reports.length, 3);
  },
);

testClean("run() cancels what is under way when it ends", async () => {
  let cancelled = false;
  const health = startedWith([
    {
      name: "slow",
      async check() {
        try {
          await sleep(60_000);
        } catch (error) {
          cancelled = true;
          throw error;
        }
      },
    },
  ], { timeoutMs: 120_000 });
  const running = createTask(() => health.run());
  await sleep(10);

  running.cancel();
  await running.catch(() => {});
  await sleep(0);

  assert(cancelled);
});

testClean(
  "a loop that is late does not count as alive until it is in time",
  async ({ virtual }) => {
    const health = startedWith([], { intervalMs: 100, maxLagMs: 1000 });
    const running = createTask(() => health.run());
    await sleep(50);

    virtual.advance(2000);
    await sleep(1);

    const late = health.report();
    assertEquals([late.live.ok, late.lagMs], [false, 1950]);
    assertEquals(late.live.reasons, ["the loop is late by 1950 ms"]);
    await sleep(200);
    assert(health.report().live.ok);
    running.cancel();
    await running.catch(() => {});
  },
);

testClean("report() changes nothing", async () => {
  let calls = 0;
  const health = startedWith([{ name: "counted", check: () => void calls++ }]);
  await health.refresh();

  assertEquals(health.report(), health.report());
  assertEquals(calls, 1);
});

testClean("a listener that throws breaks nothing", async ({ reports }) => {
  const health = startedWith([], {
    onReport: () => {
      throw new RangeError("no");
    },
  });

  assert((await health.refresh()).ready.ok);

  assertEquals(takeMessages(reports), ['A hook of "health checks" has thrown']);
});

Deno.test("looks leave nothing behind, wherever who waits for them is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const health = startedWith([
      { name: "quick", check: () => sleep(1) },
      { name: "slow", check: () => sleep(60_000), timeoutMs: 5 },
    ], { intervalMs: 10 });
    sweep.check(async () => {
      // Nobody is in the way of the next look.
      assertEquals((await health.refresh()).ready.checks[0]?.state, "ok");
    });
    await Promise.all([
      sweep.target(() => moveOnAfter(30, () => health.run())),
      sweep.target(() => health.refresh()),
    ]);
  });
});

Deno.test("HealthChecks() rejects wrong checks and options", () => {
  const check = () => true;
  const wrong: [unknown[], object, string][] = [
    [[{ check }], {}, '"name" of a check must be a string'],
    [[{ name: "a" }], {}, '"check" must be a function'],
    [[{ name: "a", check, kind: "b" }], {}, '"kind" must be one of'],
    [[{ name: "a", check }, { name: "a", check }], {}, "there twice"],
    [[{ name: "a", check, timeoutMs: -1 }], {}, '"timeoutMs"'],
    [[], { intervalMs: -1 }, '"intervalMs"'],
    [[], { staleAfterMs: NaN }, '"staleAfterMs"'],
    [[], { onReport: 1 }, '"onReport"'],
  ];
  for (const [checks, options, message] of wrong) {
    const error = assertThrows(() =>
      new HealthChecks(checks as HealthCheck[], options)
    );
    assert(error instanceof TypeError || error instanceof RangeError);
    assert(error.message.includes(message), error.message);
  }
});

testClean(
  "a check that may take long does not let others grow stale meanwhile",
  async () => {
    const health = startedWith([
      { name: "quick", check: () => true },
      {
        name: "slow",
        timeoutMs: 60_000,
        check: async () => {
          await sleep(50_000);
          return true;
        },
      },
    ]);
    const running = createTask(() => health.run());
    await sleep(50_001);
    assert(health.report().ready.ok);

    await sleep(5000 + 49_000);

    assert(health.report().ready.ok);
    running.cancel();
    await running.outcome();
  },
);

Deno.test("HealthChecks can be looked at in one run after the other", async () => {
  const health = startedWith([{ name: "quick", check: () => sleep(1) }]);
  for (let i = 0; i < 2; i++) {
    await runVirtual(async () => {
      assert((await health.refresh()).ready.ok);
    });
  }
});
