import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { Chaos, ChaosError } from "@ilmek/async/chaos";
import { CancelledError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const enabled = () => true;
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

async function pattern(chaos: Chaos): Promise<string> {
  let text = "";
  for (let i = 0; i < 40; i++) {
    text += await chaos.run(() => ".").catch(() => "x");
  }
  return text;
}

testClean("Chaos does nothing unless it is enabled", async () => {
  const chaos = new Chaos({ rate: 1 });

  assertEquals(await chaos.run(() => 1), 1);
  assertEquals(chaos.snapshot(), { calls: 0, struck: 0 });
});

testClean("Chaos asks for each call whether it is enabled", async () => {
  let on = false;
  const chaos = new Chaos({ rate: 1, enabled: () => on });

  assertEquals(await chaos.run(() => 1), 1);
  on = true;

  await assertRejects(() => chaos.run(() => 1), ChaosError);
});

testClean("Chaos strikes the same calls for the same seed", async () => {
  const options = { rate: 0.3, enabled };
  const one = await pattern(new Chaos({ ...options, seed: 5 }));
  const two = await pattern(new Chaos({ ...options, seed: 5 }));
  const other = await pattern(new Chaos({ ...options, seed: 6 }));

  assertEquals(one, two);
  assert(one !== other);
  const struck = one.split("x").length - 1;
  assert(struck > 4 && struck < 20, one);
});

testClean("Chaos delays the work", async () => {
  const chaos = new Chaos({ rate: 1, latencyMs: 300, enabled });

  assertEquals(await chaos.run(() => 1), 1);

  assertEquals(getRunningLoop().time(), 300);
});

testClean(
  "Chaos throws the fault that it is told, and the work does not begin",
  async () => {
    let begun = 0;
    const chaos = new Chaos({
      rate: 1,
      latencyMs: 5,
      fault: () => new RangeError("503"),
      enabled,
    });

    await assertRejects(() => chaos.run(() => ++begun), RangeError, "503");

    assertEquals(begun, 0);
  },
);

testClean("Chaos puts another value in place of the result", async () => {
  const chaos = new Chaos({ rate: 1, outcome: () => 2, enabled });

  assertEquals(await chaos.run(() => 1), 2);
});

testClean("Chaos lets the caller's cancellation pass", async () => {
  for (const options of [{ latencyMs: 1000 }, { outcome: () => 1 }]) {
    const chaos = new Chaos({ rate: 1, enabled, ...options });
    const task = createTask(() => chaos.run(() => sleep(1000)));
    await sleep(1);

    task.cancel();

    assertInstanceOf(await caught(task.toPromise()), CancelledError);
  }
});

testClean("Chaos tells its hook what it does", async () => {
  const log: unknown[] = [];
  const chaos = new Chaos({
    rate: 1,
    latencyMs: 1,
    fault: () => new RangeError("down"),
    enabled,
    onStrike: ({ kind, snapshot }) => log.push([kind, snapshot.struck]),
  });

  await caught(chaos.run(() => 1));

  assertEquals(log, [["latency", 1], ["fault", 1]]);
});

testClean("Chaos throws on bad options", () => {
  assertThrows(() => new Chaos({ rate: 2 }), RangeError, '"rate"');
  assertThrows(() => new Chaos({ rate: NaN }), RangeError, '"rate"');
  assertThrows(() => new Chaos({ latencyMs: -1 }), RangeError, '"latencyMs"');
  assertThrows(() => new Chaos({ fault: 1 as never }), TypeError, '"fault"');
});
