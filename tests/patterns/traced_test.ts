import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { compose } from "@ilmek/async/compose";
import { ContextVar } from "@ilmek/async/context-var";
import { explain } from "@ilmek/async/explain";
import { Hedge } from "@ilmek/async/hedge";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Telemetry, Traced } from "@ilmek/async/traced";
import { Timeout } from "@ilmek/async/timeout-policy";
import { takeMessages, testClean } from "../_leaks.ts";
import { fakeOtel } from "./_otel.ts";

const down = () => new RangeError("down");

testClean(
  "Traced opens a span for each attempt, inside of that of the call",
  async () => {
    const { api, spans, durations } = fakeOtel({ tracks: false });
    const telemetry = new Telemetry(api);
    const policy = compose(
      new Traced(telemetry, { name: "load", attributes: { host: "a" } }),
      new Retry({ schedule: spaced(1) }),
      new Traced(telemetry),
      new Timeout(5),
    );

    const value = await policy.run(async ({ attempt }) => {
      if (attempt < 3) throw down();
      await telemetry.run(() => sleep(1), { name: "fetch" });
      return attempt;
    });

    assertEquals(value, 3);
    assertEquals(spans.map(({ name, parent }) => `${parent} > ${name}`), [
      "undefined > load",
      "load > attempt",
      "load > attempt",
      "load > attempt",
      "attempt > fetch",
    ]);
    assertEquals(spans[0]?.attributes["host"], "a");
    assertEquals(
      spans.slice(1, 4).map((it) => it.attributes["ilmek.attempt"]),
      [1, 2, 3],
    );
    assertEquals(spans[1]?.attributes["error.type"], "RangeError");
    assert(spans.every(({ ends }) => ends === 1));
    assertEquals(durations, [
      "attempt failure",
      "attempt failure",
      "attempt success",
      "load success",
    ]);
  },
);

testClean(
  "Traced tells which of several hedges it is, and which was cancelled",
  async () => {
    const { api, spans, durations } = fakeOtel();
    const policy = compose(
      new Hedge({ idempotent: true, delayMs: 1 }),
      new Traced(new Telemetry(api)),
    );
    let calls = 0;

    const value = await policy.run(() => {
      calls++;
      return calls === 1 ? sleep(100, { value: 1 }) : sleep(1, { value: 2 });
    });
    await sleep(1);

    assertEquals(value, 2);
    assertEquals(spans.map((it) => it.attributes["ilmek.hedge"]), [
      undefined,
      1,
    ]);
    assertEquals(durations.toSorted(), [
      "attempt cancelled",
      "attempt success",
    ]);
  },
);

testClean("Traced passes the signal of the attempt on", async () => {
  const traced = new Traced(new Telemetry(fakeOtel().api));
  const signals: AbortSignal[] = [];

  await traced.run(({ signal }) => signals.push(signal));
  await assertRejects(() =>
    traced.run(({ signal }) => {
      signals.push(signal);
      return Promise.reject(down());
    }), RangeError);
  const task = createTask(() =>
    traced.run(({ signal }) => {
      signals.push(signal);
      return sleep(100);
    })
  );
  await sleep(1);
  task.cancel();
  await task.outcome();

  assertEquals(signals.map(({ aborted }) => aborted), [false, true, true]);
});

testClean("Traced runs the work in the context of the caller", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const traced = new Traced(new Telemetry(fakeOtel().api));

  const seen = await user.run("ada", () => traced.run(() => user.get()));

  assertEquals(seen, "ada");
});

testClean("Traced leaves the call when the signal aborts", async () => {
  const { api, spans } = fakeOtel();
  const traced = new Traced(new Telemetry(api));
  const controller = new AbortController();
  const reason = new TypeError("enough");

  const { signal } = controller;
  const call = traced.run(() => sleep(100), { signal });
  await sleep(1);
  controller.abort(reason);

  assertEquals(await assertRejects(() => call), reason);
  assertEquals(spans[0]?.ends, 1);
  await assertRejects(() => traced.run(() => 1, { signal }), TypeError);
  assertEquals(spans.length, 1);
});

testClean(
  "Traced changes no result although the API throws",
  async ({ reports }) => {
    const { api, meter } = fakeOtel();
    const record = () => {
      throw down();
    };
    const metrics = {
      getMeter: () => ({ ...meter, createHistogram: () => ({ record }) }),
    };
    const traced = new Traced(new Telemetry({ ...api, metrics }), {
      name: "x",
    });

    assertEquals(await traced.run(() => 1), 1);

    assertEquals(takeMessages(reports), [
      'Cannot measure "x": the API has thrown',
    ]);
  },
);

testClean("Traced is explained, pristine, and checked", () => {
  const traced = new Traced(new Telemetry(fakeOtel().api), { name: "load" });

  assertEquals(explain(traced).policies, [
    { policy: "traced", name: "load", text: "" },
  ]);
  assertEquals([traced.name, traced.pristine], ["load", true]);
  assertThrows(
    () => new Traced({} as Telemetry),
    TypeError,
    'Cannot trace calls as "telemetry" must be a Telemetry: current value is an object of class Object',
  );
});

Deno.test("Traced ends each span once, wherever its caller is cancelled", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    const { api, spans } = fakeOtel();
    const telemetry = new Telemetry(api);
    const policy = compose(
      new Traced(telemetry, { name: "call" }),
      new Retry({ attempts: 2, schedule: spaced(2) }),
      new Traced(telemetry),
      new Timeout(10),
    );

    await sweep.target(() =>
      policy.run(async ({ attempt }) => {
        await telemetry.run(() => sleep(1), { name: "step" });
        if (attempt === 1) throw down();
      })
    );

    assert(spans.every(({ ends }) => ends === 1));
    assert(
      spans.every(({ status, attributes }) =>
        status === undefined || attributes["ilmek.cancelled"] === undefined
      ),
    );
  });
  assert(points.length > 2, `${points.length} points`);
});
