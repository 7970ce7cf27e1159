import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { currentSignal, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  moveOnAfter,
  timeout,
  timeoutAt,
  TimeoutError,
  type TimeoutScope,
} from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { testClean } from "../_leaks.ts";

testClean(
  "timeout() gives what its function returns in time",
  async ({ virtual }) => {
    assertEquals(
      await timeout(10, () => sleep(5, { value: "value" })),
      "value",
    );
    assertEquals(await timeout(10, () => "at once"), "at once");
    assertEquals(virtual.now, 5);
  },
);

testClean(
  "timeout() throws a TimeoutError when the time has passed",
  async ({ virtual }) => {
    const error = await assertRejects(
      () => timeout(10, () => sleep(100), { label: "fetch" }),
      TimeoutError,
      'Cannot finish "fetch" in time: 10 ms have passed',
    );

    assertEquals([error.ms, error.deadline, error.label], [10, 10, "fetch"]);
    assertInstanceOf(error.cause, CancelledError);
    assertEquals(error.cause.kind, "deadline");
    assertEquals(virtual.now, 10);
  },
);

testClean(
  "timeout() ends only when the work has ended, cleanup included",
  async ({ virtual }) => {
    await assertRejects(() =>
      timeout(10, async () => {
        try {
          await sleep(100);
        } finally {
          await uncancellable(() => sleep(30));
        }
      }), TimeoutError);

    assertEquals(virtual.now, 40);
  },
);

testClean(
  "timeout() gives a value that comes in spite of the limit",
  async () => {
    const value = await timeout(10, async () => {
      await sleep(100).catch(() => {});
      return "salvaged";
    });

    assertEquals(value, "salvaged");
  },
);

testClean(
  "timeout() lets an error win that comes in spite of the limit",
  async () => {
    await assertRejects(
      () =>
        timeout(10, () =>
          sleep(100).catch(() => {
            throw new RangeError("cleanup");
          })),
      RangeError,
      "cleanup",
    );
  },
);

testClean(
  "timeout(0) begins its function, and its first wait throws",
  async () => {
    const log: string[] = [];

    await assertRejects(
      () =>
        timeout(0, async () => {
          log.push("begun");
          await sleep(0);
          log.push("never");
        }),
      TimeoutError,
    );

    assertEquals(log, ["begun"]);
  },
);

testClean(
  "timeout(0) gives the value of a function that does not wait",
  async () => {
    assertEquals(await timeout(0, () => "value"), "value");
  },
);

testClean("timeout(null) sets no limit", async ({ virtual }) => {
  await timeout(null, (limit) => {
    assertEquals(limit.when, null);
    return sleep(1e9);
  });

  assertEquals(virtual.now, 1e9);
});

testClean("timeout(Infinity) sets no limit", async () => {
  await timeout(Infinity, (limit) => {
    assertEquals(limit.when, null);
    assertEquals(limit.remainingMs, Infinity);
  });
});

testClean("timeout() takes a Temporal.Duration", async ({ virtual }) => {
  const hour = Temporal.Duration.from({ hours: 1 });

  const error = await assertRejects(
    () => timeout(hour, () => sleep(Infinity)),
    TimeoutError,
  );

  assertEquals([error.ms, virtual.now], [3_600_000, 3_600_000]);
});

testClean("timeout() rejects a limit that is no length", async () => {
  for (const ms of [-1, NaN]) {
    await assertRejects(
      () => timeout(ms, () => {}),
      RangeError,
      `Cannot set a timeout as "ms" must be a number >= 0: current value is ${ms}`,
    );
  }
  await assertRejects(
    () => timeout("10" as never, () => {}),
    TypeError,
    'current value is "10"',
  );
});

testClean("timeout() rejects anything but a function", async () => {
  await assertRejects(
    () => timeout(10, sleep(0) as never),
    TypeError,
    "pass the function, not what it returned",
  );
  await sleep(0);
});

testClean("timeout() counts from the call", async ({ virtual }) => {
  virtual.advance(1000);

  await timeout(10, (limit) => assertEquals(limit.when, 1010));
});

testClean(
  "timeout() ends waits that are beyond 2^31-1 ms",
  async ({ virtual }) => {
    await assertRejects(
      () => timeout(2 ** 33, () => sleep(2 ** 40)),
      TimeoutError,
    );

    assertEquals(virtual.now, 2 ** 33);
  },
);

testClean(
  "an inner timeout that is longer never speaks for the outer",
  async () => {
    const error = await assertRejects(
      () =>
        timeout(10, () => timeout(20, () => sleep(100), { label: "inner" }), {
          label: "outer",
        }),
      TimeoutError,
    );

    assertEquals(error.label, "outer");
  },
);

testClean("an inner TimeoutError passes the outer untouched", async () => {
  let caught: unknown;

  await timeout(20, async () => {
    caught = await timeout(10, () => sleep(100), { label: "inner" })
      .catch((error) => error);
    await sleep(1);
  }, { label: "outer" });

  assertInstanceOf(caught, TimeoutError);
  assertEquals(caught.label, "inner");
});

testClean(
  "two timeouts that end at once give the error of the outer",
  async () => {
    const log: unknown[] = [];

    const error = await assertRejects(
      () =>
        timeout(10, async () => {
          try {
            await timeout(10, () => sleep(100), { label: "inner" });
          } catch (error) {
            log.push(error);
            throw error;
          }
        }, { label: "outer" }),
      TimeoutError,
    );

    assertEquals(error.label, "outer");
    assertInstanceOf(log[0], CancelledError);
  },
);

testClean(
  "timeout() looks up before it turns its own into a TimeoutError",
  async () => {
    const owner = createTask(() =>
      timeout(10, async () => {
        try {
          await sleep(100);
        } finally {
          await uncancellable(() => sleep(10));
        }
      })
    );
    await sleep(15);

    owner.cancel("owner");

    const error = await assertRejects(() => owner, CancelledError);
    assertEquals(error.reason, "owner");
  },
);

testClean("timeout() lets a cancellation from outside pass", async () => {
  const owner = createTask(() => timeout(10, () => sleep(100)));
  await sleep(1);

  owner.cancel("owner");

  const error = await assertRejects(() => owner, CancelledError);
  assertEquals(error.reason, "owner");
});

testClean(
  "timeout() does not take a foreign cancellation for its own",
  async () => {
    const other = createTask(() => sleep(Infinity));
    const error = await assertRejects(
      () =>
        timeout(10, async () => {
          getRunningLoop().callLater(5, () => other.cancel("other"));
          await other;
        }),
      CancelledError,
    );

    assertEquals(error.reason, "other");
  },
);

testClean("timeout() cancels a task that its function returns", async () => {
  const task = createTask(() => sleep(100));

  await assertRejects(() => timeout(10, () => task), TimeoutError);

  assert(task.cancelled);
});

testClean(
  "timeout() leaves a task alone that somebody else awaits",
  async () => {
    const task = createTask(() => sleep(50, { value: "value" }));
    const other = createTask(async () => await task);
    await sleep(1);

    await assertRejects(() => timeout(10, () => task), TimeoutError);

    assertEquals(await other, "value");
  },
);

testClean(
  "a cancellation that was swallowed comes again after the limit",
  async () => {
    await assertRejects(
      () =>
        timeout(10, async () => {
          await sleep(100).catch(() => {});
          await sleep(1);
        }),
      TimeoutError,
    );
  },
);

testClean(
  "TimeoutScope tells the limit, what is left, and whether it ran out",
  async ({ virtual }) => {
    const [limit] = await timeout(10, async (limit) => {
      await sleep(4);
      assertEquals([limit.when, limit.remainingMs, limit.expired], [
        10,
        6,
        false,
      ]);
      return [limit];
    });
    await sleep(100);

    assertFalse(limit?.expired);
    assertEquals(virtual.now, 104);
  },
);

testClean("TimeoutScope.expired is true once the time ran out", async () => {
  const limits: TimeoutScope[] = [];
  await timeout(10, (limit) => {
    limits.push(limit);
    return sleep(100);
  }).catch(() => {});

  assert(limits[0]?.expired);
});

testClean(
  "TimeoutScope.expired is false if it was cancelled from outside",
  async () => {
    const limits: TimeoutScope[] = [];
    const owner = createTask(() =>
      timeout(10, (limit) => {
        limits.push(limit);
        return sleep(100);
      })
    );
    await sleep(1);

    owner.cancel();
    await owner.outcome();

    assertFalse(limits[0]?.expired);
  },
);

testClean("TimeoutScope.remainingMs knows a nearer limit above", async () => {
  await timeout(10, () =>
    timeout(100, (limit) => {
      assertEquals(limit.remainingMs, 10);
    }));
});

testClean("TimeoutScope.signal fires when the work is cancelled", async () => {
  await timeout(10, async (limit) => {
    assertStrictEquals(limit.signal, currentSignal());
    await sleep(100).catch(() => {});
    assert(limit.signal.aborted);
    assertInstanceOf(limit.signal.reason, CancelledError);
  });
});

testClean("TimeoutScope.reschedule() moves the limit", async ({ virtual }) => {
  const error = await assertRejects(
    () =>
      timeout(10, (limit) => {
        limit.reschedule(30);
        assertEquals(limit.when, 30);
        return sleep(100);
      }),
    TimeoutError,
  );

  assertEquals([virtual.now, error.deadline], [30, 30]);
});

testClean(
  "a TimeoutError does not tell a duration that was rescheduled",
  async () => {
    const error = await assertRejects(
      () =>
        timeout(10, (limit) => {
          limit.reschedule(30);
          return sleep(100);
        }),
      TimeoutError,
    );

    assertEquals(error.ms, undefined);
  },
);

testClean(
  "TimeoutScope.reschedule(null) takes the limit away",
  async ({ virtual }) => {
    await timeout(10, (limit) => {
      limit.reschedule(null);
      assertEquals(limit.when, null);
      return sleep(100);
    });

    assertEquals(virtual.now, 100);
  },
);

testClean(
  "TimeoutScope.reschedule() sets a limit where there was none",
  async ({ virtual }) => {
    await assertRejects(
      () =>
        timeout(null, (limit) => {
          limit.reschedule(10);
          return sleep(100);
        }),
      TimeoutError,
    );

    assertEquals(virtual.now, 10);
  },
);

testClean(
  "TimeoutScope.reschedule() to the past ends at the next turn",
  async ({ virtual }) => {
    virtual.advance(100);

    await assertRejects(
      () =>
        timeout(10, (limit) => {
          limit.reschedule(50);
          return sleep(100);
        }),
      TimeoutError,
    );

    assertEquals(virtual.now, 100);
  },
);

testClean(
  "TimeoutScope.reschedule() throws once the time ran out, or the work ended",
  async () => {
    await timeout(10, async (limit) => {
      await sleep(100).catch(() => {});
      assertThrows(
        () => limit.reschedule(50),
        InvalidStateError,
        "Cannot move a timeout: its time has run out",
      );
    });
    const [ended] = await timeout(10, (limit) => [limit]);
    assertThrows(
      () => ended?.reschedule(50),
      InvalidStateError,
      "Cannot move a timeout: its work has ended",
    );
  },
);

testClean(
  "TimeoutScope.reschedule() throws on anything but a time",
  async () => {
    await timeout(10, (limit) => {
      assertThrows(() => limit.reschedule(NaN), RangeError, '"when" must be');
      assertThrows(() => limit.reschedule("1" as never), RangeError, '"when"');
      assertEquals(limit.when, 10);
    });
  },
);

testClean(
  "timeoutAt() ends at a moment of the loop's time",
  async ({ virtual }) => {
    virtual.advance(100);

    const error = await assertRejects(
      () => timeoutAt(130, () => sleep(100)),
      TimeoutError,
      "Cannot finish the work: its deadline has passed",
    );

    assertEquals([virtual.now, error.ms, error.deadline], [
      130,
      undefined,
      130,
    ]);
  },
);

testClean(
  "timeoutAt() of a moment that is past cancels at the first wait",
  async ({ virtual }) => {
    virtual.advance(100);
    const log: string[] = [];

    await assertRejects(
      () =>
        timeoutAt(50, async () => {
          log.push("begun");
          await checkpoint();
        }),
      TimeoutError,
    );

    assertEquals([log, virtual.now], [["begun"], 100]);
  },
);

testClean("timeoutAt(null) sets no limit", async () => {
  await timeoutAt(null, () => sleep(100));
});

testClean(
  "timeoutAt() rejects anything but a time and a function",
  async () => {
    await assertRejects(
      () => timeoutAt(NaN, () => {}),
      RangeError,
      'Cannot set a timeout as "when" must be a number or null: current value is NaN',
    );
    await assertRejects(() => timeoutAt(1, 1 as never), TypeError, '"fn"');
  },
);

testClean("moveOnAfter() gives the value in time", async () => {
  const result = await moveOnAfter(10, () => sleep(5, { value: "value" }));

  assertEquals(result, { timedOut: false, value: "value" });
});

testClean(
  "moveOnAfter() goes on without an error when the time has passed",
  async ({ virtual }) => {
    const result = await moveOnAfter(10, () => sleep(100));

    assertEquals(result, { timedOut: true, value: undefined });
    assertEquals(virtual.now, 10);
    await sleep(1);
  },
);

testClean("moveOnAfter() does not hide other errors", async () => {
  await assertRejects(
    () => moveOnAfter(10, () => Promise.reject(new TypeError("wrong"))),
    TypeError,
    "wrong",
  );
});

testClean(
  "moveOnAfter() does not hide a cancellation from further out",
  async () => {
    await assertRejects(
      () => timeout(10, () => moveOnAfter(10, () => sleep(100))),
      TimeoutError,
    );
    await withScope(async (outer) => {
      const error = await assertRejects(() =>
        moveOnAfter(10, () => {
          outer.cancel();
          return sleep(100);
        })
      );
      assertStrictEquals(error, outer.error);
    });
  },
);

testClean("moveOnAfter() rejects bad arguments", async () => {
  await assertRejects(() => moveOnAfter(-1, () => {}), RangeError, '"ms"');
  await assertRejects(() => moveOnAfter(1, 1 as never), TypeError, '"fn"');
});

Deno.test("timeout() in real time leaves no timer when it was not needed", async () => {
  await timeout(60_000, () => sleep(1));
});

Deno.test("timeout() in real time ends a loop that only checkpoints", async () => {
  await assertRejects(() =>
    timeout(2, async () => {
      for (;;) await checkpoint();
    }), TimeoutError);
});

Deno.test("timeout() in debug mode ends a loop that only checkpoints", async () => {
  const runner = new Runner({ debug: true, exceptionHandler: () => {} });
  let rounds = 0;

  await assertRejects(() =>
    runner.run(() =>
      timeout(2, async () => {
        for (; rounds < 1e6; rounds++) await checkpoint();
      })
    ), TimeoutError);

  await runner.close();
});

Deno.test("timeout() in real time does not take 2^31 ms for none at all", async () => {
  await assertRejects(() => timeout(3, () => sleep(2 ** 31)), TimeoutError);
  await timeout(2 ** 31, () => sleep(1));
});
