import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { checkpoint, throwIfCancelled } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import {
  CancelledError,
  InvalidStateError,
  ScopeClosedError,
  TimeoutError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { Runner } from "@ilmek/async/runner";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask, type Task } from "@ilmek/async/task";
import { type StartStatus, TaskGroup } from "@ilmek/async/task-group";
import { TaskGroupError } from "@ilmek/async/task-group-error";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

/** Sleeps, then throws. */
async function failAfter(ms: number, message: string): Promise<never> {
  await sleep(ms);
  throw new TypeError(message);
}

/** Sleeps until it is cancelled, and takes its time to clean up. */
async function linger(ms: number, onGone: () => void): Promise<void> {
  try {
    await sleep(Infinity);
  } finally {
    await uncancellable(() => sleep(ms));
    onGone();
  }
}

/** What the errors of a group say. */
function textsOf(error: AggregateError): string[] {
  return error.errors.map(String);
}

// What runs a group, and how it ends.

testClean("TaskGroup.run() gives what its function returns", async () => {
  const value = await TaskGroup.run(async (group) => {
    const one = group.createTask(() => sleep(2, { value: 1 }));
    const two = group.createTask(() => sleep(1, { value: 2 }));
    return await one + await two;
  });

  assertEquals(value, 3);
});

testClean("TaskGroup.run() waits for all members", async ({ virtual }) => {
  const log: string[] = [];

  const value = await TaskGroup.run((group) => {
    group.createTask(async () => {
      await sleep(10);
      log.push("member");
    });
    return "body";
  });

  assertEquals([value, virtual.now], ["body", 10]);
  assertEquals(log, ["member"]);
});

testClean(
  "TaskGroup.run() joins a task that its function returns",
  async () => {
    const value = await TaskGroup.run((group) =>
      group.createTask(() => sleep(1, { value: "joined" }))
    );

    assertEquals(value, "joined");
  },
);

testClean("TaskGroup.run() rejects anything but a function", async () => {
  await assertRejects(
    () => TaskGroup.run([] as never),
    TypeError,
    'Cannot run a group as "fn" must be a function',
  );
});

testClean("TaskGroup() throws on a name instead of options", () => {
  assertThrows(
    () => new TaskGroup("workers" as never),
    TypeError,
    'write new TaskGroup({ name: "workers" })',
  );
});

testClean("TaskGroup() throws on a limit below 1", () => {
  for (const limit of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new TaskGroup({ limit }),
      RangeError,
      `Cannot create a group as "limit" must be an integer >= 1: current value is ${limit}`,
    );
  }
});

testClean("TaskGroup() throws on a supervisor that is no function", () => {
  assertThrows(
    () => new TaskGroup({ onChildError: "log" as never }),
    TypeError,
    '"onChildError" must be a function',
  );
});

testClean("a group's body and members run in the group's scope", async () => {
  await TaskGroup.run(async (group) => {
    assertEquals(currentScope().name, "team");
    const member = group.createTask(() => currentScope().name, { name: "m" });
    assertEquals(await member, "m");
    assertEquals([group.name, group.size, group.limit], ["team", 0, Infinity]);
  }, { name: "team" });
});

testClean("TaskGroup.size counts the members that have not ended", async () => {
  await TaskGroup.run(async (group) => {
    const quick = group.createTask(() => sleep(1));
    group.createTask(() => sleep(2));
    group.go(() => sleep(3));
    assertEquals(group.size, 3);
    await quick;
    assertEquals(group.size, 2);
  });
});

// Failure: the first cancels the others, all are awaited, all errors are kept.

testClean(
  "a member that fails cancels its siblings and the body",
  async ({ virtual }) => {
    const log: string[] = [];

    const error = await assertRejects(
      () =>
        TaskGroup.run(async (group) => {
          group.createTask(() => failAfter(5, "first"));
          group.createTask(() =>
            sleep(100).catch((e) => log.push(`member: ${e.kind}`))
          );
          await sleep(100).catch((e) => log.push(`body: ${e.kind}`));
        }, { name: "team" }),
      TaskGroupError,
      'Cannot finish group "team": 1 of its tasks failed',
    );

    assertEquals(textsOf(error), ["TypeError: first"]);
    assertEquals(log.sort(), [
      "body: sibling-failed",
      "member: sibling-failed",
    ]);
    assertEquals(virtual.now, 5);
  },
);

testClean(
  "the cancellation of siblings has the failure as its cause",
  async () => {
    const failure = new TypeError("first");
    let seen: unknown;

    await assertRejects(() =>
      TaskGroup.run(async (group) => {
        group.createTask(() => Promise.reject(failure));
        await sleep(100).catch((error) => seen = error.cause);
      })
    );

    assertStrictEquals(seen, failure);
  },
);

testClean(
  "a group waits for the cleanup of cancelled members",
  async ({ virtual }) => {
    const log: string[] = [];

    await assertRejects(() =>
      TaskGroup.run((group) => {
        group.createTask(() => failAfter(5, "first"));
        group.createTask(() => linger(20, () => log.push(`at ${virtual.now}`)));
      }), TaskGroupError);

    assertEquals(log, ["at 25"]);
    assertEquals(virtual.now, 25);
  },
);

testClean(
  "TaskGroupError keeps members in order of their end, the body last",
  async () => {
    const error = await assertRejects(
      () =>
        TaskGroup.run(async (group) => {
          group.createTask(async () => {
            await sleep(Infinity).catch(() => {});
            await uncancellable(() => sleep(2));
            throw new TypeError("last member");
          });
          group.createTask(async () => {
            await sleep(Infinity).catch(() => {});
            await uncancellable(() => sleep(1));
            throw new TypeError("second");
          });
          group.createTask(() => failAfter(5, "first"));
          await sleep(Infinity).catch(() => {});
          throw new TypeError("body");
        }),
      TaskGroupError,
    );

    assertEquals(textsOf(error), [
      "TypeError: first",
      "TypeError: second",
      "TypeError: last member",
      "TypeError: body",
    ]);
    assertEquals(`${error.cause}`, "TypeError: first");
  },
);

testClean(
  "a body that throws cancels the members, and is the only error",
  async () => {
    const failure = new TypeError("body");
    let member: Task<void> | undefined;

    const error = await assertRejects(
      () =>
        TaskGroup.run((group) => {
          member = group.createTask(() => sleep(100));
          throw failure;
        }),
      TaskGroupError,
    );

    assertEquals(error.errors.length, 1);
    assertStrictEquals(error.errors[0], failure);
    assert(member?.cancelled);
  },
);

testClean("a group in a group stays nested in the error", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run((outer) => {
        outer.createTask(() =>
          TaskGroup.run((inner) => {
            inner.createTask(() => failAfter(1, "deep"));
          })
        );
      }),
    TaskGroupError,
  );

  assertInstanceOf(error.errors[0], TaskGroupError);
  assertEquals(textsOf(error.errors[0]), ["TypeError: deep"]);
});

testClean(
  "a member that is cancelled alone does not fail its group",
  async () => {
    const value = await TaskGroup.run(async (group) => {
      const one = group.createTask(() => sleep(100));
      const two = group.createTask(() => sleep(5, { value: "two" }));
      await sleep(1);
      one.cancel();
      return await two;
    });

    assertEquals(value, "two");
  },
);

testClean("a failure in a group is not reported as unobserved", async () => {
  await assertRejects(() =>
    TaskGroup.run((group) => {
      group.createTask(() => failAfter(1, "seen"));
    })
  );

  await sleep(60_000);
});

// Cancellation: whose it is.

testClean(
  "cancelling the one who runs a group cancels all members, and waits",
  async ({ virtual }) => {
    const log: string[] = [];
    const owner = createTask(() =>
      TaskGroup.run((group) => {
        group.createTask(() => linger(10, () => log.push(`at ${virtual.now}`)));
      })
    );
    await sleep(1);

    owner.cancel("owner");
    const error = await assertRejects(() => owner, CancelledError);

    assertEquals([error.reason, error.scope], ["owner", owner.name]);
    assertEquals(log, ["at 11"]);
  },
);

testClean("a failure wins over a cancellation from outside", async () => {
  const owner = createTask(() =>
    TaskGroup.run((group) => {
      group.createTask(async () => {
        await sleep(Infinity).catch(() => {});
        throw new TypeError("while ending");
      });
    })
  );
  await sleep(1);

  owner.cancel();

  const error = await assertRejects(() => owner, TaskGroupError);
  assertEquals(textsOf(error), ["TypeError: while ending"]);
});

testClean(
  "a timeout around a group is not mixed up with the group's own",
  async ({ virtual }) => {
    await assertRejects(
      () =>
        timeout(10, () =>
          TaskGroup.run((group) => {
            group.createTask(() => sleep(100));
          })),
      TimeoutError,
    );

    assertEquals(virtual.now, 10);
  },
);

testClean(
  "a group cancelled from outside and by itself lets the outer out",
  async () => {
    const error = await withScope((outer) =>
      assertRejects(() =>
        TaskGroup.run(async (group) => {
          group.cancelAll("own");
          outer.cancel("outer");
          await sleep(1);
        }), CancelledError)
    );

    assertEquals(error.reason, "outer");
  },
);

testClean(
  "a group whose body ignored it lets an outer cancellation out",
  async () => {
    await withScope(async (outer) => {
      const error = await assertRejects(() =>
        TaskGroup.run(() => {
          outer.cancel();
          return "value";
        })
      );

      assertStrictEquals(error, outer.error);
    });
  },
);

testClean(
  "TaskGroup.cancelAll() ends the members, and the run returns its value",
  async () => {
    const { value, group, member } = await TaskGroup.run(async (group) => {
      const member = group.createTask(() => sleep(100));
      await sleep(1);
      assert(group.cancelAll("enough"));
      return { value: 7, group, member };
    });

    assertEquals([value, group.cancelled, member.cancelled], [7, true, true]);
  },
);

testClean("TaskGroup.cancelAll() counts the first time", async () => {
  const group = await TaskGroup.run((group) => {
    assertEquals([group.cancelAll(), group.cancelAll()], [true, false]);
    return [group];
  });

  assertFalse(group[0]?.cancelAll());
});

testClean(
  "TaskGroup.cancelAll() is valid before there are members",
  async () => {
    const log: string[] = [];
    const group = new TaskGroup();
    group.cancelAll();

    const task = group.createTask(() => log.push("never"));
    await group.waitAll().catch(() => {});

    assert(task.cancelled);
    assertEquals(log, []);
  },
);

testClean(
  "a body that awaits a cancelled task lets its cancellation out",
  async () => {
    const other = createTask(() => sleep(Infinity));
    other.cancel("other");

    const error = await assertRejects(
      () => TaskGroup.run(async () => await other),
      CancelledError,
    );

    assertEquals(error.reason, "other");
  },
);

testClean(
  "members end with the group's scope when an abort signal fires",
  async () => {
    const controller = new AbortController();
    const reason = new TypeError("gone");

    const error = await assertRejects(
      () =>
        TaskGroup.run((group) => {
          group.createTask(() => sleep(100, { signal: controller.signal }));
          group.createTask(() => sleep(100));
          group.createTask(async () => {
            await sleep(1);
            controller.abort(reason);
          });
        }),
      TaskGroupError,
    );

    assertEquals(error.errors, [reason]);
  },
);

// Membership: who may still come in.

testClean(
  "a member may add others while the group is ending",
  async ({ virtual }) => {
    const log: string[] = [];

    await TaskGroup.run((group) => {
      group.createTask(async () => {
        await sleep(5);
        group.createTask(async () => {
          await sleep(5);
          log.push("grandchild");
        });
      });
    });

    assertEquals([log, virtual.now], [["grandchild"], 10]);
  },
);

testClean(
  "TaskGroup.createTask() throws once the group has ended",
  async () => {
    const log: string[] = [];
    const [group] = await TaskGroup.run((group) => [group], { name: "team" });
    const call = () => log.push("called");
    assert(group !== undefined);

    for (
      const start of [
        () => group.createTask(call),
        () => group.go(call),
        () => group.background(call),
        () => group.tryCreateTask(call),
      ]
    ) {
      assertThrows(start, ScopeClosedError, 'the group "team" has ended');
    }
    await assertRejects(() => group.start(call), ScopeClosedError);

    assertEquals(log, []);
  },
);

testClean(
  "a member made in a cancelled group ends before it begins",
  async () => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      group.cancelAll();
      const member = group.createTask(() => log.push("never"));
      await uncancellable(() => member.outcome());
      assert(member.cancelled);
    });

    assertEquals(log, []);
  },
);

testClean(
  "TaskGroup.createTask() makes tasks with a name and an eager start",
  async () => {
    const log: string[] = [];
    await TaskGroup.run(async (group) => {
      let inside: Task<unknown> | undefined;
      const member = group.createTask(async () => {
        inside = currentTask();
        log.push("begins");
        await sleep(1);
      }, { name: "worker", eager: true });
      log.push("returns");
      assertEquals(member.name, "worker");
      assertStrictEquals(inside, member);
      await member;
    });

    assertEquals(log, ["begins", "returns"]);
  },
);

testClean("an eager member that throws at once fails the group", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run((group) => {
        group.createTask(() => {
          throw new TypeError("at once");
        }, { eager: true });
        assert(group.cancelled);
      }),
    TaskGroupError,
  );

  assertEquals(textsOf(error), ["TypeError: at once"]);
});

testClean(
  "TaskGroup.createTask() throws on anything but a function",
  async () => {
    await TaskGroup.run((group) => {
      assertThrows(() => group.createTask(1 as never), TypeError, '"fn"');
      assertThrows(() => group.tryCreateTask(1 as never), TypeError, '"fn"');
      assertThrows(() => group.go(1 as never), TypeError, '"fn"');
      assertThrows(() => group.background(1 as never), TypeError, '"fn"');
      assertEquals(group.size, 0);
    });
  },
);

testClean("members see a copy of their creator's context", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  await TaskGroup.run(async (group) => {
    const member = user.run("ada", () => group.createTask(() => user.get()));
    assertEquals(await member, "ada");
  });
});

// Limits.

testClean("a group with a limit runs no more at once, in order", async () => {
  const log: string[] = [];
  let inside = 0;
  let most = 0;

  await TaskGroup.run((group) => {
    for (const n of [1, 2, 3, 4, 5]) {
      group.createTask(async () => {
        most = Math.max(most, ++inside);
        log.push(`${n} begins`);
        await sleep(10);
        inside--;
      });
    }
  }, { limit: 2 });

  assertEquals(most, 2);
  assertEquals(log, [1, 2, 3, 4, 5].map((n) => `${n} begins`));
});

testClean(
  "a member without a slot is pending, and begins with the next",
  async ({ virtual }) => {
    await TaskGroup.run(async (group) => {
      group.createTask(() => sleep(10));
      const second = group.createTask(() => virtual.now);
      assertEquals(second.state, "pending");
      await sleep(5);
      assertEquals(second.state, "pending");
      assertEquals(await second, 10);
    }, { limit: 1 });
  },
);

testClean(
  "members without a slot never begin once the group was cancelled",
  async () => {
    const log: string[] = [];

    const error = await assertRejects(
      () =>
        TaskGroup.run((group) => {
          group.createTask(() => failAfter(5, "real"));
          for (let i = 0; i < 3; i++) group.createTask(() => log.push("never"));
        }, { limit: 1 }),
      TaskGroupError,
    );

    assertEquals(textsOf(error), ["TypeError: real"]);
    assertEquals(log, []);
  },
);

testClean(
  "a member without a slot can be cancelled alone, the next keep order",
  async () => {
    const log: number[] = [];

    await TaskGroup.run(async (group) => {
      group.createTask(() => sleep(10));
      const tasks = [1, 2, 3].map((n) => group.createTask(() => log.push(n)));
      tasks[1]?.cancel();
      await sleep(1);
      assert(tasks[1]?.cancelled);
      assertEquals(group.size, 3);
    }, { limit: 1 });

    assertEquals(log, [1, 3]);
  },
);

testClean("a member that ends in any way frees its slot", async () => {
  const log: string[] = [];

  await TaskGroup.run(async (group) => {
    const first = group.createTask(() => sleep(100));
    group.createTask(() => failAfter(1, "supervised"));
    group.createTask(() => log.push("third"));
    await sleep(1);
    first.cancel();
  }, { limit: 1, onChildError: () => {} });

  assertEquals(log, ["third"]);
});

Deno.test("a group keeps its limit in any order, cancellations included", async () => {
  await explore(async () => {
    let inside = 0;
    let begun = 0;
    await TaskGroup.run(async (group) => {
      const members = [1, 2, 3, 4, 5, 6].map((ms) =>
        group.createTask(async () => {
          begun++;
          assert(++inside <= 2);
          try {
            await sleep(ms % 3);
          } finally {
            inside--;
          }
        })
      );
      await checkpoint();
      members[0]?.cancel();
      members[3]?.cancel();
    }, { limit: 2 });
    assertEquals(inside, 0);
    assert(begun >= 4);
  }, { runs: 100 });
});

testClean(
  "TaskGroup.tryCreateTask() gives undefined when there is no slot",
  async () => {
    await TaskGroup.run(async (group) => {
      const first = group.tryCreateTask(() => sleep(10));
      assertEquals(group.tryCreateTask(() => {}), undefined);
      assertEquals(group.size, 1);
      await first;
      assert(group.tryCreateTask(() => {}) !== undefined);
    }, { limit: 1 });
  },
);

testClean(
  "TaskGroup.slot() waits until a member could begin",
  async ({ virtual }) => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      for (const n of [1, 2, 3]) {
        await group.slot();
        const task = group.createTask(() => sleep(10));
        log.push(`${n} at ${virtual.now}: ${task.state}`);
      }
    }, { limit: 2 });

    assertEquals(log, [
      "1 at 0: pending",
      "2 at 0: pending",
      "3 at 10: pending",
    ]);
  },
);

testClean(
  "TaskGroup.slot() leaves the line when its scope is cancelled",
  async () => {
    await TaskGroup.run(async (group) => {
      const first = group.createTask(() => sleep(10));
      await assertRejects(() => timeout(1, () => group.slot()), TimeoutError);
      const second = createTask(() => group.slot());
      await first;
      await second;
    }, { limit: 1 });
  },
);

testClean(
  "TaskGroup.slot() passes on when the first in line does not use it",
  async () => {
    await TaskGroup.run(async (group) => {
      group.createTask(() => sleep(10));
      const first = createTask(() => group.slot());
      const second = createTask(() => group.slot());

      await first;
      await second;
    }, { limit: 1 });
  },
);

testClean("TaskGroup.slot() throws in a cancelled scope", async () => {
  const group = new TaskGroup({ limit: 1 });
  await withScope(async (scope) => {
    scope.cancel();
    assertStrictEquals(await assertRejects(() => group.slot()), scope.error);
  });
  await group.waitAll();
});

// Supervisors.

testClean(
  "a supervisor is told of failures, and the others go on",
  async () => {
    const log: string[] = [];

    const value = await TaskGroup.run(async (group) => {
      const failing = group.createTask(() => failAfter(1, "child"), {
        name: "bad",
      });
      const good = group.createTask(() => sleep(5, { value: "good" }));
      await failing.outcome();
      return await good;
    }, {
      onChildError: (error, task) => log.push(`${task?.name}: ${error}`),
    });

    assertEquals(value, "good");
    assertEquals(log, ["bad: TypeError: child"]);
  },
);

testClean(
  "a supervisor gets the very task that createTask() gave",
  async () => {
    const seen: unknown[] = [];
    const tasks: unknown[] = [];
    await TaskGroup.run((group) => {
      for (const eager of [false, true]) {
        tasks.push(group.createTask(() => {
          throw new TypeError("x");
        }, { eager }));
      }
    }, { onChildError: (_error, task) => seen.push(task) });

    assertEquals(seen.length, 2);
    assert(tasks.every((task) => seen.includes(task)));
  },
);

testClean(
  "a supervisor that throws is reported, and the group goes on",
  async ({ reports }) => {
    await TaskGroup.run((group) => {
      group.createTask(() => failAfter(1, "child"));
    }, {
      onChildError: () => {
        throw new RangeError("handler");
      },
    });

    assertEquals(`${reports[0]?.exception}`, "RangeError: handler");
    assertEquals(takeMessages(reports), [
      'The function "onChildError" of a group has thrown',
    ]);
  },
);

testClean("a supervisor's own body still fails the group", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run(() => failAfter(1, "body"), {
        onChildError: () => {},
      }),
    TaskGroupError,
  );

  assertEquals(textsOf(error), ["TypeError: body"]);
});

// go(): members without a task.

testClean(
  "TaskGroup.go() calls at once, and waits for the end",
  async ({ virtual }) => {
    const log: string[] = [];

    await TaskGroup.run((group) => {
      group.go(async () => {
        log.push("called");
        await sleep(10);
        log.push("ended");
      });
      log.push("next");
    });

    assertEquals(log, ["called", "next", "ended"]);
    assertEquals(virtual.now, 10);
  },
);

testClean(
  "TaskGroup.go() runs in the group's scope, and is cancelled with it",
  async () => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      group.go(async () => {
        log.push(currentScope().name);
        await sleep(100).catch(() => log.push("cancelled"));
      });
      await sleep(1);
      group.cancelAll();
    }, { name: "team" });

    assertEquals(log, ["team", "cancelled"]);
  },
);

testClean(
  "TaskGroup.go() from outside runs in the group's scope and the caller's context",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const group = new TaskGroup({ name: "team" });

    const seen: string[] = [];
    user.run("ada", () =>
      group.go(() => {
        seen.push(currentScope().name, user.get());
      }));
    await group.waitAll();

    assertEquals(seen, ["team", "ada"]);
  },
);

testClean(
  "TaskGroup.go() makes its failure the group's, sync or not",
  async () => {
    for (
      const fn of [
        () => failAfter(1, "go"),
        () => {
          throw new TypeError("go");
        },
      ]
    ) {
      const error = await assertRejects(
        () =>
          TaskGroup.run((group) => {
            group.go(fn);
          }),
        TaskGroupError,
      );
      assertEquals(textsOf(error), ["TypeError: go"]);
    }
  },
);

testClean(
  "TaskGroup.go() takes a cancellation for no failure, sync or not",
  async () => {
    const group = new TaskGroup();
    group.cancelAll();

    group.go(() => throwIfCancelled());
    group.go(() => sleep(1));

    const outcome = await group.waitAll().catch((error) => error);
    assertFalse(outcome instanceof TaskGroupError);
  },
);

testClean("TaskGroup.go() ignores the limit", async () => {
  let inside = 0;
  await TaskGroup.run((group) => {
    for (let i = 0; i < 3; i++) {
      group.go(() => {
        inside++;
        return sleep(1);
      });
    }
    assertEquals(inside, 3);
  }, { limit: 1 });
});

testClean(
  "TaskGroup.go() joins a task that it gets in the group's scope",
  async ({ virtual }) => {
    const group = new TaskGroup();
    const task = createTask(() => sleep(1000));
    group.go(() => task);
    await sleep(1);

    group.cancelAll();
    await group.waitAll().catch(() => {});

    assert(task.cancelled);
    assertEquals(virtual.now, 1);
  },
);

// background(): members that nobody waits for.

testClean(
  "TaskGroup.background() is cancelled when all others have ended",
  async ({ virtual }) => {
    const { task } = await TaskGroup.run((group) => {
      group.createTask(() => sleep(10));
      return { task: group.background(() => sleep(Infinity)) };
    });

    assertEquals(virtual.now, 10);
    assert(task.cancelled);
  },
);

testClean(
  "TaskGroup.background() is given time to clean up",
  async ({ virtual }) => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      group.background(() => linger(5, () => log.push(`at ${virtual.now}`)));
      await sleep(1);
    });

    assertEquals(log, ["at 6"]);
  },
);

testClean("TaskGroup.background() that fails fails the group", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run(async (group) => {
        group.background(() => failAfter(5, "background"));
        await sleep(100);
      }),
    TaskGroupError,
  );

  assertEquals(textsOf(error), ["TypeError: background"]);
});

testClean(
  "TaskGroup.background() ends with the group's cancellation",
  async () => {
    let task: Task<void> | undefined;
    await TaskGroup.run(async (group) => {
      task = group.background(() => sleep(Infinity));
      await sleep(1);
      group.cancelAll();
      await uncancellable(() => task?.outcome());
      assertEquals(group.size, 0);
    });

    assert(task?.cancelled);
  },
);

// start(): members that say when they are ready.

testClean(
  "TaskGroup.start() gives what the member hands over, and the member goes on",
  async ({ virtual }) => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      const port = await group.start(async (status: StartStatus<number>) => {
        await sleep(5);
        status.started(8080);
        await sleep(5);
        log.push(`ends at ${virtual.now}`);
      });
      log.push(`${port} at ${virtual.now}`);
    });

    assertEquals(log, ["8080 at 5", "ends at 10"]);
  },
);

testClean(
  "TaskGroup.start() throws what the member threw before it started",
  async () => {
    await TaskGroup.run(async (group) => {
      await assertRejects(
        () => group.start(() => failAfter(1, "bind")),
        TypeError,
        "bind",
      );
      assertFalse(group.cancelled);
    });
  },
);

testClean(
  "TaskGroup.start() throws if the member ends without having started",
  async () => {
    await TaskGroup.run(async (group) => {
      await assertRejects(
        () => group.start(() => sleep(1), { name: "server" }),
        InvalidStateError,
        'Cannot start task "server": it ended without calling started()',
      );
    });
  },
);

testClean("a member that fails after its start fails the group", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run(async (group) => {
        await group.start(async (status: StartStatus<void>) => {
          status.started();
          await failAfter(1, "later");
        });
        await sleep(100);
      }),
    TaskGroupError,
  );

  assertEquals(textsOf(error), ["TypeError: later"]);
});

testClean(
  "cancelling the starter cancels the member, and not the group",
  async () => {
    const log: string[] = [];

    await TaskGroup.run(async (group) => {
      await assertRejects(() =>
        timeout(5, () =>
          group.start(async () => {
            await sleep(100).catch((error) => {
              log.push(error.kind);
              throw error;
            });
          })), TimeoutError);
      assertFalse(group.cancelled);
      assertEquals(group.size, 0);
    });

    assertEquals(log, ["deadline"]);
  },
);

testClean(
  "cancelling the starter's group leaves the target group alone",
  async () => {
    await TaskGroup.run(async (target) => {
      await TaskGroup.run(async (own) => {
        own.createTask(() => target.start(() => sleep(100)));
        await sleep(1);
        own.cancelAll();
      });
      assertFalse(target.cancelled);
    });
  },
);

testClean("a member that has started outlives its starter", async () => {
  const log: string[] = [];

  await TaskGroup.run(async (group) => {
    await timeout(5, () =>
      group.start(async (status: StartStatus<void>) => {
        status.started();
        await sleep(50);
        log.push("ended");
      }));
  });

  assertEquals(log, ["ended"]);
});

testClean(
  "a member that has started belongs to the group, wherever its starter is",
  async () => {
    const log: string[] = [];
    await using group = new TaskGroup();

    await withScope(async (scope) => {
      await group.start(async (status: StartStatus<void>) => {
        status.started();
        await sleep(5);
        log.push("goes on");
        await sleep(100).catch(() => log.push("cancelled"));
      });
      scope.cancel();
    });
    await sleep(10);
    group.cancelAll();
    await group.waitAll();

    assertEquals(log, ["goes on", "cancelled"]);
  },
);

testClean("a member that has started is cancelled with its group", async () => {
  const log: string[] = [];

  await TaskGroup.run(async (group) => {
    await group.start(async (status: StartStatus<void>) => {
      status.started();
      await sleep(100).catch(() => log.push("cancelled"));
    });
    group.cancelAll();
  });

  assertEquals(log, ["cancelled"]);
});

testClean("StartStatus.started() throws when it is called twice", async () => {
  const error = await assertRejects(
    () =>
      TaskGroup.run((group) =>
        group.start((status: StartStatus<number>) => {
          status.started(1);
          status.started(2);
        }, { name: "server" })
      ),
    TaskGroupError,
  );

  assertInstanceOf(error.errors[0], InvalidStateError);
  assertEquals(
    error.errors[0].message,
    'Cannot start task "server" again: it has started',
  );
});

testClean("TaskGroup.start() rejects anything but a function", async () => {
  await TaskGroup.run(async (group) => {
    await assertRejects(() => group.start(1 as never), TypeError, '"fn"');
    assertEquals(group.size, 0);
  });
});

testClean("TaskGroup.start() does not begin in a cancelled scope", async () => {
  const log: string[] = [];
  const group = new TaskGroup();
  await withScope(async (scope) => {
    scope.cancel();
    const start = () => group.start(() => log.push("never"));
    assertStrictEquals(await assertRejects(start), scope.error);
  });
  await group.waitAll();

  assertEquals(log, []);
});

// waitAll(): groups that are kept in a field.

testClean(
  "TaskGroup.waitAll() gives the results in the order of creation",
  async () => {
    const group = new TaskGroup();
    group.createTask(() => sleep(3, { value: "slow" }));
    group.createTask(() => sleep(1, { value: "quick" }));
    group.go(() => sleep(2, { value: "not counted" }));

    assertEquals(await group.waitAll(), ["slow", "quick"]);
  },
);

testClean(
  "TaskGroup.waitAll() gives results of members that ended long ago",
  async () => {
    const group = new TaskGroup();
    group.createTask(() => "early");
    await sleep(100);
    group.createTask(() => sleep(1, { value: "late" }));

    assertEquals(await group.waitAll(), ["early", "late"]);
  },
);

testClean("TaskGroup.waitAll() of an empty group gives nothing", async () => {
  assertEquals(await new TaskGroup().waitAll(), []);
});

testClean(
  "TaskGroup.waitAll() leaves out members that were cancelled",
  async () => {
    const group = new TaskGroup();
    group.createTask(() => 1);
    group.createTask(() => sleep(100)).cancel();
    group.createTask(() => 3);

    assertEquals(await group.waitAll(), [1, 3]);
  },
);

testClean(
  "TaskGroup.waitAll() gives the results after cancelAll()",
  async () => {
    const group = new TaskGroup();
    group.createTask(() => 1);
    group.createTask(() => sleep(100));
    await sleep(1);
    group.cancelAll();

    assertEquals(await group.waitAll(), [1]);
  },
);

testClean(
  "TaskGroup.waitAll() throws a failure, also if it was long ago",
  async () => {
    const group = new TaskGroup({ name: "team" });
    group.createTask(() => failAfter(1, "old"));
    await sleep(10_000);

    const error = await assertRejects(() => group.waitAll(), TaskGroupError);

    assertEquals([error.group, textsOf(error)], ["team", ["TypeError: old"]]);
  },
);

testClean("TaskGroup.waitAll() may be called again", async () => {
  const group = new TaskGroup();
  group.createTask(() => 1);

  assertEquals(await group.waitAll(), [1]);
  assertEquals(await group.waitAll(), [1]);
});

testClean(
  "TaskGroup.waitAll() cancels all when the time runs out, and waits",
  async ({ virtual }) => {
    const log: string[] = [];
    const group = new TaskGroup({ name: "team" });
    group.createTask(() => linger(10, () => log.push(`at ${virtual.now}`)));

    const error = await assertRejects(
      () => group.waitAll({ timeoutMs: 5 }),
      TimeoutError,
    );

    assertEquals([error.ms, error.label], [5, "team"]);
    assertEquals(log, ["at 15"]);
  },
);

testClean(
  "TaskGroup.waitAll() lets a failure win over its timeout",
  async () => {
    const group = new TaskGroup();
    group.createTask(async () => {
      await sleep(Infinity).catch(() => {});
      throw new TypeError("while ending");
    });

    const error = await assertRejects(
      () => group.waitAll({ timeoutMs: 5 }),
      TaskGroupError,
    );

    assertEquals(textsOf(error), ["TypeError: while ending"]);
  },
);

testClean(
  "TaskGroup.waitAll() that is cancelled cancels all members",
  async () => {
    const group = new TaskGroup();
    const member = group.createTask(() => sleep(100));
    const waiter = createTask(() => group.waitAll());
    await sleep(1);

    waiter.cancel("waiter");

    const error = await assertRejects(() => waiter, CancelledError);
    assertEquals(error.reason, "waiter");
    assert(member.cancelled);
  },
);

testClean(
  "TaskGroup.waitAll() rejects a timeout that is no length",
  async () => {
    const group = new TaskGroup();

    await assertRejects(
      () => group.waitAll({ timeoutMs: -1 }),
      RangeError,
      'Cannot wait for a group as "timeoutMs" must be a number >= 0',
    );
    await group.waitAll();
  },
);

testClean("a group belongs to the scope in which it was made", async () => {
  let member: Task<void> | undefined;
  await withScope(async (scope) => {
    const group = new TaskGroup();
    const maker = createTask(() => {
      member = group.createTask(() => sleep(100));
    });
    await maker;
    scope.cancel();
    await uncancellable(() => member?.outcome());
    await group[Symbol.asyncDispose]();
  }).catch(() => {});

  assert(member?.cancelled);
});

// results(): members as they end.

testClean(
  "TaskGroup.results() gives members in the order of their end, once",
  async () => {
    const log: unknown[] = [];

    await TaskGroup.run(async (group) => {
      group.createTask(() => sleep(3, { value: "slow" }), { name: "a" });
      group.createTask(() => sleep(1, { value: "quick" }), { name: "b" });
      group.createTask(() => sleep(Infinity), { name: "c" }).cancel();
      for await (const { task, ...result } of group.results()) {
        log.push([task.name, result.state]);
      }
      for await (const _ of group.results()) log.push("again");
    });

    assertEquals(log, [["c", "cancelled"], ["b", "done"], ["a", "done"]]);
  },
);

testClean("TaskGroup.results() gives members that ended before", async () => {
  await TaskGroup.run(async (group) => {
    group.createTask(() => 1);
    await sleep(5);

    const values: unknown[] = [];
    for await (const result of group.results()) {
      if (result.state === "done") values.push(result.value);
    }

    assertEquals(values, [1]);
  });
});

testClean(
  "TaskGroup.results() gives members that were added meanwhile",
  async () => {
    const values: unknown[] = [];
    await TaskGroup.run(async (group) => {
      group.createTask(async () => {
        await sleep(1);
        group.createTask(() => sleep(1, { value: "second" }));
        return "first";
      });
      for await (const result of group.results()) {
        if (result.state === "done") values.push(result.value);
      }
    });

    assertEquals(values, ["first", "second"]);
  },
);

testClean(
  "TaskGroup.results() gives a failure, and the group fails",
  async () => {
    const seen: string[] = [];

    const error = await assertRejects(
      () =>
        TaskGroup.run(async (group) => {
          group.createTask(() => failAfter(1, "given"));
          await uncancellable(async () => {
            for await (const { state } of group.results()) seen.push(state);
          });
        }),
      TaskGroupError,
    );

    assertEquals(seen, ["failed"]);
    assertEquals(textsOf(error), ["TypeError: given"]);
  },
);

testClean(
  "TaskGroup.results() cancels the others when its loop is left",
  async ({ virtual }) => {
    const { slow, value } = await TaskGroup.run(async (group) => {
      group.createTask(() => sleep(1, { value: "quick" }));
      const slow = group.createTask(() => sleep(100));
      for await (const result of group.results()) {
        if (result.state === "done") return { slow, value: result.value };
      }
      return { slow, value: undefined };
    });

    assertEquals(value, "quick");
    assert(slow.cancelled);
    assertEquals(virtual.now, 1);
  },
);

testClean(
  "TaskGroup.results() leaves the body alone when its loop is left",
  async () => {
    const value = await TaskGroup.run(async (group) => {
      group.createTask(() => "quick");
      group.createTask(() => sleep(100));
      for await (const _ of group.results()) break;
      await sleep(1);
      return "saved";
    });

    assertEquals(value, "saved");
  },
);

testClean(
  "TaskGroup.results() shares the members between two loops",
  async () => {
    const seen: unknown[] = [];
    await TaskGroup.run(async (group) => {
      for (const n of [1, 2, 3, 4]) {
        group.createTask(() => sleep(n, { value: n }));
      }
      const read = async () => {
        for await (const result of group.results()) {
          if (result.state === "done") seen.push(result.value);
        }
      };
      await Promise.all([read(), read()]);
    });

    assertEquals(seen, [1, 2, 3, 4]);
  },
);

testClean(
  "TaskGroup.results() ends when the last member has no result to give",
  async () => {
    await TaskGroup.run(async (group) => {
      group.go(() => sleep(10));
      await group.start(async (status: StartStatus<void>) => {
        status.started();
        await sleep(20);
      });
      for await (const _ of group.results()) assert(false);
    });
  },
);

testClean("TaskGroup.results() throws in a cancelled scope", async () => {
  const group = new TaskGroup();
  group.createTask(() => sleep(50));
  await withScope(async (scope) => {
    scope.cancel();
    const next = () => group.results().next();
    assertStrictEquals(await assertRejects(next), scope.error);
  });
  await group[Symbol.asyncDispose]();
}, { exceptionHandler: () => {} });

testClean(
  "TaskGroup.results() ends its wait when its scope is cancelled",
  async () => {
    const group = new TaskGroup();
    const member = group.createTask(() => sleep(50));

    await assertRejects(() =>
      timeout(5, async () => {
        for await (const _ of group.results()) assert(false);
      }), TimeoutError);
    await group.waitAll().catch(() => {});

    assert(member.cancelled);
  },
);

testClean("a group that discards gives no results", async () => {
  const seen: unknown[] = [];
  const group = new TaskGroup({ discard: true });
  group.createTask(() => sleep(1, { value: 1 }));
  for await (const result of group.results()) seen.push(result);

  assertEquals([seen, await group.waitAll()], [[], []]);
});

testClean("a group that discards keeps failures", async () => {
  const group = new TaskGroup({ discard: true });
  group.createTask(() => failAfter(1, "kept"));

  const error = await assertRejects(() => group.waitAll(), TaskGroupError);

  assertEquals(textsOf(error), ["TypeError: kept"]);
});

// all(): gather with the guarantees of a group.

testClean("TaskGroup.all() keeps the shape of a list", async () => {
  const values = await TaskGroup.all([
    () => sleep(2, { value: 1 }),
    () => "two",
  ]);

  assertEquals(values, [1, "two"]);
});

testClean("TaskGroup.all() keeps the shape of a record", async () => {
  const { one, two } = await TaskGroup.all({
    one: () => sleep(2, { value: 1 }),
    two: () => "two",
  });

  assertEquals([one + 1, two.length], [2, 3]);
});

testClean("TaskGroup.all() of nothing gives nothing", async () => {
  assertEquals(await TaskGroup.all([]), []);
  assertEquals(await TaskGroup.all({}), {});
});

testClean(
  "TaskGroup.all() cancels the rest at the first failure, and waits",
  async ({ virtual }) => {
    const log: string[] = [];

    const error = await assertRejects(
      () =>
        TaskGroup.all([
          () => failAfter(5, "first"),
          () => linger(5, () => log.push(`at ${virtual.now}`)),
        ]),
      TaskGroupError,
    );

    assertEquals(textsOf(error), ["TypeError: first"]);
    assertEquals(log, ["at 10"]);
  },
);

testClean("TaskGroup.all() tells how each has ended with settle", async () => {
  const error = new TypeError("bad");

  const results = await TaskGroup.all({
    good: () => sleep(5, { value: 1 }),
    bad: () => Promise.reject(error),
  }, { settle: true });

  assertEquals(results.good, { state: "done", value: 1 });
  assertEquals(results.bad, { state: "failed", error });
});

testClean(
  "TaskGroup.all() does not settle the caller's own cancellation",
  async () => {
    const caller = createTask(() =>
      TaskGroup.all([() => sleep(100)], { settle: true })
    );
    await sleep(1);

    caller.cancel("caller");

    const error = await assertRejects(() => caller, CancelledError);
    assertEquals(error.reason, "caller");
  },
);

testClean(
  "TaskGroup.all() rejects anything but functions, and starts none",
  async () => {
    const log: string[] = [];

    await assertRejects(
      () => TaskGroup.all([() => log.push("no"), sleep(0)] as never),
      TypeError,
      "pass the function, not what it returned",
    );
    await assertRejects(
      () => TaskGroup.all((() => {}) as never),
      TypeError,
      '"entries" must be a list or a record of functions',
    );

    assertEquals(log, []);
  },
);

// Groups left without waitAll().

testClean(
  "await using of a group cancels, waits and reports",
  async ({ reports, virtual }) => {
    const log: string[] = [];
    {
      await using group = new TaskGroup();
      group.createTask(() =>
        linger(5, () => log.push(`one at ${virtual.now}`))
      );
      group.createTask(() => sleep(100));
      await sleep(1);
    }

    assertEquals(log, ["one at 6"]);
    assertEquals(takeMessages(reports), [
      "Cannot keep 2 tasks: the group was left without waitAll()",
    ]);
  },
);

testClean(
  "await using of a group reports failures instead of throwing",
  async ({ reports }) => {
    {
      await using group = new TaskGroup();
      group.createTask(() => failAfter(1, "lost"));
      await sleep(5);
    }

    assertEquals(`${reports[0]?.exception}`, "TypeError: lost");
    assertEquals(takeMessages(reports), [
      "A task failed in a group that was left without waitAll()",
    ]);
  },
);

testClean(
  "await using of a group that was waited for does nothing",
  async () => {
    await using group = new TaskGroup();
    group.createTask(() => 1);

    await group.waitAll();
    await group[Symbol.asyncDispose]();
  },
);

testClean(
  "TaskGroup's asyncDispose waits in a cancelled scope, too",
  async ({ reports }) => {
    await withScope(async (scope) => {
      const group = new TaskGroup();
      const member = group.createTask(() => linger(5, () => {}));
      await sleep(1);
      scope.cancel();
      await group[Symbol.asyncDispose]();
      assert(member.done);
    });

    takeMessages(reports);
  },
);

testClean("a group of 3,000 members is cancelled by one failure", async () => {
  const COUNT = 3000;
  let cancelled = 0;

  const error = await assertRejects(
    () =>
      TaskGroup.run((group) => {
        for (let i = 0; i < COUNT; i++) {
          group.go(() => sleep(100).catch(() => cancelled++));
        }
        group.createTask(() => failAfter(1, "one"));
      }),
    TaskGroupError,
  );

  assertEquals([error.errors.length, cancelled], [1, COUNT]);
});

Deno.test("a group whose run was closed takes no member, and ends", async () => {
  const runner = new Runner();
  const { group } = await runner.run(() => ({ group: new TaskGroup() }));
  await runner.close();

  assertThrows(() => group.createTask(() => {}), ScopeClosedError);
  assertThrows(() => group.background(() => {}), ScopeClosedError);
  assertEquals(group.size, 0);
  assertEquals(await group.waitAll(), []);
});
