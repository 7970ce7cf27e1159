import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Bulkhead } from "@ilmek/async/bulkhead";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { observePolicies, type OtelMeter } from "@ilmek/async/observe-policies";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { ResourcePool } from "@ilmek/async/resource-pool";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { testClean } from "../_leaks.ts";
import { fakeOtel } from "./_otel.ts";

const failing = () => Promise.reject(new RangeError("down"));

/** The lines of one metric, without its name. */
function valuesOf(lines: readonly string[], metric: string): string[] {
  return lines.filter((line) => line.startsWith(`ilmek.${metric} `))
    .map((line) => line.slice(metric.length + 7));
}

testClean(
  "observePolicies() reads breakers when they are collected",
  async () => {
    const { meter, collect } = fakeOtel();
    const breaker = new CircuitBreaker({ name: "api", consecutiveFailures: 1 });
    using _observed = observePolicies(meter, { breakers: [breaker] });

    assertEquals(valuesOf(collect(), "breaker.state"), [
      "api closed 1",
      "api half-open 0",
      "api open 0",
    ]);
    await assertRejects(() => breaker.run(failing), RangeError);
    await assertRejects(() => breaker.run(failing));

    const lines = collect();
    assertEquals(valuesOf(lines, "breaker.state").at(-1), "api open 1");
    assertEquals(valuesOf(lines, "breaker.opens"), ["api 1"]);
    assertEquals(valuesOf(lines, "breaker.in_flight"), ["api 0"]);
    assertEquals(valuesOf(lines, "breaker.calls"), [
      "api success 0",
      "api failure 1",
      "api ignored 0",
      "api rejected 1",
    ]);
  },
);

testClean("observePolicies() reads limiters and retries", async () => {
  const { meter, collect } = fakeOtel();
  const limiter = new RateLimiter({ name: "api", limit: 2, perMs: 1000 });
  const retry = new Retry({ name: "again", attempts: 3, schedule: spaced(1) });
  using _observed = observePolicies(meter, {
    limiters: [limiter],
    retries: [retry],
  });

  for (let i = 0; i < 3; i++) limiter.tryTake();
  await retry.run(() => 1);
  await assertRejects(() => retry.run(failing));

  const lines = collect();
  assertEquals(valuesOf(lines, "limiter.calls"), [
    "api taken 2",
    "api refused 1",
  ]);
  assertEquals(valuesOf(lines, "limiter.waiting"), ["api 0"]);
  assertEquals(valuesOf(lines, "limiter.remaining"), ["api 1000 0"]);
  assertEquals(valuesOf(lines, "retry.calls"), [
    "again success 1",
    "again failure 1",
  ]);
  assertEquals(valuesOf(lines, "retry.attempts"), ["again 4"]);
  assertEquals(valuesOf(lines, "retry.retries"), ["again 2"]);
  assertEquals(valuesOf(lines, "retry.waiting"), ["again 0"]);
});

testClean("observePolicies() reads bulkheads", async () => {
  const { meter, collect } = fakeOtel();
  const bulkhead = new Bulkhead({ name: "api", slots: 1, maxQueue: 0 });
  using _observed = observePolicies(meter, { bulkheads: [bulkhead] });

  await bulkhead.run(async () => {
    assertEquals(valuesOf(collect(), "bulkhead.active"), ["api 1"]);
    await assertRejects(() => bulkhead.run(() => 1));
  });

  const lines = collect();
  assertEquals(valuesOf(lines, "bulkhead.slots"), ["api 1"]);
  assertEquals(valuesOf(lines, "bulkhead.waiting"), ["api 0"]);
  assertEquals(valuesOf(lines, "bulkhead.calls"), [
    "api begun 1",
    "api refused 1",
    "api shed 0",
  ]);
});

testClean("observePolicies() reads pools", async () => {
  const { meter, collect } = fakeOtel();
  await using pool = new ResourcePool(() => ({}), { name: "things", max: 1 });
  using _observed = observePolicies(meter, { pools: [pool] });

  await pool.use(() => {
    assertEquals(valuesOf(collect(), "pool.resources").slice(0, 2), [
      "things idle 0",
      "things leased 1",
    ]);
  });

  const lines = collect();
  assertEquals(valuesOf(lines, "pool.resources")[0], "things idle 1");
  assertEquals(valuesOf(lines, "pool.acquired"), ["things 1"]);
  for (const metric of ["waiting", "timeouts", "create_failures", "leaks"]) {
    assertEquals(valuesOf(lines, `pool.${metric}`), ["things 0"]);
  }
  assertEquals(valuesOf(lines, "pool.wait_time").length, 1);
  assertEquals(valuesOf(lines, "pool.usage_time").length, 1);
});

testClean(
  "observePolicies() sees what is added later, and names from snapshots",
  () => {
    const { meter, collect } = fakeOtel();
    const retries: { snapshot(): ReturnType<Retry["snapshot"]> }[] = [];
    using _observed = observePolicies(meter, { retries });
    assertEquals(collect(), []);

    const inner = new Retry();
    retries.push({ snapshot: () => ({ ...inner.snapshot(), name: "late" }) });
    retries.push({ snapshot: () => inner.snapshot() });

    assertEquals(valuesOf(collect(), "retry.waiting"), ["late 0", "unnamed 0"]);
  },
);

testClean(
  "observePolicies() tells nothing any more once it is disposed",
  () => {
    const { meter, collect } = fakeOtel();
    const observed = observePolicies(meter, { retries: [new Retry()] });
    assert(collect().length > 0);

    observed[Symbol.dispose]();
    observed[Symbol.dispose]();

    assertEquals(collect(), []);
  },
);

testClean("observePolicies() throws on what is no meter", () => {
  assertThrows(
    () => observePolicies({} as OtelMeter, {}),
    TypeError,
    'Cannot observe policies as "meter.addBatchObservableCallback" must be a function: current value is undefined',
  );
});

testClean("observePolicies() goes on with what can be gone over once", () => {
  const { meter, collect } = fakeOtel();
  const bulkheads = new Map([["api", new Bulkhead({ name: "api", slots: 3 })]]);
  using _observed = observePolicies(meter, { bulkheads: bulkheads.values() });

  collect();

  assertEquals(valuesOf(collect(), "bulkhead.slots"), ["api 3"]);
});
