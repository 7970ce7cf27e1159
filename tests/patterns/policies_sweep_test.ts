/**
 * Policies whose caller is cancelled at each of its wait points, and in many
 * orders.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { compose } from "@ilmek/async/compose";
import { CancelledError, rethrowCancelled } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { Fallback } from "@ilmek/async/fallback";
import { Hedge } from "@ilmek/async/hedge";
import type { OutcomeClass } from "@ilmek/async/policy";
import { Retry } from "@ilmek/async/retry";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Timeout } from "@ilmek/async/timeout-policy";
import { logging, policyOf } from "./_policies.ts";

const down = () => new RangeError("down");

/** A stack, what it counts, and whether all that was taken was given back. */
function makeStack() {
  const budget = new RetryBudget();
  const hedges = new RetryBudget({ maxInFlightRatio: 1 });
  const classes: OutcomeClass[] = [];
  let inside = 0;
  const counted = policyOf(logging([], "slot", {
    enter: async () => {
      await sleep(1);
      inside++;
    },
    exit: (call, _state, outcome) => {
      inside--;
      classes.push(call.classify(outcome));
      return undefined;
    },
  }));
  const policy = compose(
    new Fallback([() => sleep(1, { value: "instead" })]),
    new Timeout(1000),
    new Retry({ attempts: 2, schedule: spaced(3), budget }),
    new Hedge({ idempotent: true, delayMs: 4, budget: hedges }),
    counted,
    new Timeout(10),
  );
  const check = () => {
    assertEquals(inside, 0);
    for (const it of [budget, hedges]) {
      const { inFlight, retriesInFlight } = it.snapshot();
      assertEquals([inFlight, retriesInFlight], [0, 0]);
    }
  };
  return { policy, classes, check };
}

Deno.test("A stack of policies gives everything back, wherever its caller is cancelled", async () => {
  const quick = () => sleep(2, { value: "done" });
  const failing = () => sleep(2).then(() => Promise.reject(down()));
  const hanging = () => sleep(60_000, { value: "never" });
  for (const work of [quick, failing, hanging]) {
    const { points } = await cancelSweep(async (sweep) => {
      const { policy, classes, check } = makeStack();
      const called = sweep.target(() => policy.run(work));

      await called;
      // Those who have lost leave after the one who waits.
      await sleep(20);

      check();
      // A cancellation is no failure of the work.
      if (work === quick) assert(!classes.includes("failure"));
    });
    assert(points.length > 5, `${points.length} points`);
  }
});

Deno.test("Retry gives back what it took of a budget, wherever it is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const budget = new RetryBudget();
    const retry = new Retry({ attempts: 3, schedule: spaced(5), budget });
    let calls = 0;
    const called = sweep.target(async () => {
      try {
        await retry.run(async () => {
          calls++;
          await sleep(2);
          throw down();
        });
      } catch (error) {
        rethrowCancelled(error);
      }
    });

    const { state } = await called;

    const { inFlight, retriesInFlight, granted } = budget.snapshot();
    assertEquals([inFlight, retriesInFlight], [0, 0]);
    assertEquals(retry.snapshot().waiting, 0);
    assert(granted >= calls - 1);
    if (state !== "cancelled") assertEquals(calls, 3);
  });
});

Deno.test("A stack of policies gives everything back in whatever order things end", async () => {
  await explore(async () => {
    const { policy, check } = makeStack();
    const tasks = [2, 5, 12, 60_000].map((ms, i) =>
      createTask(() =>
        policy.run(async () => {
          await sleep(ms);
          if (i % 2 === 1) throw down();
          return "done";
        })
      )
    );
    await sleep(6);
    tasks[2]?.cancel();

    const ends = await Promise.all(
      tasks.map((task) =>
        task.toPromise().then((value) => value, (error: unknown) => error)
      ),
    );
    await sleep(50);

    assertEquals([ends[0], ends[1], ends[3]], ["done", "instead", "instead"]);
    assert(ends[2] === "done" || ends[2] instanceof CancelledError);
    check();
  }, { runs: 60 });
});
