import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { type OtelApi, Telemetry } from "@ilmek/async/telemetry";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";
import { fakeOtel } from "./_otel.ts";

const down = () => new RangeError("down");

for (const tracks of [true, false]) {
  const where = tracks ? "where the API tracks it" : "where nothing tracks it";

  testClean(`Telemetry nests spans through tasks ${where}`, async () => {
    const { api, spans } = fakeOtel({ tracks });
    const telemetry = new Telemetry(api);
    const leaf = telemetry.traced(() => sleep(1), { name: "leaf" });

    await telemetry.run(async () => {
      const bare = createTask(() => leaf());
      await using group = new TaskGroup();
      group.createTask(telemetry.traced(leaf, { name: "member" }));
      await gather([() => leaf(), bare]);
      await group.waitAll();
    }, { name: "root" });
    await leaf();

    assertEquals(
      spans.map(({ name, parent }) => `${parent} > ${name}`).toSorted(),
      [
        "member > leaf",
        "root > leaf",
        "root > leaf",
        "root > member",
        "undefined > leaf",
        "undefined > root",
      ],
    );
    assertEquals(spans.every(({ ends }) => ends === 1), true);
  });

  testClean(
    `Telemetry keeps spans of side by side work apart ${where}`,
    async () => {
      const { api } = fakeOtel({ tracks });
      const telemetry = new Telemetry(api);
      const seen: unknown[] = [];

      await Promise.all(["a", "b"].map((name) =>
        telemetry.run(async () => {
          await sleep(name === "a" ? 2 : 1);
          seen.push([name, telemetry.spanId, telemetry.traceId]);
        }, { name })
      ));

      assertEquals(seen, [
        ["b", "id of b", "trace"],
        ["a", "id of a", "trace"],
      ]);
      assertEquals(telemetry.activeSpan, undefined);
      assertEquals([telemetry.spanId, telemetry.traceId], [
        undefined,
        undefined,
      ]);
    },
  );
}

testClean(
  "Telemetry takes a span of others as the parent, if it is active",
  async () => {
    const { api, spans } = fakeOtel();
    const telemetry = new Telemetry(api);
    const foreign = api.trace.getTracer("other").startSpan("foreign");
    const context = api.trace.setSpan(api.context.active(), foreign);

    await telemetry.run(
      () =>
        api.context.with(
          context,
          () => telemetry.run(() => {}, { name: "inner" }),
        ),
      {
        name: "outer",
      },
    );

    assertEquals(
      spans.find(({ name }) => name === "inner")?.parent,
      "foreign",
    );
  },
);

testClean(
  "Telemetry.run() gives what the function gives, and hands it the span",
  async () => {
    const { api, spans } = fakeOtel();
    const telemetry = new Telemetry(api);

    const value = await telemetry.run((span) => {
      span?.setAttribute("rows", 2);
      return "value";
    }, { attributes: { order: 17 }, name: "read" });

    assertEquals(value, "value");
    assertEquals(spans[0]?.attributes["rows"], 2);
    assertEquals(spans[0]?.attributes["order"], 17);
    assertEquals(spans[0]?.status, undefined);
  },
);

testClean("Telemetry tells the task that a span is from", async () => {
  const { api, spans } = fakeOtel();
  const telemetry = new Telemetry(api);

  const task = createTask(telemetry.traced(() => {}), { name: "page 1" });
  await task;

  assertEquals(spans[0]?.attributes, {
    "ilmek.task.id": task.id,
    "ilmek.task.name": "page 1",
  });
  assertEquals(spans[0]?.name, "anonymous");
});

testClean(
  "Telemetry.traced() passes arguments on, and takes the function's name",
  async () => {
    const { api, spans } = fakeOtel();
    function add(a: number, b: number): number {
      return a + b;
    }

    assertEquals(await new Telemetry(api).traced(add)(1, 2), 3);
    assertEquals(spans[0]?.name, "add");
  },
);

testClean("Telemetry records an error, and passes it on", async () => {
  const { api, spans } = fakeOtel();
  const telemetry = new Telemetry(api);
  const error = down();

  const caught = await assertRejects(() =>
    telemetry.run(() => Promise.reject(error))
  );
  await telemetry.run(() => Promise.reject("text")).catch(() => {});

  assertEquals(caught, error);
  const [first, second] = spans;
  assertEquals(first?.errors, [error]);
  assertEquals(first?.status, { code: 2, message: "down" });
  assertEquals(first?.attributes["error.type"], "RangeError");
  assertEquals(second?.attributes["error.type"], "string");
  assertEquals([first?.ends, second?.ends], [1, 1]);
});

testClean("Telemetry tells a cancellation from an error", async () => {
  const { api, spans } = fakeOtel();
  const telemetry = new Telemetry(api);

  const task = createTask(telemetry.traced(() => sleep(100)));
  await sleep(1);
  task.cancel();
  await task.outcome();
  await telemetry.run(() => timeout(1, () => sleep(100))).catch((error) =>
    assertEquals(error instanceof TimeoutError, true)
  );

  const [cancelled, late] = spans;
  assertEquals(cancelled?.attributes["ilmek.cancelled"], true);
  assertEquals([cancelled?.status, cancelled?.errors, cancelled?.ends], [
    undefined,
    [],
    1,
  ]);
  assertEquals(late?.attributes["error.type"], "TimeoutError");
});

testClean(
  "Telemetry runs the function although the API throws",
  async ({ reports }) => {
    const { api } = fakeOtel();
    const fail = () => {
      throw down();
    };
    const getTracer = () => ({ startSpan: fail });
    const noStart = new Telemetry({
      ...api,
      trace: { ...api.trace, getTracer },
    });
    const noEnd = new Telemetry({
      ...api,
      trace: {
        ...api.trace,
        getTracer: (...of) => ({
          startSpan: (...args) =>
            Object.assign(api.trace.getTracer(...of).startSpan(...args), {
              end: fail,
            }),
        }),
      },
    });

    assertEquals(
      await noStart.run((span) => span ?? "ran", { name: "a" }),
      "ran",
    );
    assertEquals(await noEnd.run(() => "ran", { name: "b" }), "ran");

    assertEquals(takeMessages(reports), [
      'Cannot trace "a": the API has thrown',
      'Cannot trace "b": the API has thrown',
    ]);
  },
);

testClean("Telemetry throws on what it cannot use", async () => {
  const telemetry = new Telemetry(fakeOtel().api);
  const nothing = undefined as unknown as () => void;

  assertThrows(
    () => new Telemetry({} as OtelApi),
    TypeError,
    'Cannot create telemetry as "api" must be the package "@opentelemetry/api": current value is an object of class Object',
  );
  assertThrows(() => new Telemetry(undefined as unknown as OtelApi), TypeError);
  assertThrows(() => telemetry.traced(nothing), TypeError, '"fn"');
  await assertRejects(() => telemetry.run(nothing), TypeError, '"fn"');
});
