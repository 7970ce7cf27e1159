import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { Bulkhead, BulkheadFullError } from "@ilmek/async/bulkhead";
import { compose, type ComposedPolicy } from "@ilmek/async/compose";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { Fallback } from "@ilmek/async/fallback";
import { Hedge, type HedgeContext } from "@ilmek/async/hedge";
import type { Policy } from "@ilmek/async/policy";
import { Retry, type RetryContext } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Timeout } from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { testClean } from "../_leaks.ts";
import { logging, policyOf } from "./_policies.ts";

const down = () => new RangeError("down");
const fail = () => Promise.reject(down());
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

/** A policy that knows nothing of this package. */
function foreign(log: string[]): Policy {
  return {
    async run(fn) {
      log.push("foreign in");
      const { signal } = new AbortController();
      try {
        return await fn({ signal, attempt: 1, deadline: Infinity });
      } finally {
        log.push("foreign out");
      }
    },
  };
}

testClean("compose() takes the first policy for the outermost", async () => {
  const log: string[] = [];
  const a = policyOf(logging(log, "a"));
  const b = policyOf(logging(log, "b"));

  await compose(a, new Timeout(100), b).run(() => log.push("work"));

  assertEquals(log, ["a in 1", "b in 1", "work", "b out ok", "a out ok"]);
});

testClean("compose() gives a policy that composes again", async () => {
  const log: string[] = [];
  const policy = (name: string) => policyOf(logging(log, name));
  const inner = compose(policy("b"), policy("c"));

  await compose(policy("a"), inner, policy("d")).run(() => log.push("work"));

  assertEquals(log.slice(0, 5), [
    "a in 1",
    "b in 1",
    "c in 1",
    "d in 1",
    "work",
  ]);
});

testClean("compose() takes any object with a run", async () => {
  const log: string[] = [];
  const policy = compose(
    new Retry({ attempts: 2, schedule: spaced(1) }),
    foreign(log),
    policyOf(logging(log, "a")),
  );

  await caught(policy.run(fail));

  assertEquals(log, [
    "foreign in",
    "a in 1",
    "a out failed",
    "foreign out",
    "foreign in",
    "a in 2",
    "a out failed",
    "foreign out",
  ]);
});

testClean(
  "compose() treats the abort of a foreign policy as a cancellation",
  async () => {
    const classes: string[] = [];
    const reason = new RangeError("too many");
    const aborting: Policy = {
      run(fn) {
        const signal = AbortSignal.abort(reason);
        return Promise.resolve(fn({ signal, attempt: 1, deadline: Infinity }));
      },
    };
    const guard = policyOf(logging([], "a", {
      exit: (call, _state, outcome) => {
        classes.push(call.classify(outcome));
        return undefined;
      },
    }));

    await caught(
      compose(aborting, guard).run(({ signal }) =>
        Promise.reject(signal.reason)
      ),
    );

    assertEquals(classes, ["ignore"]);
  },
);

testClean(
  "compose() gives the work what all policies add to its context",
  async () => {
    const policy: ComposedPolicy<RetryContext & HedgeContext, string> = compose(
      new Fallback([() => "instead"]),
      new Retry(),
      new Hedge({ idempotent: true, delayMs: 50 }),
    );

    const seen = await policy.run(({ attempt, hedge, idempotencyKey }) => [
      attempt,
      hedge,
      typeof idempotencyKey,
    ]);

    assertEquals(seen, [1, 0, "string"]);
  },
);

testClean(
  "compose() adds what stands in for a result to its type",
  async () => {
    const policy = compose(
      new Retry({ attempts: 1 }),
      new Fallback([() => "b"]),
    );

    const value: number | string = await policy.run((): number => {
      throw down();
    });

    assertEquals(value, "b");
  },
);

testClean("compose() runs the work in the caller's async context", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const policy = compose(
    new Timeout(100),
    new Retry({ schedule: spaced(1) }),
    new Hedge({ idempotent: true, delayMs: 5 }),
    policyOf(logging([], "slot", { enter: () => sleep(10) })),
  );
  const seen: string[] = [];

  await user.run("ada", () =>
    policy.run(async ({ attempt }) => {
      seen.push(user.get());
      await sleep(1);
      if (attempt === 1) throw down();
    }));

  assert(seen.length > 1);
  assertEquals(new Set(seen), new Set(["ada"]));
});

testClean(
  "compose() stops everything when the caller is cancelled",
  async () => {
    const log: string[] = [];
    const policy = compose(
      new Fallback([() => log.push("instead")]),
      new Timeout(1000),
      new Retry({ schedule: spaced(1) }),
      new Hedge({ idempotent: true, delayMs: 5 }),
      policyOf(logging(log, "slot")),
    );
    const task = createTask(() => policy.run(() => sleep(60_000)));
    await sleep(10);

    task.cancel();

    assertInstanceOf(await caught(task.toPromise()), CancelledError);
    assertEquals(log, [
      "slot in 1",
      "slot in 1",
      "slot out failed",
      "slot out failed",
    ]);
  },
);

testClean(
  "compose() lets each policy see what those inside have made of it",
  async () => {
    const policy = compose(
      new Fallback([({ lastError }) => lastError]),
      new Timeout(10),
      new Retry({ attempts: 9, schedule: spaced(1) }),
    );

    const value = await policy.run(() => sleep(3).then(fail));

    assertInstanceOf(value, TimeoutError);
  },
);

testClean(
  "compose() keeps a slot until work has ended that nobody waits for",
  async () => {
    const bulkhead = new Bulkhead({ slots: 1 });
    const policy = compose(bulkhead, new Timeout(10, { mode: "detach" }));
    const stubborn = () =>
      uncancellable(() => sleep(100), { graceMs: Infinity });

    await assertRejects(() => policy.run(stubborn), TimeoutError);

    await assertRejects(() => policy.run(() => 1), BulkheadFullError);
    await sleep(200);
    assertEquals(await policy.run(() => 1), 1);
  },
);

testClean("ComposedPolicy.pristine tells whether all are", async () => {
  const hedge = new Hedge({ idempotent: true, delayMs: 5 });
  const policy = compose(new Retry(), hedge);
  assert(policy.pristine);

  await policy.run(() => 1);

  assert(!policy.pristine);
});

testClean("compose() throws on what is no policy", async () => {
  assertThrows(() => compose(), RangeError, "at least one");
  assertThrows(() => compose(new Retry(), {} as never), TypeError, '"run"');
  assertThrows(() => compose(null as never), TypeError, "null");
  await assertRejects(
    () => compose(new Retry()).run(5 as never),
    TypeError,
    '"fn"',
  );
});
