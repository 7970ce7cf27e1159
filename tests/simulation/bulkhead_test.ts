import { assert, assertEquals } from "@std/assert";
import { AdaptiveBulkhead } from "@ilmek/async/adaptive-bulkhead";
import {
  Bulkhead,
  BulkheadFullError,
  type BulkheadOrder,
  LoadShedError,
} from "@ilmek/async/bulkhead";
import {
  type CallPriority,
  withPriority,
  withTenant,
} from "@ilmek/async/call-priority";
import { compose } from "@ilmek/async/compose";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import type { Policy } from "@ilmek/async/policy";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { Timeout } from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { simulate, type Simulation } from "./_harness.ts";

const CLIENTS = 60;

/** How a crowd of clients has fared. */
interface Crowd {
  /** How many pieces of work were under way at once, at most. */
  readonly most: number;
  readonly begun: number;
  readonly ends: readonly string[];
}

/**
 * Lets clients call through a policy: some are cancelled, some run out of time,
 * and some of the work does not listen when it is told to stop.
 */
async function crowd(
  simulation: Simulation,
  policy: Policy,
  look: (running: number) => void,
): Promise<Crowd> {
  let [running, most, begun] = [0, 0, 0];
  const ends: string[] = [];
  const work = async () => {
    begun++;
    most = Math.max(most, ++running);
    look(running);
    const ms = simulation.gap(10);
    try {
      if (simulation.chance(0.3)) await uncancellable(() => sleep(ms));
      else await sleep(ms);
      if (simulation.chance(0.2)) throw new RangeError("down");
    } finally {
      running--;
    }
  };
  await TaskGroup.run(async (group) => {
    for (let i = 0; i < CLIENTS; i++) {
      await sleep(simulation.gap(3));
      const priority = simulation.pick<CallPriority>(["critical", "sheddable"]);
      const tenant = simulation.pick([undefined, "a", "b"]);
      const isDetached = simulation.chance(0.3);
      const limit = new Timeout(simulation.int(1, 20), {
        mode: isDetached ? "detach" : "cooperative",
      });
      const whole = simulation.chance(0.5)
        ? compose(limit, policy)
        : compose(policy, limit);
      const task = group.createTask(() =>
        withPriority(priority, () =>
          withTenant(tenant, async () => {
            try {
              await whole.run(work);
              ends.push("ok");
            } catch (error) {
              assert(
                error instanceof BulkheadFullError ||
                  error instanceof LoadShedError ||
                  error instanceof TimeoutError ||
                  error instanceof CancelledError ||
                  error instanceof RangeError,
                `${error}`,
              );
              ends.push(error.name);
              if (error instanceof CancelledError) throw error;
            }
          }))
      );
      if (simulation.chance(0.2)) {
        group.createTask(async () => {
          await sleep(simulation.gap(10));
          task.cancel();
        });
      }
    }
  });
  await sleep(1000);
  assertEquals(running, 0);
  return { most, begun, ends };
}

/** How a bulkhead is set by chance. */
function queueOptions(simulation: Simulation) {
  return {
    maxQueue: simulation.pick([0, 3, Infinity]),
    maxWaitMs: simulation.pick([10, Infinity]),
    order: simulation.pick<BulkheadOrder>(["fifo", "lifo", "adaptive-lifo"]),
    codel: simulation.chance(0.5) && { targetMs: 2, intervalMs: 10 },
  };
}

simulate(
  "Bulkhead never has more under way than its slots, doubles none, and loses nobody",
  async (simulation) => {
    const slots = simulation.int(1, 5);
    const bulkhead = new Bulkhead({ slots, ...queueOptions(simulation) });

    const { most, begun } = await crowd(simulation, bulkhead, (running) => {
      // A slot for each piece of work, also for what its caller has left.
      assert(running <= bulkhead.active && bulkhead.active <= slots);
    });

    const counts = bulkhead.snapshot();
    assert(most <= slots);
    assertEquals([counts.active, counts.zombies, counts.waiting], [0, 0, 0]);
    assert(begun <= counts.begun);
    assert(counts.begun + counts.refused + counts.shed <= CLIENTS);
  },
);

simulate(
  "AdaptiveBulkhead keeps its limit within its bounds, and its calls within its limit",
  async (simulation) => {
    const min = simulation.int(1, 3);
    const max = min + simulation.int(0, 8);
    const bulkhead = new AdaptiveBulkhead({
      algorithm: simulation.pick(["aimd", "vegas", "gradient2"]),
      min,
      max,
      minWindowMs: 10,
      minSamples: 3,
      ...queueOptions(simulation),
      onLimitChange: ({ to }) => assert(to >= min && to <= max, `${to}`),
    });

    const { most } = await crowd(simulation, bulkhead, (running) => {
      assert(running <= bulkhead.active && bulkhead.active <= max);
    });

    const { active, zombies, waiting, limit } = bulkhead.snapshot();
    assert(most <= max);
    assert(limit >= min && limit <= max);
    assertEquals([active, zombies, waiting], [0, 0, 0]);
  },
);
