import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { compose } from "@ilmek/async/compose";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import {
  DeadlineTooNearError,
  Timeout,
  type TimeoutEvent,
} from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";
import { logging, policyOf } from "./_policies.ts";

const now = () => getRunningLoop().time();
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);
const stubborn = <T>(ms: number, value: T) =>
  uncancellable(() => sleep(ms, { value }), { graceMs: Infinity });

testClean("Timeout gives what comes in time", async () => {
  assertEquals(await new Timeout(10).run(() => sleep(5, { value: 1 })), 1);
  assertEquals(await new Timeout(10).run(() => 2), 2);
  assertEquals(await new Timeout(Infinity).run(() => sleep(5)), undefined);
});

testClean("Timeout cancels what takes too long", async () => {
  const policy = new Timeout(10, { name: "api" });

  const error = await assertRejects(
    () => policy.run(() => sleep(1000)),
    TimeoutError,
    'Cannot finish "api" in time: 10 ms have passed',
  );

  assertEquals([error.ms, error.deadline, error.label], [10, 10, "api"]);
  assertInstanceOf(error.cause, CancelledError);
  assertEquals(now(), 10);
});

testClean("Timeout of 0 has passed already", async () => {
  await assertRejects(() => new Timeout(0).run(() => sleep(1)), TimeoutError);
  assertEquals(await new Timeout(0).run(() => 1), 1);
  assertEquals(now(), 0);
});

testClean("Timeout waits for work that was cancelled to end", async () => {
  let ended = 0;

  await caught(
    new Timeout(10).run(async () => {
      try {
        await sleep(1000);
      } finally {
        await uncancellable(() => sleep(50));
        ended = now();
      }
    }),
  );

  assertEquals([ended, now()], [60, 60]);
});

testClean(
  "Timeout leaves work that does not end within the grace",
  async () => {
    const late: TimeoutEvent[] = [];
    const policy = new Timeout(10, {
      graceMs: 100,
      onLate: (event) => late.push(event),
    });

    await assertRejects(
      () => policy.run(() => stubborn(500, "x")),
      TimeoutError,
    );

    assertEquals(now(), 110);
    assertEquals(policy.snapshot(), { calls: 1, timeouts: 1, lingering: 1 });
    await sleep(1000);
    assertEquals(policy.snapshot().lingering, 0);
    assertEquals(late.map(({ outcome, elapsedMs }) => [outcome, elapsedMs]), [
      [{ ok: true, value: "x" }, 500],
    ]);
  },
);

testClean("Timeout in detached mode does not wait for the work", async () => {
  const policy = new Timeout(10, { mode: "detach" });

  await assertRejects(() => policy.run(() => stubborn(500, 1)), TimeoutError);

  assertEquals(now(), 10);
  await sleep(1000);
});

testClean("Timeout keeps a late failure to itself", async ({ reports }) => {
  const policy = new Timeout(10, { mode: "detach" });
  const fail = async () => {
    await stubborn(500, 1);
    throw new RangeError("late");
  };

  await assertRejects(() => policy.run(fail), TimeoutError);
  await sleep(1000);

  assertEquals(takeMessages(reports), []);
});

testClean("Timeout disposes of a late result that nobody takes", async () => {
  const disposed: number[] = [];
  const value = { [Symbol.dispose]: () => void disposed.push(now()) };

  await caught(
    new Timeout(10, { mode: "detach" }).run(() => stubborn(500, value)),
  );
  await sleep(1000);

  assertEquals(disposed, [500]);
});

testClean(
  "Timeout says nothing of a caller who was cancelled first",
  async () => {
    const policy = new Timeout(100);
    const task = createTask(() => policy.run(() => sleep(1000)));
    await sleep(10);

    task.cancel();

    assertInstanceOf(await caught(task.toPromise()), CancelledError);
    assertEquals(policy.snapshot().timeouts, 0);
  },
);

testClean(
  "Timeout gives way to a caller's deadline that has passed, too",
  async () => {
    const outer = await caught(
      timeout(10, () => new Timeout(10).run(() => sleep(1000)), {
        label: "out",
      }),
    );

    assertInstanceOf(outer, TimeoutError);
    assertEquals(outer.label, "out");
  },
);

testClean("Timeout gives what the caller's signal says", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const call = new Timeout(100).run(() => sleep(1000), { signal });
  await sleep(10);

  controller.abort("left");

  assertEquals(await caught(call), "left");
});

testClean("Timeout throws what the work itself has failed with", async () => {
  const error = new RangeError("down");
  const fail = async () => {
    await sleep(1000).catch(() => {});
    throw error;
  };

  assertStrictEquals(await caught(new Timeout(10).run(fail)), error);
});

testClean(
  "Timeout knows an abort that the platform tells in its own words",
  async () => {
    const fetchLike = ({ signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => {
        signal.addEventListener(
          "abort",
          () => reject(new DOMException("aborted", "AbortError")),
        );
      });
    const parked = <T>(fn: () => Promise<T>) => Promise.all([fn(), sleep(20)]);

    await assertRejects(
      () => new Timeout(10).run((context) => parked(() => fetchLike(context))),
      TimeoutError,
    );
  },
);

testClean("Timeout tells the work the nearest of all deadlines", async () => {
  const policy = compose(new Timeout(50), new Timeout(500));

  const seen = await policy.run(({ deadline }) => [
    deadline,
    currentScope().effectiveDeadline,
  ]);

  assertEquals(seen, [50, 50]);
});

testClean(
  "Timeout fires the signal of the work, unless that gave a result",
  async () => {
    const signals: AbortSignal[] = [];
    const policy = new Timeout(10);

    await policy.run(({ signal }) => signals.push(signal));
    await caught(policy.run(({ signal }) => {
      signals.push(signal);
      return sleep(1000);
    }));

    assertEquals(signals.map(({ aborted }) => aborted), [false, true]);
  },
);

testClean(
  "Timeout limits each attempt inside of a retry, and all outside",
  async () => {
    const log: number[] = [];
    const policy = compose(
      new Timeout(25, { name: "total" }),
      new Retry({ attempts: 9, schedule: spaced(1) }),
      new Timeout(10, { name: "attempt" }),
    );

    const error = await caught(policy.run(() => {
      log.push(now());
      return sleep(1000);
    }));

    assertInstanceOf(error, TimeoutError);
    assertEquals([error.label, log, now()], ["total", [0, 11, 22], 25]);
  },
);

testClean(
  "Timeout tells of the outer limit if both have passed in one step",
  async ({ virtual }) => {
    const policy = compose(
      new Timeout(20, { name: "total" }),
      new Retry({ attempts: 9 }),
      new Timeout(5, { name: "attempt" }),
    );

    const error = await caught(policy.run(async () => {
      const rest = sleep(1000);
      virtual.advance(30);
      await rest;
    }));

    assertInstanceOf(error, TimeoutError);
    assertEquals(error.label, "total");
  },
);

testClean("Timeout refuses what needs more time than is left", async () => {
  const policy = new Timeout(1000, { needsMs: 200, name: "api" });
  let begun = false;

  const error = await caught(timeout(100, () =>
    policy.run(() => {
      begun = true;
    })));

  assertInstanceOf(error, DeadlineTooNearError);
  assertEquals([error.remainingMs, error.needsMs], [100, 200]);
  assertEquals([error.rejected, error.retryAfterMs], [true, Infinity]);
  assert(!begun);
  assertEquals(await timeout(300, () => policy.run(() => 1)), 1);
});

testClean("Timeout tells what is outside what it has left behind", async () => {
  const seen: (Promise<void> | undefined)[] = [];
  const guard = logging([], "slot", {
    exit: (call) => {
      seen.push(call.lingering);
      return undefined;
    },
  });
  const outer = policyOf(guard);
  const policy = compose(outer, new Timeout(10, { mode: "detach" }));

  await caught(policy.run(() => stubborn(500, 1)));
  await seen[0];
  await policy.run(() => 1);

  assertEquals(now(), 500);
  assertEquals(seen[1], undefined);
});

testClean("Timeout calls its hook when the time is over", async () => {
  const log: unknown[] = [];
  const policy = new Timeout(10, {
    onTimeout: ({ ms, elapsedMs, snapshot }) =>
      log.push([ms, elapsedMs, snapshot.timeouts]),
  });

  await caught(policy.run(() => sleep(1000)));

  assertEquals(log, [[10, 10, 1]]);
});

testClean(
  "Timeout tells true times, without a limit and with one of 0",
  async () => {
    await sleep(3);
    const seen: unknown[] = [];
    const tell = ({ elapsedMs }: TimeoutEvent) => seen.push(elapsedMs);
    const endless = new Timeout(Infinity, { mode: "detach", onLate: tell });
    const none = new Timeout(0, { onTimeout: tell });

    const error = await caught(none.run(() => sleep(1)));
    const task = createTask(() => endless.run(() => stubborn(50, 1)));
    await sleep(10);
    task.cancel();
    await caught(task.toPromise());
    await sleep(100);

    assertInstanceOf(error, TimeoutError);
    assertEquals([error.deadline, seen], [3, [0, 50]]);
  },
);

testClean("Timeout leaves no timer behind", async ({ virtual: _ }) => {
  const policy = new Timeout(60_000);
  for (let i = 0; i < 5; i++) await policy.run(() => sleep(1));
  await caught(policy.run(() => Promise.reject(new RangeError("down"))));
});

testClean("Timeout does not begin in a cancelled scope", async () => {
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => new Timeout(5).run(() => 1), CancelledError);
  });
});

testClean("Timeout throws on bad options", () => {
  assertThrows(() => new Timeout(-1), RangeError, '"ms"');
  assertThrows(() => new Timeout("5" as never), TypeError, '"ms"');
  assertThrows(() => new Timeout(1, { graceMs: NaN }), RangeError, '"graceMs"');
  assertThrows(() => new Timeout(1, { needsMs: -1 }), RangeError, '"needsMs"');
  assertThrows(
    () => new Timeout(1, { mode: "hard" as never }),
    TypeError,
    '"mode"',
  );
});
