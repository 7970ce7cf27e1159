import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { type PolicyContext, PolicyError } from "@ilmek/async/policy";
import {
  Retry,
  retry,
  type RetryContext,
  type RetryEvent,
  RetryExhaustedError,
} from "@ilmek/async/retry";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { exponential, spaced } from "@ilmek/async/schedule";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

const now = () => getRunningLoop().time();

/** Work that fails with each error in turn, then gives "done". */
function failing(errors: readonly unknown[], log: number[] = []) {
  const left = [...errors];
  return (): string => {
    log.push(now());
    if (left.length === 0) return "done";
    throw left.shift();
  };
}

const down = () => new RangeError("down");
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

testClean("retry() gives the first success at once", async () => {
  const log: number[] = [];

  assertEquals(await retry(failing([], log)), "done");

  assertEquals(log, [0]);
});

testClean(
  "retry() waits between attempts, and not after the last",
  async () => {
    const log: number[] = [];
    const schedule = exponential(100);

    const error = await caught(
      retry(failing([down(), down(), down(), down()], log), { schedule }),
    );

    assertInstanceOf(error, RetryExhaustedError);
    assertEquals(log, [0, 100, 300]);
    assertEquals(now(), 300);
  },
);

testClean(
  "retry() waits with full jitter, up to 10 s, if nothing else is said",
  async () => {
    const delays: (number | undefined)[] = [];

    await caught(retry(failing(Array.from({ length: 9 }, down)), {
      attempts: 10,
      random: () => 0.5,
      onRetry: ({ delayMs }) => delays.push(delayMs),
    }));

    assertEquals(delays, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  },
);

testClean("RetryExhaustedError tells every attempt", async () => {
  const errors = [down(), down()];
  const work = failing(errors);

  const error = await assertRejects(
    () =>
      retry(async () => {
        await sleep(7);
        return work();
      }, { attempts: 2, schedule: spaced(5), name: "api" }),
    RetryExhaustedError,
    'Cannot finish "api": 2 attempts have failed (down), and its attempts are used up',
  );

  assertEquals(error.errors, errors);
  assertStrictEquals(error.cause, errors[1]);
  assertEquals([error.policy, error.reason], ["api", "attempts"]);
  assertEquals(error.attempts, [
    {
      error: errors[0],
      value: undefined,
      startedAt: 0,
      durationMs: 7,
      delayMs: 5,
    },
    {
      error: errors[1],
      value: undefined,
      startedAt: 12,
      durationMs: 7,
      delayMs: 0,
    },
  ]);
});

testClean("Retry throws the last error as it is if it is told to", async () => {
  const errors = [down(), down()];
  const policy = new Retry({ attempts: 2, throwLast: true });

  assertStrictEquals(await caught(policy.run(failing(errors))), errors[1]);
});

testClean("Retry throws the error of a single attempt as it is", async () => {
  const error = down();

  assertStrictEquals(
    await caught(retry(failing([error]), { attempts: 1 })),
    error,
  );
});

testClean("Retry stops when its schedule does", async () => {
  const error = await caught(retry(failing(Array.from({ length: 9 }, down)), {
    attempts: 9,
    schedule: spaced(10).upTo(25),
  }));

  assertInstanceOf(error, RetryExhaustedError);
  assertEquals([error.reason, error.attempts.length], ["schedule", 3]);
});

testClean("Retry does not repeat a mistake of the program", async () => {
  for (
    const error of [new TypeError("x is not a function"), new ReferenceError()]
  ) {
    const log: number[] = [];
    assertStrictEquals(await caught(retry(failing([error], log))), error);
    assertEquals(log.length, 1);
  }
});

testClean("Retry repeats what the network has done", async () => {
  for (
    const message of [
      "error sending request for url (http://x)",
      "fetch failed",
      "Failed to fetch",
      "NetworkError when attempting to fetch resource.",
    ]
  ) {
    assertEquals(await retry(failing([new TypeError(message)])), "done");
  }
});

testClean("Retry.isRetriable decides instead of the default", async () => {
  const policy = new Retry({
    isRetriable: (error) => {
      if (error instanceof TypeError) return true;
      return error instanceof RangeError ? false : undefined;
    },
  });
  const range = down();

  assertEquals(await policy.run(failing([new TypeError("own")])), "done");
  assertStrictEquals(await caught(policy.run(failing([range]))), range);
  assertEquals(await policy.run(failing([new SyntaxError()])), "done");
});

testClean("Retry does not repeat the caller's own cancellation", async () => {
  const log: number[] = [];
  const policy = new Retry({ isRetriable: () => true });
  const task = createTask(() =>
    policy.run(async () => {
      log.push(now());
      await sleep(1000);
    })
  );
  await sleep(5);

  task.cancel();
  const error = await caught(task.toPromise());

  assertInstanceOf(error, CancelledError);
  assertEquals(log, [0]);
});

testClean(
  "Retry ends its wait at once when the caller is cancelled",
  async () => {
    const log: number[] = [];
    const policy = new Retry({ schedule: spaced(300) });
    const task = createTask(() => policy.run(failing([down(), down()], log)));
    await sleep(50);
    assertEquals(policy.snapshot().waiting, 1);

    task.cancel();
    await caught(task.toPromise());

    assertEquals([now(), log], [50, [0]]);
    assertEquals(policy.snapshot().waiting, 0);
  },
);

testClean("Retry ends its wait at once when its signal aborts", async () => {
  const log: number[] = [];
  const controller = new AbortController();
  const { signal } = controller;
  const reason = { why: "left" };
  const call = retry(failing([down(), down()], log), {
    schedule: spaced(300),
    signal,
  });
  await sleep(50);

  controller.abort(reason);

  assertStrictEquals(await caught(call), reason);
  assertEquals([now(), log], [50, [0]]);
});

testClean(
  "Retry gives the last error at once if the deadline comes before the next attempt",
  async () => {
    const error = down();

    const got = await caught(
      timeout(100, () => retry(failing([error]), { schedule: spaced(200) })),
    );

    assertStrictEquals(got, error);
    assertEquals(now(), 0);
  },
);

testClean("Retry repeats an attempt that ran out of its own time", async () => {
  let calls = 0;

  const value = await retry(
    () => timeout(10, () => sleep(++calls < 3 ? 1000 : 1, { value: "done" })),
    { schedule: spaced(1) },
  );

  assertEquals([value, calls, now()], ["done", 3, 23]);
  assertInstanceOf(
    await caught(retry(() => timeout(1, () => sleep(9)), { attempts: 1 })),
    TimeoutError,
  );
});

testClean(
  "Retry waits as long as a refusal asks for, and a little longer",
  async () => {
    const log: number[] = [];
    const busy = new PolicyError("busy", {
      policy: "limit",
      retryAfterMs: 500,
    });

    await retry(failing([busy], log), {
      schedule: spaced(1),
      random: () => 0.5,
    });

    assertEquals(log, [0, 525]);
  },
);

testClean(
  "Retry reads Retry-After of an error's response and of a response",
  async () => {
    const headers = { "retry-after": "2" };
    const log: number[] = [];
    const withResponse = Object.assign(new RangeError("503"), {
      response: new Response(null, { status: 503, headers }),
    });
    await retry(failing([withResponse], log), { random: () => 0 });

    const response = await retry(
      ({ attempt }) =>
        new Response("body", attempt === 1 ? { status: 503, headers } : {}),
      {
        random: () => 0,
        classify: (outcome) =>
          outcome.ok && outcome.value instanceof Response && !outcome.value.ok
            ? "failure"
            : undefined,
      },
    );
    await response.body?.cancel();

    assertEquals(log, [0, 2000]);
    assertEquals([response.status, now()], [200, 4000]);
  },
);

testClean(
  "Retry compares a date in Retry-After with the server's own clock",
  async () => {
    const headers = {
      "date": "Wed, 21 Oct 2015 07:28:00 GMT",
      "retry-after": "Wed, 21 Oct 2015 07:28:03 GMT",
    };
    const error = Object.assign(new RangeError("503"), {
      response: new Response(null, { headers }),
    });
    const log: number[] = [];

    await retry(failing([error], log), { random: () => 0 });

    assertEquals(log, [0, 3000]);
  },
);

testClean(
  "Retry gives up at once if it would have to wait too long",
  async () => {
    for (const retryAfterMs of [86_400_000, Infinity]) {
      const far = new PolicyError("closed", {
        policy: "breaker",
        retryAfterMs,
      });
      const reasons: unknown[] = [];

      const error = await caught(retry(failing([far]), {
        onGiveUp: ({ reason }) => reasons.push(reason),
      }));

      assertStrictEquals(error, far);
      assertEquals([reasons, now()], [["too-late"], 0]);
    }
  },
);

testClean("Retry never comes back before a server's hint", async () => {
  const hint = new PolicyError("busy", { policy: "limit", retryAfterMs: 200 });

  const error = await caught(timeout(150, () => retry(failing([hint]))));

  assertStrictEquals(error, hint);
});

testClean(
  "Retry repeats work that may not be done twice only if it never began",
  async () => {
    const policy = new Retry({ idempotent: false });
    const busy = new PolicyError("busy", { policy: "limit" });
    const error = down();

    assertEquals(await policy.run(failing([busy])), "done");
    assertStrictEquals(await caught(policy.run(failing([error]))), error);
  },
);

testClean(
  "RetryContext tells the attempt, the last error and one key",
  async () => {
    const seen: RetryContext[] = [];
    const error = down();
    const policy = new Retry();
    const work = failing([error]);

    await policy.run((context) => {
      seen.push(context);
      assert(context.idempotencyKey.length > 30);
      return work();
    });

    assertEquals(seen.map(({ attempt }) => attempt), [1, 2]);
    assertEquals(seen.map(({ lastError }) => lastError), [undefined, error]);
    assertStrictEquals(seen[0]?.idempotencyKey, seen[1]?.idempotencyKey);
    const other = await policy.run(({ idempotencyKey }) => idempotencyKey);
    assertNotEquals(other, seen[0]?.idempotencyKey);
  },
);

testClean("RetryContext.signal belongs to one attempt", async () => {
  const signals: AbortSignal[] = [];
  const work = failing([down(), down()]);

  await retry(async ({ signal }) => {
    signals.push(signal);
    await sleep(1);
    return work();
  }, { schedule: spaced(10), onRetry: () => assert(signals.at(-1)?.aborted) });

  assertEquals(signals.map(({ aborted }) => aborted), [true, true, false]);
  assertEquals(new Set(signals).size, 3);
});

testClean(
  "Retry cancels the body of a response that it does not give back",
  async () => {
    const cancelled: number[] = [];
    const respond = ({ attempt }: PolicyContext) =>
      new Response(
        new ReadableStream({ cancel: () => void cancelled.push(now()) }),
        { status: 503, headers: { "x-attempt": `${attempt}` } },
      );

    const response = await retry(respond, {
      attempts: 2,
      schedule: spaced(50),
      classify: (outcome) => outcome.ok ? "failure" : undefined,
    });

    assertEquals(response.headers.get("x-attempt"), "2");
    assertEquals(cancelled, [0]);
    await response.body?.cancel();
  },
);

testClean(
  "Retry cancels the body of a response that an error brings",
  async () => {
    const cancelled: number[] = [];
    const policy = new Retry({
      attempts: 2,
      schedule: spaced(50),
      throwLast: true,
    });
    const error = await caught(policy.run(() => {
      const cancel = () => void cancelled.push(now());
      const response = new Response(new ReadableStream({ cancel }));
      throw Object.assign(new RangeError("bad status"), { response });
    }));

    assertEquals(cancelled, [0]);
    assert(error.response.body !== null);
    await error.response.body.cancel();
  },
);

testClean("RetryExhaustedError says whether anything was begun", async () => {
  const refusal = () => new PolicyError("Cannot run", { policy: "full" });
  const breaker = new CircuitBreaker({ consecutiveFailures: 1 });
  const outside = compose(breaker, new Retry({ schedule: spaced(1) }));
  const refused = await caught(outside.run(() => Promise.reject(refusal())));
  const states = [breaker.state];
  const begun = await caught(outside.run(failing([refusal(), down(), down()])));
  states.push(breaker.state);

  assertInstanceOf(refused, RetryExhaustedError);
  assertInstanceOf(begun, RetryExhaustedError);
  assertEquals([refused.rejected, begun.rejected], [true, false]);
  assertEquals(states, ["closed", "open"]);
});

testClean("Retry gives back a value that stays a failure", async () => {
  const value = await retry(() => 503, {
    schedule: spaced(1),
    classify: (outcome) => outcome.ok ? "failure" : undefined,
  });

  assertEquals([value, now()], [503, 2]);
});

testClean("Retry inside a retry does not multiply its attempts", async () => {
  let calls = 0;
  const layer = (inner: () => Promise<unknown>) => () =>
    retry(inner, { schedule: spaced(1) });

  await caught(
    layer(layer(layer(() => {
      calls++;
      return Promise.reject(down());
    })))(),
  );

  assertEquals(calls, 7);
});

testClean("Retry inside a retry says so in debug mode", async ({ reports }) => {
  getRunningLoop().debug = true;
  const inner = () => retry(failing([down(), down(), down()]), { name: "in" });

  await caught(retry(inner, { attempts: 2, schedule: spaced(1) }));

  assertEquals(takeMessages(reports), [
    'Cannot try "in" again: it runs inside of another retry, which will',
  ]);
});

testClean("Retry inside a retry tries as ever if it is told to", async () => {
  let calls = 0;
  const work = () => {
    calls++;
    throw down();
  };
  const options = { schedule: spaced(1), nested: "retry" } as const;

  await caught(retry(() => retry(work, options), options));

  assertEquals(calls, 9);
});

testClean(
  "Retry.hooks run in order, after the counters are right",
  async () => {
    const log: unknown[] = [];
    const note = (name: string) => (event: RetryEvent) => {
      const { attempt, delayMs, reason, snapshot } = event;
      log.push([name, attempt, delayMs ?? reason, snapshot.attempts]);
    };
    const policy = new Retry({
      attempts: 2,
      schedule: spaced(5),
      onAttempt: note("attempt"),
      onRetry: note("retry"),
      onGiveUp: note("give up"),
    });

    await caught(policy.run(failing([down(), down()])));

    assertEquals(log, [
      ["attempt", 1, undefined, 1],
      ["retry", 1, 5, 1],
      ["attempt", 2, undefined, 2],
      ["give up", 2, "attempts", 2],
    ]);
  },
);

testClean("Retry goes on when a hook throws", async ({ reports }) => {
  const oops = () => {
    throw new SyntaxError("oops");
  };

  const value = await retry(failing([down()]), { onRetry: oops, name: "api" });

  assertEquals(value, "done");
  assertEquals(takeMessages(reports), ['A hook of "api" has thrown']);
});

testClean("Retry spends a budget that all share", async () => {
  const budget = new RetryBudget({ capacity: 3, minPerSecond: 0 });
  const policies = [1, 2].map(() =>
    new Retry({ attempts: 3, schedule: spaced(1), budget })
  );
  const exhausted: unknown[] = [];
  const [one, two] = policies as [Retry, Retry];
  let calls = 0;
  const work = () => {
    calls++;
    throw down();
  };

  await caught(one.run(work));
  const error = await caught(
    new Retry({
      schedule: spaced(1),
      budget,
      onBudgetExhausted: ({ reason }) => exhausted.push(reason),
    }).run(work),
  );
  await caught(two.run(work));

  assertInstanceOf(error, RangeError);
  assertEquals([calls, exhausted], [6, ["budget"]]);
  assertEquals(budget.snapshot().granted, 3);
});

testClean(
  "Retry gives back what it took of a budget when it is cancelled",
  async () => {
    const budget = new RetryBudget();
    const policy = new Retry({ schedule: spaced(100), budget });
    const task = createTask(() => policy.run(failing([down()])));
    await sleep(5);
    assertEquals(budget.snapshot().retriesInFlight, 1);

    task.cancel();
    await caught(task.toPromise());

    const { inFlight, retriesInFlight } = budget.snapshot();
    assertEquals([inFlight, retriesInFlight], [0, 0]);
  },
);

testClean(
  "Retry reports an isRetriable that throws, and goes by the default",
  async ({ reports }) => {
    const budget = new RetryBudget();
    const mistake = new RangeError("a mistake in isRetriable");
    const policy = new Retry({
      schedule: spaced(1),
      budget,
      isRetriable: () => {
        throw mistake;
      },
    });

    assertEquals(await policy.run(failing([down()])), "done");
    assertEquals(takeMessages(reports), [
      'Cannot tell whether to try "retry" again: "isRetriable" has thrown',
    ]);
    assertEquals(budget.snapshot().inFlight, 0);
  },
);

testClean(
  "Retry leaves its budget when a function of its options throws",
  async () => {
    const budget = new RetryBudget();
    const mistake = new RangeError("a mistake in random");
    const policy = new Retry({
      budget,
      random: () => {
        throw mistake;
      },
    });

    assertEquals(await caught(policy.run(failing([down()]))), mistake);
    assertEquals(budget.snapshot().inFlight, 0);
    assertEquals(policy.snapshot().gaveUp, 1);
  },
);

testClean(
  "Retry never waits for what nothing but a decision can change",
  async () => {
    const policy = new Retry({ maxDelayMs: Infinity, random: () => 0 });
    const error = new PolicyError("Cannot run the call: it is isolated", {
      policy: "breaker",
      retryAfterMs: Infinity,
    });

    assertEquals(await caught(policy.run(failing([error]))), error);
  },
);

testClean("Retry.snapshot() counts calls, attempts and ends", async () => {
  const policy = new Retry({ attempts: 2, schedule: spaced(1) });
  await policy.run(failing([]));
  await policy.run(failing([down()]));
  await caught(policy.run(failing([down(), down()])));

  assertEquals(policy.snapshot(), {
    calls: 3,
    attempts: 5,
    retries: 2,
    successes: 2,
    gaveUp: 1,
    waiting: 0,
  });
});

testClean("Retry refuses to begin in a cancelled scope", async () => {
  const log: number[] = [];
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => retry(failing([], log)), CancelledError);
  });
  assertEquals(log, []);
});

testClean("Retry of endless attempts goes on until it succeeds", async () => {
  const errors = Array.from({ length: 500 }, down);

  const value = await retry(failing(errors), { attempts: Infinity });

  assertEquals(value, "done");
});

testClean("Retry throws on bad options, retry() rejects", async () => {
  assertThrows(() => new Retry({ attempts: 0 }), RangeError, '"attempts"');
  assertThrows(() => new Retry({ attempts: 1.5 }), RangeError, '"attempts"');
  assertThrows(
    () => new Retry({ schedule: [1, 2] as never }),
    TypeError,
    '"schedule"',
  );
  assertThrows(
    () => new Retry({ nested: "off" as never }),
    TypeError,
    '"nested"',
  );
  assertThrows(() => new Retry({ maxDelayMs: -1 }), RangeError, '"maxDelayMs"');
  assertThrows(
    () => new Retry({ isRetriable: true as never }),
    TypeError,
    '"isRetriable"',
  );
  await assertRejects(
    () => retry(() => 1, { attempts: 0 }),
    RangeError,
    "Cannot create a retry",
  );
  await assertRejects(() => retry(1 as never), TypeError, '"fn"');
});
