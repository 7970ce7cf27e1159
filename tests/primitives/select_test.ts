import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Claim, ClaimList } from "../../_internal/claim.ts";
import { Operation } from "../../_internal/operation.ts";
import { CancelledError, isCancelled } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { select, type Selectable, trySelect } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { Queue } from "@ilmek/async/queue";
import { withScope } from "@ilmek/async/scope";
import { Watch } from "@ilmek/async/watch";
import { testClean } from "../_leaks.ts";

/** A number of tokens: what is left over counts. */
class Tokens {
  free: number;
  readonly line = new ClaimList({ withdrawn: () => this.give(0) });

  constructor(free: number) {
    this.free = free;
  }

  give(count: number): void {
    this.free += count;
    while (this.free > 0) {
      const claim = this.line.shift();
      if (claim === undefined) return;
      this.free--;
      assert(claim.grant("token"), "A token was lost");
    }
  }

  takeOp(): Operation<string> {
    return new Operation<string>({
      label: "a token",
      attempt: () => {
        if (this.free === 0) return undefined;
        this.free--;
        return { value: "token" };
      },
      park: (claim) => this.line.push(claim as Claim),
    });
  }
}

testClean("select() gives the name and the value of the first", async () => {
  const quick = createTask(() => sleep(1, { value: 1 }));

  const first = await select({ quick, slow: sleepOp(10) });

  assertEquals(first, { key: "quick", value: 1 });
});

testClean(
  "select() does one of several that are ready, and no other",
  async () => {
    const tokens = new Tokens(1);
    const others = new Tokens(1);

    await select({ mine: tokens.takeOp(), other: others.takeOp() });

    assertEquals(tokens.free + others.free, 1);
  },
);

testClean("select() gives each ready choice its turn", async () => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 30; i++) {
    const { key } = await select({
      a: new Tokens(1).takeOp(),
      b: new Tokens(1).takeOp(),
      c: new Tokens(1).takeOp(),
    });
    counts[key] = (counts[key] ?? 0) + 1;
  }

  assertEquals(counts, { a: 10, b: 10, c: 10 });
});

testClean(
  "select() prefers the first that is written if it is biased",
  async () => {
    for (let i = 0; i < 5; i++) {
      const { key } = await select({
        a: new Tokens(1).takeOp(),
        b: new Tokens(1).takeOp(),
      }, { biased: true });
      assertEquals(key, "a");
    }
  },
);

testClean("select() leaves all lines when one choice is granted", async () => {
  const tokens = new Tokens(0);
  const others = new Tokens(0);
  const waiting = select({ mine: tokens.takeOp(), other: others.takeOp() });
  assertEquals([tokens.line.size, others.line.size], [1, 1]);

  tokens.give(1);
  others.give(1);

  assertEquals((await waiting).key, "mine");
  assertEquals([tokens.line.size, others.line.size], [0, 0]);
  assertEquals([tokens.free, others.free], [0, 1]);
});

testClean(
  "select() takes one token although it stands in the same line twice",
  async () => {
    const tokens = new Tokens(0);
    const waiting = select({ a: tokens.takeOp(), b: tokens.takeOp() });

    tokens.give(2);

    await waiting;
    assertEquals([tokens.free, tokens.line.size], [1, 0]);
  },
);

testClean(
  "select() lets those behind it pass when it leaves a line",
  async () => {
    const tokens = new Tokens(0);
    const waiting = select({ token: tokens.takeOp(), late: sleepOp(1) });
    const behind = createTask(() => select({ token: tokens.takeOp() }));
    await waiting;
    tokens.give(1);

    assertEquals((await behind).key, "token");
  },
);

testClean("select() leaves all lines when its scope is cancelled", async () => {
  const tokens = new Tokens(0);
  const task = createTask(() => select({ token: tokens.takeOp() }));
  await sleep(1);
  task.cancel();
  await task.outcome();

  tokens.give(1);
  assertEquals([tokens.free, tokens.line.size], [1, 0]);
});

testClean(
  "select() keeps what it was granted if it is cancelled after that",
  async () => {
    const tokens = new Tokens(0);
    const task = createTask(() => select({ token: tokens.takeOp() }));
    await sleep(1);
    tokens.give(1);
    task.cancel();

    assertEquals(await task.outcome(), {
      state: "done",
      value: { key: "token", value: "token" },
    });
  },
);

testClean("select() takes nothing in a scope that is cancelled", async () => {
  const tokens = new Tokens(1);
  const task = createTask(async () => {
    await sleep(1).catch(() => {});
    await select({ token: tokens.takeOp() });
  });
  await sleep(0);
  task.cancel();

  assertEquals((await task.outcome()).state, "cancelled");
  assertEquals(tokens.free, 1);
});

testClean("select() leaves all lines when its signal aborts", async () => {
  const tokens = new Tokens(0);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = select({ token: tokens.takeOp() }, { signal });
  controller.abort(new RangeError("enough"));

  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(
    () => select({ token: tokens.takeOp() }, { signal }),
    RangeError,
    "enough",
  );
  assertEquals(tokens.line.size, 0);
});

testClean("select() never cancels a task that is not the first", async () => {
  const slow = createTask(() => sleep(5, { value: "slow" }));
  await select({ slow, late: sleepOp(1) });
  await assertRejects(
    () => timeout(1, () => select({ slow })),
    TimeoutError,
  );

  assertEquals(await slow, "slow");
});

testClean("select() counts as one who waits for a task", async () => {
  const slow = createTask(() => sleep(5, { value: "slow" }));
  const selecting = createTask(() => select({ slow }));
  const awaiting = createTask(async () => await slow);
  await sleep(1);
  awaiting.cancel();

  assertEquals((await selecting).value, "slow");
});

testClean(
  "select() fails with the error of the choice that failed",
  async () => {
    const failing = createTask(async () => {
      await sleep(1);
      throw new RangeError("failed");
    });
    await assertRejects(
      () => select({ failing, late: sleepOp(5) }),
      RangeError,
      "failed",
    );

    await assertRejects(() => select({ failing }), RangeError, "failed");
  },
);

testClean(
  "select() gives the cancellation of a task that was cancelled",
  async () => {
    const task = createTask(() => sleep(Infinity));
    const waiting = select({ task });
    await sleep(0);
    task.cancel("enough");

    const error = await assertRejects(() => waiting, CancelledError);
    assert(isCancelled(error));
    await assertRejects(() => select({ task }), CancelledError);
  },
);

testClean("select() may be started and dropped", async () => {
  const tokens = new Tokens(0);
  const task = createTask(() => {
    select({ token: tokens.takeOp() });
    return sleep(Infinity);
  });
  await sleep(1);
  await task[Symbol.asyncDispose]();

  assertEquals(tokens.line.size, 0);
});

testClean("sleepOp() counts from the call of select()", async ({ virtual }) => {
  const late = sleepOp(10);
  await sleep(5);
  await select({ late });

  assertEquals(virtual.now, 15);
});

testClean("sleepOp(Infinity) is never the first", async () => {
  const { key } = await select({ never: sleepOp(Infinity), soon: sleepOp(1) });

  assertEquals(key, "soon");
});

testClean("trySelect() does not wait, and does one at most", () => {
  const tokens = new Tokens(1);

  assertEquals(
    trySelect({ a: tokens.takeOp(), b: tokens.takeOp() })?.value,
    "token",
  );
  assertEquals(trySelect({ a: tokens.takeOp(), b: sleepOp(0) }), undefined);
  assertEquals([tokens.free, tokens.line.size], [0, 0]);
});

Deno.test("select() rejects what cannot be chosen", async () => {
  const wrong = (choices: unknown) => () =>
    select(choices as Record<string, Selectable>);

  await assertRejects(
    wrong({ page: Promise.resolve() }),
    TypeError,
    'Cannot select as "page" must be an operation, a task or a future: current value is an object of class Promise',
  );
  for (const choices of [{}, [], undefined, null, "a"]) {
    await assertRejects(
      wrong(choices),
      TypeError,
      'Cannot select as "choices" must be an object with a choice at least',
    );
  }
  assertThrows(() => trySelect({}), TypeError);
  assertThrows(() => sleepOp(-1), RangeError);
});

Deno.test("an operation prints what it waits for", () => {
  assertEquals(String(sleepOp(1)), "<Operation time to pass>");
});

Deno.test("select() waits for futures, too", async () => {
  const answer = new Future<number>();
  const waiting = select({ answer });
  answer.setResult(42);

  assertEquals(await waiting, { key: "answer", value: 42 });
});

testClean(
  "select() leaves all lines when a choice throws as it is put in line",
  async () => {
    const queue = new Queue<number>();
    const watch = new Watch(0);
    const odd = () => {
      throw new RangeError("odd");
    };
    await assertRejects(
      () =>
        select({
          item: queue.getOp(),
          value: watch.untilOp(odd, { edge: true }),
          other: queue.getOp(),
        }),
      RangeError,
      "odd",
    );
    queue.putNowait(1);

    assertEquals([queue.waiting, watch.waiting, queue.size], [0, 0, 1]);
  },
);

testClean(
  "a predicate may decide a select before all choices are in line",
  async () => {
    const queue = new Queue<number>();
    const watch = new Watch(0);
    const first = await select({
      item: queue.getOp(),
      value: watch.untilOp(() => queue.tryPut(7), { edge: true }),
      other: watch.changedOp(),
    });

    assertEquals(first, { key: "item", value: 7 });
    assertEquals([queue.waiting, watch.waiting], [0, 0]);
  },
);

testClean(
  "select() sees that a predicate has ended its signal or its scope",
  async () => {
    const queue = new Queue<number>();
    const watch = new Watch(0);
    const controller = new AbortController();
    const aborting = watch.untilOp(() => {
      controller.abort(new RangeError("over"));
      return false;
    });
    await assertRejects(
      () => select({ queue: queue.getOp(), aborting }, controller),
      RangeError,
    );
    const error = await withScope(async (scope) => {
      const cancelling = watch.untilOp(() => {
        scope.cancel();
        return false;
      });
      await select({ queue: queue.getOp(), cancelling });
    }).catch((error) => error);

    assert(isCancelled(error));
    assertEquals([queue.waiting, watch.waiting], [0, 0]);
  },
);
