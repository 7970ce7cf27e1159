import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** A task that holds a token for a millisecond, and logs its name. */
function use(
  limiter: CapacityLimiter,
  name: string,
  log: string[],
): Task<void> {
  return createTask(async () => {
    using _permit = await limiter.acquire();
    log.push(name);
    await sleep(1);
  }, { name });
}

testClean(
  "CapacityLimiter lends as many tokens as it has, in order",
  async () => {
    const limiter = new CapacityLimiter(2);
    const log: string[] = [];
    const tasks = [..."abcde"].map((name) => use(limiter, name, log));
    await sleep(0);
    assertEquals([limiter.borrowed, limiter.available, limiter.waiting], [
      2,
      0,
      3,
    ]);

    await gather(tasks);

    assertEquals(log.join(""), "abcde");
    assertEquals([limiter.borrowed, limiter.statistics().peak], [0, 2]);
  },
);

testClean("a borrower has one token at most", async () => {
  const limiter = new CapacityLimiter(5, { name: "calls" });
  const task = createTask(async () => {
    using _permit = await limiter.acquire();
    await limiter.acquire();
  }, { name: "greedy" });
  await assertRejects(
    () => task.toPromise(),
    InvalidStateError,
    'Cannot acquire a token of limiter "calls": task "greedy" has one already',
  );
  const full = new CapacityLimiter(0);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = full.acquire({ borrower: "b", signal });
  assertThrows(
    () => full.tryAcquire({ borrower: "b" }),
    InvalidStateError,
    '"b" waits for one already',
  );
  await assertRejects(
    () => select({ token: full.acquireOp({ borrower: "b" }) }),
    InvalidStateError,
  );
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");

  assertEquals(full.tryAcquire({ borrower: "b" }), undefined);
  assertEquals(limiter.borrowed, 0);
});

testClean("CapacityLimiter.statistics() tells who has a token", async () => {
  const limiter = new CapacityLimiter(3);
  const task = use(limiter, "a", []);
  await sleep(0);
  using _permit = await limiter.acquire({ borrower: "request" });

  assertEquals(limiter.statistics(), {
    total: 3,
    borrowed: 2,
    available: 1,
    waiting: 0,
    peak: 2,
    borrowers: [task, "request"],
  });
  await task;
});

testClean("a limiter that grows serves those who wait", async () => {
  const limiter = new CapacityLimiter(0);
  const log: string[] = [];
  const tasks = [..."abc"].map((name) => use(limiter, name, log));
  await sleep(0);
  assertEquals(log, []);

  limiter.total = 2;
  assertEquals([limiter.borrowed, limiter.waiting], [2, 1]);
  limiter.total = Infinity;
  assertEquals([limiter.borrowed, limiter.waiting], [3, 0]);
  assertEquals(limiter.available, Infinity);

  await gather(tasks);
});

testClean("a limiter that shrinks waits for tokens to come back", async () => {
  const limiter = new CapacityLimiter(2);
  const [a, b] = [
    await limiter.acquire({ borrower: "a" }),
    await limiter.acquire({ borrower: "b" }),
  ];
  limiter.total = 1;
  assertEquals([limiter.borrowed, limiter.available], [2, 0]);
  a.release();
  assertEquals(limiter.tryAcquire({ borrower: "c" }), undefined);
  b.release();

  assertEquals(limiter.available, 1);
  limiter.total = 0;
  assertEquals(limiter.tryAcquire({ borrower: "c" }), undefined);
});

testClean(
  "CapacityLimiter.release() gives the borrower's token back, once",
  async () => {
    const limiter = new CapacityLimiter(1, { name: "calls" });
    const stale = await limiter.acquire();
    limiter.release();
    assertFalse(stale.held);
    assertThrows(
      () => limiter.release({ borrower: 7 }),
      InvalidStateError,
      'Cannot release a token of limiter "calls": 7 has none',
    );
    using _permit = await limiter.acquire();
    stale.release();

    assertEquals(limiter.borrowed, 1);
  },
);

testClean("a newcomer never overtakes who waits for a token", async () => {
  const limiter = new CapacityLimiter(1);
  const permit = await limiter.acquire();
  const task = use(limiter, "a", []);
  await sleep(0);
  permit.release();

  assertEquals(limiter.tryAcquire(), undefined);
  await task;
  using again = limiter.tryAcquire();
  assert(again?.held);
});

testClean(
  "CapacityLimiter.acquire() leaves the line when it is cancelled",
  async () => {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    const permit = await limiter.acquire();
    const [a, b] = [use(limiter, "a", log), use(limiter, "b", log)];
    await sleep(0);
    a.cancel();
    assertEquals(limiter.waiting, 1);
    permit.release();
    b.cancel();
    await gather([a, b], { returnExceptions: true });

    // What was handed over is kept.
    assertEquals([log.join(), limiter.borrowed], ["b", 0]);
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => limiter.acquire(), CancelledError);
    });
    assertEquals(limiter.borrowed, 0);
  },
);

testClean(
  "CapacityLimiter.run() gives the result, and the token back",
  async () => {
    const limiter = new CapacityLimiter(1);

    assertEquals(await limiter.run(() => limiter.borrowed), 1);
    await assertRejects(
      () =>
        limiter.run(() => {
          throw new RangeError("failed");
        }),
      RangeError,
    );
    assertEquals(limiter.borrowed, 0);
  },
);

testClean(
  "CapacityLimiter.acquireOp() takes a token, or leaves the line",
  async () => {
    const limiter = new CapacityLimiter(1);
    const token = limiter.acquireOp();
    const { value: permit } = await select({ token });
    const { key } = await select({
      token: limiter.acquireOp({ borrower: 2 }),
      late: sleepOp(1),
    });
    assertEquals([key, limiter.waiting, limiter.borrowed], ["late", 0, 1]);

    permit.release();
  },
);

Deno.test("CapacityLimiter refuses what cannot work", async () => {
  for (const total of [-1, 1.5, NaN]) {
    assertThrows(
      () => new CapacityLimiter(total),
      RangeError,
      `Cannot create a limiter as "total" must be an integer >= 0: current value is ${total}`,
    );
  }
  const limiter = new CapacityLimiter(1);
  assertThrows(() => limiter.total = -1, RangeError, "Cannot resize a limiter");
  await assertRejects(
    () => limiter.acquire(),
    InvalidStateError,
    'Cannot lend a token outside of a task: "borrower" must say to whom',
  );
  await assertRejects(
    () => limiter.run(1 as unknown as () => void),
    TypeError,
  );
});

Deno.test("CapacityLimiter never lends more than it has in any order", async () => {
  await explore(async () => {
    const limiter = new CapacityLimiter(2);
    let inside = 0;
    const work = async () => {
      using _permit = await limiter.acquire();
      assert(++inside <= 2);
      await checkpoint();
      inside--;
    };
    const tasks = [1, 2, 3, 4].map(() => createTask(work));
    await checkpoint();
    tasks[2]?.cancel();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals([limiter.borrowed, limiter.waiting], [0, 0]);
  }, { runs: 100 });
});

Deno.test("CapacityLimiter loses no token, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const limiter = new CapacityLimiter(1);
    const work = () => limiter.run(() => sleep(1));
    sweep.check(() =>
      assertEquals([limiter.borrowed, limiter.waiting], [0, 0])
    );
    const first = createTask(work);
    sweep.target(work, { name: "a" });
    const last = createTask(work);
    await first;
    await last;
  });
});

testClean(
  "CapacityLimiter behaves as two numbers and a line",
  () =>
    randomly(async (draw) => {
      const limiter = new CapacityLimiter(2);
      let total = 2;
      const lent: number[] = [];
      const line: number[] = [];
      const tasks = new Map<number, Task<void>>();
      for (let id = 0; id < 300; id++) {
        const action = draw(4);
        if (action === 0) {
          tasks.set(
            id,
            createTask(async () => {
              await limiter.acquire({ borrower: id });
            }, { eager: true }),
          );
          line.push(id);
        } else if (action === 1 && lent.length > 0) {
          const [borrower] = lent.splice(draw(lent.length), 1);
          limiter.release({ borrower });
        } else if (action === 2) limiter.total = total = draw(4);
        else if (line.length > 0) {
          const [left = -1] = line.splice(draw(line.length), 1);
          tasks.get(left)?.cancel();
        }
        while (lent.length < total && line.length > 0) {
          lent.push(line.shift() as number);
        }
        await sleep(0);
        assertEquals(limiter.statistics().borrowers, lent);
        assertEquals(limiter.waiting, line.length);
      }
      for (const task of tasks.values()) task.cancel();
    }),
);
