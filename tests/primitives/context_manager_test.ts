import {
  type AsyncContextManager,
  asyncContextManager,
  ContextExitError,
  type ContextFailure,
  withContext,
} from "@ilmek/async/context-manager";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { explore } from "@ilmek/async/explore";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { Timer } from "@ilmek/async/timer";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";

/** A manager that tells what happens to it, and takes 10 ms to leave. */
function telling(log: string[]) {
  return asyncContextManager(async function* telling(name: string) {
    log.push(`enter ${name}`);
    try {
      yield name;
      log.push(`success ${name}`);
    } finally {
      await sleep(10);
      log.push(`leave ${name}`);
    }
  });
}

testClean("use() gives what its body returns", async () => {
  const log: string[] = [];

  const result = await telling(log)("a").use((name) => {
    log.push(`body ${name}`);
    return sleep(1, { value: 7 });
  });

  assertEquals(result, 7);
  assertEquals(log, ["enter a", "body a", "success a", "leave a"]);
});

testClean("use() throws an error of the body in at the yield", async () => {
  const log: unknown[] = [];
  const error = new RangeError("body");
  const manager = asyncContextManager(async function* () {
    try {
      yield;
    } catch (caught) {
      log.push(caught);
      throw caught;
    }
  });

  const thrown = await assertRejects(() =>
    manager().use(() => Promise.reject(error))
  );

  assertStrictEquals(thrown, error);
  assertStrictEquals(log[0], error);
});

testClean("use() swallows an error that the generator catches", async () => {
  const manager = asyncContextManager(async function* () {
    try {
      yield;
    } catch {
      // Swallowed.
    }
  });

  const result = await manager().use(() => {
    throw new RangeError("body");
  });

  assertEquals(result, undefined);
});

testClean("use() swallows nothing in a finally block", async () => {
  const manager = asyncContextManager(async function* () {
    try {
      yield;
    } finally {
      await sleep(1);
    }
  });

  await assertRejects(() =>
    manager().use(() => {
      throw new RangeError("body");
    }), RangeError);
});

testClean("use() passes on whatever was thrown", async () => {
  for (const thrown of [undefined, null, "text", 0]) {
    const seen: unknown[] = [];
    const manager = asyncContextManager(async function* () {
      try {
        yield;
      } catch (error) {
        seen.push(error);
        throw error;
      }
    });

    let caught: unknown = "nothing";
    await manager().use(() => Promise.reject(thrown)).catch((error) => {
      caught = error;
    });

    assertStrictEquals(caught, thrown);
    assertEquals(seen, [thrown]);
  }
});

testClean(
  "use() gives an error that names the body's as its cause",
  async () => {
    const error = new RangeError("body");
    const manager = asyncContextManager(async function* () {
      try {
        yield;
      } catch (cause) {
        throw new TypeError("translated", { cause });
      }
    });

    const thrown = await assertRejects(
      () => manager().use(() => Promise.reject(error)),
      TypeError,
    );

    assertStrictEquals(thrown.cause, error);
  },
);

testClean(
  "use() loses neither the body's error nor that of the exit",
  async () => {
    const body = new RangeError("body");
    const exit = new TypeError("exit");
    const manager = asyncContextManager(async function* pool() {
      try {
        yield;
      } finally {
        await Promise.reject(exit);
      }
    });

    const thrown = await assertRejects(
      () => manager().use(() => Promise.reject(body)),
      ContextExitError,
      'Cannot leave "pool": 2 errors came up',
    );

    assertEquals(thrown.errors, [body, exit]);
    assertStrictEquals(thrown.cause, body);
  },
);

testClean("use() refuses a generator that does not yield", async () => {
  const manager = asyncContextManager(async function* empty() {});

  await assertRejects(
    () => manager().use(() => {}),
    InvalidStateError,
    'Cannot enter "empty": its generator ended without a yield',
  );
});

testClean(
  "use() refuses a generator that yields twice, and closes it",
  async () => {
    const log: string[] = [];
    const manager = asyncContextManager(async function* twice() {
      try {
        yield 1;
        yield 2;
      } finally {
        log.push("closed");
      }
    });

    await assertRejects(
      () => manager().use(() => {}),
      InvalidStateError,
      'Cannot leave "twice": its generator yielded a second time',
    );
    assertEquals(log, ["closed"]);
  },
);

testClean(
  "use() keeps the body's error if the generator yields twice",
  async () => {
    const body = new RangeError("body");
    const manager = asyncContextManager(async function* () {
      try {
        yield 1;
      } catch {
        yield 2;
      }
    });

    const thrown = await assertRejects(
      () => manager().use(() => Promise.reject(body)),
      ContextExitError,
    );

    assertStrictEquals(thrown.errors[0], body);
    assert(thrown.errors[1] instanceof InvalidStateError);
  },
);

testClean("use() does not run its body if it cannot enter", async () => {
  const log: string[] = [];
  const manager = asyncContextManager(async function* () {
    log.push("enter");
    await Promise.reject(new RangeError("no"));
    yield;
    log.push("leave");
  });

  await assertRejects(() => manager().use(() => log.push("body")), RangeError);

  assertEquals(log, ["enter"]);
});

testClean("each use() has an entry of its own", async () => {
  const log: string[] = [];
  const manager = telling(log)("a");

  const tasks = [1, 2].map((id) =>
    createTask(() => manager.use(() => sleep(id * 5, { value: id })))
  );

  assertEquals([await tasks[0], await tasks[1]], [1, 2]);
  assertEquals(log.filter((line) => line === "leave a").length, 2);
});

testClean(
  "the exit may wait when the body was cancelled",
  async ({ virtual }) => {
    const log: string[] = [];
    const task = createTask(() =>
      telling(log)("a").use(async () => {
        await sleep(100);
      })
    );
    await sleep(5);

    task.cancel();
    await assertRejects(() => task, CancelledError);

    assertEquals(log, ["enter a", "leave a"]);
    assertEquals(virtual.now, 15);
  },
);

testClean(
  "the exit is not cut short by a cancellation that comes meanwhile",
  async ({ virtual }) => {
    const log: string[] = [];
    const task = createTask(() => telling(log)("a").use(() => sleep(5)));
    await sleep(8);

    task.cancel();
    await task.outcome();

    assertEquals(log, ["enter a", "success a", "leave a"]);
    assertEquals(virtual.now, 15);
  },
);

testClean(
  "the exit is cancelled when its grace is over, and reported",
  async ({ reports, virtual }) => {
    const stuck = asyncContextManager(async function* stuck() {
      try {
        yield;
      } finally {
        await sleep(Infinity);
      }
    }, { graceMs: 20 });
    const task = createTask(() => stuck().use(() => sleep(100)));
    await sleep(5);

    task.cancel();
    await assertRejects(() => task, CancelledError);

    assertEquals(virtual.now, 25);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "stuck": its grace of 20 ms is over',
    ]);
  },
);

testClean(
  "a cancellation while it enters runs no exit",
  async ({ virtual }) => {
    const log: string[] = [];
    const manager = asyncContextManager(async function* () {
      log.push("enter");
      await sleep(100);
      yield;
      log.push("leave");
    });
    const task = createTask(() => manager().use(() => log.push("body")));
    await sleep(5);

    task.cancel();
    await assertRejects(() => task, CancelledError);

    assertEquals(log, ["enter"]);
    assertEquals(virtual.now, 5);
  },
);

testClean("nothing is entered in a cancelled scope", async () => {
  const log: string[] = [];
  const manager = telling(log)("a");

  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => manager.use(() => {}), CancelledError);
    await assertRejects(() => manager.enter(), CancelledError);
    await assertRejects(() => withContext(manager, () => {}), CancelledError);
  });

  assertEquals(log, []);
});

testClean("use() under a timeout leaves, and the limit is told", async () => {
  const log: string[] = [];

  await assertRejects(
    () => timeout(5, () => telling(log)("a").use(() => sleep(100))),
    TimeoutError,
  );

  assertEquals(log, ["enter a", "leave a"]);
});

testClean(
  "the body and the exit run in the context of the caller",
  async () => {
    const user = new ContextVar<string>("user");
    const seen: unknown[] = [];
    const manager = asyncContextManager(async function* () {
      seen.push(user.get());
      yield;
      seen.push(user.get());
    });
    const use = async (name: string) => {
      user.set(name);
      await manager().use(() => seen.push(user.get()));
    };

    await gather([() => use("ada"), () => use("bob")]);

    assertEquals(seen.toSorted(), ["ada", "ada", "ada", "bob", "bob", "bob"]);
  },
);

testClean("the body may be cancelled, the exit not", async () => {
  const seen: boolean[] = [];
  const manager = asyncContextManager(async function* () {
    try {
      yield;
    } finally {
      seen.push(currentScope().cancelled);
    }
  });

  await withScope(async (scope) => {
    await manager().use(() => {
      scope.cancel();
      seen.push(currentScope().cancelled);
    });
  });

  assertEquals(seen, [true, false]);
});

testClean("enter() is for await using, and tells of no error", async () => {
  const log: string[] = [];

  await assertRejects(async () => {
    await using entered = await telling(log)("a").enter();
    log.push(entered.value);
    throw new RangeError("body");
  }, RangeError);

  assertEquals(log, ["enter a", "a", "success a", "leave a"]);
});

testClean(
  "an entered generator is left once, however often it is told",
  async () => {
    const log: string[] = [];
    const entered = await telling(log)("a").enter();

    const [first, second] = [entered.exit(), entered.exit()];
    await entered[Symbol.asyncDispose]();

    assertEquals([await first, await second], [false, false]);
    assertEquals(log, ["enter a", "success a", "leave a"]);
  },
);

testClean(
  "another task may wait until a generator was left",
  async ({ virtual }) => {
    const log: string[] = [];
    const entered = await telling(log)("a").enter();
    const leaving = createTask(() => entered.exit());
    await sleep(5);

    await entered[Symbol.asyncDispose]();
    await leaving;

    assertEquals(virtual.now, 10);
    assertEquals(log.at(-1), "leave a");
  },
);

testClean("asyncContextManager() refuses bad arguments", async () => {
  assertThrows(
    () => asyncContextManager(1 as never),
    TypeError,
    'Cannot make a context manager as "fn" must be a function: current value is 1',
  );
  assertThrows(
    () => asyncContextManager(async function* () {}, { graceMs: -1 }),
    RangeError,
    '"graceMs" must be a number >= 0',
  );
  await assertRejects(
    () => asyncContextManager((() => 1) as never)().enter(),
    TypeError,
    'as "fn" must be a generator function: it gave 1',
  );
  await assertRejects(
    () => asyncContextManager(async function* () {})().use(1 as never),
    TypeError,
    'Cannot use a context as "fn" must be a function',
  );
});

testClean("withContext() takes a manager that is written by hand", async () => {
  const seen: (ContextFailure | undefined)[] = [];
  const manager: AsyncContextManager<string> = {
    enter: () => ({ value: "v", exit: (failure) => void seen.push(failure) }),
  };
  const error = new RangeError("body");

  assertEquals(await withContext(manager, (value) => value), "v");
  await assertRejects(
    () => withContext(manager, () => Promise.reject(error)),
    RangeError,
  );

  assertEquals(seen, [undefined, { error }]);
});

testClean(
  "withContext() swallows if the exit gives true, and for nothing else",
  async () => {
    for (const given of [true, 1, "yes", {}, false, undefined]) {
      const manager = {
        enter: () => ({ value: 1, exit: () => given as boolean }),
      };
      const failing = () =>
        withContext(manager, () => {
          throw new RangeError("body");
        });

      if (given === true) assertEquals(await failing(), undefined);
      else await assertRejects(failing, RangeError);
    }
  },
);

testClean(
  "withContext() keeps the value if the exit gives true without a failure",
  async () => {
    const manager = { enter: () => ({ value: 1, exit: () => true }) };

    assertEquals(await withContext(manager, (value) => value), 1);
  },
);

testClean(
  "withContext() lets the exit of a hand-written manager wait",
  async ({ virtual }) => {
    const manager = {
      enter: () => ({ value: 1, exit: () => sleep(10) }),
    };
    const task = createTask(() => withContext(manager, () => sleep(100)));
    await sleep(5);

    task.cancel();
    await assertRejects(() => task, CancelledError);

    assertEquals(virtual.now, 15);
  },
);

testClean(
  "withContext() takes what is disposable, which swallows nothing",
  async () => {
    const log: string[] = [];
    const asyncOne = {
      [Symbol.asyncDispose]: async () => {
        await sleep(1);
        log.push("async");
        return true as never;
      },
    };
    const syncOne = { [Symbol.dispose]: () => void log.push("sync") };

    assertStrictEquals(await withContext(asyncOne, (it) => it), asyncOne);
    assertStrictEquals(await withContext(syncOne, (it) => it), syncOne);
    await assertRejects(
      () =>
        withContext(asyncOne, () => {
          throw new RangeError("body");
        }),
      RangeError,
    );

    assertEquals(log, ["async", "sync", "async"]);
  },
);

testClean("withContext() measures with a Timer", async () => {
  let took = 0;

  await withContext(
    new Timer("nap", { onStop: (ms) => took = ms }),
    () => sleep(20),
  );

  assertEquals(took, 20);
});

testClean("withContext() refuses bad arguments", async () => {
  for (const bad of [1, null, undefined, {}, "text"]) {
    await assertRejects(
      () => withContext(bad as never, () => {}),
      TypeError,
      'Cannot enter a context as "manager" must have "enter" or be disposable',
    );
  }
  const manager = { enter: () => ({ value: 1, exit: () => {} }) };
  await assertRejects(
    () => withContext(manager, 1 as never),
    TypeError,
    'Cannot enter a context as "fn" must be a function',
  );
  await assertRejects(
    () => withContext(manager, () => {}, { graceMs: NaN }),
    RangeError,
  );
});

Deno.test("a manager that is entered is left in every interleaving", async () => {
  await explore(async () => {
    const log: string[] = [];
    const task = createTask(() =>
      telling(log)("a").use(async () => {
        await sleep(5);
        await sleep(5);
      })
    );
    const killer = createTask(async () => {
      await sleep(5);
      task.cancel();
    });
    await task.outcome();
    await killer;

    assertEquals(log[0] === "enter a", log.at(-1) === "leave a");
  });
});
