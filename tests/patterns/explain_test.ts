import { assert, assertEquals, assertThrows } from "@std/assert";
import { Bulkhead } from "@ilmek/async/bulkhead";
import { Chaos } from "@ilmek/async/chaos";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { type AnyPolicy, compose } from "@ilmek/async/compose";
import { explain } from "@ilmek/async/explain";
import { Fallback } from "@ilmek/async/fallback";
import { Hedge } from "@ilmek/async/hedge";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { Retry } from "@ilmek/async/retry";
import { exponential, spaced } from "@ilmek/async/schedule";
import { StaleIfError } from "@ilmek/async/stale-if-error";
import { Timeout } from "@ilmek/async/timeout-policy";
import { type LayerFacts, layersOf } from "../../patterns/_layers.ts";
import { orderWarnings } from "../../patterns/_order_rules.ts";

const factsOf = (policy: string, more: Partial<LayerFacts> = {}) => ({
  policy,
  name: policy,
  text: "",
  ...more,
});

Deno.test("explain() prints a stack as a tree, with its worst case", () => {
  const policy = compose(
    new Timeout(5000, { name: "total", graceMs: 0 }),
    new Retry({ attempts: 3, schedule: exponential(100) }),
    new Timeout(1000),
  );

  assertEquals(
    `${explain(policy)}`,
    `timeout "total": 5000 ms
└─ retry: at most 3 attempts, 300 ms of waiting
   └─ timeout: 1000 ms, 1000 ms of grace
      └─ the work
worst case: 3 attempts, 5000 ms`,
  );
});

Deno.test("explain() adds up waits and attempts", () => {
  const attempt = new Timeout(100, { graceMs: 50 });
  const retry = new Retry({ attempts: 4, schedule: spaced(10).recurs(2) });
  const hedge = new Hedge({ idempotent: true, delayMs: 20, max: 2 });

  const { worstCaseAttempts, worstCaseMs } = explain(
    compose(retry, hedge, attempt),
  );

  assertEquals([worstCaseAttempts, worstCaseMs], [9, 3 * 450 + 20]);
});

Deno.test("explain() tells of attempts without end, and of very many", () => {
  const attempt = new Timeout(100, { graceMs: 0 });
  const endless = explain(
    compose(new Retry({ attempts: Infinity, schedule: spaced(10) }), attempt),
  );
  const many = explain(
    compose(new Retry({ attempts: 5001, schedule: spaced(10) }), attempt),
  );

  assertEquals(endless.worstCaseAttempts, Infinity);
  assertEquals(endless.policies[0]?.text, "endless attempts");
  assertEquals(many.worstCaseAttempts, 5001);
  assertEquals(many.worstCaseMs, 5001 * 100 + 5000 * 10);
});

Deno.test("explain() says when nothing limits the time", () => {
  const text = `${explain(new Retry({ attempts: 1 }))}`;

  assert(text.endsWith("worst case: 1 attempt, no limit of time"), text);
});

Deno.test("explain() tells a policy of another kind by its name", () => {
  class Mine {
    readonly name = "mine";
    run<T>(fn: () => T): Promise<Awaited<T>> {
      return Promise.resolve(fn()) as Promise<Awaited<T>>;
    }
  }
  const policy = compose(new Mine() as never, new Timeout(5, { graceMs: 0 }));

  assert(`${explain(policy)}`.startsWith('custom "mine"\n└─ timeout: 5 ms'));
  assertEquals(explain(new Mine() as never).policies[0]?.policy, "custom");
});

Deno.test("explain() finds nothing wrong with the recommended order", () => {
  const stack = [
    factsOf("fallback"),
    factsOf("stale-if-error"),
    factsOf("timeout", { limitMs: 5000 }),
    factsOf("retry"),
    factsOf("hedge"),
    factsOf("rate-limiter"),
    factsOf("circuit-breaker"),
    factsOf("bulkhead"),
    factsOf("timeout", { limitMs: 1000 }),
    factsOf("chaos"),
  ];

  assertEquals(orderWarnings(stack), []);
});

Deno.test("explain() warns of each order that makes no sense", () => {
  const bad: [outer: string, inner: string][] = [
    ["retry", "retry"],
    ["retry", "fallback"],
    ["retry", "stale-if-error"],
    ["hedge", "retry"],
    ["hedge", "fallback"],
    ["circuit-breaker", "retry"],
    ["circuit-breaker", "fallback"],
    ["bulkhead", "retry"],
    ["bulkhead", "hedge"],
    ["bulkhead", "rate-limiter"],
    ["rate-limiter", "retry"],
    ["rate-limiter", "hedge"],
  ];
  for (const [outer, inner] of bad) {
    const [warning = ""] = orderWarnings([factsOf(outer), factsOf(inner)]);
    assert(warning.startsWith(`${inner} inside of ${outer}: `), warning);
  }
});

Deno.test("explain() warns of a total limit without one for each attempt", () => {
  const { warnings } = explain(compose(new Timeout(1000), new Retry()));

  assertEquals(warnings, [
    'timeout outside of retry: one attempt that hangs uses all of the time of "timeout"; put a second timeout inside',
  ]);
});

Deno.test("explain() warns of a limit that never comes first", () => {
  const total = new Timeout(100, { name: "total" });
  const attempt = new Timeout(100, { name: "attempt" });

  assertEquals(explain(compose(total, attempt)).warnings, [
    'timeout inside of timeout: "attempt" never comes before "total"',
  ]);
  assertEquals(explain(compose(total, new Retry(), attempt)).warnings, [
    'timeout inside of timeout: one attempt may use all of the time: "attempt" never ends one before "total" ends all',
  ]);
});

Deno.test("explain() warns of chaos that is not next to the work", () => {
  const { warnings } = explain(compose(new Chaos(), new Retry()));

  assertEquals(warnings.length, 1);
  assert(`${explain(compose(new Chaos(), new Retry()))}`.includes("warning: "));
});

Deno.test("explain() knows the policies of this package", () => {
  const policies = [
    new Bulkhead({ slots: 1 }),
    new CircuitBreaker(),
    new RateLimiter({ limit: 1, perMs: 1 }),
    new Retry(),
    new Timeout(1),
    new Fallback([() => 1]),
    new StaleIfError({ maxAgeMs: 1 }),
    new Hedge({ idempotent: true }),
    new Chaos(),
  ];

  for (const policy of policies) {
    const [facts] = layersOf(policy)?.map((layer) => layer.facts()) ?? [];
    assertEquals(facts?.name, policy.name);
    assert((facts?.text.length ?? 0) > 0);
  }
});

Deno.test("explain() finds orders of real policies, too", () => {
  const limiter = new RateLimiter({ limit: 1, perMs: 1 });
  const stack = (...policies: AnyPolicy[]) =>
    explain(compose(...policies)).warnings.length;

  assertEquals(stack(new Retry(), limiter, new CircuitBreaker()), 0);
  assertEquals(stack(new CircuitBreaker(), new Retry()), 1);
  assertEquals(stack(limiter, new Retry()), 1);
  assertEquals(stack(new Bulkhead({ slots: 1 }), new Retry()), 1);
});

Deno.test("explain() throws on what is no policy", () => {
  assertThrows(() => explain(5 as never), TypeError, "current value is 5");
});
