/**
 * Metrics of OpenTelemetry, read from breakers, limiters, pools and others when
 * they are collected: nothing is counted twice, and no call gets slower.
 *
 * ```ts ignore
 * import { metrics } from "npm:@opentelemetry/api@1";
 *
 * using _observed = observePolicies(metrics.getMeter("shop"), {
 *   breakers: [breaker],
 *   pools: [pool],
 * });
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { bind } from "../primitives/detach.ts";
import type { OtelAttributes, OtelMeter, OtelObservable } from "./telemetry.ts";
import type { BulkheadSnapshot } from "./bulkhead.ts";
import type { CircuitSnapshot } from "./circuit_breaker.ts";
import type { RateLimiterSnapshot } from "./rate_limiter.ts";
import type { PoolSnapshot } from "./resource_pool.ts";
import type { RetrySnapshot } from "./retry.ts";

export type {
  OtelAttributes,
  OtelBatchResult,
  OtelInstrumentOptions,
  OtelMeter,
  OtelObservable,
  OtelResult,
} from "./telemetry.ts";
export type { BulkheadSnapshot } from "./bulkhead.ts";
export type {
  CircuitMode,
  CircuitSnapshot,
  CircuitState,
  CircuitTotals,
  WindowCounts,
} from "./circuit_breaker.ts";
export type { RateLimiterSnapshot, RateLimitSnapshot } from "./rate_limiter.ts";
export type { PoolHistogram, PoolSnapshot } from "./resource_pool.ts";
export type { RetrySnapshot } from "./retry.ts";

/** What tells of itself in a snapshot. */
export interface Observed<S> {
  /** The value of the attribute `name`; that of the snapshot if it is not given. */
  readonly name?: string;
  /** What can be told at this moment. */
  snapshot(): S;
}

/**
 * What is to be observed. The lists are read anew each time: what is put into an
 * array or a set later is observed, too.
 */
export interface ObservedPolicies {
  /** Each a `CircuitBreaker`. */
  breakers?: Iterable<Observed<CircuitSnapshot>>;
  /** Each a `Bulkhead`. */
  bulkheads?: Iterable<Observed<BulkheadSnapshot>>;
  /** Each a `RateLimiter`. */
  limiters?: Iterable<Observed<RateLimiterSnapshot>>;
  /** Each a `ResourcePool` or a `ConnectionPool`. */
  pools?: Iterable<Observed<PoolSnapshot>>;
  /** Each a `Retry`. */
  retries?: Iterable<Observed<RetrySnapshot>>;
}

/** A value, and what it is told with. */
type Reading = readonly [value: number, attributes?: OtelAttributes];

/** One metric: how it is called, and how it is read from a snapshot. */
interface Metric<S> {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly description: string;
  readonly unit?: string;
  read(snapshot: S): readonly Reading[];
}

const BREAKER: readonly Metric<CircuitSnapshot>[] = [
  gauge(
    "breaker.state",
    "1 for the state that it is in",
    ({ state }) =>
      (["closed", "half-open", "open"] as const).map((it) => [
        it === state ? 1 : 0,
        { state: it },
      ]),
  ),
  gauge("breaker.in_flight", "Calls under way", (it) => [[it.inFlight]]),
  counter("breaker.calls", "Calls by what became of them", ({ totals }) => [
    [totals.successes, { outcome: "success" }],
    [totals.failures, { outcome: "failure" }],
    [totals.ignored, { outcome: "ignored" }],
    [totals.rejected, { outcome: "rejected" }],
  ]),
  counter("breaker.opens", "How often it has opened", (it) => [
    [it.totals.opens],
  ]),
];

const BULKHEAD: readonly Metric<BulkheadSnapshot>[] = [
  gauge("bulkhead.slots", "How many calls may be under way", (it) => [
    [it.slots],
  ]),
  gauge("bulkhead.active", "Slots that are held", (it) => [[it.active]]),
  gauge("bulkhead.waiting", "Calls that wait", (it) => [[it.waiting]]),
  counter("bulkhead.calls", "Calls by what became of them", (it) => [
    [it.begun, { outcome: "begun" }],
    [it.refused, { outcome: "refused" }],
    [it.shed, { outcome: "shed" }],
  ]),
];

const LIMITER: readonly Metric<RateLimiterSnapshot>[] = [
  counter("limiter.calls", "Calls by what became of them", (it) => [
    [it.taken, { outcome: "taken" }],
    [it.refused, { outcome: "refused" }],
  ]),
  gauge("limiter.waiting", "Callers that wait", (it) => [[it.waiting]]),
  gauge(
    "limiter.remaining",
    "What is left of each limit",
    ({ limits }) =>
      limits.map(({ remaining, perMs }) => [remaining, { window_ms: perMs }]),
  ),
];

const POOL: readonly Metric<PoolSnapshot>[] = [
  gauge("pool.resources", "Resources by what they are doing", (it) => [
    [it.idle, { state: "idle" }],
    [it.leased, { state: "leased" }],
    [it.creating, { state: "creating" }],
    [it.checking, { state: "checking" }],
    [it.destroying, { state: "destroying" }],
  ]),
  gauge("pool.waiting", "Callers that wait", (it) => [[it.waiting]]),
  counter("pool.acquired", "How often one was acquired", (it) => [
    [it.acquired],
  ]),
  counter("pool.timeouts", "Callers that waited in vain", (it) => [
    [it.timeouts],
  ]),
  counter("pool.create_failures", "Creations that have failed", (it) => [
    [it.createFailures],
  ]),
  counter("pool.leaks", "Leases that were held too long", (it) => [[it.leaks]]),
  counter("pool.wait_time", "How long callers waited, all together", (it) => [
    [it.wait.sumMs / 1000],
  ], "s"),
  counter(
    "pool.usage_time",
    "How long they were in use, all together",
    (it) => [
      [it.usage.sumMs / 1000],
    ],
    "s",
  ),
];

const RETRY: readonly Metric<RetrySnapshot>[] = [
  counter("retry.calls", "Calls by what became of them", (it) => [
    [it.successes, { outcome: "success" }],
    [it.gaveUp, { outcome: "failure" }],
  ]),
  counter("retry.attempts", "Attempts, first ones included", (it) => [
    [it.attempts],
  ]),
  counter("retry.retries", "Attempts that were not the first", (it) => [
    [it.retries],
  ]),
  gauge("retry.waiting", "Calls that wait for another attempt", (it) => [
    [it.waiting],
  ]),
];

/**
 * Observes policies and pools as metrics: `ilmek.breaker.state`,
 * `ilmek.limiter.calls`, `ilmek.pool.resources`, `ilmek.retry.attempts` and others.
 *
 * Each value has the attribute `name`; give names to what is observed, and no more
 * of them than the backend can keep apart.
 *
 * @param meter What makes the instruments: of a `Telemetry`, or of the API.
 * @param observed What to observe.
 * @returns What ends it when it is disposed.
 * @throws {TypeError} If `meter` is none.
 *
 * @example Observe a breaker and a pool
 * ```ts ignore
 * import { metrics } from "npm:@opentelemetry/api@1";
 * import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
 * import { observePolicies } from "@ilmek/async/observe-policies";
 *
 * const breakers = [new CircuitBreaker({ name: "payments" })];
 * using _observed = observePolicies(metrics.getMeter("shop"), { breakers });
 * ```
 */
export function observePolicies(
  meter: OtelMeter,
  observed: ObservedPolicies,
): Disposable {
  checkFunction(
    meter?.addBatchObservableCallback,
    "observe policies",
    "meter.addBatchObservableCallback",
  );
  const stops = [
    observe(meter, BREAKER, observed.breakers),
    observe(meter, BULKHEAD, observed.bulkheads),
    observe(meter, LIMITER, observed.limiters),
    observe(meter, POOL, observed.pools),
    observe(meter, RETRY, observed.retries),
  ];
  return {
    [Symbol.dispose]() {
      for (const stop of stops.splice(0)) stop();
    },
  };
}

function observe<S extends object>(
  meter: OtelMeter,
  metrics: readonly Metric<S>[],
  subjects: Iterable<Observed<S>> | undefined,
): () => void {
  if (subjects === undefined) return () => {};
  const instruments = metrics.map((metric): [Metric<S>, OtelObservable] => {
    const { kind, unit = "1", description } = metric;
    const name = `ilmek.${metric.name}`;
    return [
      metric,
      kind === "counter"
        ? meter.createObservableCounter(name, { unit, description })
        : meter.createObservableGauge(name, { unit, description }),
    ];
  });
  const observables = instruments.map(([, instrument]) => instrument);
  const all = repeatable(subjects);
  // Collectors call from nowhere; ages are told by the loop of the policies.
  const callback = bind<Parameters<BatchCallback>, void>((result) => {
    for (const subject of all) {
      const snapshot = subject.snapshot();
      const name = subject.name ?? nameIn(snapshot);
      for (const [metric, instrument] of instruments) {
        for (const [value, attributes] of metric.read(snapshot)) {
          result.observe(instrument, value, { name, ...attributes });
        }
      }
    }
  });
  meter.addBatchObservableCallback(callback, observables);
  return () => meter.removeBatchObservableCallback(callback, observables);
}

/** What an iterator gives, such as `map.values()`, is there only once. */
function repeatable<T>(items: Iterable<T>): Iterable<T> {
  return items instanceof Iterator ? [...items] : items;
}

function nameIn(snapshot: object): string {
  return "name" in snapshot ? String(snapshot.name) : "unnamed";
}

type BatchCallback = Parameters<OtelMeter["addBatchObservableCallback"]>[0];

function gauge<S>(
  name: string,
  description: string,
  read: (snapshot: S) => readonly Reading[],
): Metric<S> {
  return { name, kind: "gauge", description, read };
}

function counter<S>(
  name: string,
  description: string,
  read: (snapshot: S) => readonly Reading[],
  unit = "1",
): Metric<S> {
  return { name, kind: "counter", description, read, unit };
}
