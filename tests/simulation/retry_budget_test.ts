import { assert, assertEquals } from "@std/assert";
import { getRunningLoop } from "@ilmek/async/loop";
import { Retry } from "@ilmek/async/retry";
import { RetryBudget } from "@ilmek/async/retry-budget";
import { exponential } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { simulate, type Simulation } from "./_harness.ts";

/** A server that is down for a while, and counts what reaches it. */
function serverOf(simulation: Simulation) {
  const downFrom = simulation.between(500, 1500);
  const downUntil = downFrom + simulation.between(500, 2000);
  const state = { calls: 0, downCalls: 0, downFrom, downUntil };
  const call = async () => {
    const now = getRunningLoop().time();
    const down = now >= downFrom && now < downUntil;
    state.calls++;
    if (down) state.downCalls++;
    await sleep(simulation.between(1, 20));
    if (down || simulation.chance(0.02)) throw new RangeError("unavailable");
  };
  return { state, call };
}

/** Clients that come one after the other for 2 s; how many, and how they fare. */
async function crowd(
  simulation: Simulation,
  policy: Retry,
  call: () => Promise<void>,
): Promise<{ arrived: number; failed: number }> {
  let [arrived, failed] = [0, 0];
  await TaskGroup.run(async (group) => {
    while (getRunningLoop().time() < 2000) {
      await sleep(simulation.gap(25));
      arrived++;
      group.createTask(async () => {
        try {
          await policy.run(call);
        } catch {
          failed++;
        }
      });
    }
  });
  return { arrived, failed };
}

simulate(
  "RetryBudget keeps an outage from multiplying the load",
  async (simulation) => {
    const { random } = simulation;
    const { state, call } = serverOf(simulation);
    const capacity = simulation.int(3, 20);
    const minPerSecond = simulation.int(0, 5);
    const budget = new RetryBudget({ capacity, minPerSecond });
    const schedule = exponential(50).jittered("full");
    const policy = new Retry({ attempts: 5, schedule, budget, random });

    const { arrived, failed } = await crowd(simulation, policy, call);
    const ended = getRunningLoop().time();
    const { retries, successes, calls, waiting } = policy.snapshot();

    // What can be paid: what was saved, what time gave, what successes gave.
    const most = capacity + minPerSecond * ended / 1000 + 0.1 * successes;
    assert(retries <= most + 1e-6, `${retries} retries, ${most} were paid for`);
    assertEquals(calls, arrived);
    assertEquals(successes + failed, arrived);
    assertEquals(state.calls, arrived + retries);
    assertEquals(waiting, 0);
    const { inFlight, retriesInFlight, granted } = budget.snapshot();
    assertEquals([inFlight, retriesInFlight, granted], [0, 0, retries]);
  },
);
