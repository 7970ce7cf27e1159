import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import {
  type OutcomeClass,
  type PolicyContext,
  PolicyError,
} from "@ilmek/async/policy";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { currentFrame } from "../../_internal/frame.ts";
import { callHook, PolicyCall } from "../../patterns/_call.ts";
import { takeMessages, testClean } from "../_leaks.ts";
import { againUntil, logging, policyOf } from "./_policies.ts";

const callHere = () => PolicyCall.first(currentFrame());
const classHere = (error: unknown) => callHere().classify({ ok: false, error });

testClean("PolicyError tells the policy, and that the work never began", () => {
  const error = new PolicyError("Cannot run it", {
    policy: "api",
    key: "a",
    retryAfterMs: 20,
    cause: 7,
  });

  assertEquals(error.name, "PolicyError");
  assertEquals([error.policy, error.key], ["api", "a"]);
  assertEquals([error.retryAfterMs, error.cause], [20, 7]);
  assert(error.rejected);
});

testClean("PolicyError spares refusals their stack, but not others", () => {
  const refusal = new PolicyError("no", { policy: "api" });
  const failure = new PolicyError("no", { policy: "api", rejected: false });
  const other = new TypeError("later");

  assertEquals(refusal.stack?.split("\n").length, 1);
  assert((failure.stack?.split("\n").length ?? 0) > 1);
  assert((other.stack?.split("\n").length ?? 0) > 1);
});

testClean("PolicyError keeps the stack of a refusal in debug mode", () => {
  getRunningLoop().debug = true;

  const refusal = new PolicyError("no", { policy: "api" });

  assert((refusal.stack?.split("\n").length ?? 0) > 1);
});

testClean(
  "Policy.run() lets a call in and out through one function",
  async () => {
    const log: string[] = [];
    const policy = policyOf(logging(log, "a"), logging(log, "b"));

    const value = await policy.run(({ attempt }) => attempt);

    assertEquals(value, 1);
    assertEquals(log, ["a in 1", "b in 1", "b out ok", "a out ok"]);
  },
);

testClean(
  "Policy.run() leaves only the guards that let the call in",
  async () => {
    const log: string[] = [];
    const refuse = () => Promise.reject(new PolicyError("no", { policy: "b" }));
    const policy = policyOf(
      logging(log, "a"),
      logging(log, "b", { enter: refuse }),
      logging(log, "c"),
    );

    await assertRejects(() => policy.run(() => log.push("work")), PolicyError);

    assertEquals(log, ["a in 1", "b in 1", "a out failed"]);
  },
);

testClean(
  "Policy.run() goes in again from where a guard wants it",
  async () => {
    const log: string[] = [];
    const policy = policyOf(
      logging(log, "a"),
      logging(log, "b", { exit: againUntil(2) }),
      logging(log, "c"),
    );
    const contexts: PolicyContext[] = [];

    await assertRejects(
      () =>
        policy.run((context) => {
          contexts.push(context);
          throw new RangeError("down");
        }),
      RangeError,
    );

    assertEquals(log, [
      "a in 1",
      "b in 1",
      "c in 1",
      "c out failed",
      "b out failed",
      "c in 2",
      "c out failed",
      "b out failed",
      "a out failed",
    ]);
    assertEquals(contexts.map(({ attempt }) => attempt), [1, 2]);
  },
);

testClean("Policy.run() leaves every guard although one throws", async () => {
  const log: string[] = [];
  const policy = policyOf(
    logging(log, "a"),
    logging(log, "b", {
      exit: () => {
        throw new TypeError("broken guard");
      },
    }),
  );

  await assertRejects(() => policy.run(() => 1), TypeError, "broken guard");

  assertEquals(log, ["a in 1", "b in 1", "b out ok", "a out failed"]);
});

testClean(
  "Policy.run() lets a guard put another outcome in place",
  async () => {
    const policy = policyOf(
      logging([], "a", { exit: () => ({ ok: true, value: "instead" }) }),
    );

    const value = await policy.run(() => {
      throw new RangeError("down");
    });

    assertEquals(value as unknown, "instead");
  },
);

testClean("Policy.run() rejects if it is given no function", async () => {
  const policy = policyOf(logging([], "a"));

  await assertRejects(() => policy.run(1 as never), TypeError, '"fn"');
});

testClean(
  "Policy.run() refuses before anything, if the signal has aborted",
  async () => {
    const log: string[] = [];
    const policy = policyOf(logging(log, "a"));
    const reason = { why: "left" };
    const signal = AbortSignal.abort(reason);

    const error = await policy.run(() => 1, { signal }).catch((it) => it);

    assertStrictEquals(error, reason);
    assertEquals(log, []);
  },
);

testClean(
  "Policy.run() refuses before anything in a cancelled scope",
  async () => {
    const log: string[] = [];
    const policy = policyOf(logging(log, "a"));

    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => policy.run(() => 1), CancelledError);
    });

    assertEquals(log, []);
  },
);

testClean(
  "Policy.run() cancels the work by a signal, and tells its reason",
  async () => {
    const log: string[] = [];
    const classes: OutcomeClass[] = [];
    const policy = policyOf(logging(log, "a", {
      exit: (call, _state, outcome) => {
        classes.push(call.classify(outcome, () => "failure"));
        return undefined;
      },
    }));
    const controller = new AbortController();
    const reason = { why: "left" };

    const call = policy.run(() => sleep(1000), { signal: controller.signal });
    await sleep(5);
    controller.abort(reason);
    const error = await call.catch((it) => it);

    assertStrictEquals(error, reason);
    assertEquals(classes, ["ignore"]);
    assertEquals(getRunningLoop().time(), 5);
  },
);

testClean(
  "Policy.run() gives a result that came before the signal counted",
  async () => {
    const policy = policyOf(logging([], "a"));
    const controller = new AbortController();

    const value = await policy.run(() => {
      controller.abort();
      return 1;
    }, { signal: controller.signal });

    assertEquals(value, 1);
  },
);

testClean(
  "Policy.run() runs the work in the caller's scope and task",
  async () => {
    const policy = policyOf(logging([], "a", { enter: () => sleep(1) }));

    const task = createTask(
      () => policy.run(() => currentScope().name),
      { name: "mine" },
    );

    assertEquals(await task, "mine");
  },
);

testClean(
  "PolicyContext.signal fires when the caller is cancelled",
  async () => {
    const policy = policyOf(logging([], "a"));
    let seen: AbortSignal | undefined;
    const task = createTask(() =>
      policy.run(({ signal }) => {
        seen = signal;
        return sleep(1000);
      })
    );
    await sleep(1);

    task.cancel();
    await task.catch(() => {});

    assert(seen?.aborted);
    assert(seen.reason instanceof CancelledError);
  },
);

testClean(
  "PolicyContext.signal fires when an attempt is over, not a result",
  async () => {
    const policy = policyOf(logging([], "a", { exit: againUntil(2) }));
    const signals: AbortSignal[] = [];

    await policy.run(({ signal, attempt }) => {
      signals.push(signal);
      if (attempt === 1) throw new RangeError("down");
    });

    assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
  },
);

testClean(
  "PolicyContext.signal leaves no listener on a parent that lives on",
  async () => {
    const policy = policyOf(logging([], "a"));

    await withScope(async (scope) => {
      const add = scope.signal.addEventListener.bind(scope.signal);
      const remove = scope.signal.removeEventListener.bind(scope.signal);
      let live = 0;
      scope.signal.addEventListener = (...args: Parameters<typeof add>) => {
        live++;
        add(...args);
      };
      scope.signal.removeEventListener = (
        ...args: Parameters<typeof remove>
      ) => {
        live--;
        remove(...args);
      };
      for (let i = 0; i < 10; i++) await policy.run(({ signal }) => signal);
      await policy.run(({ signal }) => {
        throw signal;
      }).catch(() => {});

      assertEquals(live, 0);
    });
  },
);

testClean("PolicyContext.deadline is the nearest of the caller's", async () => {
  const policy = policyOf(logging([], "a"));

  const without = await policy.run(({ deadline }) => deadline);
  const within = await timeout(
    50,
    () => policy.run(({ deadline }) => deadline),
  );

  assertEquals([without, within], [Infinity, 50]);
});

testClean(
  "classify() leaves out refusals and cancellations from within",
  () => {
    assertEquals(classHere(new PolicyError("no", { policy: "a" })), "ignore");
    assertEquals(classHere(new CancelledError()), "ignore");
  },
);

testClean("classify() counts timeouts and errors as failures", () => {
  const late = new PolicyError("no", { policy: "a", rejected: false });

  assertEquals(classHere(new TimeoutError(5)), "failure");
  assertEquals(classHere(new RangeError("down")), "failure");
  assertEquals(classHere(undefined), "failure");
  assertEquals(classHere(late), "failure");
  assertEquals(
    classHere(new CancelledError(undefined, { kind: "deadline" })),
    "failure",
  );
  assertEquals(callHere().classify({ ok: true, value: 1 }), "success");
});

testClean(
  "classify() never asks about the caller's own cancellation",
  async () => {
    await withScope((scope) => {
      scope.cancel();
      const call = callHere();
      const fail = () => "failure" as const;
      const own = { ok: false, error: scope.error } as const;
      const wrapped = new TypeError("failed", { cause: scope.error });
      const platform = new DOMException("stopped", "AbortError");

      assertEquals(call.classify(own, fail), "ignore");
      assertEquals(
        call.classify({ ok: false, error: wrapped }, fail),
        "ignore",
      );
      assertEquals(
        call.classify({ ok: false, error: platform }, fail),
        "ignore",
      );
      assertEquals(
        call.classify({ ok: false, error: new RangeError("down") }, fail),
        "failure",
      );
    });
  },
);

testClean("classify() of the caller decides the rest", () => {
  const outcome = { ok: true, value: 503 } as const;

  const told = callHere().classify(
    outcome,
    (it) => it.ok && it.value === 503 ? "failure" : undefined,
  );

  assertEquals(told, "failure");
});

testClean(
  "classify() that throws or tells nonsense is reported",
  ({ reports }) => {
    const outcome = { ok: true, value: 1 } as const;
    const thrown = callHere().classify(outcome, () => {
      throw new RangeError("oops");
    });
    const nonsense = callHere().classify(outcome, () => "maybe" as never);

    assertEquals([thrown, nonsense], ["success", "success"]);
    assertEquals(takeMessages(reports), [
      'Cannot class an outcome: "classify" has thrown',
      'Cannot class an outcome as "classify" must return "success", "failure", "ignore" or undefined: current value is "maybe"',
    ]);
  },
);

testClean(
  "A hook that throws or rejects goes to the exception handler",
  async ({ reports }) => {
    const { loop } = currentFrame();
    const hook = () => {
      throw new RangeError("sync");
    };
    callHook(loop, "api", hook, {});
    callHook(loop, "api", () => Promise.reject(new RangeError("async")), {});
    callHook(loop, "api", undefined, {});
    await sleep(0);

    assertEquals(
      reports.map(({ exception }) => (exception as Error).message),
      ["sync", "async"],
    );
    assertEquals(takeMessages(reports), [
      'A hook of "api" has thrown',
      'A hook of "api" has thrown',
    ]);
  },
);
