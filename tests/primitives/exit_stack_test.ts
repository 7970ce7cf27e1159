import { asyncContextManager, withContext } from "@ilmek/async/context-manager";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
} from "@ilmek/async/errors";
import {
  AsyncExitStack,
  ContextExitError,
  type ContextFailure,
} from "@ilmek/async/exit-stack";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";

testClean("AsyncExitStack.run() runs exits in reverse order", async () => {
  const log: string[] = [];

  const result = await AsyncExitStack.run((stack) => {
    for (const name of ["a", "b", "c"]) {
      stack.callback((text) => void log.push(text), name);
    }
    return sleep(1, { value: "result" });
  });

  assertEquals(log, ["c", "b", "a"]);
  assertEquals(result, "result");
});

testClean(
  "AsyncExitStack.run() waits for each exit before the next",
  async ({ virtual }) => {
    const log: string[] = [];

    await AsyncExitStack.run((stack) => {
      stack.callback(() => void log.push(`a at ${virtual.now}`));
      stack.callback(() => sleep(10));
      stack.push(() => sleep(5));
    });

    assertEquals(log, ["a at 15"]);
  },
);

testClean("an exit sees what the body has thrown", async () => {
  const error = new RangeError("body");
  const seen: (ContextFailure | undefined)[] = [];

  const thrown = await assertRejects(() =>
    AsyncExitStack.run((stack) => {
      stack.push((failure) => void seen.push(failure));
      throw error;
    })
  );
  await AsyncExitStack.run((stack) => {
    stack.push((failure) => void seen.push(failure));
  });

  assertStrictEquals(thrown, error);
  assertEquals(seen, [{ error }, undefined]);
});

testClean("an exit that gives true swallows all that came before", async () => {
  const seen: (ContextFailure | undefined)[] = [];

  const result = await AsyncExitStack.run((stack) => {
    stack.push((failure) => void seen.push(failure));
    stack.push(() => true);
    stack.push(() => {
      throw new TypeError("exit");
    });
    throw new RangeError("body");
  });

  assertEquals(result, undefined);
  assertEquals(seen, [undefined]);
});

testClean(
  "an exit that gives true with nothing to swallow keeps the value",
  async () => {
    const result = await AsyncExitStack.run((stack) => {
      stack.push(() => true);
      return 7;
    });

    assertEquals(result, 7);
  },
);

testClean("an exit that fails is what the next one sees", async () => {
  const body = new RangeError("body");
  const exit = new TypeError("exit");
  const seen: unknown[] = [];

  const thrown = await assertRejects(
    () =>
      AsyncExitStack.run((stack) => {
        stack.push((failure) => void seen.push(failure?.error));
        stack.push(() => Promise.reject(exit));
        stack.push((failure) => void seen.push(failure?.error));
        throw body;
      }, { name: "startup" }),
    ContextExitError,
    'Cannot leave "startup": 2 errors came up',
  );

  assertEquals(seen, [body, exit]);
  assertEquals(thrown.errors, [body, exit]);
});

testClean("all exits run, and one failure comes out as it is", async () => {
  const log: string[] = [];
  const error = new TypeError("exit");

  const thrown = await assertRejects(() =>
    AsyncExitStack.run((stack) => {
      stack.callback(() => void log.push("a"));
      stack.callback(() => {
        throw error;
      });
      stack.callback(() => void log.push("c"));
    })
  );

  assertStrictEquals(thrown, error);
  assertEquals(log, ["c", "a"]);
});

testClean("an exit that throws what it saw adds nothing", async () => {
  const body = new RangeError("body");

  const thrown = await assertRejects(() =>
    AsyncExitStack.run((stack) => {
      stack.push((failure) => Promise.reject(failure?.error));
      throw body;
    })
  );

  assertStrictEquals(thrown, body);
});

testClean(
  "an error that names the latest as its cause replaces it",
  async () => {
    const body = new RangeError("body");

    const thrown = await assertRejects(() =>
      AsyncExitStack.run((stack) => {
        stack.push((failure) => {
          throw new TypeError("new", { cause: failure?.error });
        });
        throw body;
      }), TypeError);

    assertStrictEquals(thrown.cause, body);
  },
);

testClean("errors of 100,000 exits are gathered in one list", async () => {
  const count = 100_000;

  const thrown = await assertRejects(() =>
    AsyncExitStack.run((stack) => {
      for (let i = 0; i < count; i++) {
        stack.push(() => {
          throw i;
        });
      }
    }), ContextExitError);

  assertEquals(thrown.errors.length, count);
  assertEquals(thrown.errors[0], count - 1);
  assertEquals(thrown.errors.at(-1), 0);
});

testClean(
  "each exit may wait when the body was cancelled",
  async ({ virtual }) => {
    const log: string[] = [];
    const task = createTask(() =>
      AsyncExitStack.run(async (stack) => {
        for (const name of ["a", "b"]) {
          stack.callback(async () => {
            await sleep(10);
            log.push(name);
          });
        }
        await sleep(100);
      })
    );
    await sleep(5);

    task.cancel();
    const error = await assertRejects(() => task, CancelledError);

    assertStrictEquals(
      error,
      (await task.outcome() as { error: unknown }).error,
    );
    assertEquals(log, ["b", "a"]);
    assertEquals(virtual.now, 25);
  },
);

testClean("each exit has a grace of its own", async ({ reports, virtual }) => {
  const log: string[] = [];
  const task = createTask(() =>
    AsyncExitStack.run(async (stack) => {
      stack.callback(async () => {
        await sleep(15);
        log.push("a");
      });
      stack.callback(() => sleep(Infinity));
      await sleep(100);
    }, { graceMs: 20, name: "stack" })
  );
  await sleep(5);

  task.cancel();
  await assertRejects(() => task, CancelledError);

  assertEquals(log, ["a"]);
  assertEquals(virtual.now, 40);
  assertEquals(takeMessages(reports), [
    'Cannot wait longer for the cleanup "stack": its grace of 20 ms is over',
  ]);
});

testClean(
  "enterAsyncContext() gives what a manager gives, and leaves it",
  async () => {
    const log: string[] = [];
    const resource = asyncContextManager(async function* (name: string) {
      try {
        yield name;
      } catch (error) {
        log.push(`${name} saw ${error}`);
        throw error;
      } finally {
        log.push(`${name} left`);
      }
    });

    await assertRejects(() =>
      AsyncExitStack.run(async (stack) => {
        log.push(await stack.enterAsyncContext(resource("a")));
        log.push(await stack.enterAsyncContext(resource("b")));
        throw new RangeError("body");
      }), RangeError);

    assertEquals(log, [
      "a",
      "b",
      "b saw RangeError: body",
      "b left",
      "a saw RangeError: body",
      "a left",
    ]);
  },
);

testClean("enterAsyncContext() takes what is disposable", async () => {
  const log: string[] = [];
  const asyncOne = {
    [Symbol.asyncDispose]: () => sleep(1).then(() => void log.push("async")),
  };
  const syncOne = { [Symbol.dispose]: () => void log.push("sync") };

  await AsyncExitStack.run(async (stack) => {
    assertStrictEquals(await stack.enterAsyncContext(asyncOne), asyncOne);
    assertStrictEquals(await stack.enterAsyncContext(syncOne), syncOne);
  });

  assertEquals(log, ["sync", "async"]);
});

testClean(
  "enterAsyncContext() that fails leaves what was entered before",
  async () => {
    const log: string[] = [];
    const failing = asyncContextManager(async function* () {
      await Promise.reject(new RangeError("no"));
      yield;
    });

    await assertRejects(() =>
      AsyncExitStack.run(async (stack) => {
        stack.callback(() => void log.push("left"));
        await stack.enterAsyncContext(failing());
      }), RangeError);

    assertEquals(log, ["left"]);
  },
);

testClean(
  "enterAsyncContext() enters nothing in a cancelled scope",
  async () => {
    let entered = false;
    const manager = {
      enter: () => {
        entered = true;
        return { value: 1, exit: () => {} };
      },
    };

    await using stack = new AsyncExitStack();
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(
        () => stack.enterAsyncContext(manager),
        CancelledError,
      );
    });

    assertFalse(entered);
    assertEquals(stack.size, 0);
  },
);

testClean(
  "what is entered while the stack closes is left at once",
  async () => {
    const log: string[] = [];
    const slow = asyncContextManager(async function* () {
      await sleep(10);
      yield;
      log.push("left");
    });
    const stack = new AsyncExitStack();
    const entering = createTask(() => stack.enterAsyncContext(slow()));
    await sleep(5);

    await stack.aclose();
    await assertRejects(
      () => entering,
      InvalidStateError,
      "Cannot keep a context: the stack was closed",
    );

    assertEquals(log, ["left"]);
  },
);

testClean("an exit may push another, which runs next", async () => {
  const log: string[] = [];

  await AsyncExitStack.run((stack) => {
    stack.callback(() => void log.push("first"));
    stack.callback(() => {
      log.push("last");
      stack.callback(() => void log.push("pushed"));
    });
  });

  assertEquals(log, ["last", "pushed", "first"]);
});

testClean("popAll() moves the exits to a new stack", async () => {
  const log: string[] = [];
  const stack = new AsyncExitStack();
  stack.callback(() => void log.push("a"));
  assertEquals(stack.size, 1);

  const moved = stack.popAll();
  stack.callback(() => void log.push("later"));
  await stack.aclose();

  assertEquals(log, ["later"]);
  await moved.aclose();
  assertEquals(log, ["later", "a"]);
});

testClean(
  "aclose() runs exits once, and whoever comes later waits for them",
  async ({ virtual }) => {
    let count = 0;
    const stack = new AsyncExitStack();
    stack.callback(async () => {
      count++;
      await sleep(10);
    });

    const first = stack.aclose();
    assertFalse(stack.closed);
    await stack.aclose();

    assertEquals(virtual.now, 10);
    assert(stack.closed);
    await first;
    await stack[Symbol.asyncDispose]();
    assertEquals(count, 1);
  },
);

testClean("an exit that closes its own stack is refused", async () => {
  const stack = new AsyncExitStack();
  const other = new AsyncExitStack();
  stack.callback(() => other.aclose());
  stack.callback(() => stack.aclose());

  await assertRejects(
    () => stack.aclose(),
    DeadlockError,
    "Cannot close the stack: it is being closed, and waits for this exit",
  );
  assert(stack.closed && other.closed);
});

testClean(
  "another task may wait until the stack is closed",
  async ({ virtual }) => {
    const stack = new AsyncExitStack();
    stack.callback(() => sleep(10));
    const closing = createTask(() => stack.aclose());
    await sleep(5);

    await stack.aclose();
    await closing;

    assertEquals(virtual.now, 10);
  },
);

testClean("await using closes the stack, and tells of no error", async () => {
  const seen: (ContextFailure | undefined)[] = [];

  await assertRejects(async () => {
    await using stack = new AsyncExitStack();
    stack.push((failure) => void seen.push(failure));
    throw new RangeError("body");
  }, RangeError);

  assertEquals(seen, [undefined]);
});

testClean(
  "a stack is a context that tells its exits of the failure",
  async () => {
    const seen: unknown[] = [];
    const inner = new AsyncExitStack();
    inner.push((failure) => {
      seen.push(failure?.error);
      return true;
    });

    const result = await withContext(inner, () => Promise.reject("body"));

    assertEquals(result, undefined);
    assertEquals(seen, ["body"]);
  },
);

testClean("a stack in a stack swallows only its own part", async () => {
  const seen: unknown[] = [];

  await AsyncExitStack.run(async (outer) => {
    outer.push((failure) => void seen.push(failure));
    const inner = await outer.enterAsyncContext(new AsyncExitStack());
    inner.push(() => true);
    throw new RangeError("body");
  });

  assertEquals(seen, [undefined]);
});

testClean("a stack that was closed refuses more", async () => {
  const stack = new AsyncExitStack();
  await stack.aclose();

  for (
    const [doing, call] of [
      ["push an exit", () => stack.push(() => {})],
      ["push a callback", () => stack.callback(() => {})],
      ["move exits", () => stack.popAll()],
      ["enter a context", () => stack.enter()],
    ] as const
  ) {
    assertThrows(
      call,
      InvalidStateError,
      `Cannot ${doing}: the stack was closed`,
    );
  }
  await assertRejects(
    () => stack.enterAsyncContext({ [Symbol.dispose]: () => {} }),
    InvalidStateError,
  );
});

testClean("AsyncExitStack refuses bad arguments", async () => {
  assertThrows(
    () => new AsyncExitStack({ graceMs: -1 }),
    RangeError,
    'Cannot create an exit stack as "graceMs" must be a number >= 0',
  );
  await using stack = new AsyncExitStack();
  assertThrows(
    () => stack.push(1 as never),
    TypeError,
    'Cannot push an exit as "exit" must be a function',
  );
  assertThrows(
    () => stack.callback(1 as never),
    TypeError,
    'Cannot push a callback as "fn" must be a function',
  );
  await assertRejects(
    () => stack.enterAsyncContext(1 as never),
    TypeError,
    'as "manager" must have "enter" or be disposable',
  );
  await assertRejects(
    () => AsyncExitStack.run(1 as never),
    TypeError,
    'Cannot run an exit stack as "fn" must be a function',
  );
});

Deno.test("wherever it is cancelled, what was entered is left once", async () => {
  await cancelSweep(async (sweep) => {
    let open = 0;
    let entered = 0;
    const resource = asyncContextManager(async function* () {
      await sleep(1);
      open++;
      entered++;
      try {
        yield;
      } finally {
        await sleep(1);
        open--;
      }
    });
    await sweep.target(() =>
      AsyncExitStack.run(async (stack) => {
        await stack.enterAsyncContext(resource());
        stack.callback(() => sleep(1));
        await stack.enterAsyncContext(resource());
        await sleep(1);
      })
    );

    assertEquals(open, 0);
    assert(entered <= 2);
  });
});

testClean("a stack does what its model does", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomOf(seed);
  for (let round = 0; round < 300; round++) {
    const exits = Array.from(
      { length: Math.floor(random() * 8) },
      () => ["pass", "swallow", "throw"][Math.floor(random() * 3)] as Doing,
    );
    const fails = random() < 0.5;

    assertEquals(
      await unwind(exits, { fails }),
      model(exits, { fails }),
      exits.join(),
    );
  }
});

type Doing = "pass" | "swallow" | "throw";

async function unwind(
  exits: readonly Doing[],
  { fails }: { fails: boolean },
): Promise<{ seen: unknown[]; left: unknown[] }> {
  const seen: unknown[] = [];
  let left: unknown[] = [];
  try {
    await AsyncExitStack.run((stack) => {
      for (const [i, doing] of exits.entries()) {
        stack.push(async (failure) => {
          seen.push(failure?.error);
          if (i % 2 === 0) await sleep(1);
          if (doing === "throw") throw `exit ${i}`;
          return doing === "swallow";
        });
      }
      return fails ? Promise.reject("body") : undefined;
    });
  } catch (error) {
    left = error instanceof ContextExitError ? error.errors : [error];
  }
  return { seen, left };
}

function model(
  exits: readonly Doing[],
  { fails }: { fails: boolean },
): { seen: unknown[]; left: unknown[] } {
  const seen: unknown[] = [];
  let left: unknown[] = fails ? ["body"] : [];
  for (const [i, doing] of [...exits.entries()].reverse()) {
    seen.push(left.at(-1));
    if (doing === "swallow") left = [];
    if (doing === "throw") left = [...left, `exit ${i}`];
  }
  return { seen, left };
}

/** Mulberry32, by Tommy Ettinger. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

testClean(
  "AsyncExitStack.run() keeps the error of a body that has closed the stack",
  async () => {
    const log: string[] = [];
    await assertRejects(
      () =>
        AsyncExitStack.run(async (stack) => {
          stack.push((failure) => void log.push(String(failure?.error)));
          await stack.aclose();
          throw new RangeError("body");
        }),
      RangeError,
      "body",
    );

    assertEquals(log, ["undefined"]);
  },
);

testClean(
  "AsyncExitStack.run() throws the error of a body beside that of its aclose()",
  async () => {
    const error = await assertRejects(
      () =>
        AsyncExitStack.run((stack) => {
          stack.push(() => {
            throw new TypeError("exit");
          });
          stack.aclose().catch(() => {});
          throw new RangeError("body");
        }),
      ContextExitError,
    );

    assertEquals(error.errors.map(String), [
      "RangeError: body",
      "TypeError: exit",
    ]);
  },
);
