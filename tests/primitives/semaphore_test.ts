import {
  assert,
  assertEquals,
  assertFalse,
  assertNotStrictEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import {
  BoundedSemaphore,
  type Permit,
  Semaphore,
  SemaphoreReleaseError,
} from "@ilmek/async/semaphore";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** A task that logs its name when it has its permits. */
function take(
  semaphore: Semaphore,
  name: string,
  log: string[],
  count = 1,
  priority = 0,
): Task<Permit> {
  return createTask(async () => {
    const permit = await semaphore.acquire(count, { priority });
    log.push(name);
    return permit;
  }, { name });
}

testClean("Semaphore lets as many in as it has permits", async () => {
  const semaphore = new Semaphore(2);
  let inside = 0;
  let most = 0;
  const work = async () => {
    using _permit = await semaphore.acquire();
    most = Math.max(most, ++inside);
    await sleep(1);
    inside--;
  };

  await gather([work, work, work, work, work]);

  assertEquals([most, semaphore.available, semaphore.waiting], [2, 2, 0]);
});

testClean(
  "Semaphore.acquire() serves those who wait in the order of their calls",
  async () => {
    const semaphore = new Semaphore(0);
    const log: string[] = [];
    const tasks = [..."abc"].map((name) => take(semaphore, name, log));
    await sleep(0);

    semaphore.release();
    semaphore.release(2);
    await gather(tasks);

    assertEquals(log.join(""), "abc");
  },
);

testClean("a semaphore tells its state at once", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  const task = take(semaphore, "a", []);
  await sleep(0);
  assertEquals(
    [semaphore.available, semaphore.waiting, semaphore.locked],
    [0, 1, true],
  );

  permit.release();
  assertEquals([semaphore.available, semaphore.waiting], [0, 0]);

  (await task).release();
  assertEquals([semaphore.available, semaphore.locked], [1, false]);
});

testClean("several permits are taken at once, or none of them", async () => {
  const semaphore = new Semaphore(3);
  const log: string[] = [];
  const first = await semaphore.acquire(2);
  const big = take(semaphore, "big", log, 3);
  await sleep(0);
  assertEquals([semaphore.available, log.length], [1, 0]);

  big.cancel();
  await big.outcome();
  assertEquals(semaphore.available, 1);
  first.release();

  assertEquals(semaphore.available, 3);
});

testClean("who waits for several keeps smaller ones from passing", async () => {
  const semaphore = new Semaphore(3);
  const log: string[] = [];
  const first = await semaphore.acquire(2);
  const big = take(semaphore, "big", log, 3);
  const small = take(semaphore, "small", log);
  await sleep(1);
  assertEquals(log, []);
  assertEquals(semaphore.tryAcquire(), undefined);
  assert(semaphore.locked);

  first.release();
  (await big).release();
  await small;

  assertEquals(log, ["big", "small"]);
});

testClean("a cancelled head of the line lets pass who comes next", async () => {
  const semaphore = new Semaphore(3);
  const log: string[] = [];
  using _first = await semaphore.acquire(2);
  const big = take(semaphore, "big", log, 3);
  const small = take(semaphore, "small", log);
  await sleep(0);

  big.cancel();

  assertEquals([semaphore.available, semaphore.waiting], [0, 0]);
  (await small).release();
  await big.outcome();
});

testClean(
  "permits that were granted are kept in spite of a late cancel",
  async () => {
    const semaphore = new Semaphore(0);
    const log: string[] = [];
    const [a, b] = [take(semaphore, "a", log), take(semaphore, "b", log)];
    await sleep(0);

    semaphore.release();
    a.cancel();
    assertEquals((await a.outcome()).state, "done");
    assertEquals(log, ["a"]);

    semaphore.release();
    await b;
  },
);

testClean("a permit that is given back twice counts once", async () => {
  const semaphore = new Semaphore(2);
  const [one, two] = [await semaphore.acquire(), await semaphore.acquire()];
  assertNotStrictEquals(one, two);

  one.release();
  one[Symbol.dispose]();

  assertEquals([semaphore.available, one.held, two.held], [1, false, true]);
  two.release();
});

testClean(
  "Semaphore.release() adds permits wherever it is called",
  async () => {
    const semaphore = new Semaphore(0);
    await gather([() => semaphore.release(3)]);
    semaphore.release();

    assertEquals(semaphore.available, 4);
  },
);

testClean(
  "BoundedSemaphore never has more permits than at the beginning",
  async () => {
    const semaphore = new BoundedSemaphore(2, { name: "seats" });
    assertThrows(
      () => semaphore.release(),
      SemaphoreReleaseError,
      'Cannot release semaphore "seats": 3 permits would be free of 2',
    );
    const permit = await semaphore.acquire(2);
    semaphore.release(2);
    assertThrows(() => permit.release(), SemaphoreReleaseError);

    assertEquals(semaphore.available, 2);
    assert(semaphore instanceof Semaphore);
  },
);

testClean("a newcomer never overtakes who waits for a permit", async () => {
  const semaphore = new Semaphore(1);
  const log: string[] = [];
  const permit = await semaphore.acquire();
  const waiting = take(semaphore, "waiting", log);
  await sleep(0);

  permit.release();
  assertEquals(semaphore.tryAcquire(), undefined);
  const late = take(semaphore, "late", log);
  (await waiting).release();
  await late;

  assertEquals(log, ["waiting", "late"]);
});

testClean("Semaphore.tryAcquire() takes what is there", () => {
  const semaphore = new Semaphore(3);

  const two = semaphore.tryAcquire(2);
  assert(two?.held);
  assertEquals(semaphore.tryAcquire(2), undefined);
  using _one = semaphore.tryAcquire();
  two.release();

  assertEquals(semaphore.available, 2);
});

testClean("who has a higher priority is served first", async () => {
  const semaphore = new Semaphore(0);
  const log: string[] = [];
  const tasks = [
    take(semaphore, "a", log),
    take(semaphore, "b", log, 1, 1),
    take(semaphore, "c", log, 1, 2),
    take(semaphore, "d", log, 1, 1),
    take(semaphore, "e", log, 1, -1),
    take(semaphore, "f", log),
  ];
  await sleep(0);

  semaphore.release(6);
  await gather(tasks);

  assertEquals(log.join(""), "cbdafe");
});

testClean(
  "who has a higher priority need not wait behind a big need",
  async () => {
    const semaphore = new Semaphore(2);
    const log: string[] = [];
    const first = await semaphore.acquire();
    const big = take(semaphore, "big", log, 2);
    await sleep(0);
    using _urgent = await semaphore.acquire(1, { priority: 1 });
    assertEquals(log, []);

    first.release();
    big.cancel();
    await big.outcome();
  },
);

testClean(
  "who has waited long is served before newcomers of higher priority",
  async () => {
    const semaphore = new Semaphore(0, { agingMs: 10 });
    const log: string[] = [];
    const tasks = [take(semaphore, "patient", log)];
    await sleep(15);
    tasks.push(take(semaphore, "one up", log, 1, 1));
    tasks.push(take(semaphore, "two up", log, 1, 2));
    await sleep(0);

    semaphore.release(3);
    await gather(tasks);

    assertEquals(log, ["two up", "patient", "one up"]);
  },
);

testClean("Semaphore.acquire() ends with its signal", async () => {
  const semaphore = new Semaphore(0);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = semaphore.acquire(1, { signal });
  const running = semaphore.run(() => {}, { signal });
  controller.abort(new RangeError("enough"));

  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => running, RangeError, "enough");
  semaphore.release();
  await assertRejects(
    () => semaphore.acquire(1, { signal }),
    RangeError,
    "enough",
  );
  assertEquals([semaphore.available, semaphore.waiting], [1, 0]);
});

testClean("an abort after the grant of a permit changes nothing", async () => {
  const semaphore = new Semaphore(0);
  const controller = new AbortController();
  const waiting = semaphore.acquire(1, { signal: controller.signal });
  semaphore.release();
  controller.abort();

  assert((await waiting).held);
});

testClean(
  "Semaphore.acquire() takes nothing in a cancelled scope",
  async () => {
    const semaphore = new Semaphore(1);
    await withScope(async (scope) => {
      scope.cancel();
      await semaphore.acquire().catch(() => {});
      await semaphore.run(() => {});
    }).catch(() => {});

    assertEquals(semaphore.available, 1);
  },
);

testClean(
  "Semaphore.run() gives the result, and gives the permits back",
  async () => {
    const semaphore = new Semaphore(2);

    assertEquals(await semaphore.run(() => semaphore.available), 1);
    assertEquals(
      await semaphore.run(() => sleep(1, { value: semaphore.available }), {
        count: 2,
      }),
      0,
    );
    await assertRejects(
      () =>
        semaphore.run(() => {
          throw new RangeError("failed");
        }),
      RangeError,
      "failed",
    );
    assertEquals(semaphore.available, 2);
  },
);

testClean(
  "Semaphore.run() calls its function in the context of its caller",
  async () => {
    const semaphore = new Semaphore(1);
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen: string[] = [];
    const use = (name: string) => () =>
      user.run(name, () =>
        semaphore.run(async () => {
          await sleep(1);
          seen.push(user.get());
        }));

    await gather([use("ada"), use("grace")]);

    assertEquals(seen, ["ada", "grace"]);
  },
);

testClean(
  "Semaphore.acquireOp() takes as much as it says, or nothing",
  async () => {
    const semaphore = new Semaphore(3);
    const { value: permit } = await select({ two: semaphore.acquireOp(2) });
    assertEquals(semaphore.available, 1);
    const { key } = await select({
      two: semaphore.acquireOp(2),
      tooLate: sleepOp(1),
    });
    assertEquals([key, semaphore.available, semaphore.waiting], [
      "tooLate",
      1,
      0,
    ]);

    permit.release();
  },
);

testClean(
  "a select that leaves the line of a semaphore lets others pass",
  async () => {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    const choosing = select({ big: semaphore.acquireOp(2), late: sleepOp(1) });
    const small = take(semaphore, "small", log);
    await sleep(0);
    assertEquals(log, []);

    assertEquals((await choosing).key, "late");
    (await small).release();
  },
);

Deno.test("Semaphore() throws on what is no number of permits", () => {
  for (const value of [-1, 0.5, NaN]) {
    assertThrows(
      () => new Semaphore(value),
      RangeError,
      `Cannot create a semaphore as "value" must be an integer >= 0: current value is ${value}`,
    );
  }
  assertThrows(
    () => new Semaphore("2" as unknown as number),
    TypeError,
    '"value" must be an integer >= 0: current value is "2"',
  );
  assertThrows(
    () => new Semaphore(3, { max: 2 }),
    RangeError,
    'Cannot create a semaphore as "value" must be an integer <= 2: current value is 3',
  );
  assertThrows(
    () => new Semaphore(1, { agingMs: 0 }),
    RangeError,
    '"agingMs" must be a number > 0',
  );
  assertThrows(() => new BoundedSemaphore(-1), RangeError);
});

Deno.test("Semaphore.acquire() rejects what can never be granted", async () => {
  const semaphore = new BoundedSemaphore(2);

  for (const count of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => semaphore.acquire(count),
      RangeError,
      `Cannot acquire permits as "count" must be an integer >= 1: current value is ${count}`,
    );
  }
  await assertRejects(
    () => semaphore.acquire(3),
    RangeError,
    'Cannot acquire permits as "count" must be an integer <= 2: current value is 3',
  );
  await assertRejects(() => semaphore.run(() => {}, { count: 3 }), RangeError);
  await assertRejects(() => new BoundedSemaphore(0).acquire(), RangeError);
  await assertRejects(() => new Semaphore(0).acquire(Infinity), RangeError);
  await assertRejects(
    () => semaphore.acquire(1, { priority: NaN }),
    RangeError,
    '"priority" must be a number',
  );
  assertThrows(() => semaphore.tryAcquire(3), RangeError);
  assertThrows(() => semaphore.acquireOp(3), RangeError);
  assertThrows(() => semaphore.release(0), RangeError);
  await assertRejects(
    () => semaphore.run(undefined as unknown as () => void),
    TypeError,
  );
  assertEquals(semaphore.available, 2);
});

Deno.test("Semaphore never lets more in than it has permits, in every order", async () => {
  await explore(async () => {
    const semaphore = new BoundedSemaphore(3);
    let inside = 0;
    const work = (count: number) => async () => {
      using _permit = await semaphore.acquire(count);
      inside += count;
      assert(inside <= 3);
      await checkpoint();
      inside -= count;
    };
    const tasks = [1, 2, 3, 1, 2].map((count) => createTask(work(count)));
    await checkpoint();
    tasks[2]?.cancel();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals([semaphore.available, semaphore.waiting], [3, 0]);
  }, { runs: 150 });
});

Deno.test("Semaphore loses no permit, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const semaphore = new BoundedSemaphore(2);
    const work = (count: number) => async () => {
      using _permit = await semaphore.acquire(count);
      await sleep(1);
    };
    sweep.check(() =>
      assertEquals([semaphore.available, semaphore.waiting], [2, 0])
    );
    const first = createTask(work(1));
    sweep.target(work(2), { name: "big" });
    sweep.target(() => semaphore.run(() => sleep(1)), { name: "small" });
    const last = createTask(work(1));
    await first;
    await last;
  });
});

testClean(
  "Semaphore behaves as a number and a line",
  () =>
    randomly(async (draw) => {
      const semaphore = new Semaphore(3);
      let free = 3;
      let line: { id: number; count: number; priority: number }[] = [];
      const held: number[] = [];
      const got: number[] = [];
      const tasks = new Map<number, Task<void>>();
      const serve = () => {
        for (let [head] = line; head && head.count <= free; [head] = line) {
          free -= head.count;
          held.push(head.count);
          line = line.slice(1);
        }
      };
      for (let id = 0; id < 300; id++) {
        const count = 1 + draw(3);
        const action = draw(4);
        if (action === 0) {
          const priority = draw(3);
          tasks.set(
            id,
            createTask(async () => {
              await semaphore.acquire(count, { priority });
              got.push(id);
            }, { eager: true }),
          );
          line.push({ id, count, priority });
          line = line.toSorted((a, b) => b.priority - a.priority);
        } else if (action === 1) {
          const permit = semaphore.tryAcquire(count);
          assertEquals(
            permit !== undefined,
            line.length === 0 && free >= count,
          );
          if (permit === undefined) continue;
          free -= count;
          held.push(count);
        } else if (action === 2) {
          const returned = held.shift() ?? 0;
          if (returned > 0) semaphore.release(returned);
          free += returned;
        } else if (line.length > 0) {
          const [left] = line.splice(draw(line.length), 1);
          tasks.get(left?.id ?? -1)?.cancel();
        }
        serve();
        await sleep(0);
        assertEquals([semaphore.available, semaphore.waiting], [
          free,
          line.length,
        ]);
        assertFalse(line.some(({ id }) => got.includes(id)));
      }
      for (const { id } of line) tasks.get(id)?.cancel();
    }),
);
