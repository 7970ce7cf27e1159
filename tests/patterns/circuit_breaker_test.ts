import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Bulkhead } from "@ilmek/async/bulkhead";
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitIsolatedError,
  CircuitOpenError,
  type CircuitSnapshot,
} from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { CancelledError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { PolicyError } from "@ilmek/async/policy";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

const down = (): Promise<never> => Promise.reject(new TypeError("down"));
const ok = (): string => "ok";

/** A breaker that opens at the 2nd failure, for exactly 100 ms. */
function sensitive(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new CircuitBreaker({
    consecutiveFailures: 2,
    openMs: 100,
    jitter: 0,
    probes: 1,
    rampMs: 0,
    ...options,
  });
}

/** Lets calls fail until the breaker opens. */
async function fail(breaker: CircuitBreaker, times = 2): Promise<void> {
  for (let i = 0; i < times; i++) {
    await assertRejects(() => breaker.run(down), TypeError, "down");
  }
}

/** How many calls pass of so many that are made at once. */
async function passing(
  breaker: CircuitBreaker,
  calls: number,
): Promise<number> {
  let passed = 0;
  for (let i = 0; i < calls; i++) {
    await breaker.run(ok).then(() => passed++, () => {});
  }
  return passed;
}

testClean(
  "CircuitBreaker.run() gives what the function returns or throws",
  async () => {
    const breaker = new CircuitBreaker();

    assertEquals(await breaker.run(ok), "ok");
    await assertRejects(() => breaker.run(down), TypeError, "down");
    assertEquals(breaker.state, "closed");
  },
);

testClean(
  "CircuitBreaker opens at so many failures in a row, and calls nothing then",
  async () => {
    const breaker = sensitive({ name: "payments" });
    await fail(breaker);
    let called = false;

    const error = await assertRejects(
      () => breaker.run(() => called = true),
      CircuitOpenError,
      'Cannot run the call under "payments": it is open for another 100 ms',
    );
    assertFalse(called);
    assert(error instanceof PolicyError);
    assertEquals(
      [error.policy, error.state, error.retryAfterMs, error.rejected],
      ["payments", "open", 100, true],
    );
    assertStrictEquals(error.cause, breaker.lastFailure);
  },
);

testClean("a success in between begins the row of failures anew", async () => {
  const breaker = sensitive();
  for (const fn of [down, ok, ok, down, ok, down]) {
    await breaker.run<string>(fn).catch(() => {});
  }

  assertEquals(breaker.state, "closed");
});

testClean(
  "CircuitBreaker opens at a share of failures, of enough calls",
  async () => {
    const breaker = new CircuitBreaker({ minimumCalls: 4, failureRate: 0.5 });
    for (const fn of [down, ok, down]) {
      await breaker.run<string>(fn).catch(() => {});
      assertEquals(breaker.state, "closed");
    }
    await breaker.run(ok);

    assertEquals(breaker.state, "open");
  },
);

testClean(
  "a count window forgets the calls before the latest so many",
  async () => {
    const breaker = new CircuitBreaker({
      window: { kind: "count", size: 4 },
      minimumCalls: 4,
      failureRate: 0.75,
    });
    for (const fn of [down, down, ok, ok, ok, down]) {
      await breaker.run<string>(fn).catch(() => {});
    }

    assertEquals(breaker.state, "closed");
    assertEquals(breaker.snapshot().window, { calls: 4, failures: 1, slow: 0 });
  },
);

testClean("a time window forgets calls when their time is over", async () => {
  const breaker = new CircuitBreaker({
    window: { kind: "time", ms: 100, segments: 4 },
    minimumCalls: 3,
  });
  await fail(breaker);
  await sleep(50);
  assertEquals(breaker.snapshot().window.calls, 2);
  await sleep(50);

  assertEquals(breaker.snapshot().window.calls, 0);
  await fail(breaker, 1);
  assertEquals(breaker.state, "closed");
});

testClean(
  "the caller's own cancellation says nothing of the work",
  async () => {
    const breaker = sensitive({ consecutiveFailures: 1 });
    const controller = new AbortController();
    const calls = [
      createTask(() => breaker.run(() => sleep(Infinity))),
      createTask(() =>
        breaker.run(() => sleep(Infinity), { signal: controller.signal })
      ),
    ];
    await sleep(1);
    calls[0]?.cancel();
    controller.abort(new RangeError("enough"));
    for (const call of calls) await call.outcome();

    assertEquals(breaker.state, "closed");
    assertEquals(breaker.snapshot().totals.ignored, 2);
  },
);

testClean(
  "a timeout within is a failure, a timeout outside is none",
  async () => {
    const breaker = sensitive({ consecutiveFailures: 1 });
    await assertRejects(
      () => timeout(1, () => breaker.run(() => sleep(10))),
      TimeoutError,
    );
    assertEquals(breaker.state, "closed");
    await assertRejects(
      () => breaker.run(() => timeout(1, () => sleep(10))),
      TimeoutError,
    );

    assertEquals(breaker.state, "open");
  },
);

testClean("a refusal by an inner policy is ignored", async () => {
  const [outer, inner] = [sensitive(), sensitive()];
  await fail(inner);
  for (let i = 0; i < 3; i++) {
    await assertRejects(
      () => outer.run(() => inner.run(ok)),
      CircuitOpenError,
    );
  }

  assertEquals([outer.state, outer.snapshot().totals.ignored], ["closed", 3]);
});

testClean(
  "classify decides what a failure is, by error and by value",
  async () => {
    const breaker = sensitive({
      classify: (outcome) => {
        if (!outcome.ok) return "ignore";
        return outcome.value === "bad" ? "failure" : undefined;
      },
    });
    await fail(breaker, 3);
    assertEquals(breaker.state, "closed");
    for (let i = 0; i < 2; i++) await breaker.run(() => "bad");

    assertEquals([breaker.state, breaker.lastFailure], ["open", "bad"]);
  },
);

testClean(
  "calls that take too long open the circuit before they are over",
  async () => {
    const breaker = new CircuitBreaker({
      minimumCalls: 4,
      slowMs: 50,
      slowRate: 0.8,
    });
    const hanging = Array.from(
      { length: 4 },
      () => createTask(() => breaker.run(() => sleep(1000))),
    );
    await sleep(49);
    await breaker.run(ok);
    assertEquals(breaker.state, "closed");
    await sleep(1);

    await assertRejects(() => breaker.run(ok), CircuitOpenError);
    for (const call of hanging) call.cancel();
    for (const call of hanging) await call.outcome();
  },
);

testClean(
  "a call that counted as slow does not count again when it is over",
  async () => {
    const breaker = new CircuitBreaker({ slowMs: 50 });
    const slow = createTask(() => breaker.run(() => sleep(60)));
    await sleep(55);
    await breaker.run(ok);
    assertEquals(breaker.snapshot().window, { calls: 2, failures: 0, slow: 1 });
    await slow;

    assertEquals(breaker.snapshot().window, { calls: 2, failures: 0, slow: 1 });
    assertEquals(breaker.snapshot().totals.slow, 1);
  },
);

testClean("calls in flight do not dilute the rate", async () => {
  const breaker = new CircuitBreaker({ minimumCalls: 10 });
  const hanging = Array.from(
    { length: 20 },
    () => createTask(() => breaker.run(() => sleep(Infinity))),
  );
  await sleep(1);
  await fail(breaker, 10);

  assertEquals([breaker.state, breaker.inFlight], ["open", 20]);
  for (const call of hanging) call.cancel();
  for (const call of hanging) await call.outcome();
});

testClean(
  "an open circuit lets a probe through when its time is over, and closes",
  async () => {
    const changes: string[] = [];
    const breaker = sensitive({
      onStateChange: ({ from, to, why }) =>
        changes.push(`${from} > ${to}: ${why}`),
    });
    await fail(breaker);
    await sleep(99);
    await assertRejects(() => breaker.run(ok), CircuitOpenError);
    await sleep(1);

    assertEquals(await breaker.run(ok), "ok");
    assertEquals(changes, [
      "closed > open: failures",
      "open > half-open: time-to-probe",
      "half-open > closed: probes-succeeded",
    ]);
  },
);

testClean(
  "a half-open circuit lets so many probes through, and refuses the rest",
  async () => {
    const breaker = sensitive({ probes: 4, probeConcurrency: 2 });
    await fail(breaker);
    await sleep(100);
    let running = 0;
    const calls = Array.from(
      { length: 10 },
      () =>
        createTask(() =>
          breaker.run(async () => {
            running++;
            await sleep(10);
          })
        ),
    );
    await sleep(1);

    assertEquals(running, 2);
    const outcomes = await gather(calls.map((call) => () => call.outcome()));
    const refused = outcomes.filter(({ state }) => state === "failed");
    assertEquals(refused.length, 8);
    assertEquals(breaker.state, "half-open");
    for (let i = 0; i < 2; i++) await breaker.run(ok);
    assertEquals(breaker.state, "closed");
  },
);

testClean(
  "a half-open circuit decides as soon as no probe could change it",
  async () => {
    const breaker = sensitive({ probes: 5, failureRate: 0.5 });
    await fail(breaker);
    await sleep(100);
    await fail(breaker, 2);
    assertEquals(breaker.state, "half-open");
    await fail(breaker, 1);

    assertEquals(breaker.state, "open");
  },
);

testClean(
  "a probe that is cancelled gives its place back, and decides nothing",
  async () => {
    const breaker = sensitive();
    await fail(breaker);
    await sleep(100);
    const probe = createTask(() => breaker.run(() => sleep(Infinity)));
    await sleep(1);
    await assertRejects(() => breaker.run(ok), CircuitOpenError);
    probe.cancel();
    await probe.outcome();

    assertEquals(breaker.state, "half-open");
    assertEquals(await breaker.run(ok), "ok");
    assertEquals(breaker.state, "closed");
  },
);

testClean("a probe that takes too long has failed, and is late", async () => {
  const breaker = sensitive({ probeTimeoutMs: 50 });
  await fail(breaker);
  await sleep(100);
  const probe = createTask(() => breaker.run(() => sleep(500)));
  await sleep(50);
  const error = await assertRejects(() => breaker.run(ok), CircuitOpenError);
  assertEquals([error.state, breaker.state], ["open", "open"]);
  await sleep(200);
  await breaker.run(ok);
  assertEquals(breaker.state, "closed");
  await probe;

  assertEquals(breaker.state, "closed");
});

testClean("a result from an earlier period changes nothing", async () => {
  const breaker = sensitive({ consecutiveFailures: 1 });
  const lateSuccess = createTask(() => breaker.run(() => sleep(150)));
  const lateFailure = createTask(() =>
    breaker.run(async () => {
      await sleep(160);
      throw new RangeError("late");
    })
  );
  await sleep(1);
  await fail(breaker, 1);
  await sleep(100);
  const probe = createTask(() => breaker.run(() => sleep(80)));
  await sleep(1);
  await lateSuccess;
  await lateFailure.outcome();
  assertEquals(breaker.state, "half-open");
  await probe;

  assertEquals(breaker.state, "closed");
});

testClean("the open time grows with each opening, up to a bound", async () => {
  const breaker = sensitive({ maxOpenMs: 350 });
  await fail(breaker);
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    const { reopensInMs } = breaker.snapshot();
    times.push(reopensInMs);
    await sleep(reopensInMs);
    await fail(breaker, 1);
  }

  assertEquals(times, [100, 200, 350, 350]);
});

testClean(
  "a circuit that was closed for long opens for the first time again",
  async () => {
    const breaker = sensitive({ maxOpenMs: 400 });
    await fail(breaker);
    await sleep(100);
    await breaker.run(ok);
    await fail(breaker);
    assertEquals(breaker.snapshot().reopensInMs, 200);
    await sleep(200);
    await breaker.run(ok);
    await sleep(400);
    await fail(breaker);

    assertEquals(breaker.snapshot().reopensInMs, 100);
  },
);

testClean("the open time is random in its upper part", async () => {
  const times: number[] = [];
  for (const number of [0, 0.5, 0.999]) {
    const breaker = sensitive({ jitter: 0.5, random: () => number });
    await fail(breaker);
    times.push(breaker.snapshot().reopensInMs);
  }

  assertEquals(times, [50, 75, 99.95]);
});

testClean("the one who fails may ask for a longer time", async () => {
  const breaker = sensitive({ consecutiveFailures: 1 });
  const overloaded = () => {
    throw Object.assign(new RangeError("busy"), { retryAfterMs: 700 });
  };
  await assertRejects(() => breaker.run(overloaded), RangeError);

  assertEquals(breaker.snapshot().reopensInMs, 700);
});

testClean("a response may ask for a longer time, too", async () => {
  const breaker = sensitive({
    consecutiveFailures: 1,
    classify: (outcome) =>
      outcome.ok && (outcome.value as Response).status === 503
        ? "failure"
        : undefined,
  });
  const headers = { "Retry-After": "70" };
  await breaker.run(() => new Response(null, { status: 503, headers }));

  assertEquals(breaker.snapshot().reopensInMs, 70_000);
});

testClean(
  "a circuit that has closed lets calls through step by step",
  async () => {
    const breaker = sensitive({ rampMs: 300 });
    await fail(breaker);
    await sleep(100);
    await breaker.run(ok);
    const passed = [await passing(breaker, 81)];
    const error = await assertRejects(() => breaker.run(ok), CircuitOpenError);
    assertEquals([error.state, error.retryAfterMs], ["closed", 100]);
    for (let i = 0; i < 3; i++) {
      await sleep(100);
      passed.push(await passing(breaker, 80));
    }

    assertEquals(passed, [11, 20, 40, 80]);
  },
);

testClean(
  "calls wait for the verdict of the probes as long as they may",
  async () => {
    const breaker = sensitive({ waitMs: 20 });
    await fail(breaker);
    await sleep(100);
    const probe = createTask(() => breaker.run(() => sleep(10)));
    await sleep(1);
    const waiting = createTask(() => breaker.run(ok));
    await sleep(1);
    assertEquals(breaker.waiting, 1);

    assertEquals(await waiting, "ok");
    await probe;
  },
);

testClean(
  "calls that wait for probes are refused when their time is over, or cancelled",
  async ({ virtual }) => {
    const breaker = sensitive({ waitMs: 20 });
    await fail(breaker);
    await sleep(100);
    const probe = createTask(() => breaker.run(() => sleep(50)));
    await sleep(1);
    const start = virtual.now;
    await assertRejects(() => breaker.run(ok), CircuitOpenError);
    assertEquals(virtual.now - start, 20);
    await assertRejects(() => timeout(1, () => breaker.run(ok)), TimeoutError);

    assertEquals(breaker.waiting, 0);
    await probe;
  },
);

testClean(
  "a call that waits takes the place of a probe that was cancelled",
  async () => {
    const breaker = sensitive({ waitMs: 1000 });
    await fail(breaker);
    await sleep(100);
    const probe = createTask(() => breaker.run(() => sleep(Infinity)));
    await sleep(1);
    const waiting = createTask(() => breaker.run(ok));
    await sleep(1);
    probe.cancel();

    assertEquals(await waiting, "ok");
    assertEquals(breaker.state, "closed");
  },
);

testClean(
  "a newcomer never takes the place that a waiter was given",
  async () => {
    const breaker = sensitive({ waitMs: 1000 });
    await fail(breaker);
    await sleep(100);
    const log: string[] = [];
    const call = (name: string) =>
      breaker.run(async () => {
        log.push(name);
        await sleep(5);
      });
    const probe = createTask(() => breaker.run(() => sleep(500)));
    await sleep(1);
    const waiter = createTask(() => call("waiter"));
    await sleep(1);
    probe.cancel();
    const newcomer = createTask(async () => {
      await assertRejects(() => probe, CancelledError);
      await call("newcomer");
    });

    await gather([waiter, newcomer]);
    assertEquals(log, ["waiter", "newcomer"]);
  },
);

testClean("a place that a late probe leaves goes to who waits", async () => {
  const breaker = sensitive({
    waitMs: 1000,
    probes: 2,
    probeConcurrency: 1,
    probeTimeoutMs: 50,
    failureRate: 1,
  });
  await fail(breaker);
  await sleep(100);
  const log: string[] = [];
  const call = (name: string) => () => breaker.run(() => void log.push(name));
  const probe = createTask(() => breaker.run(() => sleep(500)));
  await sleep(1);
  const waiter = createTask(call("waiter"));
  await sleep(60);
  const newcomer = createTask(call("newcomer"));

  await gather([waiter, newcomer, probe]);
  assertEquals(log, ["waiter", "newcomer"]);
});

testClean("a call does not wait for probes in a cancelled scope", async () => {
  const breaker = sensitive({ waitMs: 1000 });
  await fail(breaker);
  await sleep(100);
  const probe = createTask(() => breaker.run(() => sleep(500)));
  await sleep(0);
  const queue = new Bulkhead({ slots: 1, maxQueue: 1 });
  const gate = Promise.withResolvers<void>();
  const first = createTask(() => queue.run(() => gate.promise));
  await sleep(0);
  const second = createTask(() => compose(queue, breaker).run(ok));
  await sleep(0);

  // The slot is granted, then the caller is cancelled: only the next wait sees it.
  gate.resolve();
  await first;
  second.cancel();
  await assertRejects(() => second, CancelledError);
  assertEquals([breaker.waiting, queue.active], [0, 0]);
  await probe;
});

testClean(
  "late probes leave the calls alone that came after them",
  async () => {
    const breaker = sensitive({
      consecutiveFailures: 1,
      slowMs: 50,
      probes: 3,
      openMs: 10,
    });
    await fail(breaker, 1);
    await sleep(10);
    const hang = () => breaker.run(() => sleep(30));
    const late = [createTask(hang), createTask(hang), createTask(hang)];
    await sleep(1);
    breaker.reset();
    const calls = [createTask(() => breaker.run(() => sleep(40)))];
    await gather(late);
    await gather(calls);

    breaker.isolate();
    breaker.reset();
    assertEquals(breaker.inFlight, 0);
    assertEquals(breaker.snapshot().window.calls, 0);
  },
);

testClean("a time window takes a duration object", async () => {
  const ms = { total: () => 100 };
  const breaker = sensitive({ window: { kind: "time", ms } });
  await fail(breaker, 1);
  assertEquals(breaker.snapshot().window.calls, 1);
  await sleep(110);

  assertEquals(breaker.snapshot().window.calls, 0);
});

testClean(
  "an isolated breaker refuses all calls until somebody resumes it",
  async () => {
    const breaker = sensitive({ name: "payments" });
    breaker.isolate();
    await sleep(100_000);

    const error = await assertRejects(
      () => breaker.run(ok),
      CircuitIsolatedError,
      'Cannot run the call under "payments": it is isolated',
    );
    assertEquals([error.retryAfterMs, breaker.mode], [Infinity, "isolated"]);
    breaker.resume();
    assertEquals(await breaker.run(ok), "ok");
  },
);

testClean(
  "a bypassed breaker lets all through, and counts nothing",
  async () => {
    const breaker = sensitive();
    breaker.bypass();
    await fail(breaker, 5);

    assertEquals([breaker.state, breaker.inFlight], ["closed", 0]);
    assertEquals(breaker.snapshot().totals.failures, 0);
  },
);

testClean(
  "a shadow breaker changes its state, and refuses nothing",
  async () => {
    const breaker = sensitive();
    breaker.shadow();
    await fail(breaker, 5);
    assertEquals(breaker.state, "open");
    await sleep(100);
    const calls = [1, 2, 3].map(() =>
      createTask(() => breaker.run(() => sleep(1)))
    );
    for (const call of calls) await call;

    assertEquals(breaker.state, "closed");
  },
);

testClean("open() and reset() decide at once", async () => {
  const breaker = sensitive();
  breaker.open();
  await assertRejects(() => breaker.run(ok), CircuitOpenError);
  breaker.reset();

  assertEquals(await breaker.run(ok), "ok");
  assertEquals(breaker.snapshot().openings, 0);
});

testClean(
  "snapshot() changes nothing, and restore() takes it over",
  async () => {
    const before = sensitive();
    await fail(before);
    await sleep(30);
    const snapshot: CircuitSnapshot = JSON.parse(
      JSON.stringify(before.snapshot()),
    );
    assertEquals(snapshot, JSON.parse(JSON.stringify(before.snapshot())));
    assertEquals([snapshot.reopensInMs, snapshot.totals.opens], [70, 1]);
    await sleep(1000);

    const after = sensitive();
    after.restore(snapshot);
    assertEquals(after.snapshot().reopensInMs, 70);
    await sleep(70);
    await after.run(ok);
    assertEquals(after.state, "closed");
  },
);

testClean("restore() refuses what is no snapshot", () => {
  const breaker = sensitive();
  for (
    const wrong of [undefined, {}, { ...breaker.snapshot(), state: "ajar" }]
  ) {
    assertThrows(
      () => breaker.restore(wrong as CircuitSnapshot),
      TypeError,
      'Cannot restore a circuit breaker as "snapshot" must come from snapshot()',
    );
  }
});

testClean(
  "a breaker is pristine only as long as a new one could stand in for it",
  async () => {
    const breaker = sensitive({ window: { kind: "time", ms: 100 } });
    assert(breaker.pristine);
    await fail(breaker, 1);
    assertFalse(breaker.pristine);
    await breaker.run(ok);
    await sleep(100);
    assert(breaker.pristine);
    breaker.isolate();
    assertFalse(breaker.pristine);
  },
);

testClean(
  "hooks run when all is done, and what they throw breaks nothing",
  async ({ reports }) => {
    const log: string[] = [];
    const breaker: CircuitBreaker = sensitive({
      name: "payments",
      onStateChange: ({ to, snapshot }) => {
        log.push(`${to}, ${breaker.state}, ${snapshot.totals.opens}`);
        throw new RangeError("broken hook");
      },
      onReject: ({ name, error }) => log.push(`${name}: ${error.name}`),
    });
    await fail(breaker);
    await assertRejects(() => breaker.run(ok), CircuitOpenError);

    assertEquals(log, ["open, open, 1", "payments: CircuitOpenError"]);
    assertEquals(takeMessages(reports), ['A hook of "payments" has thrown']);
  },
);

testClean("a hook may call the breaker again", async () => {
  const breaker: CircuitBreaker = sensitive({
    onStateChange: ({ to }) => {
      if (to === "open") breaker.reset();
    },
  });
  await fail(breaker);

  assertEquals(await breaker.run(ok), "ok");
});

testClean("an aborted signal keeps a call from counting", async () => {
  const breaker = sensitive();
  const signal = AbortSignal.abort(new RangeError("before"));

  await assertRejects(() => breaker.run(ok, { signal }), RangeError, "before");
  assertEquals(breaker.snapshot().totals, {
    successes: 0,
    failures: 0,
    slow: 0,
    ignored: 0,
    rejected: 0,
    opens: 0,
  });
});

testClean("a call in a cancelled scope is not let through", async () => {
  const breaker = sensitive();
  const task = createTask(async () => {
    await sleep(Infinity).catch(() => {});
    await breaker.run(ok);
  });
  await sleep(0);
  task.cancel();

  await assertRejects(async () => await task, CancelledError);
  assertEquals(breaker.snapshot().totals.successes, 0);
});

Deno.test("CircuitBreaker() rejects wrong options", async () => {
  const wrong = (options: unknown) => () =>
    new CircuitBreaker(options as CircuitBreakerOptions);

  assertThrows(
    wrong({ failureRate: 0 }),
    RangeError,
    'Cannot create a circuit breaker as "failureRate" must be a number above 0, and at most 1: current value is 0',
  );
  assertThrows(wrong({ failureRate: 50 }), RangeError);
  assertThrows(wrong({ slowRate: "half" }), TypeError);
  assertThrows(wrong({ jitter: -0.1 }), RangeError, "from 0 to 1");
  assertThrows(
    wrong({ window: { kind: "count", size: 10 } }),
    RangeError,
    'Cannot create a circuit breaker as "minimumCalls" must not exceed the window of 10 calls: current value is 20',
  );
  for (
    const window of [
      { kind: "calls" },
      { kind: "count", size: Infinity },
      { kind: "time", ms: 0 },
      { kind: "time", ms: Infinity },
      null,
    ]
  ) assertThrows(wrong({ window }), RangeError, '"window"');
  for (const name of ["minimumCalls", "consecutiveFailures", "probes"]) {
    assertThrows(wrong({ [name]: 0 }), RangeError, `"${name}"`);
  }
  for (
    const name of ["slowMs", "openMs", "probeTimeoutMs", "waitMs", "rampMs"]
  ) {
    assertThrows(wrong({ [name]: -1 }), RangeError, `"${name}"`);
  }
  for (const name of ["classify", "random", "onStateChange", "onReject"]) {
    assertThrows(wrong({ [name]: 1 }), TypeError, `"${name}"`);
  }
  await assertRejects(
    () => new CircuitBreaker().run("fn" as never),
    TypeError,
    'Cannot run a policy as "fn" must be a function: current value is "fn"',
  );
});
