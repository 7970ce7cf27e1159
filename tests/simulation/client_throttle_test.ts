import { assert, assertEquals } from "@std/assert";
import { ClientThrottle, LoadShedError } from "@ilmek/async/client-throttle";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { simulate } from "./_harness.ts";

/** The calls of a client, as a list that is counted anew each time. */
interface Made {
  readonly segment: number;
  accepted: boolean;
}

simulate(
  "ClientThrottle gives up calls as likely as the formula says, within its bound",
  async (simulation) => {
    const ratio = simulation.between(1, 3);
    const maxReject = simulation.between(0.3, 0.95);
    const [windowMs, segments] = [1000, 10];
    const made: Made[] = [];
    let [begun, shed] = [0, 0];
    const throttle = new ClientThrottle({
      ratio,
      maxReject,
      windowMs,
      segments,
      random: simulation.random,
    });
    const segmentNow = () =>
      Math.floor(getRunningLoop().time() / (windowMs / segments));
    const check = () => {
      const inWindow = made.filter(({ segment }) =>
        segment > segmentNow() - segments
      );
      const requests = inWindow.length;
      const accepts = inWindow.filter(({ accepted }) => accepted).length;
      const excess = (requests - ratio * accepts) / (requests + 1);
      const snapshot = throttle.snapshot();
      assertEquals(
        [snapshot.requests, snapshot.accepts],
        [requests, accepts],
      );
      assertEquals(
        snapshot.probability,
        Math.min(maxReject, Math.max(0, excess)),
      );
    };

    await TaskGroup.run(async (group) => {
      for (let i = 0; i < 100; i++) {
        await sleep(simulation.gap(20));
        // The server fails for a while, and recovers.
        const isUp = i < 30 || i > 70;
        group.createTask(async () => {
          const call: Made = { segment: segmentNow(), accepted: false };
          made.push(call);
          try {
            await throttle.run(async () => {
              begun++;
              await sleep(simulation.gap(50));
              if (!isUp) throw new RangeError("busy");
            });
            call.accepted = true;
          } catch (error) {
            if (error instanceof LoadShedError) shed++;
          }
          check();
        });
      }
    });

    assertEquals(begun + shed, 100);
    assertEquals(throttle.snapshot().shed, shed);
    await sleep(windowMs * 2);
    assert(throttle.pristine);
  },
);
