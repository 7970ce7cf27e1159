import { assert, assertEquals } from "@std/assert";
import { CircuitBreaker, CircuitOpenError } from "@ilmek/async/circuit-breaker";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { timeout } from "@ilmek/async/timeout";
import { simulate } from "./_harness.ts";

const CALLS = 80;

simulate(
  "CircuitBreaker never has more probes than it may, loses nobody, and forgets late results",
  async (simulation) => {
    const probes = simulation.int(1, 4);
    const probeConcurrency = simulation.int(1, probes);
    const probeTimeoutMs = simulation.pick([40, 10_000]);
    /** How many state periods there were. */
    let period = 0;
    /** Probes that hold a place: begun in this period, not over, not too late. */
    const probing = new Set<{ readonly until: number }>();
    let verdicts = 0;
    const breaker = new CircuitBreaker({
      consecutiveFailures: simulation.int(1, 4),
      window: { kind: "count", size: 20 },
      minimumCalls: 10,
      failureRate: 0.5,
      openMs: 20,
      maxOpenMs: 200,
      slowMs: simulation.pick([15, Infinity]),
      probes,
      probeConcurrency,
      probeTimeoutMs,
      waitMs: simulation.pick([0, 30]),
      rampMs: simulation.pick([0, 50]),
      random: simulation.random,
      onStateChange: ({ from, to, snapshot }) => {
        period++;
        probing.clear();
        verdicts = 0;
        assertEquals(snapshot.state, to);
        assert(from !== to);
        assert(from !== "closed" || to === "open", `${from} -> ${to}`);
        assert(from !== "open" || to === "half-open", `${from} -> ${to}`);
      },
    });
    let [begun, refused, cancelled] = [0, 0, 0];

    await TaskGroup.run(async (group) => {
      for (let i = 0; i < CALLS; i++) {
        await sleep(simulation.gap(4));
        const now = getRunningLoop().time();
        // The server is down from time to time.
        const isDown = Math.floor(now / 100) % 2 === 1;
        const task = group.createTask(async () => {
          const work = async () => {
            begun++;
            assert(breaker.state !== "open", "a call of an open circuit");
            const startedIn = period;
            const at = getRunningLoop().time();
            const probe = { until: at + probeTimeoutMs };
            if (breaker.state === "half-open") {
              for (const it of probing) if (it.until <= at) probing.delete(it);
              probing.add(probe);
              assert(
                probing.size <= probeConcurrency,
                `${probing.size} probes`,
              );
              assert(probing.size + verdicts <= probes);
            }
            try {
              await sleep(simulation.gap(10));
            } catch (error) {
              probing.delete(probe);
              throw error;
            }
            if (probing.delete(probe) && startedIn === period) verdicts++;
            if (isDown || simulation.chance(0.1)) throw new RangeError("down");
          };
          const before = period;
          try {
            if (simulation.chance(0.3)) {
              await timeout(simulation.int(1, 30), () => breaker.run(work));
            } else await breaker.run(work);
          } catch (error) {
            if (error instanceof CircuitOpenError) {
              refused++;
              assert((error.retryAfterMs ?? 0) > 0, "a refusal with no hint");
            } else if (
              error instanceof CancelledError || error instanceof TimeoutError
            ) cancelled++;
            else assert(error instanceof RangeError, `${error}`);
          }
          assert(period >= before);
        });
        if (simulation.chance(0.1)) {
          group.createTask(async () => {
            await sleep(simulation.gap(10));
            task.cancel();
          });
        }
      }
    });

    const { inFlight, totals } = breaker.snapshot();
    assertEquals([inFlight, breaker.waiting], [0, 0]);
    assertEquals(totals.rejected, refused);
    const { successes, failures, ignored } = totals;
    assertEquals(successes + failures + ignored, begun);
    assert(begun + refused <= CALLS && cancelled <= CALLS);

    // A server that is up again closes the circuit, whatever was before.
    for (let i = 0; i < 100 && breaker.state !== "closed"; i++) {
      await breaker.run(() => {}).catch(() => {});
      await sleep(20);
    }
    assertEquals(breaker.state, "closed");
  },
);
