import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { Condition, type Permit } from "@ilmek/async/condition";
import { ContextVar } from "@ilmek/async/context-var";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { BrokenLockError, Lock } from "@ilmek/async/lock";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** Tasks that wait to be notified, and log their names. */
function lineUp(c: Condition, names: string, log: string[]): Task<void>[] {
  return [...names].map((name) =>
    createTask(async () => {
      using permit = await c.acquire();
      try {
        assertEquals(await c.wait(), true);
        log.push(name);
      } catch (error) {
        log.push(`${name} gave up`);
        throw error;
      } finally {
        assert(c.locked && permit.held, "The lock is not held");
      }
    }, { name, eager: true })
  );
}

testClean("Condition.notify() wakes as many as it says, in order", async () => {
  const c = new Condition();
  const log: string[] = [];
  const tasks = lineUp(c, "abcd", log);
  await sleep(1);
  assertEquals(c.waiting, 4);

  await c.run(() => c.notify());
  await c.run(() => c.notify(0));
  await sleep(1);
  assertEquals(log.join(""), "a");
  await c.run(() => c.notify(2));
  await sleep(1);
  assertEquals([log.join(""), c.waiting], ["abc", 1]);
  await c.run(() => c.notifyAll());
  await gather(tasks);

  assertEquals(log.join(""), "abcd");
  assertFalse(c.locked);
});

testClean(
  "those who are notified have the lock one after another",
  async () => {
    const c = new Condition();
    let inside = 0;
    const work = async () => {
      using _permit = await c.acquire();
      await c.wait();
      assertEquals(++inside, 1);
      await sleep(1);
      inside--;
    };
    const tasks = [1, 2, 3].map(() => createTask(work));
    await sleep(1);

    await c.run(() => c.notifyAll());

    await gather(tasks);
  },
);

testClean(
  "who is notified stands before newcomers in the line for the lock",
  async () => {
    const c = new Condition();
    const log: string[] = [];
    const [waiter] = lineUp(c, "a", log);
    await sleep(1);
    let newcomer: Task<number> | undefined;
    await c.run(async () => {
      c.notify();
      newcomer = createTask(() => c.run(() => log.push("newcomer")));
      await sleep(1);
    });
    await waiter;
    await newcomer;

    assertEquals(log, ["a", "newcomer"]);
  },
);

testClean(
  "a wait that is cancelled has the lock again before it throws",
  async () => {
    const c = new Condition();
    const log: string[] = [];
    const [task] = lineUp(c, "a", log);
    await sleep(1);
    const held = await c.acquire();
    task?.cancel();
    await sleep(1);
    assertEquals([log.length, c.waiting], [0, 0]);

    held.release();

    assertEquals((await task?.outcome())?.state, "cancelled");
    assertEquals(log, ["a gave up"]);
    assertFalse(c.locked);
  },
);

testClean("a wait that is cancelled takes a free lock at once", async () => {
  const c = new Condition();
  const [task] = lineUp(c, "a", []);
  await sleep(1);

  task?.cancel();
  assert(c.locked);

  await task?.outcome();
  assertFalse(c.locked);
});

testClean(
  "a cancelled wait throws the error of the outermost scope",
  async () => {
    const c = new Condition();
    let cancelInner = () => {};
    let caught: unknown;
    const task = createTask(() =>
      withScope(async (scope) => {
        cancelInner = () => scope.cancel("inner");
        using _permit = await c.acquire();
        await c.wait().catch((error) => caught = error);
      })
    );
    await sleep(0);
    await c.run(() => {
      cancelInner();
      task.cancel("outer");
    });
    await task.outcome();

    assert(caught instanceof CancelledError);
    assertEquals(caught.reason, "outer");
  },
);

testClean("a notification is not lost by a late cancel", async () => {
  const c = new Condition();
  const log: string[] = [];
  const tasks = lineUp(c, "ab", log);
  await sleep(1);

  await c.run(async () => {
    c.notify();
    tasks[0]?.cancel();
    await sleep(1);
  });
  await tasks[0]?.outcome();
  assertEquals([log.join(""), c.waiting], ["a", 1]);

  await c.run(() => c.notify());
  await tasks[1];
});

testClean("a cancelled waiter takes no notification", async () => {
  const c = new Condition();
  const log: string[] = [];
  const tasks = lineUp(c, "ab", log);
  await sleep(1);
  await c.run(() => {
    tasks[0]?.cancel();
    c.notify();
  });
  await gather(tasks, { returnExceptions: true });

  assertEquals(log, ["a gave up", "b"]);
});

testClean(
  "Condition.wait() ends with its signal, and has the lock again",
  async () => {
    const c = new Condition();
    const controller = new AbortController();
    const { signal } = controller;
    const task = createTask(async () => {
      using permit = await c.acquire();
      await assertRejects(() => c.wait({ signal }), RangeError, "enough");
      assert(permit.held && c.locked);
      await assertRejects(() => c.wait({ signal }), RangeError, "enough");
      await assertRejects(
        () => c.waitFor(() => true, { signal }),
        RangeError,
        "enough",
      );
    });
    await sleep(1);
    controller.abort(new RangeError("enough"));
    await task;

    assertFalse(c.locked);
  },
);

testClean("an abort after the notification changes nothing", async () => {
  const c = new Condition();
  const controller = new AbortController();
  const task = createTask(() =>
    c.run(() => c.wait({ signal: controller.signal }))
  );
  await sleep(1);
  await c.run(() => {
    c.notify();
    controller.abort();
  });

  assertEquals(await task, true);
});

testClean(
  "Condition.wait() gives nothing back in a cancelled scope",
  async () => {
    const c = new Condition();
    const task = createTask(async () => {
      using _permit = await c.acquire();
      await sleep(10).catch(() => {});
      await assertRejects(() => c.wait(), CancelledError);
      await assertRejects(() => c.waitFor(() => true), CancelledError);
      assert(c.locked);
    });
    await sleep(1);
    task.cancel();
    await task.outcome();

    assertFalse(c.locked);
  },
);

testClean("Condition throws unless the caller holds its lock", async () => {
  const c = new Condition(new Lock({ name: "door" }));
  const message = 'under lock "door": nobody holds it';
  await assertRejects(
    () => c.wait(),
    InvalidStateError,
    `Cannot wait ${message}`,
  );
  await assertRejects(() => c.waitFor(() => true), InvalidStateError);
  assertThrows(
    () => c.notify(),
    InvalidStateError,
    `Cannot notify ${message}`,
  );
  assertThrows(() => c.notifyAll(), InvalidStateError);
  const task = createTask(() => c.run(() => sleep(1)), { name: "holder" });
  await sleep(0);

  assertThrows(() => c.notify(), InvalidStateError, 'task "holder" holds it');
  await task;
});

testClean(
  "Condition.waitFor() looks at once, and after each notification",
  async () => {
    const c = new Condition();
    let value = 0;
    let looks = 0;
    const task = createTask(() =>
      c.run(() => c.waitFor(() => ++looks && value > 1 && `got ${value}`))
    );
    for (let i = 0; i < 3; i++) {
      await sleep(1);
      await c.run(() => {
        value++;
        c.notifyAll();
      });
    }

    assertEquals(await task, "got 2");
    assertEquals(looks, 3);
    assertEquals(await c.run(() => c.waitFor(() => 7)), 7);
  },
);

testClean(
  "Condition.waitFor() runs its predicate in the caller's context",
  async () => {
    const c = new Condition();
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen: string[] = [];
    let open = false;
    const task = createTask(() =>
      user.run("ada", () =>
        c.run(() =>
          c.waitFor(() => {
            seen.push(user.get());
            return open;
          })
        ))
    );
    await sleep(1);
    await user.run("grace", () =>
      c.run(() => {
        open = true;
        c.notify();
      }));
    await task;

    assertEquals(seen, ["ada", "ada"]);
  },
);

testClean(
  "Condition.waitFor() frees the lock when its predicate throws",
  async () => {
    const c = new Condition();

    await assertRejects(
      () =>
        c.run(() =>
          c.waitFor(() => {
            throw new RangeError("failed");
          })
        ),
      RangeError,
      "failed",
    );
    assertFalse(c.locked);
  },
);

testClean(
  "Condition.wait() under a deadline gives the lock back to its body",
  async () => {
    const c = new Condition();

    await c.run(async () => {
      await assertRejects(() => timeout(5, () => c.wait()), TimeoutError);
      assert(c.locked);
      c.notify();
    });

    assertFalse(c.locked);
  },
);

testClean(
  "a permit that is given back during a wait frees nobody else's lock",
  async () => {
    const c = new Condition();
    let permit: Permit | undefined;
    const task = createTask(async () => {
      permit = await c.acquire();
      await c.wait();
      c.release();
    });
    await sleep(1);
    await c.run(() => {
      permit?.release();
      assert(c.locked);
      c.notify();
    });
    await task;

    assertFalse(c.locked);
  },
);

testClean("several conditions share a lock", async () => {
  const lock = new Lock();
  const [full, empty] = [new Condition(lock), new Condition(lock)];
  const log: string[] = [];
  const tasks = [...lineUp(full, "f", log), ...lineUp(empty, "e", log)];
  await sleep(1);

  await lock.run(() => empty.notify());
  await sleep(1);
  assertEquals(log, ["e"]);
  await lock.run(() => full.notify());

  await gather(tasks);
});

testClean("who waits for a lock that is broken meanwhile is told", async () => {
  const c = new Condition();
  const task = createTask(async () => {
    await c.acquire();
    await c.wait();
  });
  await sleep(1);
  await gather([async () => {
    await c.acquire();
    c.notify();
  }]);

  await assertRejects(() => task.toPromise(), BrokenLockError);
});

Deno.test("a deadlock report names conditions, and locks to be had again", async () => {
  const error = await assertRejects(
    () =>
      runVirtual(async () => {
        const lock = new Lock({ name: "door" });
        const bell = new Condition(lock, { name: "bell" });
        createTask(() => bell.run(() => bell.wait()), { name: "waiting" });
        await sleep(0);
        createTask(() => bell.run(() => bell.wait()), { name: "notified" });
        createTask(async () => {
          await bell.acquire();
          bell.notify();
          await sleep(Infinity);
        }, { name: "holder" });
        await sleep(Infinity);
      }, { exceptionHandler: () => {} }),
    DeadlockError,
  );

  assert(
    error.message.includes('task "notified" waits for condition "bell"'),
    error.message,
  );
  assert(
    error.message.includes(
      'task "waiting" waits for lock "door", held by task "holder"',
    ),
    error.message,
  );
});

Deno.test("Condition refuses what cannot work", async () => {
  assertThrows(
    () => new Condition({} as unknown as Lock),
    TypeError,
    'Cannot create a condition as "lock" must be a Lock',
  );
  const c = new Condition();
  using _permit = await c.acquire();
  assertThrows(() => c.notify(-1), RangeError, '"count" must be an integer');
  await assertRejects(
    () => c.waitFor(1 as unknown as () => boolean),
    TypeError,
    '"predicate" must be a function',
  );
  await assertRejects(
    () => c.waitFor(() => Promise.resolve(true)),
    TypeError,
    '"predicate" must give its answer at once',
  );
});

Deno.test("Condition loses no notification in any order", async () => {
  await explore(async () => {
    const c = new Condition();
    const items: number[] = [];
    const got: number[] = [];
    const consume = () =>
      c.run(async () => {
        await c.waitFor(() => items.length > 0);
        got.push(items.shift() as number);
      });
    const consumers = [1, 2, 3].map(() => createTask(consume));
    await checkpoint();
    consumers[1]?.cancel();
    for (const item of [1, 2, 3]) {
      await c.run(() => {
        items.push(item);
        c.notify();
      });
    }
    await Promise.all(consumers.map((task) => task.outcome()));

    assertEquals([...got, ...items].toSorted(), [1, 2, 3]);
    assert(got.length >= 2);
    assertEquals([c.locked, c.waiting], [false, 0]);
  }, { runs: 150 });
});

Deno.test("Condition loses no notification, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const c = new Condition();
    const items: number[] = [];
    let taken = 0;
    const consume = () =>
      c.run(async () => {
        await c.waitFor(() => items.length > 0);
        items.shift();
        taken++;
      });
    const target = sweep.target(consume, { name: "target" });
    const other = createTask(consume);
    await sleep(1);
    const put = () =>
      c.run(async () => {
        items.push(1);
        c.notify();
        await sleep(1);
      });
    await put();
    await target;
    await put();
    await other;
    assertEquals(taken + items.length, 2);
    assertEquals([c.locked, c.waiting], [false, 0]);
  });
});

testClean(
  "Condition behaves as a line of names",
  () =>
    randomly(async (draw) => {
      const c = new Condition();
      const line: number[] = [];
      const expected: string[] = [];
      const log: string[] = [];
      const tasks = new Map<number, Task<void>>();
      for (let id = 0; id < 200; id++) {
        const action = draw(3);
        if (action === 0) {
          const [task] = lineUp(c, "x", []);
          task?.cancel();
          tasks.set(
            id,
            createTask(() =>
              c.run(async () => {
                await c.wait();
                log.push(`${id}`);
              }), { eager: true }),
          );
          line.push(id);
        } else if (action === 1) {
          const count = draw(3);
          await c.run(() => c.notify(count));
          expected.push(...line.splice(0, count).map(String));
        } else if (line.length > 0) {
          const [left = -1] = line.splice(draw(line.length), 1);
          tasks.get(left)?.cancel();
        }
        await sleep(1);
        assertEquals([c.waiting, c.locked], [line.length, false]);
        assertEquals(log, expected);
      }
      for (const id of line) tasks.get(id)?.cancel();
    }),
);

testClean(
  "a permit holds nothing while its task waits, and cannot be given back then",
  async () => {
    const condition = new Condition();
    let permit: Permit | undefined;
    const waiting = createTask(async () => {
      using own = permit = await condition.acquire();
      await condition.wait();
      return own.held;
    });
    await sleep(1);
    assertEquals([permit?.held, condition.locked], [false, false]);
    permit?.release();
    {
      using _permit = await condition.acquire();
      condition.notify();
    }

    assert(await waiting);
    assertFalse(condition.locked);
  },
);
