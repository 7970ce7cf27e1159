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
import { DeadlockError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { BrokenLockError, Lock, type Permit } from "@ilmek/async/lock";
import { getRunningLoop } from "@ilmek/async/loop";
import { currentScope, withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { currentFrame } from "../../_internal/frame.ts";
import { takeMessages, testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** Tasks that take the lock one after another, and log when they have it. */
function lineUp(lock: Lock, names: string, log: string[]): Task<void>[] {
  return [...names].map((name) =>
    createTask(async () => {
      using _permit = await lock.acquire();
      log.push(name);
      await sleep(1);
    }, { name })
  );
}

testClean(
  "Lock.acquire() serves those who wait in the order of their calls",
  async () => {
    const lock = new Lock();
    const log: string[] = [];

    await gather(lineUp(lock, "abcd", log));

    assertEquals(log.join(""), "abcd");
    assertEquals([lock.locked, lock.waiting], [false, 0]);
  },
);

testClean("a lock tells its state at once", async () => {
  const lock = new Lock();
  const permit = await lock.acquire();
  const task = createTask(() => lock.run(() => sleep(1)), { name: "next" });
  await sleep(0);
  assertEquals([lock.locked, lock.waiting], [true, 1]);

  permit.release();
  assertEquals([lock.locked, lock.waiting, lock.owner], [true, 0, "next"]);

  await task;
  assertEquals([lock.locked, lock.owner], [false, undefined]);
});

testClean("a newcomer never overtakes who waits for a lock", async () => {
  const lock = new Lock();
  const log: string[] = [];
  const permit = await lock.acquire();
  const tasks = lineUp(lock, "ab", log);
  await sleep(0);

  permit.release();
  assertEquals(lock.tryAcquire(), undefined);
  using _again = await lock.acquire();

  assertEquals(log.join(""), "ab");
  await gather(tasks);
});

testClean("Lock.tryAcquire() takes a lock that is free", () => {
  const lock = new Lock();

  const permit = lock.tryAcquire();

  assert(permit?.held);
  assertEquals(lock.tryAcquire(), undefined);
  permit.release();
  assertFalse(lock.locked);
});

testClean("every acquisition of a lock has a permit of its own", async () => {
  const lock = new Lock();
  const first = await lock.acquire();
  first.release();
  using second = await lock.acquire();

  assertNotStrictEquals(first, second);
  assertEquals([first.held, second.held], [false, true]);
});

testClean(
  "a permit that is given back twice frees nobody else's lock",
  async () => {
    const lock = new Lock();
    const stale = await lock.acquire();
    const task = createTask(() => lock.run(() => sleep(1)));
    await sleep(0);

    stale.release();
    stale.release();
    stale[Symbol.dispose]();

    assert(lock.locked);
    await task;
  },
);

testClean(
  "a permit whose lock was released otherwise is worth nothing",
  async () => {
    const lock = new Lock();
    const stale = await lock.acquire();
    lock.release();
    using _permit = await lock.acquire();
    stale.release();

    assertFalse(stale.held);
    assert(lock.locked);
  },
);

testClean("a permit may be given back in another task", async () => {
  const lock = new Lock();
  const permit = await lock.acquire();

  await gather([() => permit.release()]);

  assertFalse(lock.locked);
});

testClean("Lock.release() throws if nobody holds the lock", async () => {
  const lock = new Lock({ name: "door" });
  assertThrows(
    () => lock.release(),
    InvalidStateError,
    'Cannot release lock "door": nobody holds it',
  );

  await lock.acquire();
  lock.release();
  assertThrows(() => lock.release(), InvalidStateError);
});

testClean("Lock.release() throws if another task holds the lock", async () => {
  const lock = new Lock();
  const task = createTask(() => lock.run(() => sleep(1)), { name: "holder" });
  await sleep(0);

  assertThrows(
    () => lock.release(),
    InvalidStateError,
    'Cannot release a lock: task "holder" holds it',
  );
  await task;
});

testClean("an unowned lock may be released by any task", async () => {
  const lock = new Lock({ unowned: true });
  await lock.acquire();

  await gather([() => lock.release()]);

  assertFalse(lock.locked);
});

testClean("Lock.acquire() leaves the line when it is cancelled", async () => {
  const lock = new Lock();
  const log: string[] = [];
  const tasks = lineUp(lock, "abcd", log);
  await sleep(0);
  tasks[1]?.cancel();
  tasks[2]?.cancel();
  assertEquals(lock.waiting, 1);

  await gather(tasks, { returnExceptions: true });

  assertEquals(log.join(""), "ad");
});

testClean("Lock.acquire() takes nothing in a cancelled scope", async () => {
  const lock = new Lock();
  await withScope(async (scope) => {
    scope.cancel();
    await lock.acquire();
  }).catch(() => {});

  assertFalse(lock.locked);
});

testClean(
  "a lock that was handed over is kept in spite of a late cancel",
  async () => {
    const lock = new Lock();
    const permit = await lock.acquire();
    const log: string[] = [];
    const [task] = lineUp(lock, "a", log);
    await sleep(0);

    permit.release();
    task?.cancel();
    await task?.outcome();

    assertEquals(log, ["a"]);
    assertFalse(lock.locked);
  },
);

testClean("Lock.acquire() ends with its signal", async () => {
  const lock = new Lock();
  const permit = await lock.acquire();
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = lock.acquire({ signal });
  const running = lock.run(() => {}, { signal });

  controller.abort(new RangeError("enough"));

  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => running, RangeError, "enough");
  assertEquals(lock.waiting, 0);
  permit.release();
  await assertRejects(() => lock.acquire({ signal }), RangeError, "enough");
  assertFalse(lock.locked);
});

testClean("an abort after the grant of a lock changes nothing", async () => {
  const lock = new Lock({ unowned: true });
  const permit = await lock.acquire();
  const controller = new AbortController();
  const waiting = lock.acquire({ signal: controller.signal });
  permit.release();
  controller.abort();

  assert((await waiting).held);
});

testClean("Lock.run() gives the result, and frees the lock", async () => {
  const lock = new Lock();

  assertEquals(await lock.run(() => 1), 1);
  assertEquals(await lock.run(() => sleep(1, { value: 2 })), 2);
  assertEquals(await lock.run(() => createTask(() => 3)), 3);
  assertFalse(lock.locked);
});

testClean("Lock.run() frees the lock when its function throws", async () => {
  const lock = new Lock();
  const failure = new RangeError("failed");
  const fail = () => {
    throw failure;
  };

  await assertRejects(() => lock.run(fail), RangeError, "failed");
  await assertRejects(() => lock.run(async () => await fail()), RangeError);
  assertFalse(lock.locked);
});

testClean("Lock.run() never calls its function at once", async () => {
  const lock = new Lock();
  let called = false;
  const running = lock.run(() => called = true);
  assertFalse(called);

  await running;
});

testClean(
  "Lock.run() calls its function in the scope and context of its caller",
  async () => {
    const lock = new Lock();
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen: string[] = [];
    const use = (name: string) => () =>
      user.run(name, () =>
        withScope(() =>
          lock.run(async () => {
            seen.push(`${user.get()} in ${currentScope().name}`);
            await sleep(1);
            seen.push(`${user.get()} in ${currentScope().name}`);
          }), { name }));

    await gather([use("ada"), use("grace")]);

    assertEquals(seen, [
      "ada in ada",
      "ada in ada",
      "grace in grace",
      "grace in grace",
    ]);
  },
);

testClean("a task that acquires its own lock again is told", async () => {
  const lock = new Lock({ name: "door" });
  const task = createTask(() => lock.run(() => lock.acquire()), {
    name: "me",
  });

  await assertRejects(
    () => task.toPromise(),
    DeadlockError,
    'Cannot acquire lock "door": task "me" holds it already',
  );
  assertFalse(lock.locked);
});

testClean(
  "a task waits for its own lock if something will end that",
  async () => {
    const lock = new Lock();
    using _permit = await lock.acquire();

    await assertRejects(() => timeout(5, () => lock.acquire()), TimeoutError);
    const { key } = await select({
      lock: lock.acquireOp(),
      tooLate: sleepOp(5),
    });
    assertEquals(key, "tooLate");
    const controller = new AbortController();
    getRunningLoop().callLater(5, () => controller.abort("enough"));
    const { signal } = controller;
    const reason = await lock.acquire({ signal }).catch((error) => error);

    assertEquals(reason, "enough");
    assertEquals(lock.waiting, 0);
  },
);

testClean(
  "an unowned lock serves what runs side by side in a task",
  async () => {
    const lock = new Lock({ unowned: true });
    const log: number[] = [];
    const work = (n: number) =>
      lock.run(async () => {
        log.push(n);
        await sleep(1);
      });

    await Promise.all([1, 2, 3].map(work));

    assertEquals(log, [1, 2, 3]);
  },
);

testClean("members of a group without a task share a lock", async () => {
  const lock = new Lock();
  const log: number[] = [];
  await TaskGroup.run((group) => {
    for (const n of [1, 2, 3]) {
      group.go(() =>
        lock.run(async () => {
          await sleep(1);
          log.push(n);
        })
      );
    }
  });

  assertEquals(log, [1, 2, 3]);
});

testClean(
  "a lock is broken if the task that holds it ends, for who waits",
  async () => {
    const lock = new Lock({ name: "door" });
    const holder = createTask(async () => {
      await lock.acquire();
      await sleep(5);
    }, { name: "careless" });
    await sleep(0);

    const error = await assertRejects(
      () => lock.acquire(),
      BrokenLockError,
      'Cannot acquire lock "door": task "careless" has ended without releasing it',
    );
    assertEquals(error.owner, "careless");
    assert(holder.done);
    assertEquals(lock.waiting, 0);
  },
);

testClean(
  "a lock is broken if the task that held it has ended, for who comes",
  async () => {
    const lock = new Lock();
    let permit: Permit | undefined;
    await gather([async () => {
      permit = await lock.acquire();
    }]);

    await assertRejects(() => lock.acquire(), BrokenLockError);
    await assertRejects(() => lock.run(() => {}), BrokenLockError);
    await assertRejects(
      () => select({ lock: lock.acquireOp() }),
      BrokenLockError,
    );
    assertEquals(lock.tryAcquire(), undefined);

    // Whoever has the permit can mend it.
    permit?.release();
    using _permit = await lock.acquire();
  },
);

testClean("a lock that is handed on is watched all the same", async () => {
  const lock = new Lock();
  const first = createTask(() => lock.run(() => sleep(1)));
  const second = createTask(async () => {
    await lock.acquire();
    await sleep(1);
  }, { name: "second" });
  await sleep(0);

  const error = await assertRejects(() => lock.acquire(), BrokenLockError);

  assertEquals(error.owner, "second");
  await gather([first, second]);
});

testClean(
  "a task that has released its lock may end while others wait",
  async () => {
    const lock = new Lock();
    const first = createTask(async () => {
      await lock.run(() => sleep(1));
      await sleep(1);
    });
    const second = createTask(() => lock.run(() => sleep(5)));
    await sleep(0);
    using _permit = await lock.acquire();

    await gather([first, second]);
  },
);

testClean("a lock that nobody waits for does not watch its owner", async () => {
  const { actor } = currentFrame();
  const watching = () => {
    let count = 0;
    actor?.outcome.unsubscribe(() => ++count < 0);
    return count;
  };
  const before = watching();
  for (const lock of [new Lock(), new Lock()]) {
    const permit = await lock.acquire();
    const task = createTask(() => lock.run(() => {}));
    await sleep(0);
    assertEquals(watching(), before + 1);
    permit.release();
    assertEquals(watching(), before);
    await task;
  }
});

testClean("what a task has left running may hold a lock", async () => {
  const lock = new Lock();
  let straggling: Promise<void> | undefined;
  const work = async () => {
    await sleep(1);
    await lock.run(() => sleep(2));
  };
  await gather([() => {
    straggling = work();
  }]);
  await sleep(2);

  assertEquals([lock.locked, lock.owner], [true, undefined]);
  assertEquals(await lock.run(() => 1), 1);
  await straggling;
});

testClean("Lock.acquireOp() gives a permit", async () => {
  const lock = new Lock();
  const { value } = await select({ lock: lock.acquireOp() });
  using permit = value;

  assert(permit.held && lock.locked);
});

Deno.test("a deadlock report names the task, the lock and who holds it", async () => {
  const error = await assertRejects(
    () =>
      runVirtual(async () => {
        const left = new Lock({ name: "left" });
        const right = new Lock({ name: "right" });
        const philosopher = (name: string, first: Lock, second: Lock) =>
          createTask(async () => {
            using _first = await first.acquire();
            await sleep(1);
            using _second = await second.acquire();
          }, { name });
        await gather([
          philosopher("Kant", left, right),
          philosopher("Hume", right, left),
        ]);
      }),
    DeadlockError,
  );

  assert(
    error.message.includes(
      'task "Kant" waits for lock "right", held by task "Hume"',
    ),
    error.message,
  );
  assert(
    error.message.includes(
      'task "Hume" waits for lock "left", held by task "Kant"',
    ),
    error.message,
  );
});

testClean(
  "debug mode tells of tasks that wait for each other's locks",
  async ({ reports }) => {
    getRunningLoop().debug = true;
    const [left, right] = [new Lock({ name: "left" }), new Lock()];
    const take = (first: Lock, second: Lock) => async () => {
      using _first = await first.acquire();
      await sleep(1);
      await timeout(5, () => second.acquire()).catch(() => {});
    };

    await gather([
      createTask(take(left, right), { name: "a" }),
      createTask(take(right, left), { name: "b" }),
    ]);

    const [message = ""] = takeMessages(reports);
    assert(message.includes("these wait for each other"), message);
    assert(
      message.includes('task "b" waits for lock "left", held by task "a"'),
      message,
    );
  },
);

Deno.test("a lock works outside of every run", async () => {
  const lock = new Lock();
  const log: number[] = [];
  const work = async (n: number) => {
    using _permit = await lock.acquire();
    log.push(n);
    await checkpoint();
    log.push(n);
  };

  await Promise.all([work(1), work(2)]);

  assertEquals(log, [1, 1, 2, 2]);
  assertThrows(() => lock.release(), InvalidStateError);
});

Deno.test("Lock.run() rejects what is no function", async () => {
  const lock = new Lock();

  await assertRejects(
    () => lock.run(Promise.resolve() as unknown as () => void),
    TypeError,
    'Cannot run under a lock as "fn" must be a function',
  );
  assertFalse(lock.locked);
});

Deno.test("Lock lets one in at a time in every order", async () => {
  await explore(async () => {
    const lock = new Lock();
    let inside = 0;
    let count = 0;
    const work = async () => {
      using _permit = await lock.acquire();
      assertEquals(++inside, 1);
      await checkpoint();
      await null;
      count++;
      inside--;
    };
    await gather([work, work, () => lock.run(() => count++), work]);

    assertEquals([count, lock.locked, lock.waiting], [4, false, 0]);
  }, { runs: 150 });
});

Deno.test("Lock is handed over in line in every order", async () => {
  await explore(async () => {
    const lock = new Lock();
    const permit = await lock.acquire();
    const asked: number[] = [];
    const got: number[] = [];
    const tasks = [1, 2, 3, 4].map((n) =>
      createTask(async () => {
        asked.push(n);
        using _permit = await lock.acquire();
        got.push(n);
        await checkpoint();
      })
    );
    await sleep(0);
    tasks[1]?.cancel();
    permit.release();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals(got, asked.filter((n) => n !== 2));
    assertFalse(lock.locked);
  }, { runs: 150 });
});

Deno.test("Lock loses nothing, wherever its waiters are cancelled", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    const lock = new Lock({ name: "door" });
    let inside = 0;
    const work = async () => {
      using _permit = await lock.acquire();
      assertEquals(++inside, 1);
      try {
        await sleep(1);
      } finally {
        inside--;
      }
    };
    const run = () => lock.run(() => sleep(1));
    sweep.check(() => assertEquals([lock.locked, lock.waiting], [false, 0]));
    const first = createTask(work);
    sweep.target(work, { name: "a" });
    sweep.target(run, { name: "b" });
    sweep.target(work, { name: "c" });
    const last = createTask(work);
    await first;
    await last;
  });

  for (const kind of ["created", "parked", "waiting", "woken"]) {
    assert(points.some((point) => point.kind === kind), kind);
  }
});

testClean("Lock behaves as a line of names", () =>
  randomly(async (draw) => {
    const lock = new Lock({ unowned: true });
    const model: number[] = [];
    const tasks = new Map<number, Task<void>>();
    const permits = new Map<number, Permit>();
    for (let step = 0; step < 300; step++) {
      const action = draw(4);
      if (action === 0) {
        tasks.set(
          step,
          createTask(async () => {
            permits.set(step, await lock.acquire());
          }, { eager: true }),
        );
        model.push(step);
      } else if (action === 1) {
        const permit = lock.tryAcquire();
        assertEquals(permit !== undefined, model.length === 0);
        if (permit === undefined) continue;
        permits.set(step, permit);
        model.push(step);
      } else if (action === 2) {
        const holder = model.shift();
        if (holder !== undefined) permits.get(holder)?.release();
      } else if (model.length > 1) {
        const at = 1 + draw(model.length - 1);
        tasks.get(model[at] as number)?.cancel();
        model.splice(at, 1);
      }
      await sleep(0);
      assertEquals(lock.locked, model.length > 0);
      assertEquals(lock.waiting, Math.max(0, model.length - 1));
      if (model[0] !== undefined) assert(permits.get(model[0])?.held);
    }
    for (const holder of model) {
      permits.get(holder)?.release();
      await sleep(0);
    }
    assertFalse(lock.locked);
  }));
