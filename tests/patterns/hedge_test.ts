import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { compose } from "@ilmek/async/compose";
import { CancelledError } from "@ilmek/async/errors";
import { Hedge, HedgeError } from "@ilmek/async/hedge";
import { getRunningLoop } from "@ilmek/async/loop";
import type { OutcomeClass } from "@ilmek/async/policy";
import { PolicyError } from "@ilmek/async/policy";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { testClean } from "../_leaks.ts";
import { logging, policyOf } from "./_policies.ts";

const idempotent = true as const;
const now = () => getRunningLoop().time();
const down = () => new RangeError("down");
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

/** Work that takes so long for each contender, and gives which one it was. */
function taking(durations: readonly number[], log: unknown[] = []) {
  return ({ hedge }: { hedge: number }) => {
    log.push([hedge, now()]);
    return sleep(durations[hedge] ?? 0, { value: hedge });
  };
}

testClean("Hedge begins the work once more when it is slow", async () => {
  const log: unknown[] = [];
  const policy = new Hedge({ idempotent, delayMs: 50 });

  assertEquals(await policy.run(taking([1000, 20], log)), 1);

  assertEquals([log, now()], [[[0, 0], [1, 50]], 70]);
  const { hedges, wins } = policy.snapshot();
  assertEquals([hedges, wins], [1, 1]);
});

testClean("Hedge leaves quick work alone", async () => {
  const policy = new Hedge({ idempotent, delayMs: 50 });

  assertEquals(await policy.run(taking([40])), 0);

  assertEquals(policy.snapshot().hedges, 0);
});

testClean(
  "Hedge gives the result of what began first if that is first",
  async () => {
    const policy = new Hedge({ idempotent, delayMs: 50 });

    assertEquals(await policy.run(taking([60, 1000])), 0);

    assertEquals([policy.snapshot().wins, now()], [0, 60]);
  },
);

testClean(
  "Hedge cancels those who lose, and does not wait for them",
  async () => {
    const log: unknown[] = [];
    const policy = new Hedge({ idempotent, delayMs: 10, name: "api" });

    await policy.run(async ({ hedge }) => {
      if (hedge === 1) return await sleep(5);
      try {
        await sleep(1000);
      } catch (error) {
        assertInstanceOf(error, CancelledError);
        log.push(error.kind, error.reason);
        await uncancellable(() => sleep(30));
        log.push(now());
      }
    });

    assertEquals(now(), 15);
    await sleep(100);
    assertEquals(log, [
      "given-up",
      'another contender of "api" was quicker',
      45,
    ]);
  },
);

testClean(
  "Hedge begins the next at once when all that run have failed",
  async () => {
    const log: unknown[] = [];
    const policy = new Hedge({ idempotent, delayMs: 1000, max: 2 });

    const value = await policy.run(async ({ hedge }) => {
      log.push([hedge, now()]);
      await sleep(10);
      if (hedge < 2) throw down();
      return hedge;
    });

    assertEquals([value, log], [2, [[0, 0], [1, 10], [2, 20]]]);
  },
);

testClean("Hedge waits for others when one fails", async () => {
  const policy = new Hedge({ idempotent, delayMs: 10 });

  const value = await policy.run(async ({ hedge }) => {
    await sleep(hedge === 0 ? 100 : 5);
    if (hedge === 1) throw down();
    return hedge;
  });

  assertEquals([value, now()], [0, 100]);
});

testClean("HedgeError says whether anything was begun", async () => {
  const refused = () => new PolicyError("Cannot run", { policy: "full" });
  const errorOf = async (errors: Error[]) => {
    const hedge = new Hedge({ idempotent: true, delayMs: 1 });
    const error = await assertRejects(
      () =>
        hedge.run(async () => {
          await sleep(5);
          throw errors.shift();
        }),
      HedgeError,
    );
    return error.rejected;
  };

  assertEquals(await errorOf([refused(), refused()]), true);
  assertEquals(await errorOf([refused(), new RangeError("down")]), false);
});

testClean(
  "Hedge tells all errors if all have failed, the first one in front",
  async () => {
    const errors = [down(), down()];
    const policy = new Hedge({ idempotent, delayMs: 10 });

    const error = await assertRejects(
      () =>
        policy.run(async ({ hedge }) => {
          await sleep(hedge === 0 ? 100 : 5);
          throw errors[hedge];
        }),
      HedgeError,
    );

    assertEquals(error.errors, errors);
    assertStrictEquals(error.cause, errors[0]);
  },
);

testClean("Hedge throws the error as it is if there was no hedge", async () => {
  const error = new TypeError("a mistake");
  const refusal = new PolicyError("open", { policy: "breaker" });
  const policy = new Hedge({ idempotent, delayMs: 10 });

  for (const it of [error, refusal]) {
    assertStrictEquals(
      await caught(policy.run(() => Promise.reject(it))),
      it,
    );
  }
  assertEquals(policy.snapshot().hedges, 0);
});

testClean("Hedge learns its delay from the calls before", async () => {
  const policy = new Hedge({ idempotent, quantile: 0.9, minSamples: 20 });
  for (let i = 1; i <= 20; i++) {
    assertEquals(policy.snapshot().delayMs, Infinity);
    await policy.run(() => sleep(i));
  }

  assertEquals(policy.snapshot().delayMs, 19);
  const before = now();
  await policy.run(taking([1000, 0]));
  assertEquals(now() - before, 19);
});

testClean("Hedge does not learn from those who lost", async () => {
  const policy = new Hedge({ idempotent, delayMs: 10 });

  await policy.run(taking([1000, 5]));

  assertEquals(policy.snapshot().samples, 1);
});

testClean("Hedge begins no more than its budget pays for", async () => {
  const budget = new RetryBudget({
    capacity: 2,
    ratio: 0,
    minPerSecond: 0,
  });
  const policy = new Hedge({ idempotent, delayMs: 10, budget });

  const winners = [];
  for (let i = 0; i < 4; i++) winners.push(await policy.run(taking([50, 5])));

  assertEquals(winners, [1, 1, 0, 0]);
  assertEquals(policy.snapshot().refused, 2);
  assertEquals(budget.snapshot().retriesInFlight, 0);
});

testClean(
  "Hedge begins about every 20th call once more, if nothing else is said",
  async () => {
    const policy = new Hedge({ idempotent, delayMs: 10 });
    for (let i = 0; i < 400; i++) await policy.run(taking([20, 30]));

    const { hedges } = policy.snapshot();

    assert(hedges >= 25 && hedges <= 31, `${hedges}`);
  },
);

testClean("Hedge asks whether a call may be hedged", async () => {
  const policy = new Hedge({ idempotent, delayMs: 10, eligible: () => false });

  assertEquals(await policy.run(taking([50, 5])), 0);
  assertEquals(policy.snapshot().calls, 0);
});

testClean("Hedge ends with its caller", async () => {
  const log: unknown[] = [];
  const policy = new Hedge({ idempotent, delayMs: 10 });
  const task = createTask(() =>
    policy.run(async () => {
      try {
        await sleep(1000);
      } finally {
        log.push(now());
      }
    })
  );
  await sleep(50);

  task.cancel();

  assertInstanceOf(await caught(task.toPromise()), CancelledError);
  assertEquals(log, [50, 50]);
});

testClean(
  "Hedge's losers are no failures for what is inside of it",
  async () => {
    const classes: OutcomeClass[] = [];
    const breaker = policyOf(logging([], "breaker", {
      exit: (call, _state, outcome) => {
        classes.push(call.classify(outcome));
        return undefined;
      },
    }));
    const policy = compose(new Hedge({ idempotent, delayMs: 10 }), breaker);

    await policy.run(taking([1000, 5]));
    await sleep(1);

    assertEquals(classes, ["success", "ignore"]);
  },
);

testClean("Hedge tells what is outside that a loser goes on", async () => {
  let ended = 0;
  const slot = policyOf(logging([], "slot", {
    exit: (call) => {
      call.lingering?.then(() => ended = now());
      return undefined;
    },
  }));
  const policy = compose(slot, new Hedge({ idempotent, delayMs: 10 }));

  await policy.run(({ hedge }) =>
    hedge === 1 ? sleep(5) : uncancellable(() => sleep(200))
  );
  assertEquals([now(), ended], [15, 0]);
  await sleep(500);

  assertEquals(ended, 200);
});

testClean("Hedge leaves the signal of the winner alone", async () => {
  const signals: AbortSignal[] = [];
  const policy = new Hedge({ idempotent, delayMs: 10 });

  await policy.run(({ hedge, signal }) => {
    signals.push(signal);
    return sleep(hedge === 0 ? 1000 : 5);
  });

  assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
});

testClean(
  "Hedge cancels the body of a response that comes too late",
  async () => {
    const cancelled: number[] = [];
    const policy = new Hedge({ idempotent, delayMs: 10 });

    const response = await policy.run(async ({ hedge }) => {
      await (hedge === 0 ? uncancellable(() => sleep(100)) : sleep(5));
      return new Response(
        new ReadableStream({ cancel: () => void cancelled.push(hedge) }),
      );
    });
    await sleep(200);

    assertEquals(cancelled, [0]);
    await response.body?.cancel();
  },
);

testClean("Hedge calls its hook with the reason", async () => {
  const log: unknown[] = [];
  const policy = new Hedge({
    idempotent,
    delayMs: 10,
    max: 2,
    onHedge: ({ hedge, reason, elapsedMs }) =>
      log.push([hedge, reason, elapsedMs]),
  });

  await policy.run(async ({ hedge }) => {
    await sleep([15, 3, 1][hedge] ?? 0);
    if (hedge < 2) throw down();
  });

  assertEquals(log, [[1, "slow", 10], [2, "failed", 15]]);
});

testClean(
  "Hedge of a value that is a failure gives it in the end",
  async () => {
    const policy = new Hedge({
      idempotent,
      delayMs: 10,
      classify: (it) => it.ok && it.value === 503 ? "failure" : undefined,
    });

    assertEquals(await policy.run(() => 503), 503);
    assertEquals(await policy.run(({ hedge }) => hedge === 0 ? 503 : 200), 200);
  },
);

testClean("Hedge throws on bad options", () => {
  assertThrows(() => new Hedge({} as never), TypeError, '"idempotent"');
  assertThrows(
    () => new Hedge({ idempotent, delayMs: -1 }),
    RangeError,
    '"delayMs"',
  );
  assertThrows(
    () => new Hedge({ idempotent, quantile: 1 }),
    RangeError,
    '"quantile"',
  );
  assertThrows(() => new Hedge({ idempotent, max: 0 }), RangeError, '"max"');
  assertThrows(
    () => new Hedge({ idempotent, minSamples: 0 }),
    RangeError,
    '"minSamples"',
  );
});
