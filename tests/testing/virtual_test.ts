import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { abortable } from "@ilmek/async/checkpoint";
import { detach } from "@ilmek/async/detach";
import { DeadlockError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { gather } from "@ilmek/async/gather";
import { type ExceptionContext, getRunningLoop } from "@ilmek/async/loop";
import { Queue } from "@ilmek/async/queue";
import { currentScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual, testVirtual, VirtualLoop } from "@ilmek/async/virtual";
import { wait } from "@ilmek/async/wait";
import { leftoversAfter, testClean } from "../_leaks.ts";

/** A turn of the platform, which virtual time cannot see. */
function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("runVirtual() gives what main returns, after hours in no time", async () => {
  const start = performance.now();

  const value = await runVirtual(() => sleep(7_200_000, { value: "done" }));

  assertEquals(value, "done");
  assertLess(performance.now() - start, 1000);
});

Deno.test("runVirtual() throws what main throws", async () => {
  const error = new TypeError("main");

  const thrown = await assertRejects(() =>
    runVirtual(async () => {
      await sleep(1);
      throw error;
    })
  );

  assertStrictEquals(thrown, error);
});

Deno.test("runVirtual() rejects anything but a function", async () => {
  await assertRejects(
    () => runVirtual(1 as never),
    TypeError,
    'Cannot run as "main" must be a function: current value is 1',
  );
});

Deno.test("VirtualLoop() throws on bad options", () => {
  assertThrows(
    () => new VirtualLoop({ order: "random" as never }),
    TypeError,
    '"order" must be "system" or "fifo": current value is "random"',
  );
  assertThrows(
    () => new VirtualLoop({ promises: "mine" as never }),
    TypeError,
    '"promises" must be "outside" or "inside": current value is "mine"',
  );
  assertThrows(
    () => new VirtualLoop({ ioLimitMs: NaN }),
    RangeError,
    '"ioLimitMs" must be a number >= 0: current value is NaN',
  );
});

Deno.test("VirtualLoop.now is the loop's time, and stays after the run", async () => {
  const virtual = new VirtualLoop();
  assertEquals(virtual.now, 0);

  await virtual.run(async () => {
    await sleep(5);
    assertEquals([virtual.now, getRunningLoop().time()], [5, 5]);
  });

  assertEquals(virtual.now, 5);
});

Deno.test("VirtualLoop.run() may be called again, and time goes on", async () => {
  const virtual = new VirtualLoop();

  await virtual.run(() => sleep(5));
  await virtual.run(() => sleep(5));

  assertEquals(virtual.now, 10);
});

Deno.test("VirtualLoop.loop is what getRunningLoop() gives inside", async () => {
  const virtual = new VirtualLoop();

  const same = await virtual.run(() => getRunningLoop() === virtual.loop);

  assert(same);
});

testVirtual(
  "testVirtual() registers a test in virtual time",
  async (virtual) => {
    await sleep(3_600_000);
    assertEquals(virtual.now, 3_600_000);
  },
);

testVirtual("testVirtual() takes the options of a virtual loop", async () => {
  const log: string[] = [];
  const loop = getRunningLoop();
  loop.callSoon(() => Promise.resolve().then(() => log.push("microtask")));
  loop.callSoon(() => log.push("second"));

  await sleep(1);

  assertEquals(log, ["microtask", "second"]);
}, { order: "fifo" });

Deno.test("testVirtual() throws on anything but a function", () => {
  assertThrows(
    () => testVirtual("name", 1 as never),
    TypeError,
    'Cannot register a test as "fn" must be a function',
  );
});

testClean(
  "time jumps to the next timer when all tasks wait",
  async ({ virtual }) => {
    const log: string[] = [];
    const nap = async (ms: number, name: string) => {
      await sleep(ms);
      log.push(`${name}@${virtual.now}`);
    };
    const tasks = [
      createTask(() => nap(30, "c")),
      createTask(() => nap(10, "a")),
      createTask(() => nap(20, "b")),
    ];

    await wait(tasks);

    assertEquals(log, ["a@10", "b@20", "c@30"]);
  },
);

testClean(
  "time stands while a task works in microtasks",
  async ({ virtual }) => {
    const times: number[] = [];
    const worker = createTask(async () => {
      for (let i = 0; i < 500; i++) await null;
      times.push(virtual.now);
    });
    const sleeper = createTask(() => sleep(10));

    await worker;
    await sleeper;

    assertEquals(times, [0]);
  },
);

testClean(
  "VirtualLoop.advance() blocks the thread: what was due comes at once",
  async ({ virtual }) => {
    const log: string[] = [];
    const loop = getRunningLoop();
    for (const ms of [20, 5, 10]) {
      loop.callLater(ms, () => log.push(`${ms}@${virtual.now}`));
    }

    virtual.advance(15);
    await sleep(10);

    assertEquals(log, ["5@15", "10@15", "20@20"]);
  },
);

testClean(
  "VirtualLoop.advance() throws on what is no length",
  ({ virtual }) => {
    assertThrows(
      () => virtual.advance(-1),
      RangeError,
      'Cannot move the time as "ms" must be a number >= 0: current value is -1',
    );
    assertEquals(virtual.now, 0);
  },
);

Deno.test("VirtualLoop.advance() is reported in debug mode, with the task's name", async () => {
  const messages: string[] = [];
  await runVirtual(async (virtual) => {
    getRunningLoop().debug = true;
    const slow = createTask(() => virtual.advance(200), { name: "slow" });
    await slow;
    virtual.advance(10);
  }, { exceptionHandler: ({ message }) => messages.push(message) });

  assertEquals(messages, ['Held the loop for 200 ms: task "slow"']);
});

testClean("I/O gets in although virtual time is busy", async ({ virtual }) => {
  let arrived = false;
  const timer = setTimeout(() => arrived = true, 0);

  while (!arrived && virtual.now < 1e6) await sleep(1);

  clearTimeout(timer);
  assert(arrived);
});

testClean(
  "time goes on for what a task that ended has left behind",
  async ({ virtual }) => {
    const starter = createTask(() => ({ left: sleep(10, { value: "left" }) }));
    const { left } = await starter;

    assertEquals(await left, "left");
    assertEquals(virtual.now, 10);
  },
  { ioLimitMs: 20 },
);

testClean(
  "time goes on while a task awaits detached work",
  async ({ virtual }) => {
    const shared = detach(() => sleep(10, { value: "shared" }));
    const other = createTask(() => shared);

    assertEquals([await shared, await other], ["shared", "shared"]);
    assertEquals(virtual.now, 10);
  },
  { ioLimitMs: 20 },
);

Deno.test("a deadlock is reported with who waits for what", async () => {
  const error = await assertRejects(
    () =>
      runVirtual(async () => {
        const answer = new Future<void>({ name: "answer" });
        const queue = new Queue<number>();
        createTask(() => queue.get(), { name: "consumer" });
        const waiter = createTask(async () => await answer, { name: "waiter" });
        await sleep(5);
        await waiter;
      }),
    DeadlockError,
    "Cannot go on: a deadlock, or a source that was not registered",
  );

  const lines = error.message.split("\n").slice(1).map((line) => line.trim());
  assertEquals(lines.sort(), [
    'task "consumer" waits for an item of a queue',
    'task "main" waits for task "waiter"',
    'task "waiter" waits for future "answer"',
  ]);
});

Deno.test("a deadlock cancels what is parked, so that nothing is left behind", async () => {
  const log: string[] = [];
  const virtual = new VirtualLoop({ exceptionHandler: () => {} });

  await assertRejects(() =>
    virtual.run(async () => {
      try {
        await new Future<void>();
      } finally {
        await uncancellable(() => sleep(Infinity)).catch(() => {});
        log.push("cleanup");
      }
    }), DeadlockError);

  assertEquals(log, ["cleanup"]);
  assertEquals(leftoversAfter(virtual), []);
});

Deno.test("a task that ends with a deadlock elsewhere still reports it", async () => {
  await assertRejects(
    () =>
      runVirtual(() =>
        TaskGroup.run((group) => {
          group.createTask(() => new Future<void>());
          group.createTask(() => sleep(10));
        })
      ),
    DeadlockError,
  );
});

Deno.test("an idle timer does not keep a deadlock from being found", async () => {
  await assertRejects(
    () => runVirtual(() => sleep(10, { idle: true })),
    DeadlockError,
  );
});

Deno.test("sleep(Infinity) of all tasks is a deadlock", async () => {
  await assertRejects(() => runVirtual(() => sleep(Infinity)), DeadlockError);
});

Deno.test("a timeout keeps a wait from being a deadlock", async () => {
  await runVirtual(() =>
    assertRejects(() => timeout(5, () => new Future<void>()), TimeoutError)
  );
});

Deno.test("a hold is no deadlock: the clock stands until it is released", async () => {
  await runVirtual(async (virtual) => {
    const message = new Future<string>();
    const hold = getRunningLoop().hold("a message");
    setTimeout(() => {
      message.setResult("came");
      hold[Symbol.dispose]();
    }, 1);
    const sleeper = createTask(() => sleep(1000));

    assertEquals(await message, "came");

    assertEquals(virtual.now, 0);
    await sleeper;
  });
});

Deno.test("a hold that takes too long fails the run, by name", async () => {
  await assertRejects(
    () =>
      runVirtual(() => {
        getRunningLoop().hold("the slow disk");
        return sleep(10);
      }, { ioLimitMs: 5 }),
    DeadlockError,
    "Cannot go on: for 5 ms of real time the slow disk has not ended",
  );
});

Deno.test("abortable() that takes too long fails the run", async () => {
  await assertRejects(
    () => runVirtual(() => abortable(new Promise(() => {})), { ioLimitMs: 5 }),
    DeadlockError,
    "5 ms of real time",
  );
});

Deno.test("a task that awaits a bare promise for ever is named", async () => {
  await assertRejects(
    () =>
      runVirtual(async () => {
        const stuck = createTask(() => new Promise(() => {}), {
          name: "stuck",
        });
        await stuck;
      }, { ioLimitMs: 5 }),
    DeadlockError,
    'task "stuck" awaits something that the loop cannot see',
  );
});

Deno.test("a bare promise that a task awaits alone is waited for", async () => {
  await runVirtual(async (virtual) => {
    const other = createTask(() => sleep(1000));
    await nextMacrotask();
    assertEquals(virtual.now, 0);
    await other;
  });
});

Deno.test("a run cancels and awaits what main left behind", async () => {
  const log: string[] = [];
  const virtual = new VirtualLoop();

  await virtual.run(async () => {
    createTask(async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(10));
        log.push(`gone at ${virtual.now}`);
      }
    });
    await sleep(1);
  });

  assertEquals(log, ["gone at 11"]);
  assertEquals(leftoversAfter(virtual), []);
});

Deno.test("a run drops the callbacks that main has planned", async () => {
  const log: string[] = [];
  const virtual = new VirtualLoop();
  await virtual.run(() => {
    getRunningLoop().callLater(10, () => log.push("planned"));
  });

  await virtual.run(() => sleep(50));

  assertEquals(log, []);
});

Deno.test("reports go to the handler of the virtual loop", async () => {
  const reports: ExceptionContext[] = [];
  await runVirtual(() => {
    createTask(() => Promise.reject(new TypeError("lost")), { name: "lonely" });
    return sleep(1);
  }, { exceptionHandler: (context) => reports.push(context) });

  assertInstanceOf(reports[0]?.exception, TypeError);
  assertStringIncludes(reports[0].message, '"lonely"');
});

Deno.test("the order fifo brings all microtasks to rest after each step", async () => {
  const log: string[] = [];
  const steps = () => {
    const loop = getRunningLoop();
    for (const name of ["a", "b"]) {
      loop.callSoon(() => {
        log.push(name);
        queueMicrotask(() => log.push(`${name}'`));
      });
    }
    return sleep(1);
  };

  await runVirtual(steps, { order: "fifo" });

  assertEquals(log, ["a", "a'", "b", "b'"]);
});

Deno.test("the order fifo runs what was ready when the turn began, then timers", async () => {
  const log: string[] = [];
  await runVirtual(async (virtual) => {
    const loop = getRunningLoop();
    loop.callLater(1, () => log.push("timer"));
    loop.callSoon(() => {
      log.push("one");
      loop.callSoon(() => log.push("next turn"));
      virtual.advance(1);
    });
    loop.callSoon(() => log.push("two"));
    await sleep(5);
  }, { order: "fifo" });

  assertEquals(log.slice(0, 2), ["one", "two"]);
  assertEquals(log.slice(2).sort(), ["next turn", "timer"]);
});

Deno.test("the order fifo finds the same deadlock", async () => {
  await assertRejects(
    () => runVirtual(() => new Future<void>(), { order: "fifo" }),
    DeadlockError,
  );
});

Deno.test("the order fifo keeps time, cancellation and cleanup", async () => {
  const log: string[] = [];
  await runVirtual(async (virtual) => {
    await assertRejects(() =>
      timeout(5, async () => {
        try {
          await sleep(100);
        } finally {
          await uncancellable(() => sleep(5));
          log.push(`gone at ${virtual.now}`);
        }
      }), TimeoutError);
  }, { order: "fifo" });

  assertEquals(log, ["gone at 10"]);
});

Deno.test("a virtual loop does not touch the globals", async () => {
  const { setTimeout: before, Date: date } = globalThis;

  await runVirtual(async () => {
    assertStrictEquals(globalThis.setTimeout, before);
    assertStrictEquals(globalThis.Date, date);
    await sleep(1);
  });
});

Deno.test("two virtual loops keep their own time", async () => {
  const one = new VirtualLoop();
  const two = new VirtualLoop();

  await Promise.all([one.run(() => sleep(5)), two.run(() => sleep(7))]);

  assertEquals([one.now, two.now], [5, 7]);
});

Deno.test("main runs as a task in the scope of that task", async () => {
  const names = await runVirtual(() => [
    currentTask()?.name,
    currentScope().name,
  ]);

  assertEquals(names, ["main", "main"]);
});

Deno.test("promises from inside let virtual time go on", async () => {
  const shared = () => detach(() => sleep(20, { value: "config" }));

  await runVirtual(async (virtual) => {
    assertEquals(await abortable(shared()), "config");
    assertEquals(await gather([sleep(20, { value: 1 })]), [1]);
    assertEquals(virtual.now, 40);
  }, { promises: "inside" });
});

Deno.test("promises from inside do not hide what io waits for", async () => {
  await runVirtual(async (virtual) => {
    const parcel = Promise.withResolvers<void>();
    const arrived = new Future<void>();
    const hold = getRunningLoop().hold("a parcel");
    setTimeout(() => {
      arrived.setResult();
      hold[Symbol.dispose]();
      parcel.resolve();
    }, 1);
    const late = createTask(() => sleep(1000));
    await arrived;
    assertEquals(virtual.now, 0);
    late.cancel();
    await parcel.promise;
  }, { promises: "inside" });
});

Deno.test("VirtualLoop.run() fails on a deadlock, even if main swallows that", async () => {
  await assertRejects(
    () =>
      runVirtual(async () => {
        await new Future<void>().then(undefined, () => {});
        return "all is well";
      }),
    DeadlockError,
  );
});

Deno.test("VirtualLoop.run() leaves no watchdog for a hold that stays", async () => {
  await runVirtual(() => {
    getRunningLoop().hold("a parcel");
  });
});
