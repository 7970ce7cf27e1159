import { assert, assertEquals } from "@std/assert";
import { Hedge } from "@ilmek/async/hedge";
import { getRunningLoop } from "@ilmek/async/loop";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { simulate } from "./_harness.ts";

simulate(
  "Hedge gives one result each, within its budget, and leaves nothing",
  async (simulation) => {
    const max = simulation.int(1, 3);
    const capacity = simulation.int(1, 6);
    const ratio = simulation.between(0, 0.3);
    const budget = new RetryBudget({
      capacity,
      ratio,
      minPerSecond: 0,
      maxInFlightRatio: 1,
    });
    const delay = simulation.chance(0.5)
      ? { delayMs: simulation.int(0, 30) }
      : { minSamples: 10, quantile: 0.9 };
    const hedge = new Hedge({ idempotent: true, max, budget, ...delay });
    const failing = simulation.between(0, 0.3);
    let [arrived, succeeded, failed, running, begun] = [0, 0, 0, 0, 0];

    await TaskGroup.run(async (group) => {
      for (; arrived < 40; arrived++) {
        await sleep(simulation.gap(5));
        group.createTask(async () => {
          const startedAt = getRunningLoop().time();
          let ofThis = 0;
          const work = async () => {
            begun++;
            ofThis++;
            running++;
            try {
              // One in ten is slow: what hedges are for.
              await sleep(simulation.gap(simulation.chance(0.1) ? 200 : 10));
              if (simulation.chance(failing)) throw new RangeError("down");
              return startedAt;
            } finally {
              running--;
            }
          };
          try {
            assertEquals(await hedge.run(work), startedAt);
            succeeded++;
          } catch (error) {
            if (
              !(error instanceof RangeError || error instanceof AggregateError)
            ) {
              throw error;
            }
            failed++;
          }
          assert(ofThis >= 1 && ofThis <= max + 1, `${ofThis} for one call`);
        });
      }
    });
    await sleep(0);

    const { calls, hedges, wins } = hedge.snapshot();
    assertEquals([calls, succeeded + failed], [arrived, arrived]);
    assertEquals([begun, running], [arrived + hedges, 0]);
    assert(hedges <= capacity + ratio * succeeded + 1e-6, `${hedges} hedges`);
    assert(wins <= hedges && wins <= succeeded);
    const { inFlight, retriesInFlight } = budget.snapshot();
    assertEquals([inFlight, retriesInFlight], [0, 0]);
  },
);
