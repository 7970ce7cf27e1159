import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import { DeadlockError, InvalidStateError } from "@ilmek/async/errors";
import { type Exploration, explore, ExploreError } from "@ilmek/async/explore";
import { Future } from "@ilmek/async/future";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { runVirtual } from "@ilmek/async/virtual";
import { Claim, ClaimList } from "../../_internal/claim.ts";
import { currentFrame } from "../../_internal/frame.ts";
import { RightSemaphore } from "./broken/right.ts";
import { StealingSemaphore } from "./broken/steals.ts";

/** A lock that hands over to the next in line. */
class HandOffLock {
  readonly #waiters = new ClaimList();
  #held = false;

  acquire(): Promise<void> {
    const frame = currentFrame();
    if (!this.#held) {
      this.#held = true;
      return frame.loop.pass(Promise.resolve(), frame);
    }
    const claim = new Claim<void>(frame, "a lock");
    this.#waiters.push(claim as Claim);
    return claim.wait();
  }

  release(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#held = false;
    else next.grant(undefined);
  }
}

/** A lock that looks, goes through the door, and only then takes. */
class LateLock extends HandOffLock {
  #held = false;

  override async acquire(): Promise<void> {
    const frame = currentFrame();
    while (this.#held) await sleep(1);
    await frame.loop.pass(Promise.resolve(), frame);
    this.#held = true;
  }

  override release(): void {
    this.#held = false;
  }
}

/** Counts under a lock from two tasks, the second of which comes a turn later. */
async function countTwice(lock: HandOffLock): Promise<void> {
  let count = 0;
  const add = async () => {
    await lock.acquire();
    const before = count;
    await sleep(0);
    count = before + 1;
    lock.release();
  };
  await gather([add, async () => {
    await sleep(0);
    await add();
  }]);
  assertEquals(count, 2);
}

/** Two who wait for a permit, and one who takes it only if it is free. */
async function stealPermit(
  semaphore: Pick<RightSemaphore, "acquire" | "release" | "tryAcquire">,
): Promise<void> {
  let inside = 0;
  const use = async () => {
    inside++;
    assertEquals(inside, 1);
    await sleep(1);
    inside--;
    semaphore.release();
  };
  const waiter = async () => {
    await semaphore.acquire();
    await use();
  };
  await gather([waiter, waiter, async () => {
    await sleep(1);
    await sleep(0);
    if (semaphore.tryAcquire()) await use();
  }]);
}

/** Wakes all who wait for it. */
class Event {
  readonly #waiters = new ClaimList();

  wait(): Promise<void> {
    const claim = new Claim<void>(currentFrame(), "an event");
    this.#waiters.push(claim as Claim);
    return claim.wait();
  }

  set(): void {
    for (let c = this.#waiters.shift(); c; c = this.#waiters.shift()) {
      c.grant(undefined);
    }
  }
}

Deno.test("explore() tries as many orders as it is told", async () => {
  let runs = 0;
  const count = () => {
    runs++;
  };

  assertEquals(await explore(count, { runs: 7 }), {
    runs: 7,
    complete: false,
  });
  assertEquals(runs, 7);
  assertEquals(await explore(count), { runs: 200, complete: false });
});

Deno.test("explore() finds a lost update on an uncontended lock", async () => {
  const test = () => countTwice(new LateLock());
  await runVirtual(test);
  await runVirtual(test, { order: "fifo" });

  const error = await assertRejects(() => explore(test), ExploreError);

  assertInstanceOf(error.cause, AssertionError);
  assertEquals(error.errors, [error.cause]);
});

Deno.test("explore() finds nothing wrong with a lock that is right", async () => {
  await explore(() => countTwice(new HandOffLock()), { runs: 100 });
});

Deno.test("explore() finds a lost update across bare awaits", async () => {
  const test = async () => {
    let count = 0;
    const add = async () => {
      const before = count;
      await null;
      await null;
      await null;
      count = before + 1;
    };
    await gather([add, add]);
    assertEquals(count, 2);
  };
  await runVirtual(test, { order: "fifo" });

  await assertRejects(() => explore(test), ExploreError);
});

Deno.test("explore() finds a wake-up that is lost in some orders", async () => {
  const error = await assertRejects(
    () =>
      explore(async () => {
        const events: Future<void>[] = [];
        const consumer = createTask(async () => {
          await checkpoint();
          const event = new Future<void>({ name: "event" });
          events.push(event);
          await event;
        });
        await checkpoint();
        await checkpoint();
        events.pop()?.setResult();
        await consumer;
      }),
    ExploreError,
  );

  assertInstanceOf(error.cause, DeadlockError);
});

Deno.test("explore() brings a failure back by its seed, with the same schedule", async () => {
  const test = () => countTwice(new LateLock());
  const first = await assertRejects(() => explore(test), ExploreError);
  const { seed } = first;

  const again = await assertRejects(
    () => explore(test, { seed, runs: 1 }),
    ExploreError,
  );

  assertEquals(again.seed, seed);
  assertEquals(
    again.schedule.map(withoutIds),
    first.schedule.map(withoutIds),
  );
});

Deno.test("explore() tells seed, cause and schedule in its message", async () => {
  const error = await assertRejects(
    () =>
      explore(async () => {
        const task = createTask(() => sleep(1), { name: "napper" });
        await task;
        throw new TypeError("always");
      }, { seed: 42 }),
    ExploreError,
    "Cannot hold in every order: the one of seed 42 fails with TypeError: always",
  );

  assertEquals(error.seed, 42);
  assertGreater(error.schedule.length, 2);
  assertStringIncludes(error.message, 'task "napper"');
  for (const step of error.schedule) assertStringIncludes(error.message, step);
});

Deno.test("explore() begins tasks in the order of their creation", async () => {
  await explore(async () => {
    const log: number[] = [];
    const tasks = [1, 2, 3, 4].map((n) => createTask(() => log.push(n)));
    for (const task of tasks) await task;
    assertEquals(log, [1, 2, 3, 4]);
  }, { runs: 50 });
});

Deno.test("explore() keeps the order of callbacks and of timers", async () => {
  await explore(async () => {
    const log: string[] = [];
    const loop = getRunningLoop();
    for (const name of ["a", "b", "c"]) {
      loop.callSoon(() => log.push(`soon ${name}`));
      loop.callLater(1, () => log.push(`later ${name}`));
    }
    await sleep(2);
    assertEquals(log, [
      "soon a",
      "soon b",
      "soon c",
      "later a",
      "later b",
      "later c",
    ]);
  }, { runs: 50 });
});

Deno.test("explore() keeps the order of done callbacks", async () => {
  await explore(async () => {
    const log: string[] = [];
    const task = createTask(() => {});
    for (const name of ["a", "b", "c"]) {
      task.addDoneCallback(() => log.push(name));
    }
    await task;
    await sleep(1);
    assertEquals(log, ["a", "b", "c"]);
  }, { runs: 50 });
});

Deno.test("explore() wakes those who were granted in any order", async () => {
  const orders = new Set<string>();
  await explore(async () => {
    const log: string[] = [];
    const gates = ["a", "b", "c"].map((name) => ({
      name,
      gate: new Future<void>(),
    }));
    const tasks = gates.map(({ name, gate }) =>
      createTask(async () => {
        await gate;
        log.push(name);
      })
    );
    await sleep(1);
    for (const { gate } of gates) gate.setResult();
    for (const task of tasks) await task;
    orders.add(log.join(""));
  }, { runs: 100 });

  assertEquals(orders.size, 6);
});

Deno.test("explore() lets virtual time jump, and never backwards", async () => {
  await explore(async () => {
    const loop = getRunningLoop();
    const start = loop.time();
    await gather([() => sleep(3_600_000), () => sleep(1000)]);
    assertEquals(loop.time() - start, 3_600_000);
  }, { runs: 20 });
});

Deno.test("explore() throws at the first order that fails", async () => {
  let runs = 0;

  const error = await assertRejects(
    () =>
      explore(() => {
        if (++runs === 3) throw new TypeError("third");
      }, { seed: 10, maxShrinks: 0 }),
    ExploreError,
  );

  assertEquals([runs, error.seed], [3, 12]);
});

Deno.test("explore() shrinks a failure to the fewest switches", async () => {
  const test = () => countTwice(new LateLock());

  const found = await assertRejects(
    () => explore(test, { maxShrinks: 0 }),
    ExploreError,
  );
  const shrunk = await assertRejects(() => explore(test), ExploreError);

  assertEquals(shrunk.seed, found.seed);
  assertGreater(found.switches, 2);
  assertEquals(shrunk.switches, 2);
  assertEquals(shrunk.choices.filter((choice) => choice > 0).length, 2);
  // The steps that stand elsewhere are marked.
  assertEquals(shrunk.message.match(/^-> /gm)?.length, 2);
});

Deno.test("explore() shrinks to the plain order if that fails as well", async () => {
  const error = await assertRejects(
    () =>
      explore(async () => {
        await gather([() => sleep(1), () => sleep(1), () => sleep(1)]);
        throw new TypeError("always");
      }),
    ExploreError,
    "replay: []",
  );

  assertEquals([error.switches, error.choices], [0, []]);
});

Deno.test("explore() does not take another failure for the same", async () => {
  const test = async ({ choose }: Exploration) => {
    await sleep(1);
    if (choose(2) === 0) throw new TypeError("the plain one");
    if (choose(2) === 0) throw new RangeError("another one");
  };
  for (let seed = 1; seed < 100; seed++) {
    const error = await assertRejects(
      () => explore(test, { seed }),
      ExploreError,
    );
    if (!(error.cause instanceof RangeError)) continue;
    assertEquals(error.switches, 1);
    return;
  }
  assert(false, "No seed has found the other failure");
});

Deno.test("explore() keeps a failure that does not come again", async () => {
  let runs = 0;
  const cause = new TypeError("once");

  const error = await assertRejects(
    () =>
      explore(async () => {
        await sleep(1);
        if (++runs === 5) throw cause;
      }),
    ExploreError,
  );

  assertStrictEquals(error.cause, cause);
});

Deno.test("explore() spends no more runs on shrinking than it is told", async () => {
  let runs = 0;
  let failures = 0;
  await assertRejects(
    () =>
      explore(async () => {
        runs++;
        await countTwice(new LateLock()).catch((error) => {
          failures++;
          throw error;
        });
      }, { maxShrinks: 3 }),
    ExploreError,
  );
  const found = await assertRejects(
    () => explore(() => countTwice(new LateLock()), { maxShrinks: 0 }),
    ExploreError,
  );

  // Seeds begin at 1: so many runs were needed to find it.
  assertEquals(runs - found.seed, 3);
  assertGreater(failures, 0);
});

Deno.test("explore() replays the choices of an error", async () => {
  const test = () => countTwice(new LateLock());
  const first = await assertRejects(() => explore(test), ExploreError);
  const { choices, seed } = first;

  const again = await assertRejects(
    () => explore(test, { replay: choices, seed }),
    ExploreError,
  );

  assertEquals(again.choices, choices);
  assertEquals(
    again.message.replaceAll(/Task-\d+/g, "Task"),
    first.message.replaceAll(/Task-\d+/g, "Task"),
  );
  assertEquals(await explore(test, { replay: [] }), {
    runs: 1,
    complete: false,
  });
});

for (const strategy of ["uniform", "preemption", "exhaustive"] as const) {
  Deno.test(`explore() finds a lost update by the strategy ${strategy}`, async () => {
    const error = await assertRejects(
      () => explore(() => countTwice(new LateLock()), { strategy }),
      ExploreError,
    );

    assertEquals(error.switches, 2);
  });

  Deno.test(`explore() finds stolen permits by the strategy ${strategy}`, async () => {
    const test = () => stealPermit(new StealingSemaphore(1));
    await runVirtual(test);

    await assertRejects(() => explore(test, { strategy }), ExploreError);
  });

  Deno.test(`explore() finds nothing wrong with what is right by the strategy ${strategy}`, async () => {
    await explore(() => stealPermit(new RightSemaphore(1)), { strategy });
  });
}

Deno.test("explore() with preemptions brings a failure back by its seed", async () => {
  const test = () => countTwice(new LateLock());
  const strategy = "preemption";
  const first = await assertRejects(
    () => explore(test, { strategy, maxShrinks: 0 }),
    ExploreError,
  );

  // The plain order comes before.
  const again = await assertRejects(
    () => explore(test, { strategy, seed: first.seed, runs: 2, maxShrinks: 0 }),
    ExploreError,
  );

  assertEquals([again.seed, again.choices], [first.seed, first.choices]);
});

Deno.test("explore() with preemptions leaves the plain order at few places", async () => {
  const error = await assertRejects(
    () =>
      explore(() => countTwice(new LateLock()), {
        strategy: "preemption",
        preemptions: 2,
        maxShrinks: 0,
      }),
    ExploreError,
  );

  assertEquals(error.switches, 2);
});

Deno.test("explore() finds all orders of a small test", async () => {
  const orders: string[] = [];
  const { runs, complete } = await explore(async () => {
    const log: string[] = [];
    const gate = new Event();
    const tasks = ["a", "b", "c"].map((name) =>
      createTask(async () => {
        await gate.wait();
        log.push(name);
      })
    );
    await sleep(1);
    gate.set();
    for (const task of tasks) await task;
    orders.push(log.join(""));
  }, { strategy: "exhaustive" });

  assertEquals(complete, true);
  assertEquals(orders.length, runs);
  assertEquals(
    new Set(orders),
    new Set(["abc", "acb", "bac", "bca", "cab", "cba"]),
  );
  // Those with the fewest switches come first.
  assertEquals(orders[0], "abc");
});

Deno.test("explore() tells when it has not tried all orders", async () => {
  const test = () =>
    gather([1, 2, 3, 4].map(() => async () => {
      for (let i = 0; i < 3; i++) await checkpoint();
    }));

  const result = await explore(test, { strategy: "exhaustive", runs: 30 });

  assertEquals(result, { runs: 30, complete: false });
  const few = await explore(({ choose }) => choose(10), {
    strategy: "exhaustive",
    runs: 5,
  });
  assertEquals(few, { runs: 5, complete: false });
});

Deno.test("explore() is complete if the last order is the last that it may try", async () => {
  const test = () => gather([() => sleep(1), () => sleep(1)]);
  const all = await explore(test, { strategy: "exhaustive" });
  assertEquals(all.complete, true);

  const { runs } = all;
  const enough = await explore(test, { strategy: "exhaustive", runs });
  const less = await explore(test, { strategy: "exhaustive", runs: runs - 1 });

  assertEquals([enough.runs, enough.complete], [runs, true]);
  assertEquals([less.runs, less.complete], [runs - 1, false]);
});

Deno.test("explore() rejects bad arguments", async () => {
  await assertRejects(
    () => explore(1 as never),
    TypeError,
    'Cannot explore as "fn" must be a function: current value is 1',
  );
  await assertRejects(
    () => explore(() => {}, { runs: 0 }),
    RangeError,
    'Cannot explore as "runs" must be an integer >= 1: current value is 0',
  );
  await assertRejects(
    () => explore(() => {}, { seed: -1 }),
    RangeError,
    'Cannot explore as "seed" must be an integer >= 0: current value is -1',
  );
  await assertRejects(
    () => explore(() => {}, { strategy: "luck" as never }),
    TypeError,
    'Cannot explore as "strategy" must be "uniform", "preemption" or "exhaustive": current value is "luck"',
  );
  await assertRejects(
    () => explore(() => {}, { preemptions: 0 }),
    RangeError,
    'Cannot explore as "preemptions" must be an integer >= 1: current value is 0',
  );
  await assertRejects(
    () => explore(() => {}, { maxShrinks: -1 }),
    RangeError,
    'Cannot explore as "maxShrinks" must be an integer >= 0: current value is -1',
  );
  await assertRejects(
    () => explore(() => {}, { replay: "0, 1" as never }),
    TypeError,
    'Cannot explore as "replay" must be the choices of an error: current value is "0, 1"',
  );
  await assertRejects(
    () => explore(() => {}, { replay: [0, -1] }),
    RangeError,
    'Cannot explore as "replay" must be an integer >= 0: current value is -1',
  );
});

Deno.test("Exploration.choose() gives every choice", async () => {
  const seen = new Set<number>();

  await explore(({ choose }) => {
    assertEquals(choose(1), 0);
    seen.add(choose(5));
  });

  assertEquals([...seen].sort(), [0, 1, 2, 3, 4]);
});

Deno.test("Exploration.choose() is drawn between few preemptions, too", async () => {
  const seen = new Set<string>();

  await explore(({ choose }) => {
    seen.add(`${choose(2)}${choose(2)}${choose(2)}`);
  }, { strategy: "preemption", preemptions: 1 });

  assertEquals(seen.size, 8);
});

Deno.test("Exploration.choose() is tried out by the strategy exhaustive", async () => {
  const seen: string[] = [];

  const { complete } = await explore(({ choose }) => {
    seen.push(`${choose(3)}${choose(2)}`);
  }, { strategy: "exhaustive" });

  assertEquals(complete, true);
  assertEquals(seen.sort(), ["00", "01", "10", "11", "20", "21"]);
});

Deno.test("Exploration.choose() is shrunk and replayed", async () => {
  const test = async ({ choose }: Exploration) => {
    await sleep(choose(4));
    const items = [choose(9), choose(9), choose(9)];
    await sleep(choose(4));
    assert((items[1] ?? 0) < 4, `${items}`);
  };

  const error = await assertRejects(() => explore(test), ExploreError);
  const again = await assertRejects(
    () => explore(test, { replay: error.choices }),
    ExploreError,
  );

  // Nothing else is off the plain order, and the item is the least that fails.
  assertEquals([error.switches, error.choices.at(-1)], [1, 4]);
  assertEquals(String(again.cause), String(error.cause));
});

Deno.test("Exploration.choose() throws on what is no count", async () => {
  const error = await assertRejects(
    () => explore(({ choose }) => choose(0)),
    ExploreError,
  );

  assertInstanceOf(error.cause, RangeError);
  assertStringIncludes(
    error.message,
    'Cannot choose as "count" must be an integer >= 1: current value is 0',
  );
});

Deno.test("explore() rejects inside of a run", async () => {
  const error = await assertRejects(() => runVirtual(() => explore(() => {})));

  assertInstanceOf(error, InvalidStateError);
  assertEquals(
    error.message,
    "Cannot explore inside of a run: call it from a plain test",
  );
});

Deno.test("ExploreError is an AggregateError of the failure", () => {
  const cause = new TypeError("x");
  const error = new ExploreError(3, ["one", "two"], cause);

  assert(error instanceof AggregateError);
  assertEquals([error.name, error.seed, error.schedule], [
    "ExploreError",
    3,
    ["one", "two"],
  ]);
  assertEquals([error.cause, error.errors], [cause, [cause]]);
  assertEquals([error.choices, error.switches], [[], 0]);
});

/** Numbers of tasks differ from run to run: names do not. */
function withoutIds(step: string): string {
  return step.replaceAll(/Task-\d+/g, "Task");
}
