import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { BrokenLockError } from "@ilmek/async/lock";
import { type Permit, RwLock } from "@ilmek/async/rw-lock";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** A task that holds the lock for a millisecond, and logs its name. */
function use(lock: RwLock, name: string, log: string[]): Task<void> {
  const work = async () => {
    log.push(name);
    await sleep(1);
  };
  return createTask(
    () => name.startsWith("w") ? lock.write(work) : lock.read(work),
    { name },
  );
}

testClean("RwLock lets readers in together, and writers alone", async () => {
  const lock = new RwLock();
  const first = await lock.acquireRead();
  const second = await gather([() => lock.acquireRead()]);
  assertEquals([lock.readers, lock.writing], [2, false]);
  assertEquals(lock.tryAcquireWrite(), undefined);

  first.release();
  second[0].release();
  using _writer = lock.tryAcquireWrite();

  assertEquals([lock.readers, lock.writing], [0, true]);
  assertEquals(lock.tryAcquireRead(), undefined);
  assertEquals(lock.tryAcquireWrite(), undefined);
});

testClean(
  "readers that stand behind a writer go in together after it",
  async () => {
    const lock = new RwLock();
    const log: string[] = [];
    const permit = await lock.acquireRead();
    const tasks = ["w1", "r1", "r2", "w2", "r3"].map((n) => use(lock, n, log));
    await sleep(0);
    assertEquals(lock.waiting, 5);

    permit.release();
    await sleep(0);
    assertEquals([log.join(" "), lock.writing], ["w1", true]);
    await sleep(1.5);
    assertEquals([log.join(" "), lock.readers], ["w1 r1 r2", 2]);
    await gather(tasks);

    assertEquals(log.join(" "), "w1 r1 r2 w2 r3");
  },
);

testClean("a reader never overtakes a writer that waits", async () => {
  const lock = new RwLock();
  const log: string[] = [];
  const permit = await lock.acquireRead();
  const writer = use(lock, "w", log);
  await sleep(0);

  assertEquals(lock.tryAcquireRead(), undefined);
  const reader = use(lock, "r", log);
  await sleep(5);
  assertEquals(log, []);
  permit.release();
  await gather([writer, reader]);

  assertEquals(log, ["w", "r"]);
});

testClean("a cancelled writer lets the readers behind it pass", async () => {
  const lock = new RwLock();
  const log: string[] = [];
  using _permit = await lock.acquireRead();
  const writer = use(lock, "w", log);
  const readers = [use(lock, "r1", log), use(lock, "r2", log)];
  await sleep(0);

  writer.cancel();
  assertEquals([lock.readers, lock.waiting], [3, 0]);
  await gather(readers);

  await writer.outcome();
  assertEquals(log, ["r1", "r2"]);
});

testClean(
  "a lock that was granted is kept in spite of a late cancel",
  async () => {
    const lock = new RwLock();
    const log: string[] = [];
    const permit = await lock.acquireRead();
    const writer = use(lock, "w", log);
    await sleep(0);

    permit.release();
    writer.cancel();
    await writer.outcome();

    assertEquals([log.join(), lock.writing], ["w", false]);
  },
);

testClean(
  "RwLock.downgrade() lets readers in, and no writer between",
  async () => {
    const lock = new RwLock();
    const log: string[] = [];
    const writing = await lock.acquireWrite();
    const tasks = ["r1", "w", "r2"].map((name) => use(lock, name, log));
    await sleep(0);

    const reading = lock.downgrade(writing);
    assertFalse(writing.held);
    assertEquals([lock.readers, lock.writing, lock.waiting], [2, false, 2]);
    writing.release();
    await sleep(5);
    assertEquals(log, ["r1"]);
    reading.release();
    await gather(tasks);

    assertEquals(log, ["r1", "w", "r2"]);
  },
);

testClean("RwLock.tryUpgrade() succeeds for the only reader", async () => {
  const lock = new RwLock();
  const log: string[] = [];
  const reading = await lock.acquireRead();
  const other = use(lock, "r", log);
  await sleep(0);
  assertEquals(lock.tryUpgrade(reading), undefined);
  assert(reading.held);
  await other;
  const writer = use(lock, "w", log);
  await sleep(0);

  const writing = lock.tryUpgrade(reading);
  assertEquals([reading.held, lock.writing, lock.readers], [false, true, 0]);
  reading.release();
  assert(lock.writing);
  writing?.release();
  await writer;
});

testClean(
  "RwLock.downgrade() and tryUpgrade() refuse other permits",
  async () => {
    const lock = new RwLock();
    const reading = await lock.acquireRead();
    assertThrows(
      () => lock.downgrade(reading),
      InvalidStateError,
      "Cannot downgrade a lock: the permit is no valid one to write",
    );
    reading.release();
    assertThrows(
      () => lock.tryUpgrade(reading),
      InvalidStateError,
      "Cannot upgrade a lock: the permit is no valid one to read",
    );
    using writing = await lock.acquireWrite();
    assertThrows(() => lock.tryUpgrade(writing), InvalidStateError);
  },
);

testClean(
  "a permit of a RwLock that is given back twice counts once",
  async () => {
    const lock = new RwLock();
    const [a, b] = [await lock.acquireRead(), await lock.acquireRead()];
    a.release();
    a.release();

    assertEquals([lock.readers, b.held], [1, true]);
    b.release();
  },
);

testClean("RwLock.read() and write() run in the caller's context", async () => {
  const lock = new RwLock();
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const who = (name: string) => () =>
    user.run(name, () =>
      lock.write(async () => {
        await sleep(1);
        return user.get();
      }));

  assertEquals(await gather([who("ada"), who("grace")]), ["ada", "grace"]);
  assertEquals(await lock.read(() => 1), 1);
  await assertRejects(
    () =>
      lock.read(() => {
        throw new RangeError("failed");
      }),
    RangeError,
  );
  assertEquals(lock.readers, 0);
});

testClean(
  "waits of a RwLock end with their signal and their scope",
  async () => {
    const lock = new RwLock();
    using _permit = await lock.acquireWrite();
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [
      lock.acquireRead({ signal }),
      lock.acquireWrite({ signal }),
      lock.read(() => {}, { signal }),
    ];
    controller.abort(new RangeError("enough"));
    for (const wait of waits) {
      await assertRejects(() => wait, RangeError, "enough");
    }
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => lock.acquireRead(), CancelledError);
    });

    assertEquals(lock.waiting, 0);
  },
);

testClean("a task that waits for its own RwLock is told", async () => {
  const lock = new RwLock({ name: "table" });
  const task = createTask(async () => {
    using _permit = await lock.acquireRead();
    await assertRejects(
      () => timeout(5, () => lock.acquireWrite()),
      TimeoutError,
    );
    await lock.acquireWrite();
  }, { name: "me" });

  await assertRejects(
    () => task.toPromise(),
    DeadlockError,
    'Cannot acquire lock "table": task "me" holds it already',
  );
  assertEquals(lock.readers, 0);
});

testClean("a RwLock is broken if a task that holds it ends", async () => {
  const lock = new RwLock({ name: "table" });
  const careless = createTask(async () => {
    await lock.acquireRead();
    await sleep(2);
  }, { name: "careless" });
  const other = use(lock, "r", []);
  await sleep(0);

  const error = await assertRejects(() => lock.acquireWrite(), BrokenLockError);
  assertEquals(error.owner, "careless");
  await assertRejects(() => lock.acquireWrite(), BrokenLockError);
  await assertRejects(
    () => select({ lock: lock.acquireWriteOp() }),
    BrokenLockError,
  );
  await gather([careless, other]);
});

testClean("the operations of a RwLock take it, or leave the line", async () => {
  const lock = new RwLock();
  const { value: reading } = await select({ lock: lock.acquireReadOp() });
  const { key } = await select({
    lock: lock.acquireWriteOp(),
    late: sleepOp(1),
  });
  assertEquals([key, lock.readers, lock.waiting], ["late", 1, 0]);
  reading.release();
  const { value: writing } = await select({ lock: lock.acquireWriteOp() });

  assert(lock.writing);
  writing.release();
});

Deno.test("a deadlock report names all who hold a RwLock", async () => {
  const error = await assertRejects(
    () =>
      runVirtual(async () => {
        const lock = new RwLock({ name: "table" });
        const hold = () => lock.read(() => sleep(Infinity));
        createTask(hold, { name: "a" });
        createTask(hold, { name: "b" });
        await sleep(0);
        createTask(() => lock.acquireWrite(), { name: "writer" });
        await sleep(Infinity);
      }, { exceptionHandler: () => {} }),
    DeadlockError,
  );

  assert(
    error.message.includes(
      'task "writer" waits for lock "table" to write, held by task "a", task "b"',
    ),
    error.message,
  );
});

Deno.test("RwLock keeps writers alone in every order", async () => {
  await explore(async () => {
    const lock = new RwLock();
    let readers = 0;
    let writers = 0;
    const read = () =>
      lock.read(async () => {
        readers++;
        assertEquals(writers, 0);
        await checkpoint();
        readers--;
      });
    const write = () =>
      lock.write(async () => {
        assertEquals([readers, ++writers], [0, 1]);
        await checkpoint();
        writers--;
      });
    const tasks = [read, write, read, write, read].map((fn) => createTask(fn));
    await checkpoint();
    tasks[1]?.cancel();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0]);
  }, { runs: 150 });
});

Deno.test("RwLock loses nothing, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const lock = new RwLock();
    const read = () => lock.read(() => sleep(1));
    const write = () => lock.write(() => sleep(1));
    sweep.check(() =>
      assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0])
    );
    const first = createTask(read);
    sweep.target(write, { name: "writer" });
    sweep.target(read, { name: "reader" });
    const last = [createTask(read), createTask(write)];
    await first;
    for (const task of last) await task;
  });
});

testClean(
  "RwLock behaves as a line of readers and writers",
  () =>
    randomly(async (draw) => {
      const lock = new RwLock();
      const held = new Map<number, Permit>();
      let reading: number[] = [];
      let writing: number | undefined;
      let line: { id: number; isWriter: boolean }[] = [];
      const tasks = new Map<number, Task<void>>();
      const serve = () => {
        for (let [head] = line; head !== undefined; [head] = line) {
          const free = writing === undefined &&
            (!head.isWriter || reading.length === 0);
          if (!free) return;
          if (head.isWriter) writing = head.id;
          else reading.push(head.id);
          line = line.slice(1);
        }
      };
      for (let id = 0; id < 300; id++) {
        const action = draw(4);
        if (action < 2) {
          const isWriter = draw(3) === 0;
          tasks.set(
            id,
            createTask(async () => {
              held.set(
                id,
                await (isWriter ? lock.acquireWrite() : lock.acquireRead()),
              );
              await sleep(Infinity);
            }, { eager: true }),
          );
          line.push({ id, isWriter });
        } else if (action === 2) {
          const leaving = writing ?? reading[draw(Math.max(1, reading.length))];
          if (leaving !== undefined) held.get(leaving)?.release();
          if (writing === leaving) writing = undefined;
          reading = reading.filter((other) => other !== leaving);
        } else if (line.length > 0) {
          const [left] = line.splice(draw(line.length), 1);
          tasks.get(left?.id ?? -1)?.cancel();
        }
        serve();
        await sleep(0);
        assertEquals([lock.readers, lock.writing, lock.waiting], [
          reading.length,
          writing !== undefined,
          line.length,
        ]);
      }
      for (const task of tasks.values()) task.cancel();
      await sleep(0);
    }),
);
