import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { Future } from "@ilmek/async/future";
import {
  defaultExceptionHandler,
  type ExceptionContext,
  getRunningLoop,
  type Loop,
  newLoop,
  setLoopPolicy,
} from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask, Task } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

/** Runs `main` in debug mode in real time, and gives what was reported. */
async function reportsInDebugMode(
  main: (loop: Loop) => unknown,
): Promise<ExceptionContext[]> {
  const reports: ExceptionContext[] = [];
  await using runner = new Runner({
    debug: true,
    exceptionHandler: (context) => reports.push(context),
  });
  await runner.run(() => main(runner.loop));
  return reports;
}

/** Keeps the thread for itself. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

testClean(
  "Loop.callSoon() calls in the next turn, in the order of the calls",
  async () => {
    const loop = getRunningLoop();
    const log: string[] = [];
    loop.callSoon((a, b) => log.push(a + b), "a", "b");
    loop.callSoon(() => {
      loop.callSoon(() => log.push("nested"));
      log.push("second");
    });
    loop.callSoon(() => log.push("third"));
    await Promise.resolve();
    assertEquals(log, []);

    await sleep(0);
    await sleep(0);

    assertEquals(log, ["ab", "second", "third", "nested"]);
  },
);

testClean(
  "Loop.callLater() calls when the time has passed, in order",
  async ({ virtual }) => {
    const loop = getRunningLoop();
    const log: string[] = [];
    const note = (name: string) => log.push(`${name}@${virtual.now}`);
    loop.callLater(2, note, "c");
    loop.callLater(1, note, "a");
    loop.callLater(1, note, "b");
    loop.callAt(2, note, "d");

    await sleep(3);

    assertEquals(log, ["a@1", "b@1", "c@2", "d@2"]);
  },
);

testClean("Loop.callLater(0) follows what is waiting already", async () => {
  const loop = getRunningLoop();
  const log: string[] = [];
  loop.callSoon(() => log.push("soon"));
  loop.callLater(0, () => log.push("later"));

  await sleep(1);

  assertEquals(log, ["soon", "later"]);
});

testClean(
  "Loop.callLater(0) that plans itself anew lets tasks go on",
  async () => {
    const loop = getRunningLoop();
    const gate = new Future<void>();
    let rounds = 0;
    let stopped = false;
    const tick = (): void => {
      if (++rounds === 1) gate.setResult();
      if (!stopped && rounds < 1000) loop.callLater(0, tick);
    };
    loop.callLater(1, tick);

    await gate;
    stopped = true;
    await sleep(1);

    assertLess(rounds, 1000);
  },
);

testClean(
  "Loop.callSoon() that plans itself anew lets timers go on",
  async () => {
    const loop = getRunningLoop();
    let rounds = 0;
    let stopped = false;
    loop.callLater(0, () => stopped = true);
    const tick = (): void => {
      if (!stopped && ++rounds < 1000) loop.callSoon(tick);
    };
    loop.callSoon(tick);

    await sleep(1);

    assertLess(rounds, 1000);
  },
);

testClean(
  "Loop.callAt() of a moment that is past calls at the next turn",
  async ({ virtual }) => {
    virtual.advance(100);
    const times: number[] = [];
    getRunningLoop().callAt(50, () => times.push(virtual.now));

    await sleep(1);

    assertEquals(times, [100]);
  },
);

testClean(
  "Loop.callLater(Infinity) never calls, and holds nothing",
  async ({ virtual }) => {
    const log: string[] = [];
    const loop = getRunningLoop();
    const handle = loop.callLater(Infinity, () => log.push("never"));
    loop.callAt(Infinity, () => log.push("never"));

    await sleep(5);

    assertEquals([log, handle.when, virtual.now], [[], Infinity, 5]);
  },
);

testClean("Handle.cancel() takes a callback back", async ({ virtual }) => {
  const loop = getRunningLoop();
  const log: string[] = [];
  const handles = [
    loop.callSoon(() => log.push("soon")),
    loop.callLater(100, () => log.push("later")),
    loop.callAt(100, () => log.push("at")),
  ];
  assertEquals(handles.map(({ when }) => when), [undefined, 100, 100]);

  for (const handle of handles) {
    handle.cancel();
    handle.cancel();
    assert(handle.cancelled);
  }
  await sleep(0);

  assertEquals([log, virtual.now], [[], 0]);
});

testClean(
  "a callback may cancel another that is due at the same moment",
  async () => {
    const loop = getRunningLoop();
    const log: string[] = [];
    loop.callLater(1, () => {
      log.push("first");
      second.cancel();
    });
    const second = loop.callLater(1, () => log.push("second"));

    await sleep(2);

    assertEquals(log, ["first"]);
  },
);

testClean("callbacks run outside of every task and scope", async () => {
  const seen: unknown[] = [];
  const loop = getRunningLoop();
  await withScope((scope) => {
    loop.callSoon(() => seen.push(currentTask(), currentScope().name));
    loop.callLater(1, () => seen.push(currentScope().cancelled));
    scope.cancel();
  });
  await sleep(2);

  assertEquals(seen, [undefined, "root", false]);
});

testClean("callbacks keep what they set to themselves", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const loop = getRunningLoop();
  const seen: string[] = [];
  loop.callSoon(() => {
    user.set("inside");
    seen.push(user.get());
  });
  loop.callSoon(() => seen.push(user.get()));

  await sleep(0);

  assertEquals([seen, user.get()], [["inside", "nobody"], "nobody"]);
});

testClean(
  "what a callback throws is reported, and the others go on",
  async ({ reports }) => {
    const loop = getRunningLoop();
    const log: string[] = [];
    const error = new TypeError("callback");
    const handle = loop.callSoon(() => {
      throw error;
    });
    loop.callSoon(() => log.push("next"));
    loop.callLater(1, () => {
      throw error;
    });
    loop.callLater(1, () => log.push("next timer"));

    await sleep(2);

    assertEquals(log, ["next", "next timer"]);
    assertStrictEquals(reports[0]?.exception, error);
    assertStrictEquals(reports[0]?.handle, handle);
    assertEquals(takeMessages(reports), [
      "A callback has thrown",
      "A callback has thrown",
    ]);
  },
);

testClean("planning a call throws on bad arguments", () => {
  const loop = getRunningLoop();
  const fn = () => {};

  assertThrows(
    () => loop.callSoon(1 as never),
    TypeError,
    'Cannot plan a call as "fn" must be a function: current value is 1',
  );
  assertThrows(() => loop.callLater(1, undefined as never), TypeError, '"fn"');
  assertThrows(() => loop.callAt(1, null as never), TypeError, '"fn"');
  assertThrows(
    () => loop.callLater(-1, fn),
    RangeError,
    'Cannot plan a call as "ms" must be a number >= 0: current value is -1',
  );
  assertThrows(() => loop.callLater(NaN, fn), RangeError, "NaN");
  assertThrows(
    () => loop.callAt(NaN, fn),
    RangeError,
    'Cannot plan a call as "when" must be a number: current value is NaN',
  );
});

testClean(
  "Loop.time() is the time of the loop, which only goes forward",
  async ({ virtual }) => {
    const loop = getRunningLoop();
    const before = loop.time();
    await sleep(1.5);

    assertEquals(loop.time() - before, 1.5);
    assertEquals(loop.time(), virtual.now);
  },
);

testClean(
  "Loop.createTask() and createFuture() work on this loop",
  async () => {
    const loop = getRunningLoop();
    const future = loop.createFuture<number>({ name: "answer" });
    const task = loop.createTask(async () => await future, { name: "waiter" });
    assertInstanceOf(task, Task);
    assertInstanceOf(future, Future);

    future.setResult(1);

    assertEquals([await task, task.name, future.name], [1, "waiter", "answer"]);
  },
);

testClean("Loop.createTask() throws where another loop runs", () => {
  const other = newLoop();

  assertThrows(
    () => other.createTask(() => {}),
    TypeError,
    "Cannot create a task: another loop runs here",
  );
});

testClean(
  "Loop.hold() holds virtual time while all tasks wait",
  async ({ virtual }) => {
    const loop = getRunningLoop();
    const message = loop.createFuture<number>();
    {
      using _hold = loop.hold("a message");
      loop.callLater(10, () => {});
      setTimeout(() => message.setResult(virtual.now), 1);

      assertEquals(await message, 0);
    }
    await sleep(10);
  },
);

testClean("Loop.hold() may be disposed of twice", async () => {
  const loop = getRunningLoop();
  const one = loop.hold();
  const two = loop.hold();

  one[Symbol.dispose]();
  one[Symbol.dispose]();
  two[Symbol.dispose]();

  await sleep(1);
});

testClean("Loop.callExceptionHandler() tells the handler", ({ reports }) => {
  const error = new TypeError("told");

  getRunningLoop().callExceptionHandler({ message: "told", exception: error });

  assertStrictEquals(reports[0]?.exception, error);
  assertEquals(takeMessages(reports), ["told"]);
});

testClean("a handler that throws falls back to the console", () => {
  const { error: write } = console;
  const lines: unknown[][] = [];
  console.error = (...line: unknown[]) => lines.push(line);
  try {
    const loop = getRunningLoop();
    loop.exceptionHandler = () => {
      throw new TypeError("handler");
    };
    loop.callExceptionHandler({ message: "told" });
  } finally {
    console.error = write;
  }

  assertEquals(lines.length, 2);
  assertEquals(
    lines[0]?.[0],
    "ilmek: Cannot report: the exception handler has thrown\n",
  );
  assertEquals(lines[1], ["ilmek: told"]);
});

testClean("a loop without a handler writes to the console", () => {
  const { error: write } = console;
  const lines: unknown[][] = [];
  console.error = (...line: unknown[]) => lines.push(line);
  const exception = new TypeError("x");
  try {
    const loop = newLoop();
    assertEquals(loop.exceptionHandler, undefined);
    loop.callExceptionHandler({ message: "told" });
    defaultExceptionHandler({
      message: "failed",
      exception,
      createdAt: "at here",
    });
  } finally {
    console.error = write;
  }

  assertEquals(lines, [["ilmek: told"], [
    "ilmek: failed\nat here\n",
    exception,
  ]]);
});

testClean("Loop.exceptionHandler throws on anything but a function", () => {
  const loop = newLoop();

  assertThrows(
    () => loop.exceptionHandler = 1 as never,
    TypeError,
    'Cannot set the handler as "exceptionHandler" must be a function',
  );
  loop.exceptionHandler = () => {};
  loop.exceptionHandler = undefined;
  assertEquals(loop.exceptionHandler, undefined);
});

testClean("Loop.slowCallbackMs throws on what is no length", () => {
  const loop = newLoop();

  assertEquals(loop.slowCallbackMs, 100);
  assertThrows(
    () => loop.slowCallbackMs = -1,
    RangeError,
    'Cannot set a limit as "slowCallbackMs" must be a number >= 0',
  );
  assertEquals(loop.slowCallbackMs, 100);
});

testClean("getRunningLoop() is the same object each time", async () => {
  const loop = getRunningLoop();
  await sleep(1);
  const task = createTask(() => ({ loop: getRunningLoop() }));

  assertStrictEquals((await task).loop, loop);
  assert(loop.running);
  assertFalse(loop.closed);
  assertEquals(Object.prototype.toString.call(loop), "[object Loop]");
});

Deno.test("getRunningLoop() is a default loop outside of every run", async () => {
  const loop = getRunningLoop();
  await sleep(1);

  assertStrictEquals(getRunningLoop(), loop);
  assertFalse(loop.running);
});

Deno.test("newLoop() makes a loop of its own", () => {
  assertNotStrictEquals(newLoop(), newLoop());
  assertFalse(newLoop().running);
});

Deno.test("setLoopPolicy() sets how loops are made, until it is restored", async () => {
  const made: Loop[] = [];
  const restore = setLoopPolicy((makeDefault) => {
    const loop = makeDefault();
    made.push(loop);
    return loop;
  });
  try {
    await using runner = new Runner();
    assertStrictEquals(runner.loop, made[0]);
    assertStrictEquals(newLoop(), made[1]);
  } finally {
    restore();
  }

  newLoop();
  assertEquals(made.length, 2);
});

Deno.test("setLoopPolicy() wraps the policy that was in force", () => {
  const log: string[] = [];
  const restoreOuter = setLoopPolicy((make) => {
    log.push("outer");
    return make();
  });
  const restoreInner = setLoopPolicy((make) => {
    log.push("inner");
    return make();
  });
  try {
    newLoop();
  } finally {
    restoreInner();
    restoreOuter();
  }

  assertEquals(log, ["inner", "outer"]);
});

Deno.test("setLoopPolicy() throws on anything but a function", () => {
  assertThrows(
    () => setLoopPolicy(1 as never),
    TypeError,
    'Cannot set a loop policy as "policy" must be a function',
  );
});

Deno.test("callSoon() in real time lets timers of the platform run between turns", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  const loop = getRunningLoop();
  let turns = 0;
  const tick = (): void => {
    turns++;
    if (fired || turns === 100_000) resolve(turns);
    else loop.callSoon(tick);
  };
  loop.callSoon(tick);

  assertLess(await promise, 100_000);
  clearTimeout(timer);
});

Deno.test("a chain of tasks in real time lets timers fire", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const loop = getRunningLoop();
  let fired = false;
  const timer = loop.callLater(1, () => fired = true);
  let tasks = 0;
  const next = (): void => {
    if (fired || ++tasks === 100_000) resolve(tasks);
    else createTask(next);
  };
  next();

  assertLess(await promise, 100_000);
  timer.cancel();
});

Deno.test("callLater() in real time is never early", async () => {
  const loop = getRunningLoop();
  const { promise, resolve } = Promise.withResolvers<number>();
  const start = loop.time();
  loop.callLater(2, () => resolve(loop.time() - start));

  assertGreaterOrEqual(await promise, 2);
});

Deno.test("debug mode reports a step that holds the loop, by name", async () => {
  const reports = await reportsInDebugMode(async (loop) => {
    loop.slowCallbackMs = 2;
    const slow = createTask(() => spin(4), { name: "slow" });
    await slow;
    await sleep(0);
  });

  const messages = reports.map(({ message }) => message);
  assert(
    messages.some((m) => /^Held the loop for \d+ ms: task "slow"/.test(m)),
  );
});

Deno.test("debug mode reports a wait in a cancelled scope, once a scope", async () => {
  const reports = await reportsInDebugMode(() =>
    withScope(async (scope) => {
      scope.cancel();
      await sleep(1).catch(() => {});
      await sleep(1).catch(() => {});
    })
  );

  assertEquals(reports.map(({ message }) => message), [
    "Cannot sleep in a cancelled scope: wrap cleanup in uncancellable()",
  ]);
});

Deno.test("debug mode reports a bare task that is made under a deadline", async () => {
  const reports = await reportsInDebugMode(() =>
    timeout(1000, async () => {
      await Promise.all([
        createTask(() => {}, { name: "bare" }),
        createTask(() => {}, { scope: "current" }),
      ]);
    })
  );

  assertEquals(reports.map(({ message }) => message), [
    'Task "bare" will outlive the deadline under which it was created: ' +
    'use a TaskGroup, or { scope: "current" }',
  ]);
});

Deno.test("debug mode tells where a task was created that failed unobserved", async () => {
  const reports = await reportsInDebugMode(async () => {
    createTask(() => Promise.reject(new TypeError("lost")));
    await sleep(0);
  });

  assert(reports[0]?.createdAt?.includes("loop_test.ts"));
});

Deno.test("debug mode can be switched on and off while things run", async () => {
  const log: string[] = [];
  await using runner = new Runner();
  await runner.run(async () => {
    const tasks = [1, 2, 3].map((n) =>
      createTask(async () => {
        await sleep(n);
        log.push(`${n}`);
      })
    );
    runner.loop.debug = true;
    await tasks[0];
    runner.loop.debug = false;
    await tasks[2];
  });

  assertEquals(log, ["1", "2", "3"]);
});

testClean(
  "debug mode on a virtual loop keeps the order and the times",
  async ({ virtual }) => {
    const loop = getRunningLoop();
    loop.debug = true;
    const log: string[] = [];
    for (const [ms, name] of [[10, "a"], [20, "c"], [10, "b"]] as const) {
      loop.callLater(ms, () => log.push(`${name}@${virtual.now}`));
    }

    await sleep(30);

    assertEquals(log, ["a@10", "b@10", "c@20"]);
  },
);
