import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertInstanceOf,
  assertMatch,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { currentScope, currentSignal, withScope } from "@ilmek/async/scope";
import type { Scope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/errors";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { wait } from "@ilmek/async/wait";
import { takeMessages, testClean } from "../_leaks.ts";

/** Opens a scope in a task of its own, which waits in it for ever. */
function openScope(): { scope: Scope; task: ReturnType<typeof createTask> } {
  let inner: Scope | undefined;
  const task = createTask(
    () =>
      withScope((scope) => {
        inner = scope;
        return sleep(Infinity);
      }),
    { eager: true },
  );
  assert(inner !== undefined);
  return { scope: inner, task };
}

/** Counts the abort listeners of a signal. */
function countListeners(signal: AbortSignal): { now: number; most: number } {
  const count = { now: 0, most: 0 };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count.most = Math.max(count.most, ++count.now);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (
    ...args: Parameters<typeof removeEventListener>
  ) => {
    count.now--;
    removeEventListener.apply(signal, args);
  };
  return count;
}

testClean("withScope() returns what its function returns", async () => {
  assertEquals(await withScope(() => 1), 1);
  assertEquals(await withScope(() => sleep(1, { value: 2 })), 2);
});

testClean("withScope() throws what its function throws", async () => {
  const error = new TypeError("wrong");

  const sync = await assertRejects(() =>
    withScope(() => {
      throw error;
    })
  );
  const later = await assertRejects(() =>
    withScope(async () => {
      await sleep(1);
      throw error;
    })
  );

  assertStrictEquals(sync, error);
  assertStrictEquals(later, error);
});

testClean("withScope() rejects anything but a function", async () => {
  await assertRejects(
    () => withScope(1 as never),
    TypeError,
    'Cannot open a scope as "fn" must be a function: current value is 1',
  );
  await assertRejects(
    () => withScope(Promise.resolve() as never),
    TypeError,
    "pass the function, not what it returned",
  );
});

testClean("withScope() rejects a deadline that is no length", async () => {
  const open = (deadlineMs: number) => withScope(() => {}, { deadlineMs });

  await assertRejects(
    () => open(-1),
    RangeError,
    'Cannot open a scope as "deadlineMs" must be a number >= 0: current value is -1',
  );
  await assertRejects(() => open(NaN), RangeError, "current value is NaN");
  await assertRejects(() => open("5" as never), TypeError, '"5"');
});

testClean("withScope() takes a Temporal.Duration as deadline", async () => {
  const deadlineMs = Temporal.Duration.from({ seconds: 2 });

  await withScope((scope) => assertEquals(scope.remainingMs, 2000), {
    deadlineMs,
  });
});

testClean("withScope() makes its scope the ambient one", async () => {
  await withScope(async (scope) => {
    assertEquals(currentScope().name, "mine");

    await sleep(1);

    assertEquals(currentScope().name, "mine");
    assertEquals(scope.name, "mine");
  }, { name: "mine" });

  assertEquals(currentScope().name, "main");
});

testClean("withScope() does not change the scope of its caller", async () => {
  const opened = withScope(() => sleep(1), { name: "inner" });

  assertEquals(currentScope().name, "main");
  await opened;
});

testClean(
  "Scope.cancel() ends a wait with the one CancelledError",
  async () => {
    const { scope, task } = openScope();
    await sleep(1);

    assert(scope.cancel("enough"));
    const error = await assertRejects(() => task, CancelledError);

    assertStrictEquals(error, scope.error);
    assertEquals(error.reason, "enough");
  },
);

testClean("Scope.cancel() throws the same error at every wait", async () => {
  await withScope(async (scope) => {
    const pending = new Future<void>();
    const other = createTask(() => sleep(1), { scope: "current" });
    scope.cancel();

    const waits = [
      () => sleep(0),
      () => sleep(1),
      () => sleep(Infinity),
      () => checkpoint(),
      () => pending,
      () => wait([other]),
    ];
    for (const start of waits) {
      assertStrictEquals(await assertRejects(start), scope.error);
    }
  });
});

testClean("Scope.cancel() leaves alone what does not wait", async () => {
  const log: string[] = [];

  await withScope(async (scope) => {
    scope.cancel();
    log.push("after cancel");
    await null;
    log.push("after a bare await");
  });

  assertEquals(log, ["after cancel", "after a bare await"]);
});

testClean("Scope.cancel() counts the first time only", async () => {
  const { scope, task } = openScope();

  assertEquals([scope.cancel("one"), scope.cancel("two")], [true, false]);

  const error = await assertRejects(() => task, CancelledError);
  assertEquals(error.reason, "one");
});

testClean("Scope.cancel() returns false once the scope has ended", async () => {
  const scope = await withScope((scope) => [scope]);

  assertFalse(scope[0]?.cancel());
  assertFalse(scope[0]?.cancelled);
});

testClean("withScope() gives the value although it was cancelled", async () => {
  const value = await withScope((scope) => {
    scope.cancel();
    return "value";
  });

  assertEquals(value, "value");
});

testClean(
  "withScope() lets another error win over its cancellation",
  async () => {
    const error = new TypeError("cleanup failed");

    const thrown = await assertRejects(() =>
      withScope(async (scope) => {
        scope.cancel();
        await sleep(1).catch(() => {
          throw error;
        });
      })
    );

    assertStrictEquals(thrown, error);
  },
);

testClean("Scope.cancel() does not reach the scope above", async () => {
  await withScope(async (outer) => {
    await assertRejects(
      () =>
        withScope((inner) => {
          inner.cancel();
          return sleep(1);
        }),
      CancelledError,
    );

    await sleep(1);
    assertFalse(outer.cancelled);
    assertEquals(outer.error, undefined);
  });
});

testClean("Scope.cancel() reaches all scopes below", async () => {
  await withScope(async (outer) => {
    const error = await assertRejects(
      () =>
        withScope((middle) =>
          withScope((inner) => {
            outer.cancel();
            assert(inner.cancelled && middle.cancelled);
            return sleep(1);
          })
        ),
      CancelledError,
    );

    assertStrictEquals(error, outer.error);
  });
});

testClean(
  "a wait throws the outermost of two cancellations, inner first",
  async () => {
    await withScope((outer) =>
      withScope(async (inner) => {
        inner.cancel("inner");
        outer.cancel("outer");

        const error = await assertRejects(() => sleep(1), CancelledError);

        assertEquals(error.reason, "outer");
        assertStrictEquals(inner.error, outer.error);
      })
    );
  },
);

testClean(
  "a wait throws the outermost of two cancellations, outer first",
  async () => {
    await withScope((outer) =>
      withScope(async (inner) => {
        outer.cancel("outer");
        inner.cancel("inner");

        const error = await assertRejects(() => sleep(1), CancelledError);

        assertStrictEquals(error, outer.error);
      })
    );
  },
);

testClean(
  "a wait that ends late throws the outermost cancellation",
  async () => {
    const child = createTask(async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(15));
      }
    });
    const opened = timeout(10, () =>
      withScope(async (scope) => {
        getRunningLoop().callLater(5, () => scope.cancel("inner"));
        await child;
      }));

    await assertRejects(() => opened, TimeoutError);
  },
);

testClean(
  "sleep(0) throws the outermost of two cancellations in its turn",
  async () => {
    await withScope((outer) =>
      withScope(async (inner) => {
        const turn = sleep(0);
        inner.cancel("inner");
        outer.cancel("outer");

        assertStrictEquals(await assertRejects(() => turn), outer.error);
      })
    );
  },
);

testClean("a foreign CancelledError is not absorbed by a scope", async () => {
  const foreign = new CancelledError("foreign");

  const error = await assertRejects(() =>
    withScope((scope) => {
      scope.cancel("own");
      throw foreign;
    })
  );

  assertStrictEquals(error, foreign);
});

testClean("Scope.cancel() does not reach bare tasks made inside", async () => {
  const { task } = await withScope((scope) => {
    const task = createTask(() => sleep(5, { value: "went on" }));
    scope.cancel();
    return { task };
  });

  assertEquals(await task, "went on");
});

testClean("Scope.cancel() reaches tasks that are tied to it", async () => {
  await withScope(async (scope) => {
    const task = createTask(() => sleep(5), { scope: "current" });
    await sleep(1);

    scope.cancel();

    await uncancellable(() => task.outcome());
    assert(task.cancelled);
    assertStrictEquals(assertThrows(() => task.result()), scope.error);
  });
});

testClean("withScope() joins a task that its function returns", async () => {
  const task = createTask(() => sleep(Infinity));
  const opened = createTask(() =>
    withScope((scope) => {
      getRunningLoop().callLater(5, () => scope.cancel());
      return task;
    })
  );

  await assertRejects(() => opened, CancelledError);

  assert(task.cancelled);
});

testClean(
  "a straggler of a scope that ended is cancelled with the one above",
  async () => {
    await withScope(async (outer) => {
      let straggler = Promise.resolve();
      await withScope(() => {
        straggler = sleep(100);
      });
      outer.cancel("outer");

      const error = await assertRejects(() => straggler, CancelledError);

      assertStrictEquals(error, outer.error);
    });
  },
);

testClean(
  "a straggler enters new waits under the nearest live scope",
  async () => {
    await withScope(async (outer) => {
      const gate = Promise.withResolvers<void>();
      const straggler = await withScope(() => ({
        done: (async () => {
          await gate.promise;
          await sleep(100);
        })(),
      }));
      gate.resolve();
      await sleep(1);
      outer.cancel();

      const error = await assertRejects(() => straggler.done, CancelledError);

      assertStrictEquals(error, outer.error);
    });
  },
);

testClean(
  "a straggler of a scope that ended normally goes on waiting",
  async () => {
    const straggler = await withScope(
      () => ({ done: sleep(5, { value: 1 }) }),
      {
        deadlineMs: 2,
      },
    );

    assertEquals(await straggler.done, 1);
  },
);

testClean(
  "a straggler of a cancelled scope stays cancelled for ever",
  async () => {
    const gate = Promise.withResolvers<void>();
    let straggler = Promise.resolve();
    await withScope((scope) => {
      scope.cancel("long ago");
      straggler = (async () => {
        await gate.promise;
        await sleep(1);
      })();
    });
    await sleep(100);
    gate.resolve();

    const error = await assertRejects(() => straggler, CancelledError);

    assertEquals(error.reason, "long ago");
  },
);

testClean("a straggler's scope hands over its children as well", async () => {
  await withScope(async (outer) => {
    const { scopes } = await withScope(() => ({
      scopes: createTask(() => withScope(() => sleep(100)), {
        scope: "current",
      }).outcome(),
    }));
    await sleep(1);
    outer.cancel();

    const outcome = await scopes;

    assertEquals(outcome.state, "cancelled");
  });
});

testClean(
  "a dropped wait does not end the process when it is cancelled",
  async () => {
    await withScope(async (scope) => {
      sleep(100);
      scope.cancel();
      await uncancellable(() => sleep(1));
    });
  },
);

testClean(
  "a dropped wait does not end the process when it is refused",
  async () => {
    await withScope(async (scope) => {
      scope.cancel();
      sleep(100);
      checkpoint();
      await uncancellable(() => sleep(1));
    });
  },
);

testClean(
  "withScope() cancels itself when its deadline has passed",
  async ({ virtual }) => {
    const error = await assertRejects(
      () => withScope(() => sleep(100), { deadlineMs: 7, name: "short" }),
      CancelledError,
    );

    assertEquals(virtual.now, 7);
    assertEquals([error.kind, error.scope, error.at], ["deadline", "short", 7]);
  },
);

testClean(
  "Scope.deadline is the loop's time, Infinity for none",
  async ({ virtual }) => {
    virtual.advance(100);

    await withScope((scope) => assertEquals(scope.deadline, 107), {
      deadlineMs: 7,
    });
    await withScope((scope) => assertEquals(scope.deadline, Infinity));
  },
);

testClean("Scope.deadline can be moved to later", async ({ virtual }) => {
  await assertRejects(
    () =>
      withScope((scope) => {
        scope.deadline = 20;
        return sleep(100);
      }, { deadlineMs: 5 }),
    CancelledError,
  );

  assertEquals(virtual.now, 20);
});

testClean("Scope.deadline can be moved to earlier", async ({ virtual }) => {
  await assertRejects(
    () =>
      withScope((scope) => {
        scope.deadline = 5;
        return sleep(100);
      }, { deadlineMs: 20 }),
    CancelledError,
  );

  assertEquals(virtual.now, 5);
});

testClean(
  "Scope.deadline can be set where there was none",
  async ({ virtual }) => {
    const error = await assertRejects(
      () =>
        withScope((scope) => {
          scope.deadline = 5;
          return sleep(100);
        }),
      CancelledError,
    );

    assertEquals([virtual.now, error.kind], [5, "deadline"]);
  },
);

testClean(
  "Scope.deadline can be taken away by Infinity",
  async ({ virtual }) => {
    await withScope((scope) => {
      scope.deadline = Infinity;
      return sleep(100);
    }, { deadlineMs: 5 });

    assertEquals(virtual.now, 100);
  },
);

testClean(
  "Scope.deadline that is past cancels at the next turn",
  async ({ virtual }) => {
    virtual.advance(50);

    const error = await assertRejects(
      () =>
        withScope((scope) => {
          scope.deadline = 10;
          return sleep(100);
        }),
      CancelledError,
    );

    assertEquals([virtual.now, error.kind], [50, "deadline"]);
  },
);

testClean("Scope.deadline throws on anything but a number", async () => {
  await withScope((scope) => {
    assertThrows(
      () => scope.deadline = NaN,
      RangeError,
      "Cannot set a deadline as it must be a number: current value is NaN",
    );
    assertThrows(() => scope.deadline = "soon" as never, RangeError, "soon");
    assertEquals(scope.deadline, Infinity);
  });
});

testClean("Scope.effectiveDeadline is the earliest above", async () => {
  await withScope(() =>
    withScope((inner) => {
      assertEquals(inner.deadline, 50);
      assertEquals(inner.effectiveDeadline, 10);
      assertEquals(inner.remainingMs, 10);
    }, { deadlineMs: 50 }), { deadlineMs: 10 });
});

testClean(
  "Scope.effectiveDeadline does not look past an uncancellable scope",
  async () => {
    await withScope(() =>
      uncancellable(() => {
        assertEquals(currentScope().effectiveDeadline, Infinity);
        return withScope(() => {
          assertEquals(currentScope().effectiveDeadline, 50);
        }, { deadlineMs: 50 });
      }), { deadlineMs: 10 });
  },
);

testClean("Scope.remainingMs is never below 0", async ({ virtual }) => {
  await withScope((scope) => {
    virtual.advance(10);
    assertEquals(scope.remainingMs, 0);
  }, { deadlineMs: 5 });
});

testClean("Scope.remainingMs is Infinity without a deadline", async () => {
  await withScope((scope) => assertEquals(scope.remainingMs, Infinity));
});

testClean(
  "withScope() takes its deadline back when it ends",
  async ({ virtual }) => {
    await withScope(() => sleep(1), { deadlineMs: 100 });
    await sleep(0);

    assertEquals(virtual.now, 1);
  },
);

testClean(
  "Scope.signal fires with the cancellation as its reason",
  async () => {
    await withScope((scope) => {
      const { signal } = scope;
      assertFalse(signal.aborted);

      scope.cancel("enough");

      assert(signal.aborted);
      assertStrictEquals(signal.reason, scope.error);
    });
  },
);

testClean(
  "Scope.signal is aborted where the scope was cancelled before",
  async () => {
    await withScope((scope) => {
      scope.cancel();
      assert(scope.signal.aborted);
      assertStrictEquals(scope.signal.reason, scope.error);
    });
  },
);

testClean("Scope.signal is one object, and fires once", async () => {
  await withScope((outer) =>
    withScope((inner) => {
      let count = 0;
      inner.signal.addEventListener("abort", () => count++);
      assertStrictEquals(inner.signal, inner.signal);
      assertStrictEquals(inner.signal, currentSignal());

      inner.cancel();
      outer.cancel();

      assertEquals(count, 1);
    })
  );
});

testClean("Scope.signal is made only when it is asked for", async () => {
  const { AbortController } = globalThis;
  let made = 0;
  globalThis.AbortController = class extends AbortController {
    constructor() {
      super();
      made++;
    }
  };
  try {
    await withScope(async (scope) => {
      await sleep(1);
      scope.cancel();
      await sleep(1).catch(() => {});
      assertEquals(made, 0);

      assert(scope.signal.aborted);
      assertEquals(made, 1);
    });
  } finally {
    globalThis.AbortController = AbortController;
  }
});

testClean(
  "Scope.signal does not fire when the scope ends normally",
  async () => {
    const { signal } = await withScope((scope) => ({ signal: scope.signal }));

    assertFalse(signal.aborted);
  },
);

testClean("currentSignal() is that of the ambient scope", async () => {
  await withScope(async (outer) => {
    const before = currentSignal();
    await withScope((inner) => {
      assertNotStrictEquals(currentSignal(), before);
      inner.cancel();
      assert(currentSignal().aborted);
    });

    assertFalse(before.aborted);
    outer.cancel();
    assert(before.aborted);
  });
});

testClean(
  "currentSignal() does not fire in an uncancellable scope",
  async () => {
    await withScope((scope) =>
      uncancellable(() => {
        scope.cancel();
        assertFalse(currentSignal().aborted);
      })
    );
  },
);

testClean("an abort listener runs when all is decided", async () => {
  await withScope(async (scope) => {
    const one = createTask(() => sleep(100), { scope: "current" });
    const two = createTask(() => sleep(100), { scope: "current" });
    await sleep(1);
    const seen: boolean[] = [];
    scope.signal.addEventListener("abort", () => {
      seen.push(one.cancelling, two.cancelling, currentScope().cancelled);
    });

    scope.cancel();

    assertEquals(seen, [true, true, true]);
    await uncancellable(() => wait([one, two]));
  });
});

testClean("an abort listener may cancel another scope", async () => {
  const { scope: other, task } = openScope();
  const { scope, task: first } = openScope();
  scope.signal.addEventListener("abort", () => other.cancel("chained"));

  scope.cancel();

  await assertRejects(() => first, CancelledError);
  const error = await assertRejects(() => task, CancelledError);
  assertEquals(error.reason, "chained");
});

testClean(
  "an abort listener that throws keeps nobody from being cancelled",
  async () => {
    const errors: unknown[] = [];
    const onError = (event: ErrorEvent): void => {
      event.preventDefault();
      errors.push(event.error);
    };
    globalThis.addEventListener("error", onError);
    try {
      await withScope(async (scope) => {
        scope.signal.addEventListener("abort", (event) => {
          event.stopImmediatePropagation();
          throw new TypeError("listener");
        });
        const task = createTask(() => withScope(() => sleep(100)), {
          scope: "current",
        });
        await sleep(1);

        assert(scope.cancel());

        await uncancellable(() => task.outcome());
        assert(task.cancelled);
      });
    } finally {
      globalThis.removeEventListener("error", onError);
    }
    assertEquals(errors.map(String), ["TypeError: listener"]);
  },
);

testClean(
  "withScope() is cancelled by its signal, with the reason as cause",
  async () => {
    const controller = new AbortController();
    const reason = new TypeError("left");
    const opened = createTask(
      () =>
        withScope(() => sleep(100), {
          signal: controller.signal,
          name: "call",
        }),
    );
    await sleep(1);

    controller.abort(reason);
    const error = await assertRejects(() => opened, CancelledError);

    assertStrictEquals(error.cause, reason);
    assertEquals([error.kind, error.scope], ["signal", "call"]);
  },
);

testClean("withScope() sees a signal that was aborted before", async () => {
  const log: string[] = [];
  const signal = AbortSignal.abort("before");

  const error = await assertRejects(
    () =>
      withScope(async () => {
        log.push("begun");
        await sleep(1);
        log.push("waited");
      }, { signal }),
    CancelledError,
  );

  assertEquals(error.cause, "before");
  assertEquals(log, ["begun"]);
});

testClean(
  "withScope() puts one listener on a signal, however often it is given",
  async () => {
    const { signal } = new AbortController();
    const count = countListeners(signal);
    const open = () => withScope(() => sleep(1, { signal }), { signal });

    await Promise.all([open(), open(), open()]);

    assertEquals([count.most, count.now], [1, 0]);
  },
);

testClean(
  "withScope() removes its listener when its function throws",
  async () => {
    const { signal } = new AbortController();
    const count = countListeners(signal);

    await assertRejects(() =>
      withScope(() => Promise.reject(new TypeError("x")), { signal })
    );

    assertEquals([count.most, count.now], [1, 0]);
  },
);

testClean("withScope() forgets its signal when it has ended", async () => {
  const controller = new AbortController();
  const scopes = await withScope((scope) => [scope], {
    signal: controller.signal,
  });

  controller.abort();

  assertEquals(scopes[0]?.error, undefined);
});

testClean(
  "an aborted signal cancels all the scopes that were given it",
  async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const open = () => withScope(() => sleep(100), { signal });
    const opened = [createTask(open), createTask(open), createTask(open)];
    await sleep(1);

    controller.abort("all");

    for (const task of opened) {
      const error = await assertRejects(() => task, CancelledError);
      assertEquals(error.cause, "all");
    }
  },
);

testClean(
  "CancelledError tells kind, reason, issuer, time and scope",
  async ({ virtual }) => {
    virtual.advance(40);
    const { scope, task } = openScope();
    const killer = createTask(() => scope.cancel("too many"), { name: "boss" });
    await killer;

    const error = await assertRejects(() => task, CancelledError);

    assertEquals(error.kind, "explicit");
    assertEquals(error.reason, "too many");
    assertEquals(error.by, "boss");
    assertEquals(error.at, 40);
    assertEquals(error.scope, "unnamed");
    assertEquals(error.name, "CancelledError");
    assertEquals(
      error.message,
      'Cannot go on with "unnamed": it was cancelled by "boss" (too many)',
    );
  },
);

testClean(
  "CancelledError.through names the scopes it struck, outermost first",
  async () => {
    await withScope(async (outer) => {
      const task = createTask(
        () => withScope(() => sleep(100), { name: "c" }),
        { scope: "current", name: "b" },
      );
      await sleep(1);

      outer.cancel();

      await uncancellable(() => task.outcome());
      assertEquals(outer.error?.through, ["a", "b", "c"]);
    }, { name: "a" });
  },
);

testClean(
  "a loop that swallows its cancellation gives way, and is reported once",
  async ({ reports }) => {
    let turns = 0;
    const tick = (): void => {
      turns++;
      if (turns < 1000) getRunningLoop().callSoon(tick);
    };
    await withScope(async (scope) => {
      scope.cancel();
      getRunningLoop().callSoon(tick);
      for (let i = 0; i < 300; i++) {
        try {
          await sleep(1);
        } catch {
          // Swallowed, on purpose.
        }
      }
      assertGreater(turns, 100);
      turns = 1000;
    }, { name: "stubborn" });

    const messages = takeMessages(reports);
    assertEquals(messages.length, 1);
    assertMatch(messages[0] ?? "", /"stubborn".* 100 waits .*swallowed/);
  },
);

testClean("a swallowed cancellation comes again at the next wait", async () => {
  await withScope(async (scope) => {
    scope.cancel();

    await sleep(1).catch(() => {});

    assertStrictEquals(await assertRejects(() => sleep(1)), scope.error);
  });
});

testClean(
  "Scope.cancel() goes through 5,000 tasks that await each other",
  async () => {
    let last = createTask(() => sleep(Infinity));
    const tasks = [last];
    for (let i = 0; i < 5000; i++) {
      const next = last;
      last = createTask(async () => await next);
      tasks.push(last);
    }
    const opened = createTask(async () => await last);
    await sleep(1);

    opened.cancel();

    await assertRejects(() => opened, CancelledError);
    assert(tasks.every((task) => task.cancelled));
  },
);

testClean("Scope.cancel() reaches 5,000 waits below", async () => {
  const COUNT = 5000;
  let cancelled = 0;
  await withScope(async (scope) => {
    const count = (): void => {
      cancelled++;
    };
    for (let i = 0; i < COUNT; i++) sleep(100).catch(count);

    scope.cancel();

    await uncancellable(() => sleep(0));
  });

  assertEquals(cancelled, COUNT);
});

testClean("Scope.cancel() goes down 3,000 nested scopes", async () => {
  const DEPTH = 3000;
  const nest = (depth: number): Promise<void> =>
    depth === 0 ? sleep(100) : withScope(async () => {
      await null;
      return await nest(depth - 1);
    });

  await assertRejects(() => timeout(1, () => nest(DEPTH)), TimeoutError);
});

testClean("two scopes side by side in one task do not mix", async () => {
  const seen: string[] = [];
  const open = (name: string, ms: number) =>
    withScope(async (scope) => {
      await sleep(ms);
      seen.push(`${name}: ${currentScope().name}`);
      if (name === "a") scope.cancel();
      await sleep(5);
      seen.push(`${name} ends`);
    }, { name });

  const [a, b] = await Promise.allSettled([open("a", 1), open("b", 2)]);

  assertEquals([a.status, b.status], ["rejected", "fulfilled"]);
  assertEquals(seen, ["a: a", "b: b", "b ends"]);
});

testClean(
  "currentScope() is the root of the loop outside of all scopes",
  () => {
    const gate = Promise.withResolvers<string>();
    getRunningLoop().callSoon(() => gate.resolve(currentScope().name));

    return gate.promise.then((name) => assertEquals(name, "root"));
  },
);

testClean(
  "Scope.name is unnamed, if it was not given and no task owns it",
  async () => {
    await withScope((scope) => assertEquals(scope.name, "unnamed"));
  },
);

testClean(
  "Scope.error is undefined as long as nothing was cancelled",
  async () => {
    await withScope((scope) => {
      assertEquals(scope.error, undefined);
      scope.cancel();
      assertInstanceOf(scope.error, CancelledError);
    });
  },
);
