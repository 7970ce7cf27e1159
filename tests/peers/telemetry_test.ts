/**
 * Spans and metrics as Deno's built-in exporter sends them to a collector.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { peerFlags } from "../../tools/std_flags.ts";

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string | number;
    readonly doubleValue?: number;
  };
}

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number; readonly message?: string };
  readonly events?: readonly { readonly name: string }[];
}

interface Point {
  readonly attributes: readonly Attribute[];
  readonly asDouble?: number;
  readonly asInt?: string | number;
  readonly count?: string | number;
}

interface Metric {
  readonly name: string;
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly sum?: {
    readonly dataPoints: readonly Point[];
    readonly isMonotonic: boolean;
  };
  readonly histogram?: { readonly dataPoints: readonly Point[] };
}

interface Export {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string; readonly version?: string };
      readonly spans: readonly Span[];
    }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly Metric[];
    }[];
  }[];
}

/** What the program has exported, and what it wrote. */
interface Collected {
  readonly spans: readonly Span[];
  readonly scopes: ReadonlySet<string>;
  readonly metrics: ReadonlyMap<string, Metric>;
  readonly stdout: string;
}

const PROGRAM = new URL("fixtures/telemetry_program.ts", import.meta.url);

let collected: Promise<Collected> | undefined;

/** Runs the program for the first test that asks. */
function collect(): Promise<Collected> {
  return collected ??= runProgram();
}

async function runProgram(): Promise<Collected> {
  const exports: Export[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      exports.push(await request.json());
      return Response.json({});
    },
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // The program itself needs no @std.
    args: [
      "run",
      "--allow-env",
      "--allow-net=127.0.0.1",
      ...peerFlags("jsr"),
      PROGRAM.href,
    ],
    cwd: new URL("../../", import.meta.url),
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
      OTEL_METRIC_EXPORT_INTERVAL: "300",
      OTEL_DENO_CONSOLE: "ignore",
      NO_COLOR: "1",
    },
  }).output();
  assert(success, new TextDecoder().decode(stderr));

  const scopeSpans = exports.flatMap((it) => it.resourceSpans ?? [])
    .flatMap((it) => it.scopeSpans);
  const metrics = exports.flatMap((it) => it.resourceMetrics ?? [])
    .flatMap((it) => it.scopeMetrics).flatMap((it) => it.metrics);
  return {
    spans: scopeSpans.flatMap((it) => it.spans),
    scopes: new Set(
      scopeSpans.map(({ scope }) => `${scope.name} ${scope.version}`),
    ),
    // The last export of each counts.
    metrics: new Map(metrics.map((it) => [it.name, it])),
    stdout: new TextDecoder().decode(stdout),
  };
}

function attributesOf(
  { attributes }: Pick<Span, "attributes">,
): Record<string, string | number | undefined> {
  return Object.fromEntries(attributes.map(({ key, value }) => [
    key,
    value.stringValue ?? value.doubleValue ?? Number(value.intValue),
  ]));
}

/** The values of a metric by one of its attributes. */
function valuesOf(metric: Metric | undefined, by: string) {
  const points = (metric?.gauge ?? metric?.sum)?.dataPoints ?? [];
  return Object.fromEntries(points.map((point) => [
    attributesOf(point)[by],
    Number(point.asDouble ?? point.asInt),
  ]));
}

Deno.test("Telemetry nests spans through groups, tasks and policies", async () => {
  const { spans, scopes } = await collect();
  const nameOf = (id: string) =>
    spans.find(({ spanId }) => spanId === id)?.name ?? "";
  const tree = spans.map(({ name, parentSpanId }) =>
    `${nameOf(parentSpanId)} > ${name}`
  );

  assertEquals(tree.toSorted(), [
    " > checkout",
    // What Deno makes itself: the request as sent, and as served.
    "GET > GET",
    "GET > handler",
    "checkout > GET",
    "checkout > pay",
    "load > attempt",
    "load > attempt",
    "pay > load",
  ]);
  assertEquals(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  assert(scopes.has("shop 1.2.3"));
});

Deno.test("Telemetry tells tasks, attempts and errors", async () => {
  const { spans } = await collect();
  const [failed, succeeded] = spans.filter(({ name }) => name === "attempt");
  const pay = spans.find(({ name }) => name === "pay");
  const checkout = spans.find(({ name }) => name === "checkout");

  assert(failed && succeeded && pay && checkout);
  assertEquals(attributesOf(pay)["ilmek.task.name"], "payment");
  assertEquals(attributesOf(checkout)["order"], 17);
  assertEquals(attributesOf(failed)["ilmek.attempt"], 1);
  assertEquals(attributesOf(failed)["error.type"], "RangeError");
  assertEquals(failed.status, { code: 2, message: "down" });
  assertEquals(failed.events?.map(({ name }) => name), ["exception"]);
  assertEquals(attributesOf(succeeded)["ilmek.attempt"], 2);
  assertEquals(succeeded.status.code ?? 0, 0);
});

Deno.test("observePolicies() exports the counters of policies and pools", async () => {
  const { metrics } = await collect();
  const read = (name: string, by = "name") =>
    valuesOf(metrics.get(`ilmek.${name}`), by);

  assertEquals(read("breaker.state", "state"), {
    "closed": 1,
    "half-open": 0,
    "open": 0,
  });
  assertEquals(read("breaker.calls", "outcome")["success"], 1);
  assertEquals(read("retry.attempts"), { again: 2 });
  assertEquals(read("retry.retries"), { again: 1 });
  assertEquals(read("limiter.calls", "outcome"), { taken: 1, refused: 0 });
  assertEquals(read("limiter.remaining", "window_ms"), { 60000: 4 });
  assertEquals(read("pool.acquired"), { things: 1 });
  assertEquals(read("pool.resources", "state")["idle"], 1);
  assertEquals(metrics.get("ilmek.retry.attempts")?.sum?.isMonotonic, true);
});

Deno.test("Traced measures attempts by their outcome", async () => {
  const { metrics } = await collect();
  const points = metrics.get("ilmek.attempt.duration")?.histogram?.dataPoints;

  const counts = points?.map((point) => {
    const { name, outcome } = attributesOf(point);
    return `${name} ${outcome} ${point.count}`;
  });
  assertEquals(counts?.toSorted(), [
    "attempt failure 1",
    "attempt success 1",
    "load success 1",
  ]);
});

Deno.test("Logger tells the trace and the span that it writes in", async () => {
  const { spans, stdout } = await collect();
  const pay = spans.find(({ name }) => name === "pay");

  const { task, context } = JSON.parse(stdout);

  assertEquals(task.name, "payment");
  assertEquals(context, { trace: pay?.traceId, span: pay?.spanId });
});
