import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { sleep } from "@ilmek/async/sleep";
import "./all.ts";
import {
  acceptedBy,
  allReferences,
  type Comparison,
  equal,
  matches,
  referenceOf,
} from "./comparator.ts";
import {
  allScenarios,
  type Order,
  type Scenario,
  scenario,
  type TraceEvent,
  type Tracer,
  valueError,
} from "./harness.ts";
import {
  comparisonOf,
  describe,
  judge,
  missingPorts,
  readReasons,
} from "./verdict.ts";

const ORDERS: readonly Order[] = ["fifo", "system"];
const COMPARISONS: readonly Comparison[] = ["strict", "time"];

const TRACE: readonly TraceEvent[] = [
  [0, "a:start"],
  [0, "b:start"],
  [1, "b:raise"],
  [1, "b:again", { error: "ValueError", msg: "b" }],
  [2, "main:e", {
    error: "ExceptionGroup",
    errors: [
      { error: "ValueError", msg: "b" },
      { error: "KeyError", msg: "k" },
    ],
  }],
  [2, "main:state", { error: "RuntimeError", pymsg: "in CPython's words" }],
  [3, "end", "ok"],
];

/** The trace with some of its events replaced. */
function traceWith(events: Record<number, TraceEvent>): TraceEvent[] {
  return TRACE.map((event, i) => events[i] ?? event);
}

/** The trace with two of its events in each other's places. */
function swapped(
  trace: readonly TraceEvent[],
  i: number,
  j: number,
): TraceEvent[] {
  return trace.map((event, k) => {
    if (k === i) return trace[j] ?? event;
    if (k === j) return trace[i] ?? event;
    return event;
  });
}

function assertDiffers(actual: readonly TraceEvent[]): void {
  for (const comparison of COMPARISONS) {
    assertFalse(equal(comparison, TRACE, actual), comparison);
  }
}

/** Labels among whose lines there is no order. */
const UNORDERED = ["out", "log", "loop"];

/** All traces that differ from this one in a single respect. */
function* mutationsOf(
  trace: readonly TraceEvent[],
): Generator<[what: string, changed: TraceEvent[]]> {
  for (const [i, event] of trace.entries()) {
    const [time, label, ...values] = event;
    const actor = actorOf(event);
    yield [`event ${i} is later`, trace.with(i, [time + 1, label, ...values])];
    yield [`event ${i} is renamed`, trace.with(i, [time, `${label}x`])];
    yield [`event ${i} is gone`, trace.toSpliced(i, 1)];
    yield [`event ${i} comes twice`, trace.toSpliced(i, 0, event)];

    const other = withOtherErrors(values) as unknown[];
    if (JSON.stringify(other) !== JSON.stringify(values)) {
      yield [`event ${i} has another error`, [
        ...trace.slice(0, i),
        [time, label, ...other],
        ...trace.slice(i + 1),
      ]];
    }
    const j = trace.findIndex((e, k) => k > i && actorOf(e) === actor);
    const next = trace[j];
    if (next === undefined || UNORDERED.includes(actor)) continue;
    if (equal("time", [event], [next])) continue;
    yield [`events ${i} and ${j} are swapped`, swapped(trace, i, j)];
  }
}

function actorOf([, label]: TraceEvent): string {
  return label.replace(/:.*/, "");
}

function withOtherErrors(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withOtherErrors);
  if (typeof value !== "object" || value === null) return value;
  return "error" in value ? { ...value, error: "OtherError" } : value;
}

/** A port of `wait_for.none`, as good or bad as `run`. */
function portOf(
  run: (t: Tracer) => unknown,
  deviation: Scenario["deviation"] = {},
): Scenario {
  return { id: "wait_for.none", run, outside: false, deviation };
}

/** What gives the trace of `wait_for.none`. */
async function actAlone(t: Tracer): Promise<void> {
  t("main:r", await t.act("a", 100, "A"));
}

for (const port of allScenarios()) {
  for (const order of ORDERS) {
    const deviation = port.deviation[order];
    const does = deviation === undefined
      ? "behaves as in asyncio"
      : `differs from asyncio by deviation ${deviation}`;

    Deno.test(`${port.id} ${does} in the order "${order}"`, async () => {
      const verdict = await judge(port, order);

      assert(verdict.result !== "error", describe(verdict));
    });
  }
}

Deno.test("missingPorts() finds nothing that is left to port", () => {
  assertEquals(missingPorts(), []);
});

Deno.test("readReasons() finds a reason for every declared deviation", async () => {
  const reasons = await readReasons();

  const declared = allScenarios().flatMap(({ deviation }) =>
    Object.values(deviation)
  );

  assert(declared.length > 0);
  assertEquals(declared.filter((number) => !reasons.has(number)), []);
});

Deno.test("scenario() throws on an id that was ported before", () => {
  const [first] = allScenarios();

  assertThrows(
    () => scenario(first?.id ?? "", () => {}),
    RangeError,
    "it was ported before",
  );
});

Deno.test("referenceOf() throws on an id that has no reference", () => {
  assertThrows(() => referenceOf("gather.nothing"), RangeError, "no reference");
});

Deno.test("equal() accepts a trace as its own equal", () => {
  for (const comparison of COMPARISONS) {
    assert(equal(comparison, TRACE, TRACE), comparison);
  }
});

Deno.test("equal() refuses another time", () => {
  assertDiffers(traceWith({ 2: [1.000001, "b:raise"] }));
});

Deno.test("equal() refuses another label", () => {
  assertDiffers(traceWith({ 2: [1, "b:rise"] }));
});

Deno.test("equal() refuses another actor", () => {
  assertDiffers(traceWith({ 2: [1, "a:raise"] }));
});

Deno.test("equal() refuses another order inside of an actor", () => {
  assertDiffers(swapped(TRACE, 2, 3));
});

Deno.test("equal() refuses another kind of error", () => {
  const actual: TraceEvent = [1, "b:again", { error: "KeyError", msg: "b" }];

  assertDiffers(traceWith({ 3: actual }));
});

Deno.test("equal() refuses another text of a scenario's own error", () => {
  const actual: TraceEvent = [1, "b:again", { error: "ValueError", msg: "c" }];

  assertDiffers(traceWith({ 3: actual }));
});

Deno.test("equal() refuses an error of the library for a scenario's own", () => {
  assertDiffers(traceWith({ 3: [1, "b:again", { error: "ValueError" }] }));
});

Deno.test("equal() refuses another error inside of a group", () => {
  const errors = [
    { error: "ValueError", msg: "b" },
    { error: "ValueError", msg: "k" },
  ];

  assertDiffers(
    traceWith({ 4: [2, "main:e", { error: "ExceptionGroup", errors }] }),
  );
});

Deno.test("equal() refuses a group of other errors for a plain error", () => {
  assertDiffers(traceWith({ 4: [2, "main:e", { error: "ValueError" }] }));
});

Deno.test("equal() refuses a trace that lacks an event", () => {
  assertDiffers(TRACE.toSpliced(1, 1));
});

Deno.test("equal() refuses a trace that has an event more", () => {
  assertDiffers(TRACE.toSpliced(2, 0, [1, "b:raise"]));
});

Deno.test("equal() refuses an event that comes after the end", () => {
  assertDiffers([...TRACE.slice(0, -2), [3, "end", "ok"], [2, "main:state", {
    error: "RuntimeError",
  }]]);
});

Deno.test("equal() refuses another end", () => {
  assertDiffers(traceWith({ 6: [3, "end", "deadlock"] }));
});

Deno.test("equal() takes the order of actors at one moment strictly or not", () => {
  const actual = swapped(TRACE, 0, 1);

  assertFalse(equal("strict", TRACE, actual));
  assert(equal("time", TRACE, actual));
});

Deno.test("equal() takes the order of errors in a group strictly or not", () => {
  const errors = [
    { error: "KeyError", msg: "k" },
    { error: "ValueError", msg: "b" },
  ];
  const actual = traceWith({
    4: [2, "main:e", { error: "ExceptionGroup", errors }],
  });

  assertFalse(equal("strict", TRACE, actual));
  assert(equal("time", TRACE, actual));
});

Deno.test("equal() accepts the library's error for one of CPython", () => {
  const actual = traceWith({
    5: [2, "main:state", { error: "InvalidStateError" }],
  });

  for (const comparison of COMPARISONS) {
    assert(equal(comparison, TRACE, actual), comparison);
  }
});

Deno.test("equal() accepts an error of the guide only with the guide's text", () => {
  const want: TraceEvent[] = [
    [0, "r:", { error: "ValueError", pymsg: "F bir hata verdi!" }],
    [0, "end", "ok"],
  ];
  const actual = (msg: string): TraceEvent[] => [
    [0, "r:", { error: "ValueError", msg }],
    [0, "end", "ok"],
  ];

  assert(equal("strict", want, actual("F bir hata verdi!")));
  assertFalse(equal("strict", want, actual("G bir hata verdi!")));
});

Deno.test("equal() refuses a scenario's own timeout for the library's", () => {
  const want: TraceEvent[] = [[0, "r:", { error: "TimeoutError" }]];
  const actual: TraceEvent[] = [[0, "r:", {
    error: "TimeoutError",
    msg: "own",
  }]];

  assertFalse(equal("strict", want, actual));
});

Deno.test("matches() accepts every reference as its own match", () => {
  for (const reference of allReferences()) {
    for (const trace of acceptedBy(reference)) {
      assert(
        matches(reference, trace, comparisonOf(reference, "fifo")),
        reference.id,
      );
    }
  }
});

Deno.test("matches() refuses every reference with one change anywhere", () => {
  let count = 0;
  for (const reference of allReferences()) {
    const comparison = comparisonOf(reference, "fifo");
    const [trace = []] = acceptedBy(reference);
    for (const [what, changed] of mutationsOf(trace)) {
      count++;
      assertFalse(
        matches(reference, changed, comparison),
        `${reference.id}: ${what}`,
      );
    }
  }
  assert(count > 1000, `only ${count} changes`);
});

Deno.test("matches() accepts the version of CPython that is preferred only", () => {
  const reference = referenceOf("group.nested_handled");

  assertFalse(matches(reference, reference.trace, "time"));
  assert(matches(reference, reference.differs?.["3.13.0"] ?? [], "time"));
});

Deno.test("judge() passes a port that behaves as in asyncio", async () => {
  const { result } = await judge(portOf(actAlone), "fifo");

  assertEquals(result, "pass");
});

Deno.test("judge() refuses a difference that is not declared", async () => {
  const verdict = await judge(
    portOf(async (t) => {
      await sleep(1);
      await actAlone(t);
    }),
    "fifo",
  );

  assertEquals(verdict.result, "error");
  assert(describe(verdict).includes("! 0 a:start"));
});

Deno.test("judge() accepts a difference that is declared", async () => {
  const { result } = await judge(portOf(() => {}, { fifo: 6 }), "fifo");

  assertEquals(result, "deviation");
});

Deno.test("judge() refuses a declared deviation that does not differ", async () => {
  const verdict = await judge(portOf(actAlone, { fifo: 6 }), "fifo");

  assertEquals(verdict.result, "error");
  assert(describe(verdict).includes("declares deviation 6"));
});

Deno.test("judge() refuses on one order what is declared for the other", async () => {
  const { result } = await judge(portOf(() => {}, { fifo: 6 }), "system");

  assertEquals(result, "error");
});

Deno.test("judge() refuses a port that throws", async () => {
  const verdict = await judge(
    portOf(() => {
      throw valueError("in the port");
    }),
    "fifo",
  );

  assertEquals(verdict.result, "error");
  assert(describe(verdict).includes("in the port"));
});
