import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { InvalidStateError } from "@ilmek/async/errors";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { sleep } from "@ilmek/async/sleep";
import { testClean } from "../_leaks.ts";

/** Takes retries until one is refused, and gives each back. */
function drain(budget: RetryBudget): number {
  let taken = 0;
  while (taken < 1000 && budget.tryAcquire()) {
    budget.release();
    taken++;
  }
  return taken;
}

testClean("RetryBudget begins full, and refuses when it is empty", () => {
  const budget = new RetryBudget({ capacity: 5 });

  assertEquals(drain(budget), 5);
  assertEquals(budget.snapshot().refused, 1);
});

testClean("RetryBudget is paid for by successes, not by failures", () => {
  const budget = new RetryBudget({ capacity: 9, minPerSecond: 0 });
  drain(budget);

  for (let i = 0; i < 25; i++) {
    budget.enter();
    budget.leave(true);
    budget.enter();
    budget.leave(false);
  }

  assertAlmostEquals(budget.snapshot().tokens, 2.5);
  assertEquals(drain(budget), 2);
});

testClean("RetryBudget counts ten tenths as a whole", () => {
  const budget = new RetryBudget({ capacity: 9, minPerSecond: 0 });
  drain(budget);

  for (let i = 0; i < 10; i++) {
    budget.enter();
    budget.leave(true);
  }

  assertEquals(drain(budget), 1);
});

testClean("RetryBudget gives some for free as time passes", async () => {
  const budget = new RetryBudget({ capacity: 9, minPerSecond: 2 });
  drain(budget);

  await sleep(1600);

  assertEquals(drain(budget), 3);
  await sleep(60_000);
  assertEquals(drain(budget), 9);
});

testClean(
  "RetryBudget lets only a part of the calls under way be retries",
  () => {
    const budget = new RetryBudget({ capacity: 100, minInFlight: 2 });
    for (let i = 0; i < 20; i++) budget.enter();

    const taken = Array.from({ length: 6 }, () => budget.tryAcquire());

    assertEquals(taken, [true, true, true, true, false, false]);
    budget.release();
    assertEquals(budget.tryAcquire(), true);
    assertEquals(budget.snapshot().retriesInFlight, 4);
  },
);

testClean(
  "RetryBudget lets a few be retries, however few calls there are",
  () => {
    const budget = new RetryBudget({ minInFlight: 2 });
    budget.enter();

    const taken = Array.from({ length: 3 }, () => budget.tryAcquire());

    assertEquals(taken, [true, true, false]);
  },
);

testClean("RetryBudget.snapshot() changes nothing", async () => {
  const budget = new RetryBudget({ capacity: 2, minPerSecond: 1 });
  drain(budget);
  await sleep(500);

  assertEquals(budget.snapshot(), budget.snapshot());
  assertEquals(budget.snapshot().tokens, 0.5);
});

testClean("RetryBudget throws on bad options", () => {
  assertThrows(() => new RetryBudget({ ratio: -1 }), RangeError, '"ratio"');
  assertThrows(
    () => new RetryBudget({ capacity: "9" as never }),
    TypeError,
    '"capacity"',
  );
  assertThrows(
    () => new RetryBudget({ minInFlight: 0.5 }),
    RangeError,
    '"minInFlight"',
  );
  assertThrows(
    () => new RetryBudget({ minPerSecond: NaN }),
    RangeError,
    '"minPerSecond"',
  );
});

testClean("RetryBudget refuses an end that has no beginning", () => {
  const budget = new RetryBudget();

  assertThrows(() => budget.leave(true), InvalidStateError, "Cannot leave");
  assertThrows(() => budget.release(), InvalidStateError, "Cannot release");

  const { inFlight, retriesInFlight, tokens } = budget.snapshot();
  assertEquals([inFlight, retriesInFlight, tokens], [0, 0, 30]);
});
