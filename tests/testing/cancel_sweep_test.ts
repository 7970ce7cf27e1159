import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { LeakError } from "@ilmek/async/assert-no-leaks";
import {
  type CancelSweep,
  cancelSweep,
  CancelSweepError,
} from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { DeadlockError, InvalidStateError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { Queue, QueueShutDownError } from "@ilmek/async/queue";
import { currentScope, currentSignal } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import { LosingSemaphore } from "./broken/loses.ts";
import { RightSemaphore } from "./broken/right.ts";
import { SleepingSemaphore } from "./broken/sleeps.ts";

/** Where a sweep has cancelled, as `kind: label`. */
async function pointsOf(
  ...args: Parameters<typeof cancelSweep>
): Promise<string[]> {
  const { points } = await cancelSweep(...args);
  return points.map(({ kind, label }) => `${kind}: ${label}`);
}

/** What the sweep needs of a semaphore. */
type Semaphore = Pick<RightSemaphore, "acquire" | "release" | "available">;

/** Sweeps one who asks for two permits, with one behind who asks for a single. */
async function sweepSemaphore(make: () => Semaphore): Promise<void> {
  await cancelSweep(async (sweep) => {
    const semaphore = make();
    sweep.check(() => assertEquals(semaphore.available, 2));
    const use = async (count: number) => {
      await semaphore.acquire(count);
      try {
        await sleep(1);
      } finally {
        semaphore.release(count);
      }
    };
    await semaphore.acquire();
    const big = sweep.target(() => use(2), { name: "big" });
    await sleep(0);
    const small = createTask(() => use(1), { name: "small" });
    let gaveUp = false;
    big.then(({ state }) => gaveUp = state === "cancelled", () => {});
    await sleep(10);
    // There is a permit, and nobody stands before the small one any more.
    if (gaveUp) await small;
    semaphore.release();
    await big;
    await small;
  });
}

Deno.test("cancelSweep() cancels before the start, while parked, and after the grant", async () => {
  const points = await pointsOf((sweep) =>
    sweep.target(() => sleep(10), { name: "napper" })
  );

  assertEquals(points, [
    'created: task "napper" has not begun',
    'parked: task "napper" waits for time to pass',
    'woken: task "napper" waits for time to pass',
  ]);
});

Deno.test("cancelSweep() cancels where a wait ends at once", async () => {
  const points = await pointsOf((sweep) =>
    sweep.target(() => checkpoint(), { name: "quick" })
  );

  assertEquals(points, [
    'created: task "quick" has not begun',
    'passed: task "quick" has what it asked for',
  ]);
});

Deno.test("cancelSweep() cancels after each step of others", async () => {
  const points = await pointsOf(async (sweep) => {
    const queue = new Queue<number>();
    const ended = sweep.target(() => queue.get());
    await sleep(1);
    queue.putNowait(1);
    await ended;
  });

  assertEquals(points, [
    'created: task "target" has not begun',
    'parked: task "target" waits for an item of a queue',
    // The timer is due, and has woken who sleeps.
    'waiting: task "target" waits for an item of a queue',
    'woken: task "target" waits for an item of a queue',
  ]);
});

Deno.test("cancelSweep() cancels who has passed before it goes on", async () => {
  const log: string[] = [];

  await cancelSweep(async (sweep) => {
    await sweep.target(async () => {
      await checkpoint();
      log.push(currentScope().cancelled ? "cancelled" : "not cancelled");
    });
  });

  assertEquals(log, ["not cancelled", "cancelled"]);
});

Deno.test("cancelSweep() cancels from outside of all tasks", async () => {
  const seen: (string | undefined)[] = [];

  await cancelSweep(async (sweep) => {
    sweep.target(async () => {
      const signal = currentSignal();
      signal.addEventListener("abort", () => seen.push(currentTask()?.name));
      await checkpoint();
      await sleep(1);
    });
    await sleep(1);
  });

  assertEquals(seen, [undefined, undefined, undefined, undefined]);
});

Deno.test("cancelSweep() makes a run for each point, after one to count", async () => {
  let runs = 0;

  const { points } = await cancelSweep((sweep) => {
    runs++;
    sweep.target(async () => {
      await sleep(1);
      await sleep(1);
    });
  });

  assertEquals(points.length, 5);
  assertEquals(runs, 6);
  assertEquals(points.map(({ index }) => index), [0, 1, 2, 3, 4]);
});

Deno.test("CancelSweep.target() tells how the work ended", async () => {
  const log: string[] = [];

  await cancelSweep(async (sweep) => {
    const outcome = await sweep.target(() => sleep(10, { value: "slept" }));
    log.push(
      outcome.state === "done" ? outcome.value : String(outcome.error),
    );
  });

  const cancelled =
    'CancelledError: Cannot go on with "target": it was cancelled (a cancel sweep)';
  // Granted wins: a cancellation that comes after the time does not undo it.
  assertEquals(log, ["slept", cancelled, cancelled, "slept"]);
});

Deno.test("cancelSweep() strikes a granted waiter at its next wait", async () => {
  const log: string[] = [];

  await cancelSweep(async (sweep) => {
    const gate = new Queue<string>();
    let steps = "";
    const ended = sweep.target(async () => {
      await gate.get();
      steps += "granted ";
      await checkpoint();
      steps += "went on";
    });
    await sleep(1);
    gate.putNowait("go");
    await ended;
    log.push(steps.trim());
  });

  assertEquals(log, [
    "granted went on",
    "", // It has not begun.
    "", // It has parked.
    "", // It waits.
    "granted",
    "granted went on",
  ]);
});

Deno.test("cancelSweep() fails if the work throws anything but the cancellation", async () => {
  const wrong = new TypeError("wrapped");

  const error = await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(async () => {
          try {
            await sleep(1);
          } catch {
            throw wrong;
          }
        });
      }),
    CancelSweepError,
    'Cannot cancel "target" at point 1 of 3 (parked: task "target" waits for ' +
      "time to pass) without harm: TypeError: wrapped",
  );

  assertEquals(error.errors, [wrong]);
  assertStrictEquals(error.cause, wrong);
  assertEquals(error.point?.index, 1);
});

Deno.test("cancelSweep() fails if the test fails without any cancellation", async () => {
  const error = await assertRejects(
    () =>
      cancelSweep(async (sweep) => {
        await sweep.target(() => sleep(1));
        throw new TypeError("always");
      }),
    CancelSweepError,
    "Cannot sweep, as it fails without any cancellation: TypeError: always",
  );

  assertEquals(error.point, undefined);
});

Deno.test("cancelSweep() runs all checks after each run", async () => {
  let checks = 0;

  const { points } = await cancelSweep((sweep) => {
    sweep.check(() => checks++);
    sweep.check(async () => {
      await sleep(1);
      checks++;
    });
    sweep.target(() => sleep(1));
  });

  assertEquals(checks, 2 * (points.length + 1));
});

Deno.test("cancelSweep() reports every check that fails in a run", async () => {
  const error = await assertRejects(
    () =>
      cancelSweep((sweep) => {
        let open = 0;
        sweep.check(() => assertEquals(open, 0));
        sweep.check(() => assert(open < 1, "too many are open"));
        sweep.target(async () => {
          open++;
          await sleep(1);
          open--;
        });
      }),
    CancelSweepError,
    "too many are open",
  );

  assertEquals(error.errors.length, 2);
  for (const each of error.errors) assertInstanceOf(each, AssertionError);
});

Deno.test("cancelSweep() brings a failure back at one point only", async () => {
  let runs = 0;
  const test = (sweep: CancelSweep) => {
    runs++;
    let open = 0;
    sweep.check(() => assertEquals(open, 0));
    sweep.target(async () => {
      await sleep(1);
      open++;
      await sleep(1);
      open--;
    });
  };
  const first = await assertRejects(() => cancelSweep(test), CancelSweepError);
  runs = 0;

  const only = first.point?.index ?? -1;
  const again = await assertRejects(
    () => cancelSweep(test, { only }),
    CancelSweepError,
  );

  assertEquals(again.point, first.point);
  assertEquals(again.message, first.message);
  assertEquals(runs, 2);
});

Deno.test("cancelSweep() fails if a task is left behind", async () => {
  const error = await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(async () => {
          const helper = createTask(() => sleep(Infinity), { name: "helper" });
          await sleep(1);
          helper.cancel();
        });
      }),
    CancelSweepError,
    'scope "helper"',
  );

  assertEquals(error.point?.kind, "parked");
  assertInstanceOf(error.errors[0], LeakError);
});

Deno.test("cancelSweep() fails if a timer is left behind", async () => {
  await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(async () => {
          const handle = getRunningLoop().callLater(1000, () => {});
          await sleep(1);
          handle.cancel();
        });
      }),
    CancelSweepError,
    "a timer: a callback",
  );
});

Deno.test("cancelSweep() fails if a hold is left behind", async () => {
  await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(async () => {
          const release = getRunningLoop().hold("a parcel");
          await sleep(0);
          release[Symbol.dispose]();
        });
      }),
    CancelSweepError,
    "a hold: a parcel",
  );
});

Deno.test("cancelSweep() fails if somebody waits for ever", async () => {
  const error = await assertRejects(
    () =>
      cancelSweep(async (sweep) => {
        const gate = new Future<void>();
        sweep.target(async () => {
          await sleep(1);
          gate.setResult();
        });
        await gate;
      }),
    CancelSweepError,
  );

  assertEquals(error.errors.length, 1);
  assertInstanceOf(error.cause, DeadlockError);
});

Deno.test("cancelSweep() fails if something is reported", async () => {
  await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(async () => {
          try {
            await sleep(1);
          } catch (error) {
            const loop = getRunningLoop();
            const exception = new TypeError("mine");
            loop.callExceptionHandler({ message: "A mishap", exception });
            throw error;
          }
        });
      }),
    CancelSweepError,
    "A mishap: TypeError: mine",
  );
});

Deno.test("cancelSweep() sweeps what runs in the scope of the target", async () => {
  const points = await pointsOf((sweep) =>
    sweep.target(() =>
      TaskGroup.run((group) => {
        group.createTask(() => sleep(1), { name: "member" });
      })
    )
  );

  assert(points.includes('parked: task "member" waits for time to pass'));
  assert(points.includes('woken: task "member" waits for time to pass'));
});

Deno.test("cancelSweep() sweeps several targets", async () => {
  const { points } = await cancelSweep((sweep) => {
    const queue = new Queue<number>();
    const lost: number[] = [];
    sweep.target(() => queue.get(), { name: "one" });
    sweep.target(() => queue.get(), { name: "two" });
    queue.putNowait(1);
    queue.putNowait(2);
    sweep.check(() => assertEquals(lost, []));
  });

  assertEquals(
    new Set(points.map(({ task }) => task)),
    new Set(["one", "two"]),
  );
});

Deno.test("cancelSweep() leaves tasks alone that are no targets", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    const other = createTask(() => sleep(5), { name: "other" });
    await sweep.target(() => sleep(1));
    await other;
  });

  assert(points.every(({ task }) => task === "target"));
});

Deno.test("cancelSweep() sweeps every task by itself if it is told", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    let ended = 0;
    const work = async () => {
      try {
        await sleep(1);
      } finally {
        ended++;
      }
    };
    const bare = createTask(work, { name: "bare" });
    await TaskGroup.run((group) => {
      group.createTask(work, { name: "member" });
    });
    await bare;
    sweep.check(() => assert(ended > 0));
  }, { tasks: "all" });

  assertEquals(
    points.map(({ task, kind }) => `${task} ${kind}`).sort(),
    [
      "bare parked",
      "bare waiting",
      "bare woken",
      "member parked",
      "member waiting",
      "member woken",
    ],
  );
});

Deno.test("cancelSweep() sees the others to their end if one was cancelled", async () => {
  await cancelSweep(async (sweep) => {
    let open = 0;
    sweep.check(() => assertEquals(open, 0));
    const work = async (ms: number) => {
      open++;
      try {
        await sleep(ms);
      } finally {
        open--;
      }
    };
    const tasks = [1, 5, 9].map((ms) => createTask(() => work(ms)));
    for (const task of tasks) await task;
  }, { tasks: "all" });
});

Deno.test("cancelSweep() cancels in the midst of cleanup", async () => {
  const { points } = await cancelSweep((sweep) => {
    let closed = 0;
    let opened = 0;
    sweep.check(() => assertEquals(closed, opened));
    sweep.target(async () => {
      opened++;
      try {
        await sleep(1);
      } finally {
        await uncancellable(() => sleep(1));
        closed++;
      }
    });
  });

  assertGreater(points.length, 4);
});

Deno.test("cancelSweep() passes a producer and a consumer that are right", async () => {
  await cancelSweep(async (sweep) => {
    const queue = new Queue<string>({ capacity: 1 });
    const put: string[] = [];
    const taken: string[] = [];
    const producer = sweep.target(async () => {
      try {
        for (const item of ["a", "b", "c"]) {
          await queue.put(item);
          put.push(item);
        }
      } catch (error) {
        if (!(error instanceof QueueShutDownError)) throw error;
      }
    }, { name: "producer" });
    const consumer = sweep.target(async () => {
      for await (const item of queue) taken.push(item);
    }, { name: "consumer" });
    producer.then(() => queue.shutdown());
    await consumer;
    const dropped = queue.shutdown({ immediate: true });
    await producer;
    assertEquals([...taken, ...dropped], put);
  });
});

Deno.test("cancelSweep() finds permits that are lost on a late cancel", async () => {
  const error = await assertRejects(
    () => sweepSemaphore(() => new LosingSemaphore(2)),
    CancelSweepError,
  );

  assertEquals(error.point?.kind, "woken");
});

Deno.test("cancelSweep() finds waiters that are left asleep", async () => {
  const error = await assertRejects(
    () => sweepSemaphore(() => new SleepingSemaphore(2)),
    CancelSweepError,
  );

  assertEquals(error.point?.task, "big");
  assertInstanceOf(error.cause, DeadlockError);
});

Deno.test("cancelSweep() finds nothing wrong with a semaphore that is right", async () => {
  await sweepSemaphore(() => new RightSemaphore(2));
});

Deno.test("cancelSweep() tells when the test is not the same in each run", async () => {
  let runs = 0;

  const error = await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(() => runs++ === 0 ? sleep(1) : undefined);
      }),
    CancelSweepError,
    "Cannot reach point 1: the test did not do the same again",
  );

  assertInstanceOf(error.cause, InvalidStateError);
});

Deno.test("cancelSweep() rejects what cannot be swept", async () => {
  await assertRejects(
    () => cancelSweep(() => {}),
    InvalidStateError,
    "Cannot sweep: no task was given to target()",
  );
  await assertRejects(
    () =>
      cancelSweep((sweep) => {
        sweep.target(() => {});
      }, { only: 1 }),
    RangeError,
    'Cannot sweep as "only" must be below the number of points, 1: current value is 1',
  );
  await assertRejects(
    () => cancelSweep(1 as never),
    TypeError,
    'Cannot sweep as "fn" must be a function: current value is 1',
  );
  await assertRejects(
    () => cancelSweep(() => {}, { tasks: "some" as never }),
    TypeError,
    'Cannot sweep as "tasks" must be "targets" or "all": current value is "some"',
  );
  await assertRejects(
    () => cancelSweep(() => {}, { only: -1 }),
    RangeError,
    'Cannot sweep as "only" must be an integer >= 0: current value is -1',
  );
  await assertRejects(
    () =>
      cancelSweep((sweep) => sweep.target(() => sleep(1)), { maxPoints: 2 }),
    RangeError,
    'Cannot sweep 3 points: "maxPoints" is 2',
  );
  await cancelSweep((sweep) => sweep.target(() => sleep(1)), {
    maxPoints: 2,
    only: 2,
  });
  await assertRejects(
    () => cancelSweep(() => {}, { maxPoints: 0 }),
    RangeError,
    'Cannot sweep as "maxPoints" must be an integer >= 1: current value is 0',
  );
  await assertRejects(
    () => cancelSweep((sweep) => sweep.target(1 as never)),
    CancelSweepError,
    'Cannot sweep as "work" must be a function: current value is 1',
  );
  await assertRejects(
    () => cancelSweep((sweep) => sweep.check(1 as never)),
    CancelSweepError,
    'Cannot check as "fn" must be a function: current value is 1',
  );
});

Deno.test("cancelSweep() rejects inside of a run", async () => {
  await assertRejects(
    () => runVirtual(() => cancelSweep((sweep) => sweep.target(() => {}))),
    InvalidStateError,
    "Cannot sweep inside of a run: call it from a plain test",
  );
});

Deno.test("CancelSweepError is an AggregateError of what went wrong", () => {
  const point = {
    index: 3,
    kind: "woken",
    task: "worker",
    label: "a label",
  } as const;
  const cause = new TypeError("x");
  const error = new CancelSweepError([cause, 2], point);

  assertInstanceOf(error, AggregateError);
  assertEquals([error.name, error.point], ["CancelSweepError", point]);
  assertEquals([error.errors, error.cause], [[cause, 2], cause]);
});
