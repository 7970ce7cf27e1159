import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { withPriority } from "@ilmek/async/call-priority";
import {
  ClientThrottle,
  type ClientThrottleOptions,
  LoadShedError,
} from "@ilmek/async/client-throttle";
import { CancelledError } from "@ilmek/async/errors";
import { explain } from "@ilmek/async/explain";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const down = (): Promise<never> => Promise.reject(new TypeError("down"));
const ok = (): string => "ok";

/** A throttle that lets all calls through, but counts. */
function counting(options: ClientThrottleOptions = {}): ClientThrottle {
  return new ClientThrottle({
    windowMs: 100,
    segments: 10,
    random: () => 0.999,
    ...options,
  });
}

async function call(throttle: ClientThrottle, ...fns: (() => unknown)[]) {
  for (const fn of fns) await throttle.run(fn).catch(() => {});
}

testClean(
  "ClientThrottle.run() gives what the function returns or throws",
  async () => {
    const throttle = counting();

    assertEquals(await throttle.run(ok), "ok");
    await assertRejects(() => throttle.run(down), TypeError, "down");
  },
);

testClean("a throttle gives up calls as the formula says", async () => {
  const throttle = counting({ ratio: 2, maxReject: 0.95 });
  await call(throttle, ok, down, down);
  assertAlmostEquals(throttle.probability, (3 - 2) / 4);
  await call(throttle, down, down);

  assertAlmostEquals(throttle.probability, (5 - 2) / 6);
  assertEquals(throttle.snapshot(), {
    requests: 5,
    accepts: 1,
    probability: 0.5,
    shed: 0,
  });
});

testClean("a healthy server is never spared", async () => {
  const throttle = counting({ random: () => 0 });
  await call(throttle, ...Array.from({ length: 20 }, () => ok));

  assertEquals([throttle.probability, throttle.snapshot().shed], [0, 0]);
});

testClean(
  "a call that is given up is not begun, and counts as a request",
  async () => {
    const told: string[] = [];
    const throttle = counting({
      name: "search",
      random: () => 0,
      onReject: ({ error }) => told.push(error.name),
    });
    await call(throttle, down);
    let called = false;

    const error = await assertRejects(
      () => withPriority("sheddable", () => throttle.run(() => called = true)),
      LoadShedError,
      'Cannot run the call under "search": the server refuses too many calls',
    );
    assertEquals(
      [error.probability, error.priority, error.rejected, called],
      [0.5, "sheddable", true, false],
    );
    assertEquals(throttle.snapshot().requests, 2);
    assertEquals(told, ["LoadShedError"]);
  },
);

testClean(
  "no more than maxReject are given up, so that some find out",
  async () => {
    const throttle = counting({ maxReject: 0.8 });
    await call(throttle, ...Array.from({ length: 50 }, () => down));

    assertEquals(throttle.probability, 0.8);
  },
);

testClean(
  "a success counts where its call was made, however late it comes",
  async () => {
    const throttle = counting();
    const slow = createTask(() => throttle.run(() => sleep(50)));
    await sleep(50);
    await slow;
    assertEquals(throttle.snapshot(), {
      requests: 1,
      accepts: 1,
      probability: 0,
      shed: 0,
    });
    await sleep(50);

    assertEquals(throttle.snapshot().accepts, 0);
    assert(throttle.pristine);
  },
);

testClean("a success that comes after its window counts nowhere", async () => {
  const throttle = counting();
  const slow = createTask(() => throttle.run(() => sleep(500)));
  await sleep(499);
  await call(throttle, down);
  await slow;

  const { requests, accepts } = throttle.snapshot();
  assertEquals([requests, accepts], [1, 0]);
});

testClean("a call that says nothing does not count", async () => {
  const throttle = counting();
  const hanging = createTask(() => throttle.run(() => sleep(60_000)));
  await sleep(1);
  assertEquals(throttle.snapshot().requests, 1);
  hanging.cancel();
  await assertRejects(() => hanging, CancelledError);
  await sleep(1);

  assertEquals(throttle.snapshot().requests, 0);
});

testClean("classify decides what was accepted", async () => {
  const throttle = counting({
    classify: (outcome) => outcome.ok ? "failure" : "success",
  });
  await call(throttle, ok, down);

  assertEquals(throttle.snapshot().accepts, 1);
});

Deno.test("explain() tells what a throttle does", () => {
  assertEquals(explain(new ClientThrottle()).policies, [{
    policy: "client-throttle",
    name: "client-throttle",
    text: "2 calls for each that is accepted",
  }]);
});

Deno.test("ClientThrottle() rejects wrong options", () => {
  const wrong: [object, string][] = [
    [{ ratio: 0.5 }, '"ratio" must be finite and >= 1'],
    [{ ratio: Infinity }, '"ratio" must be finite and >= 1'],
    [{ maxReject: 1.1 }, '"maxReject" must be a number from 0 to 1'],
    [{ windowMs: 0 }, '"windowMs" must be finite and > 0'],
    [{ windowMs: Infinity }, '"windowMs" must be finite and > 0'],
    [{ segments: 0 }, '"segments" must be an integer >= 1'],
    [{ random: 1 }, '"random" must be a function'],
    [{ classify: 1 }, '"classify" must be a function'],
  ];
  for (const [options, message] of wrong) {
    assertThrows(
      () => new ClientThrottle(options as ClientThrottleOptions),
      Error,
      `Cannot create a client throttle as ${message}`,
    );
  }
});
