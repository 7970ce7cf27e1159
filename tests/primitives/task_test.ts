import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ContextVar, copyContext } from "@ilmek/async/context-var";
import { bind } from "@ilmek/async/detach";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
  ScopeClosedError,
} from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { allTasks, createTask, currentTask, Task } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

/** A task that sleeps until it is cancelled. */
function sleeper(name?: string): Task<void> {
  return createTask(() => sleep(Infinity), name === undefined ? {} : { name });
}

testClean("createTask() returns before its function begins", async () => {
  const log: string[] = [];

  const task = createTask(() => log.push("begins"));
  log.push("returns");
  await task;

  assertEquals(log, ["returns", "begins"]);
});

testClean(
  "createTask() begins tasks in the order of their creation",
  async () => {
    const log: number[] = [];

    const tasks = [1, 2, 3, 4].map((n) =>
      createTask(async () => {
        log.push(n);
        await null;
        log.push(n + 10);
      })
    );
    for (const task of tasks) await task;

    assertEquals(log.slice(0, 4), [1, 2, 3, 4]);
    assertEquals(log.slice(4), [11, 12, 13, 14]);
  },
);

testClean("createTask() begins a task in a microtask", async () => {
  const log: string[] = [];
  getRunningLoop().callSoon(() => log.push("a turn"));

  const task = createTask(() => log.push("task"));
  await task;

  assertEquals(log, ["task"]);
  await sleep(0);
});

testClean("createTask() throws on anything but a function", () => {
  assertThrows(
    () => createTask("fn" as never),
    TypeError,
    'Cannot create a task as "fn" must be a function: current value is "fn"',
  );
  assertThrows(
    () => createTask(Promise.resolve() as never),
    TypeError,
    "pass the function, not what it returned",
  );
});

testClean("createTask() throws on a context of another kind", () => {
  assertThrows(
    () => createTask(() => {}, { context: new Map() as never }),
    TypeError,
    'Cannot run in a context as "context" must come from copyContext()',
  );
});

Deno.test("createTask() throws once the run has ended", async () => {
  const runner = new Runner();
  const [start] = await runner.run(() => [bind(() => createTask(() => {}))]);
  await runner.close();

  assertThrows(
    () => start?.(),
    ScopeClosedError,
    "Cannot start a task: the run that it belongs to has ended",
  );
});

testClean("createTask() starts eagerly up to the first wait", async () => {
  const log: string[] = [];

  const task = createTask(async () => {
    log.push("begins");
    await sleep(1);
    log.push("ends");
  }, { eager: true });
  log.push("returns");
  await task;

  assertEquals(log, ["begins", "returns", "ends"]);
});

testClean(
  "however many eager tasks there are, each begins at once",
  async () => {
    let begun = 0;

    for (let i = 1; i <= 1000; i++) {
      createTask(() => begun++, { eager: true });
      assertEquals(begun, i);
    }
    await sleep(0);
  },
);

testClean("an eager task is registered before it runs", async () => {
  let inside: Task<unknown> | undefined;
  let registered = false;

  const task = createTask(() => {
    inside = currentTask();
    registered = inside !== undefined && allTasks().has(inside);
    return sleep(1);
  }, { eager: true });

  assertStrictEquals(inside, task);
  assert(registered);
  await task;
});

testClean(
  "an eager task that cancels itself is cancelled at its first wait",
  async () => {
    const log: string[] = [];

    const task = createTask(async () => {
      currentTask()?.cancel();
      log.push("goes on");
      await sleep(1);
      log.push("never");
    }, { eager: true });

    await assertRejects(() => task, CancelledError);
    assertEquals(log, ["goes on"]);
  },
);

testClean(
  "an eager task that throws at once fails, createTask() does not",
  async () => {
    const task = createTask(() => {
      throw new TypeError("at once");
    }, { eager: true });

    assertEquals(task.state, "failed");
    await assertRejects(() => task, TypeError, "at once");
  },
);

testClean("an eager task does not leave its scope to its creator", async () => {
  const task = createTask(() => sleep(1), { eager: true, name: "eager" });

  assertEquals(currentTask()?.name, "main");
  assertEquals(currentScope().name, "main");
  await task;
  assertEquals(currentTask()?.name, "main");
});

testClean("a task has a name of its own, or Task and its number", async () => {
  const named = createTask(() => currentTask()?.name, { name: "mine" });
  const plain = createTask(() => {});

  assertEquals(named.name, "mine");
  assertEquals(plain.name, `Task-${plain.id}`);
  assertNotEquals(named.id, plain.id);
  assertEquals(await named, "mine");
  await plain;
});

testClean("Task.name can be set at any time", async () => {
  const task = createTask(() => sleep(1));

  task.name = "later";

  assertEquals(task.name, "later");
  await task;
  assertStringIncludes(String(task), '"later"');
});

testClean("Task.state goes from pending over running to done", async () => {
  const states: string[] = [];
  const task: Task<void> = createTask(async () => {
    states.push(task.state);
    await sleep(1);
    states.push(task.state);
  });

  states.push(task.state);
  await task;
  states.push(task.state);

  assertEquals(states, ["pending", "running", "running", "done"]);
  assertEquals([task.done, task.cancelled, task.cancelling], [
    true,
    false,
    false,
  ]);
});

testClean("Task.state ends as failed if its function throws", async () => {
  const task = createTask(() => Promise.reject(new TypeError("wrong")));

  await assertRejects(() => task, TypeError);

  assertEquals([task.state, task.done, task.cancelled], [
    "failed",
    true,
    false,
  ]);
});

testClean("Task.state is cancelling between cancel() and the end", async () => {
  const task = createTask(async () => {
    try {
      await sleep(Infinity);
    } finally {
      await uncancellable(() => sleep(1));
    }
  });
  await sleep(1);

  task.cancel();

  assertEquals([task.state, task.done, task.cancelling], [
    "cancelling",
    false,
    true,
  ]);
  await task.outcome();
  assertEquals([task.state, task.cancelled], ["cancelled", true]);
});

testClean(
  "Task.cancelling stays true for a task that swallows it",
  async () => {
    const task = createTask(async () => {
      await sleep(Infinity).catch(() => {});
      return "survived";
    });
    await sleep(1);

    task.cancel();

    assertEquals(await task, "survived");
    assertEquals([task.state, task.cancelling, task.cancelled], [
      "done",
      true,
      false,
    ]);
  },
);

testClean("Task.result() throws before the task has ended", async () => {
  const task = createTask(() => sleep(1, { value: 7 }), { name: "seven" });

  assertThrows(
    () => task.result(),
    InvalidStateError,
    'Cannot read the result of task "seven": it has not ended',
  );
  assertThrows(
    () => task.exception(),
    InvalidStateError,
    'Cannot read the exception of task "seven": it has not ended',
  );

  await task;
  assertEquals(task.result(), 7);
  assertEquals(task.exception(), undefined);
});

testClean("Task.result() throws what the function threw", async () => {
  const error = new TypeError("wrong");
  const task = createTask(() => Promise.reject(error));
  await task.outcome();

  assertStrictEquals(assertThrows(() => task.result()), error);
  assertStrictEquals(task.exception(), error);
});

testClean(
  "Task.exception() throws the cancellation of a cancelled task",
  async () => {
    const task = sleeper();
    task.cancel("why");
    const { error } = await task.outcome() as { error: unknown };

    assertStrictEquals(assertThrows(() => task.exception()), error);
    assertStrictEquals(assertThrows(() => task.result()), error);
  },
);

testClean("a task may throw anything, undefined too", async () => {
  const task = createTask(() => Promise.reject(undefined));

  const outcome = await task.outcome();

  assertEquals(outcome, { state: "failed", error: undefined });
});

testClean("await task gives the value, however often", async () => {
  const task = createTask(() => sleep(1, { value: { n: 1 } }));

  const first = await task;

  assertStrictEquals(await task, first);
});

testClean(
  "await task wakes those who wait in the order in which they came",
  async () => {
    const log: number[] = [];
    const task = createTask(() => sleep(1));
    const waiters = [1, 2, 3].map((n) =>
      createTask(async () => {
        await task;
        log.push(n);
      })
    );

    for (const waiter of waiters) await waiter;

    assertEquals(log, [1, 2, 3]);
  },
);

testClean("an async function that returns a task awaits it", async () => {
  const outer = createTask(() => createTask(() => sleep(1, { value: "deep" })));

  assertEquals(await outer, "deep");
});

testClean(
  "Task.then() and catch() and finally() pass on as promises do",
  async () => {
    const done = createTask(() => 1);
    const failed = createTask(() => Promise.reject(new TypeError("wrong")));
    const log: string[] = [];

    assertEquals(await done.then((n) => n + 1), 2);
    assertEquals(
      await failed.then(() => "no", (e) => `${e}`),
      "TypeError: wrong",
    );
    assertEquals(await failed.catch(() => "caught"), "caught");
    assertEquals(await done.finally(() => log.push("finally")), 1);
    await assertRejects(
      () => failed.finally(() => log.push("again")),
      TypeError,
    );
    assertEquals(log, ["finally", "again"]);
  },
);

testClean("a task that awaits itself gets a DeadlockError", async () => {
  const task: Task<unknown> = createTask(async () => {
    await sleep(1);
    return await task.catch((error) => error);
  }, { name: "ouroboros" });

  const error = await task;

  assertInstanceOf(error, DeadlockError);
  assertEquals(
    error.message,
    'Cannot await task "ouroboros": it is the task that would wait',
  );
});

testClean(
  "Task.cancel() makes the next wait throw the cancellation",
  async () => {
    const log: unknown[] = [];
    const task = createTask(async () => {
      try {
        await sleep(Infinity);
      } catch (error) {
        log.push(error);
        throw error;
      }
    }, { name: "victim" });
    await sleep(1);

    assert(task.cancel("enough"));
    const error = await assertRejects(() => task, CancelledError);

    assertStrictEquals(error, log[0]);
    assertEquals([error.reason, error.kind, error.scope, error.by], [
      "enough",
      "explicit",
      "victim",
      "main",
    ]);
  },
);

testClean(
  "Task.cancel() of a task that has not begun keeps it from beginning",
  async () => {
    const log: string[] = [];
    const task = createTask(() => log.push("never"));

    task.cancel();

    await assertRejects(() => task, CancelledError);
    assertEquals(log, []);
  },
);

testClean("Task.cancel() returns false once the task has ended", async () => {
  const task = createTask(() => 1);
  await task;

  assertFalse(task.cancel());
  assertEquals(task.state, "done");
});

testClean("Task.cancel() counts the first time, and stays true", async () => {
  const task = sleeper();

  assertEquals([task.cancel("one"), task.cancel("two")], [true, true]);

  const error = await assertRejects(() => task, CancelledError);
  assertEquals(error.reason, "one");
});

testClean(
  "Task.cancel() does not undo a value that was handed over",
  async () => {
    const future = new Future<string>();
    const task = createTask(async () => {
      const value = await future;
      await sleep(1).catch(() => {});
      return value;
    });
    await sleep(1);

    future.setResult("granted");
    task.cancel();

    assertEquals(await task, "granted");
  },
);

testClean(
  "a task that throws a cancellation of another is cancelled",
  async () => {
    const other = sleeper();
    other.cancel("other");
    const task = createTask(async () => await other);

    const error = await assertRejects(() => task, CancelledError);

    assert(task.cancelled);
    assertEquals(error.reason, "other");
  },
);

testClean(
  "cancelling the only waiter cancels the task, and waits for its end",
  async ({ virtual }) => {
    const log: string[] = [];
    const child = createTask(async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(10));
        log.push(`child gone at ${virtual.now}`);
      }
    });
    const waiter = createTask(async () => {
      try {
        await child;
      } finally {
        log.push(`waiter gone at ${virtual.now}`);
      }
    });
    await sleep(1);

    waiter.cancel();
    await waiter.outcome();

    assertEquals(log, ["child gone at 11", "waiter gone at 11"]);
    assert(child.cancelled);
  },
);

testClean(
  "the only waiter gets its own cancellation, not that of the task",
  async () => {
    const child = sleeper();
    const waiter = createTask(async () => await child);
    await sleep(1);

    waiter.cancel("waiter");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals([error.reason, error.scope], ["waiter", waiter.name]);
  },
);

testClean(
  "the only waiter gets the value if the task swallows its cancellation",
  async () => {
    const child = createTask(async () => {
      await sleep(Infinity).catch(() => {});
      return "value";
    });
    const waiter = createTask(async () => await child);
    await sleep(1);

    waiter.cancel();

    assertEquals(await waiter, "value");
  },
);

testClean(
  "cancelling one of two waiters leaves the task and the other",
  async () => {
    const child = createTask(() => sleep(10, { value: "value" }));
    const one = createTask(async () => await child);
    const two = createTask(async () => await child);
    await sleep(1);

    one.cancel();

    await assertRejects(() => one, CancelledError);
    assertEquals(child.cancelling, false);
    assertEquals(await two, "value");
  },
);

testClean(
  "cancelling two waiters one after the other cancels the task",
  async () => {
    const child = sleeper();
    const one = createTask(async () => await child);
    const two = createTask(async () => await child);
    await sleep(1);
    one.cancel();
    await sleep(1);
    assertFalse(child.cancelling);

    two.cancel();
    await sleep(1);

    assert(child.cancelled);
  },
);

testClean("cancelling two waiters at once cancels the task", async () => {
  const child = sleeper();

  await assertRejects(() =>
    timeout(1, async () => {
      const one = createTask(async () => await child, { scope: "current" });
      const two = createTask(async () => await child, { scope: "current" });
      await one;
      await two;
    })
  );

  assert(child.cancelled);
});

testClean(
  "a waiter that comes late keeps a task from being cancelled",
  async () => {
    const child = createTask(() => sleep(10, { value: 1 }));
    const early = createTask(async () => await child);
    await sleep(1);
    const late = createTask(async () => await child);
    await sleep(1);

    early.cancel();

    assertEquals(await late, 1);
  },
);

testClean(
  "a done callback does not keep a task from being cancelled",
  async () => {
    const child = sleeper();
    child.addDoneCallback(() => {});
    const waiter = createTask(async () => await child);
    await sleep(1);

    waiter.cancel();
    await waiter.outcome();

    assert(child.cancelled);
  },
);

testClean("two tasks that await each other can be cancelled", async () => {
  const tasks: Task<void>[] = [];
  for (const other of [1, 0]) {
    tasks.push(createTask(async () => await tasks[other]));
  }
  await sleep(1);

  tasks[0]?.cancel();
  await sleep(1);

  assertEquals(tasks.map(({ state }) => state), ["cancelled", "cancelled"]);
});

testClean(
  "finally { await child } in a cancelled scope cancels the child and waits",
  async () => {
    const log: string[] = [];
    const parent = createTask(async () => {
      const child = createTask(async () => {
        try {
          await sleep(Infinity);
        } finally {
          await uncancellable(() => sleep(5));
          log.push("child gone");
        }
      });
      try {
        await sleep(Infinity);
      } finally {
        try {
          await child;
        } catch {
          log.push(child.state);
        }
      }
    });
    await sleep(1);

    parent.cancel();
    await assertRejects(() => parent, CancelledError);

    assertEquals(log, ["child gone", "cancelled"]);
  },
);

testClean(
  "await of a task that has ended gives its value in a cancelled scope",
  async () => {
    const child = createTask(() => "value");
    await child;

    const value = await withScope(async (scope) => {
      scope.cancel();
      return await child;
    });

    assertEquals(value, "value");
  },
);

testClean("Task.toPromise() never cancels the task", async () => {
  const child = createTask(() => sleep(10, { value: "value" }));
  const waiter = createTask(() => child.toPromise());
  await sleep(1);

  waiter.cancel();

  assertEquals(await child, "value");
  await waiter.outcome();
});

testClean(
  "Task.toPromise() is a wait that virtual time can see",
  async ({ virtual }) => {
    const child = createTask(() => sleep(10, { value: "value" }));

    assertEquals(await child.toPromise(), "value");
    assertEquals(virtual.now, 10);
  },
  { ioLimitMs: 20 },
);

testClean("Task.toPromise() rejects with what the task threw", async () => {
  const child = createTask(() => Promise.reject(new TypeError("wrong")));

  await assertRejects(() => child.toPromise(), TypeError, "wrong");
});

testClean("Task.outcome() tells how the task ended", async () => {
  const done = createTask(() => 1);
  const error = new TypeError("wrong");
  const failed = createTask(() => Promise.reject(error));
  const cancelled = sleeper();
  cancelled.cancel();

  assertEquals(await done.outcome(), { state: "done", value: 1 });
  assertEquals(await failed.outcome(), { state: "failed", error });
  assertEquals((await cancelled.outcome()).state, "cancelled");
});

testClean(
  "Task.outcome() rejects if the one who waits is cancelled",
  async () => {
    const child = createTask(() => sleep(10));
    const other = createTask(async () => await child);
    const waiter = createTask(async () => await child.outcome());
    await sleep(1);

    waiter.cancel("waiter");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "waiter");
    await other;
  },
);

testClean(
  "await using of a task cancels it and waits until it is gone",
  async ({ virtual }) => {
    const log: string[] = [];
    {
      await using _task = createTask(async () => {
        try {
          await sleep(Infinity);
        } finally {
          await uncancellable(() => sleep(10));
          log.push(`gone at ${virtual.now}`);
        }
      });
      await sleep(1);
    }
    log.push("left");

    assertEquals(log, ["gone at 11", "left"]);
  },
);

testClean("Task's asyncDispose never rejects", async () => {
  const task = createTask(async () => {
    try {
      await sleep(Infinity);
    } finally {
      // deno-lint-ignore no-unsafe-finally -- cleanup that fails is the point
      throw new TypeError("cleanup");
    }
  });
  await sleep(1);

  await task[Symbol.asyncDispose]();

  assertEquals(task.state, "failed");
});

testClean("Task's asyncDispose waits in a cancelled scope, too", async () => {
  const task = createTask(async () => {
    try {
      await sleep(Infinity);
    } finally {
      await uncancellable(() => sleep(10));
    }
  });
  await sleep(1);

  await withScope(async (scope) => {
    scope.cancel();
    await task[Symbol.asyncDispose]();
    assert(task.done);
  });
});

testClean(
  "Task's asyncDispose does nothing to a task that has ended",
  async () => {
    const task = createTask(() => 1);
    await task;

    await task[Symbol.asyncDispose]();
    await task[Symbol.asyncDispose]();

    assertEquals(task.result(), 1);
  },
);

testClean(
  "Task.addDoneCallback() calls in the order of registration, never at once",
  async () => {
    const log: string[] = [];
    const task = createTask(() => sleep(1));
    task.addDoneCallback(() => log.push("one"));
    task.addDoneCallback((ended) => {
      log.push(`two ${ended === task}`);
    });
    await task;
    await sleep(0);

    task.addDoneCallback(() => log.push("late"));
    log.push("registered");
    await sleep(0);

    assertEquals(log, ["one", "two true", "registered", "late"]);
  },
);

testClean(
  "Task.addDoneCallback() calls in the context of who registered",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const log: string[] = [];
    const task = createTask(() => user.set("inside"));

    user.run("ada", () => {
      task.addDoneCallback(() => log.push(user.get()));
    });
    await task;
    await sleep(0);

    assertEquals(log, ["ada"]);
  },
);

testClean(
  "Task.addDoneCallback() calls outside of every task and cancelled scope",
  async () => {
    const log: unknown[] = [];
    const task = createTask(() => {});
    await withScope((scope) => {
      task.addDoneCallback(() => {
        log.push(currentTask(), currentScope().cancelled);
      });
      scope.cancel();
    });
    await sleep(0);

    assertEquals(log, [undefined, false]);
    assert(task.done);
  },
);

testClean(
  "Task.addDoneCallback() reports what a callback throws, and goes on",
  async ({ reports }) => {
    const log: string[] = [];
    const task = createTask(() => {});
    task.addDoneCallback(() => {
      throw new TypeError("callback");
    });
    task.addDoneCallback(() => log.push("next"));
    await task;
    await sleep(0);

    assertEquals(log, ["next"]);
    assertEquals(reports.map(({ exception }) => `${exception}`), [
      "TypeError: callback",
    ]);
    assertEquals(takeMessages(reports), ["A done callback has thrown"]);
  },
);

testClean(
  "Task.addDoneCallback() throws on anything but a function",
  async () => {
    const task = createTask(() => {});

    assertThrows(() => task.addDoneCallback(1 as never), TypeError, '"fn"');
    await task;
  },
);

testClean(
  "Task.removeDoneCallback() takes back all calls of a function",
  async () => {
    const log: string[] = [];
    const twice = (): void => {
      log.push("twice");
    };
    const task = createTask(() => sleep(1));
    task.addDoneCallback(twice);
    task.addDoneCallback(() => log.push("once"));
    task.addDoneCallback(twice);

    assertEquals(task.removeDoneCallback(twice), 2);
    assertEquals(task.removeDoneCallback(twice), 0);
    await task;
    await sleep(0);

    assertEquals(log, ["once"]);
  },
);

testClean(
  "a done callback may remove another that has not been called yet",
  async () => {
    const log: string[] = [];
    const second = (): void => {
      log.push("second");
    };
    const task = createTask(() => sleep(1));
    task.addDoneCallback(() => {
      log.push(`removed ${task.removeDoneCallback(second)}`);
    });
    task.addDoneCallback(second);
    await task;
    await sleep(0);

    assertEquals(log.length, 2);
    assertStringIncludes(log[0] ?? "", "removed");
  },
);

testClean(
  "a failed task that nobody looks at is reported once, after 5 s",
  async ({ reports, virtual }) => {
    createTask(() => Promise.reject(new TypeError("lost")), { name: "lonely" });

    await sleep(4999);
    assertEquals(reports.length, 0);
    await sleep(2);

    assertEquals(virtual.now, 5001);
    assertEquals(`${reports[0]?.exception}`, "TypeError: lost");
    assertEquals(takeMessages(reports), [
      'Nobody has looked at task "lonely", which failed',
    ]);
    await sleep(60_000);
  },
);

testClean(
  "failed tasks are reported 5 s after each has failed",
  async ({ reports, virtual }) => {
    const times: number[] = [];
    getRunningLoop().exceptionHandler = () => times.push(virtual.now);
    createTask(() => Promise.reject(new TypeError("one")));
    await sleep(2000);
    createTask(() => Promise.reject(new TypeError("two")));

    await sleep(60_000);

    assertEquals(times, [5000, 7000]);
    assertEquals(reports, []);
  },
);

testClean("a failed task that somebody looked at is not reported", async () => {
  const failing = () => createTask(() => Promise.reject(new TypeError("seen")));
  const tasks = [failing(), failing(), failing(), failing(), failing()];
  await sleep(1);

  await tasks[0]?.catch(() => {});
  await tasks[1]?.outcome();
  tasks[2]?.exception();
  assertThrows(() => tasks[3]?.result(), TypeError);
  await tasks[4]?.toPromise().catch(() => {});

  await sleep(60_000);
});

testClean("a cancelled task that nobody looks at is not reported", async () => {
  sleeper().cancel();

  await sleep(60_000);
});

Deno.test("a failed task that nobody looks at is reported at the end of the run", async () => {
  const log: string[] = [];
  const runner = new Runner({
    exceptionHandler: ({ message }) => log.push(message),
  });

  await runner.run(async () => {
    createTask(() => Promise.reject(new TypeError("lost")), { name: "lonely" });
    await sleep(0);
    assertEquals(log, []);
  });

  assertEquals(log, ['Nobody has looked at task "lonely", which failed']);
  await runner.close();
});

testClean(
  "a bare task outlives its creator and the creator's deadline",
  async () => {
    const log: string[] = [];
    const { task } = await timeout(5, () => ({
      task: createTask(async () => {
        await sleep(10);
        log.push("done");
      }),
    }));

    await task;

    assertEquals(log, ["done"]);
  },
);

testClean(
  "a bare task goes on when the scope of its creator is cancelled",
  async () => {
    const { task } = await withScope((scope) => {
      const task = createTask(() => sleep(10, { value: "done" }));
      scope.cancel();
      return { task };
    });

    assertEquals(await task, "done");
  },
);

testClean("a task tied to the current scope ends with it", async () => {
  let task: Task<void> | undefined;
  await timeout(5, async () => {
    task = createTask(() => sleep(100), { scope: "current" });
    await sleep(100);
  }).catch(() => {});
  await sleep(1);

  assert(task?.cancelled);
});

testClean("a task starts with a copy of its creator's context", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  user.set("ada");
  const task = createTask(() => {
    const seen = user.get();
    user.set("inside");
    return seen;
  });
  user.set("later");

  assertEquals(await task, "ada");
  assertEquals(user.get(), "later");
});

testClean("a task can run in a context that is kept", async () => {
  const step = new ContextVar<number>("step");
  const context = copyContext();

  const task = createTask(() => {
    step.set(1);
  }, { context });
  await task;

  assertEquals(context.get(step), 1);
});

testClean(
  "currentTask() is the task that runs, before and after a wait",
  async () => {
    const task = createTask(async () => {
      const before = currentTask();
      await sleep(1);
      return { tasks: [before, currentTask()] };
    });

    const { tasks } = await task;
    assertStrictEquals(tasks[0], task);
    assertStrictEquals(tasks[1], task);
  },
);

testClean("currentTask() is undefined in callbacks of the loop", async () => {
  const gate = Promise.withResolvers<unknown>();
  getRunningLoop().callSoon(() => gate.resolve(currentTask()));

  assertEquals(await gate.promise, undefined);
});

Deno.test("currentTask() is undefined outside of every run", () => {
  assertEquals(currentTask(), undefined);
});

testClean("allTasks() holds the tasks that have not ended", async () => {
  const one = createTask(() => sleep(1));
  const two = createTask(() => sleep(2));
  const main = currentTask();
  assert(main !== undefined);

  assertEquals(allTasks(), new Set([main, one, two]));
  await one;
  assertEquals(allTasks(), new Set([main, two]));
  await two;
});

testClean("allTasks() gives a set that does not change any more", async () => {
  const before = allTasks();
  const task = createTask(() => {});

  assertFalse(before.has(task));
  await task;
});

testClean("Task prints its name, its state and its error", async () => {
  const task = createTask(() => Promise.reject(new TypeError("wrong")), {
    name: "fetch",
  });

  assertEquals(String(task), '<Task "fetch" pending>');
  await task.outcome();
  assertEquals(String(task), '<Task "fetch" failed: TypeError: wrong>');
  assertEquals(Deno.inspect(task), String(task));
  assertEquals(Object.prototype.toString.call(task), "[object Task]");
});

testClean("Task() cannot be called by users", () => {
  assertThrows(
    () => new Task({} as never),
    TypeError,
    "Cannot create a task by itself: use createTask()",
  );
});
