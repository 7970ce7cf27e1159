import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Bulkhead,
  BulkheadFullError,
  type BulkheadOptions,
  LoadShedError,
} from "@ilmek/async/bulkhead";
import {
  type CallPriority,
  withPriority,
  withTenant,
} from "@ilmek/async/call-priority";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { compose } from "@ilmek/async/compose";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { explain } from "@ilmek/async/explain";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { PolicyError } from "@ilmek/async/policy";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { Timeout } from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** A bulkhead with a log of those who got a slot. */
class Door {
  readonly bulkhead: Bulkhead;
  readonly log: string[] = [];
  readonly tasks: Task<void>[] = [];

  constructor(options: Partial<BulkheadOptions> = {}) {
    this.bulkhead = new Bulkhead({ slots: 1, maxQueue: Infinity, ...options });
  }

  /** Starts a call that holds its slot for so long. */
  call(name: string, ms = 10): Task<void> {
    const task = createTask(() =>
      this.bulkhead.run(async () => {
        this.log.push(name);
        await sleep(ms);
      })
    );
    this.tasks.push(task);
    return task;
  }

  /** Starts calls, each a millisecond after the one before. */
  async calls(names: string, ms = 10): Promise<void> {
    for (const name of names) {
      this.call(name, ms);
      await sleep(1);
    }
  }

  /** How all calls have ended: "ok", or the name of the error. */
  async ends(): Promise<string[]> {
    const results = await gather(this.tasks, { returnExceptions: true });
    return results.map((it) => it instanceof Error ? it.name : "ok");
  }
}

testClean(
  "Bulkhead.run() gives what the function returns or throws",
  async () => {
    const { bulkhead } = new Door();

    assertEquals(await bulkhead.run(() => "ok"), "ok");
    await assertRejects(
      () => bulkhead.run(() => Promise.reject(new TypeError("down"))),
      TypeError,
      "down",
    );
    assertEquals([bulkhead.active, bulkhead.pristine], [0, true]);
  },
);

testClean(
  "Bulkhead lets so many in, keeps so many waiting, and refuses the rest",
  async () => {
    const door = new Door({ slots: 2, maxQueue: 1, name: "reports" });
    for (const name of "abcd") door.call(name);
    await sleep(0);
    const { bulkhead } = door;
    let called = false;

    assertEquals([bulkhead.active, bulkhead.waiting], [2, 1]);
    assertFalse(bulkhead.pristine);
    const error = await assertRejects(
      () => bulkhead.run(() => called = true),
      BulkheadFullError,
      'Cannot run the call under "reports": 2 are under way, and 1 wait',
    );
    assert(error instanceof PolicyError);
    assertEquals([error.active, error.waiting, error.rejected], [2, 1, true]);
    assertFalse(called);
    assertEquals(await door.ends(), ["ok", "ok", "ok", "BulkheadFullError"]);
    assertEquals(bulkhead.snapshot(), {
      slots: 2,
      active: 0,
      zombies: 0,
      waiting: 0,
      stressed: false,
      begun: 3,
      refused: 2,
      shed: 0,
    });
  },
);

testClean("without a queue nobody waits", async () => {
  const bulkhead = new Bulkhead({ slots: 1 });
  const first = createTask(() => bulkhead.run(() => sleep(10)));
  await sleep(0);

  await assertRejects(() => bulkhead.run(() => {}), BulkheadFullError);
  await first;
});

testClean("a slot goes to who came first, or who came last", async () => {
  for (const [order, log] of [["fifo", "abcd"], ["lifo", "adcb"]] as const) {
    const door = new Door({ order });
    await door.calls("abcd");
    await door.ends();

    assertEquals(door.log.join(""), log);
  }
});

testClean(
  "a newcomer never takes the slot that was handed to a waiter",
  async () => {
    const door = new Door();
    let steal: Task<void> | undefined;
    const first = createTask(() =>
      door.bulkhead.run(() => sleep(10)).finally(() => {
        steal = door.call("newcomer");
      })
    );
    await sleep(0);
    door.call("waiter");
    await first;
    await steal;

    assertEquals(door.log, ["waiter", "newcomer"]);
  },
);

testClean(
  "a full line in last-in-first-out order gives up who waits longest",
  async () => {
    const door = new Door({ order: "lifo", maxQueue: 2 });
    await door.calls("abcd");

    assertEquals(await door.ends(), ["ok", "LoadShedError", "ok", "ok"]);
    assertEquals(door.log.join(""), "adc");
  },
);

testClean("a call waits no longer than maxWaitMs", async ({ virtual }) => {
  const door = new Door({ maxWaitMs: 30, name: "reports" });
  door.call("a", 100);
  await sleep(0);
  const before = virtual.now;

  const error = await assertRejects(
    () => door.bulkhead.run(() => {}),
    BulkheadFullError,
    'Cannot run the call under "reports": it has waited 30 ms for a slot',
  );
  assertEquals([virtual.now - before, error.waitedMs], [30, 30]);
  assertEquals(door.bulkhead.waiting, 0);
  await door.ends();
});

testClean(
  "a call that is aborted in line leaves it at once, and frees its place",
  async () => {
    const door = new Door({ maxQueue: 1 });
    door.call("a", 100);
    await sleep(0);
    const controller = new AbortController();
    const reason = new RangeError("enough");
    const waiting = door.bulkhead.run(() => {}, { signal: controller.signal });
    const seen = assertRejects(() => waiting);
    await sleep(1);

    controller.abort(reason);
    assertStrictEquals(await seen, reason);
    assertEquals(door.bulkhead.waiting, 0);
    door.call("b");
    assertEquals(await door.ends(), ["ok", "ok"]);
  },
);

testClean("an aborted signal keeps a call from taking a slot", async () => {
  const { bulkhead } = new Door();
  const signal = AbortSignal.abort(new RangeError("enough"));

  await assertRejects(() => bulkhead.run(() => {}, { signal }), RangeError);
  assertEquals(bulkhead.snapshot().begun, 0);
});

testClean("a timeout outside ends a wait in line", async () => {
  const door = new Door();
  door.call("a", 100);
  await sleep(0);

  await assertRejects(
    () => timeout(10, () => door.bulkhead.run(() => {})),
    TimeoutError,
  );
  assertEquals(door.bulkhead.waiting, 0);
  await door.ends();
});

testClean(
  "a slot that was handed over is used in spite of a late cancel",
  async () => {
    const door = new Door();
    const gate = Promise.withResolvers<void>();
    const first = createTask(() => door.bulkhead.run(() => gate.promise));
    await sleep(0);
    const second = door.call("b", 0);
    await sleep(0);

    gate.resolve();
    await first;
    second.cancel();
    await assertRejects(() => second, CancelledError);
    assertEquals(door.log, ["b"]);
    assertEquals(door.bulkhead.active, 0);
  },
);

testClean(
  "a slot is held until work ends whose caller has left by a timeout",
  async () => {
    const door = new Door({ name: "reports" });
    const { bulkhead } = door;
    const stubborn = () => uncancellable(() => sleep(100));
    const policies = [
      compose(new Timeout(10, { mode: "detach" }), bulkhead),
      compose(bulkhead, new Timeout(10, { mode: "detach" })),
    ];
    for (const policy of policies) {
      await assertRejects(() => policy.run(stubborn), TimeoutError);
      assertEquals(bulkhead.active, 1);
      const next = door.call("next", 0);
      await sleep(80);
      assertEquals(door.log, []);
      await next;
      assertEquals(door.log.splice(0), ["next"]);
      assertEquals([bulkhead.active, bulkhead.zombies], [0, 0]);
    }
  },
);

testClean(
  "zombies tells how many slots are held by work without a caller",
  async () => {
    const { bulkhead } = new Door();
    const policy = compose(bulkhead, new Timeout(10, { mode: "detach" }));
    await assertRejects(
      () => policy.run(() => uncancellable(() => sleep(100))),
      TimeoutError,
    );

    assertEquals([bulkhead.active, bulkhead.zombies], [1, 1]);
    await sleep(100);
    assertEquals([bulkhead.active, bulkhead.zombies], [0, 0]);
  },
);

testClean("calls of a higher priority go first", async () => {
  const door = new Door();
  door.call("first");
  await sleep(0);
  const order: CallPriority[] = [
    "sheddable",
    "critical",
    "sheddable+",
    "critical+",
  ];
  for (const priority of order) {
    withPriority(priority, () => door.call(priority));
  }
  await door.ends();

  assertEquals(door.log, [
    "first",
    "critical+",
    "critical",
    "sheddable+",
    "sheddable",
  ]);
});

testClean(
  "a full line gives up the least important, and never for its like",
  async () => {
    const shed: string[] = [];
    const door = new Door({
      maxQueue: 2,
      name: "reports",
      onReject: ({ error }) => shed.push(error.message),
    });
    door.call("first");
    await sleep(0);
    for (const priority of ["sheddable", "sheddable+", "critical"] as const) {
      withPriority(priority, () => door.call(priority));
      await sleep(0);
    }
    withPriority("sheddable", () => door.call("late"));

    assertEquals(await door.ends(), [
      "ok",
      "LoadShedError",
      "ok",
      "ok",
      "BulkheadFullError",
    ]);
    assertEquals(shed, [
      'Cannot run the call under "reports": its place in line went to another call',
      'Cannot run the call under "reports": 1 are under way, and 2 wait',
    ]);
  },
);

testClean("LoadShedError tells the priority of the call", async () => {
  const door = new Door({ maxQueue: 1 });
  door.call("first");
  await sleep(0);
  const waiting = withPriority(
    "sheddable",
    () => createTask(() => door.bulkhead.run(() => {})),
  );
  await sleep(0);
  door.call("second");

  const error = await assertRejects(() => waiting, LoadShedError);
  assertEquals(
    [error.priority, error.probability, error.rejected],
    ["sheddable", 1, true],
  );
  await door.ends();
});

testClean("who has less under way goes first among tenants", async () => {
  const door = new Door({ slots: 2 });
  for (const name of ["a1", "a2", "a3", "a4", "b1", "b2"]) {
    withTenant(name[0], () => door.call(name));
  }
  await door.ends();

  assertEquals(door.log, ["a1", "a2", "b1", "a3", "b2", "a4"]);
});

testClean(
  "a tenant with many who wait makes room for one with few",
  async () => {
    const door = new Door({ maxQueue: 4 });
    door.call("first");
    await sleep(0);
    for (const name of ["a1", "a2", "a3", "a4", "b1", "b2", "b3"]) {
      withTenant(name[0], () => door.call(name));
      await sleep(0);
    }

    assertEquals(await door.ends(), [
      "ok",
      "ok",
      "ok",
      "LoadShedError",
      "LoadShedError",
      "ok",
      "ok",
      "BulkheadFullError",
    ]);
  },
);

testClean(
  "codel gives up calls that have waited too long for too long",
  async () => {
    const door = new Door({ codel: { targetMs: 5, intervalMs: 20 } });
    await door.calls("abcdef", 12);

    // At 12 b has waited 11 ms, at 24 the oldest waits too long since 18 ms, and at
    // 36 since 30: of d, e and f the last is kept.
    assertEquals(await door.ends(), [
      "ok",
      "ok",
      "ok",
      "LoadShedError",
      "LoadShedError",
      "ok",
    ]);
    assertEquals(door.log.join(""), "abcf");
  },
);

testClean("codel lets a burst pass that is over soon", async () => {
  const door = new Door({ codel: true });
  for (const name of "abcdefghij") door.call(name, 9);

  assertEquals(new Set(await door.ends()), new Set(["ok"]));
});

testClean(
  "adaptive order serves who came last while there is too much to do",
  async () => {
    const door = new Door({
      order: "adaptive-lifo",
      codel: { targetMs: 5, intervalMs: 20 },
      maxQueue: 8,
    });
    await door.calls("a", 30);
    assertFalse(door.bulkhead.snapshot().stressed);
    for (const name of "bcdef") door.call(name, 1);
    await sleep(28);
    door.call("g", 1);
    await door.ends();

    assertEquals(door.log.join(""), "ag");
    assertEquals(door.bulkhead.snapshot().shed, 5);
  },
);

testClean("a hook that makes a call cannot overtake who waits", async () => {
  let hooks = 0;
  const door: Door = new Door({
    maxQueue: 1,
    onReject: () => {
      if (hooks++ === 0) door.call("from the hook");
    },
  });
  door.call("a");
  await sleep(0);
  withPriority("sheddable", () => door.call("b"));
  await sleep(0);
  door.call("c");
  await sleep(0);

  assertEquals(door.bulkhead.waiting, 1);
  const ends = await door.ends();
  assertEquals(ends.slice(0, 3), ["ok", "LoadShedError", "ok"]);
  assertEquals(door.log, ["a", "c"]);
});

testClean("a function runs in the context of its caller", async () => {
  const name = new ContextVar<string>("name");
  const { bulkhead } = new Door();
  const read = (value: string) =>
    name.run(value, () =>
      bulkhead.run(async () => {
        await checkpoint();
        return name.get();
      }));

  assertEquals(await gather([() => read("a"), () => read("b")]), ["a", "b"]);
});

Deno.test("Bulkhead loses no slot, wherever its callers are cancelled", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    const { bulkhead } = new Door();
    let inside = 0;
    const work = () =>
      bulkhead.run(async () => {
        assertEquals(++inside, 1);
        await sleep(1).finally(() => inside--);
      });
    sweep.check(() =>
      assertEquals([bulkhead.active, bulkhead.waiting], [0, 0])
    );
    const first = createTask(work);
    sweep.target(work, { name: "a" });
    sweep.target(work, { name: "b" });
    await first;
    await work();
  });

  assert(points.length > 3);
});

Deno.test("Bulkhead never lets in more than its slots, in any order of events", async () => {
  await explore(async () => {
    const { bulkhead } = new Door({ slots: 2 });
    let inside = 0;
    const call = () =>
      bulkhead.run(async () => {
        inside++;
        assert(inside <= 2);
        await checkpoint();
        inside--;
      });
    const tasks = [1, 2, 3, 4, 5].map(() => createTask(call));
    await checkpoint();
    tasks[3]?.cancel();
    await gather(tasks, { returnExceptions: true });
    assertEquals([bulkhead.active, bulkhead.waiting], [0, 0]);
  });
});

Deno.test("explain() tells what a bulkhead does", () => {
  const bulkhead = new Bulkhead({ slots: 2, maxQueue: 5, maxWaitMs: 50 });
  const { policies, worstCaseMs } = explain(
    compose(bulkhead, new Timeout(100, { graceMs: 0 })),
  );

  assertEquals(policies[0]?.text, "2 at once, 5 wait");
  assertEquals(worstCaseMs, 150);
});

Deno.test("Bulkhead() rejects wrong options", () => {
  const wrong: [object, string][] = [
    [{ slots: 0 }, '"slots" must be an integer >= 1: current value is 0'],
    [{}, '"slots" must be an integer >= 1: current value is undefined'],
    [{ slots: 1, maxQueue: -1 }, '"maxQueue" must be an integer >= 0'],
    [{ slots: 1, maxWaitMs: NaN }, '"maxWaitMs" must be a number >= 0'],
    [{ slots: 1, order: "any" }, '"order" must be "fifo", "lifo" or "adapt'],
    [{ slots: 1, codel: { targetMs: -1 } }, '"targetMs" must be a number >= 0'],
    [{ slots: 1, onReject: 1 }, '"onReject" must be a function'],
  ];
  for (const [options, message] of wrong) {
    assertThrows(
      () => new Bulkhead(options as BulkheadOptions),
      Error,
      `Cannot create a bulkhead as ${message}`,
    );
  }
});

Deno.test("Bulkhead behaves like a simple model", async () => {
  await randomly((draw) => modelRun(draw));
});

async function modelRun(draw: (count: number) => number): Promise<void> {
  await runVirtual(async () => {
    const slots = 1 + draw(3);
    const maxQueue = draw(4);
    const { bulkhead } = new Door({ slots, maxQueue });
    let [inside, most] = [0, 0];
    const counts = { begun: 0, refused: 0, cancelled: 0 };
    const tasks: Task<void>[] = [];
    for (let i = 0; i < 60; i++) {
      const ms = 1 + draw(9);
      const free = bulkhead.active < slots;
      const room = bulkhead.waiting < maxQueue;
      const before = bulkhead.snapshot().refused;
      const task = createTask(() =>
        bulkhead.run(async () => {
          counts.begun++;
          most = Math.max(most, ++inside);
          try {
            await sleep(ms);
          } finally {
            inside--;
          }
        }), { eager: true });
      const wasRefused = bulkhead.snapshot().refused > before;
      assertEquals(wasRefused, !free && !room);
      if (wasRefused) counts.refused++;
      tasks.push(task);
      if (draw(4) === 0) tasks[draw(tasks.length)]?.cancel();
      await sleep(draw(5));
    }
    await gather(tasks, { returnExceptions: true });
    const { begun, refused, active, waiting } = bulkhead.snapshot();
    assertEquals([begun, refused], [counts.begun, counts.refused]);
    assertEquals([active, waiting, inside], [0, 0, 0]);
    assert(most <= slots);
  });
}
