import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import {
  Fallback,
  type FallbackContext,
  FallbackError,
} from "@ilmek/async/fallback";
import { getRunningLoop } from "@ilmek/async/loop";
import { PolicyError } from "@ilmek/async/policy";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { takeMessages, testClean } from "../_leaks.ts";

const down = () => new RangeError("down");
const fail = (error: unknown = down()) => () => Promise.reject(error);
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

testClean("Fallback gives what the work gives", async () => {
  const policy = new Fallback([() => "instead"]);

  assertEquals(await policy.run(() => "fresh"), "fresh");
  assertEquals(policy.snapshot(), { calls: 1, degraded: 0, failed: 0 });
});

testClean("Fallback goes on until a step succeeds", async () => {
  const log: string[] = [];
  const policy = new Fallback([
    () => {
      log.push("first");
      throw down();
    },
    async () => {
      await sleep(5);
      log.push("second");
      return 2;
    },
    () => log.push("third"),
  ]);

  assertEquals(await policy.run(fail()), 2);
  assertEquals(log, ["first", "second"]);
  assertEquals(policy.snapshot(), { calls: 1, degraded: 1, failed: 0 });
});

testClean("Fallback tells each step what has failed before", async () => {
  const [one, two] = [down(), down()];
  const seen: unknown[] = [];
  const policy = new Fallback([
    ({ lastError }: FallbackContext) => {
      seen.push(lastError);
      throw two;
    },
    ({ lastError }: FallbackContext) => seen.push(lastError),
  ]);

  await policy.run(fail(one));

  assertEquals(seen, [one, two]);
});

testClean(
  "Fallback tells all errors in order if everything has failed",
  async () => {
    const errors = [down(), new TypeError("b"), down()];
    const [work, ...steps] = errors.map((error) => fail(error));
    const policy = new Fallback(steps, { name: "prices" });

    const error = await assertRejects(
      () => policy.run(work as () => Promise<never>),
      FallbackError,
      'Cannot give anything for "prices": the work has failed, and 2 steps after it',
    );

    assertEquals(error.errors, errors);
    assertStrictEquals(error.cause, errors[0]);
  },
);

testClean(
  "Fallback.runWithSource() tells where the result comes from",
  async () => {
    const error = down();
    const policy = new Fallback([fail(), () => "cached"]);

    const fresh = await policy.runWithSource(() => "fresh");
    const degraded = await policy.runWithSource(fail(error));

    assertEquals(fresh, { value: "fresh", source: 0, degraded: false });
    assertEquals(degraded, {
      value: "cached",
      source: 2,
      degraded: true,
      cause: error,
    });
  },
);

testClean("Fallback stands in for a refusal", async () => {
  const refusal = new PolicyError("open", { policy: "breaker" });

  assertEquals(await new Fallback([() => 1]).run(fail(refusal)), 1);
});

testClean(
  "Fallback stands in for a value that is classed as a failure",
  async () => {
    const policy = new Fallback([() => 200], {
      classify: (outcome) =>
        outcome.ok && outcome.value === 503 ? "failure" : undefined,
    });

    assertEquals(await policy.run(() => 503), 200);
  },
);

testClean(
  "Fallback does nothing instead of the caller's cancellation",
  async () => {
    let steps = 0;
    const policy = new Fallback([() => ++steps]);
    const task = createTask(() => policy.run(() => sleep(1000)));
    await sleep(1);

    task.cancel();

    assertInstanceOf(await caught(task.toPromise()), CancelledError);
    assertEquals(steps, 0);
  },
);

testClean("Fallback ends when the caller is cancelled in a step", async () => {
  let steps = 0;
  const policy = new Fallback([
    () => sleep(1000, { value: 0 }),
    () => ++steps,
  ]);
  const task = createTask(() => policy.run(fail()));
  await sleep(1);

  task.cancel();

  assertInstanceOf(await caught(task.toPromise()), CancelledError);
  assertEquals([steps, getRunningLoop().time()], [0, 1]);
});

testClean("Fallback gives each step a signal that has not fired", async () => {
  const seen: boolean[] = [];
  const policy = new Fallback([({ signal }) => seen.push(signal.aborted)]);

  await policy.run(({ signal }) => {
    seen.push(signal.aborted);
    throw down();
  });

  assertEquals(seen, [false, false]);
});

testClean("Fallback calls its hook before each step", async ({ reports }) => {
  const log: unknown[] = [];
  const policy = new Fallback([fail(), () => 1], {
    onFallback: ({ source, policy }) => {
      log.push([policy, source]);
      throw down();
    },
  });

  assertEquals(await policy.run(fail()), 1);

  assertEquals(log, [["fallback", 1], ["fallback", 2]]);
  assertEquals(takeMessages(reports).length, 2);
});

testClean("Fallback throws on bad steps", () => {
  assertThrows(() => new Fallback([]), RangeError, '"steps"');
  assertThrows(() => new Fallback([1 as never]), TypeError, '"steps"');
  assertThrows(() => new Fallback("x" as never), TypeError, '"steps"');
  assertThrows(
    () => new Fallback([() => 1], { classify: 1 as never }),
    TypeError,
    '"classify"',
  );
});
