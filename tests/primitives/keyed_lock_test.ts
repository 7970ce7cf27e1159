import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { KeyedLock } from "@ilmek/async/keyed-lock";
import { BrokenLockError } from "@ilmek/async/lock";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

testClean("KeyedLock lets one in at a time for each key", async () => {
  const lock = new KeyedLock<string>();
  const log: string[] = [];
  const work = (key: string, n: number) => () =>
    lock.run(key, async () => {
      log.push(`${key}${n}`);
      await sleep(1);
    });

  const working = gather([
    work("a", 1),
    work("a", 2),
    work("b", 1),
    work("a", 3),
  ]);
  await sleep(0);
  assertEquals([lock.size, lock.waiting("a"), lock.waiting("b")], [2, 2, 0]);
  assertEquals([...lock.keys()], ["a", "b"]);
  await working;

  assertEquals(log, ["a1", "b1", "a2", "a3"]);
});

testClean("KeyedLock keeps nothing for a key that nobody holds", async () => {
  const lock = new KeyedLock<object>();
  const key = {};
  const permit = await lock.acquire(key);
  const next = createTask(() => lock.run(key, () => sleep(1)));
  await sleep(0);
  permit.release();
  assert(lock.locked(key));
  await next;

  assertEquals([lock.size, lock.locked(key), lock.waiting(key)], [0, false, 0]);
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => lock.acquire(key), CancelledError);
    await assertRejects(() => lock.run(key, () => {}), CancelledError);
  });
  await assertRejects(
    () => lock.run(key, 1 as unknown as () => void),
    TypeError,
    '"fn" must be a function',
  );
  assertEquals(lock.size, 0);
});

testClean("a stale permit frees no key of somebody else", async () => {
  const lock = new KeyedLock<number>();
  const stale = await lock.acquire(1);
  stale.release();
  using _permit = await lock.acquire(1);
  stale.release();

  assert(lock.locked(1));
});

testClean("KeyedLock.tryAcquire() takes a key that is free", () => {
  const lock = new KeyedLock<number>();

  const permit = lock.tryAcquire(1);
  assert(permit?.held);
  assertEquals(lock.tryAcquire(1), undefined);
  using _other = lock.tryAcquire(2);
  permit.release();

  assertEquals([...lock.keys()], [2]);
});

testClean(
  "KeyedLock.release() throws unless the caller holds the key",
  async () => {
    const lock = new KeyedLock<string>({ name: "users" });
    assertThrows(
      () => lock.release("ada"),
      InvalidStateError,
      'Cannot release key "ada" of lock "users": nobody holds it',
    );
    const task = createTask(() => lock.run("ada", () => sleep(1)), {
      name: "holder",
    });
    await sleep(0);
    assertThrows(
      () => lock.release("ada"),
      InvalidStateError,
      'task "holder" holds it',
    );
    await task;
    await lock.acquire("ada");
    lock.release("ada");

    assertFalse(lock.locked("ada"));
  },
);

testClean("an unowned KeyedLock may be released by any task", async () => {
  const lock = new KeyedLock<string>({ unowned: true });
  await lock.acquire("a");
  await gather([() => lock.release("a")]);

  assertEquals(lock.size, 0);
});

testClean(
  "the keys of a KeyedLock tell of deadlocks and broken owners",
  async () => {
    const lock = new KeyedLock<string>();
    const again = createTask(() => lock.run("a", () => lock.acquire("a")));
    await assertRejects(() => again.toPromise(), DeadlockError, 'key "a"');
    await gather([() => lock.acquire("b")]);

    await assertRejects(() => lock.acquire("b"), BrokenLockError);
  },
);

testClean("a wait for a key ends with its signal", async () => {
  const lock = new KeyedLock<number>();
  using _permit = await lock.acquire(1);
  const controller = new AbortController();
  const { signal } = controller;
  const waits = [
    lock.acquire(1, { signal }),
    lock.run(1, () => {}, { signal }),
  ];
  controller.abort(new RangeError("enough"));

  for (const wait of waits) {
    await assertRejects(() => wait, RangeError, "enough");
  }
  assertEquals(lock.waiting(1), 0);
});

testClean("KeyedLock.acquireOp() takes a key, or leaves its line", async () => {
  const lock = new KeyedLock<number>();
  const first = lock.acquireOp(1);
  const { value: permit } = await select({ first });
  const { key } = await select({ first, late: sleepOp(1) });
  assertEquals([key, lock.waiting(1)], ["late", 0]);
  permit.release();
  const { value: again } = await select({ first });

  assertEquals(lock.size, 1);
  again.release();
  assertEquals(lock.size, 0);
});

Deno.test("KeyedLock lets one in at a time for each key in every order", async () => {
  await explore(async () => {
    const lock = new KeyedLock<number>();
    const inside = [0, 0];
    const work = (key: number) => async () => {
      using _permit = await lock.acquire(key);
      inside[key] = (inside[key] ?? 0) + 1;
      assertEquals(inside[key], 1);
      await checkpoint();
      inside[key] = 0;
    };
    const tasks = [0, 1, 0, 1, 0].map((key) => createTask(work(key)));
    await checkpoint();
    tasks[2]?.cancel();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals(lock.size, 0);
  }, { runs: 100 });
});

Deno.test("KeyedLock loses nothing, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const lock = new KeyedLock<string>();
    const work = () => lock.run("a", () => sleep(1));
    sweep.check(() => assertEquals(lock.size, 0));
    const first = createTask(work);
    sweep.target(work, { name: "a" });
    sweep.target(work, { name: "b" });
    await first;
  });
});

testClean(
  "KeyedLock behaves as a lock for each key",
  () =>
    randomly(async (draw) => {
      const lock = new KeyedLock<number>({ unowned: true });
      const lines: number[][] = [[], [], []];
      for (let step = 0; step < 300; step++) {
        const key = draw(3);
        const line = lines[key] ?? [];
        if (draw(2) === 0) {
          createTask(() => lock.acquire(key), { eager: true });
          line.push(step);
        } else if (line.length > 0) {
          lock.release(key);
          line.shift();
        }
        await sleep(0);
        assertEquals(
          lock.size,
          lines.filter(({ length }) => length > 0).length,
        );
        assertEquals(lock.waiting(key), Math.max(0, line.length - 1));
      }
      for (const [key, line] of lines.entries()) {
        for (const _ of line) lock.release(key);
      }
      await sleep(0);
      assertEquals(lock.size, 0);
    }),
);
