import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { ContextVar } from "@ilmek/async/context-var";
import {
  CancelledError,
  DeadlockError,
  TimeoutError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import {
  WorkerPool,
  WorkerPoolFullError,
  type WorkerPoolOptions,
  WorkerPoolStoppedError,
} from "@ilmek/async/worker-pool";
import { takeMessages, testClean } from "../_leaks.ts";

const HOUR_MS = 3_600_000;

/** A pool whose workers all have something to do that never ends by itself. */
async function busyPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const pool = new WorkerPool(options);
  for (let i = 0; i < pool.workers; i++) {
    pool.submitNowait(() => sleep(HOUR_MS), { name: `busy ${i}` });
  }
  await sleep(0);
  return pool;
}

testClean("WorkerPool.submit() gives the result of each job", async () => {
  const pool = new WorkerPool({ workers: 3 });
  const jobs = [];
  for (let i = 0; i < 10; i++) {
    jobs.push(await pool.submit(() => sleep(10 - i, { value: i * i })));
  }

  const values = await gather(jobs.map(({ task }) => task));
  await pool.stop();

  assertEquals(values, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
  assertEquals([pool.completed, pool.unfinished, pool.running], [10, 0, 0]);
});

testClean(
  "WorkerPool does no more jobs at once than it has workers",
  async () => {
    const pool = new WorkerPool({ workers: 3 });
    const busy = new Set<number>();
    let most = 0;
    const job = async ({ worker }: { worker: number }) => {
      assert(!busy.has(worker));
      busy.add(worker);
      most = Math.max(most, busy.size);
      await sleep(5);
      busy.delete(worker);
      return worker;
    };

    const workers = await gather(
      Array.from({ length: 10 }, () => () => pool.run(job)),
    );

    assertEquals(most, 3);
    assertEquals(workers.toSorted(), [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
  },
);

testClean(
  "WorkerPool begins jobs in the order in which they were submitted",
  async () => {
    const pool = new WorkerPool({ workers: 2 });
    const log: number[] = [];
    for (let i = 0; i < 6; i++) {
      pool.submitNowait(async () => {
        log.push(i);
        await sleep(i % 2 === 0 ? 5 : 1);
      });
    }

    await pool.join();

    assertEquals(log, [0, 1, 2, 3, 4, 5]);
  },
);

testClean("WorkerPool begins jobs of a higher priority first", async () => {
  const pool = new WorkerPool({ workers: 1, autoStart: false });
  const log: string[] = [];
  const submit = (name: string, priority: number) =>
    pool.submitNowait(() => void log.push(name), { priority });
  submit("a", 0);
  submit("b", 5);
  submit("c", 5);
  submit("d", -1);

  pool.start();
  await pool.join();

  assertEquals(log, ["b", "c", "a", "d"]);
});

testClean(
  "a job that fails ends alone, and its error reaches who submitted it",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const fault = new RangeError("job");
    const bad = pool.submitNowait(() => {
      throw fault;
    });
    const good = pool.submitNowait(() => 3);

    assertStrictEquals(await assertRejects(() => bad.toPromise()), fault);
    assertEquals(await good, 3);
    await assertRejects(
      () => pool.run(() => Promise.reject(fault)),
      RangeError,
    );
    assertEquals(await pool.run(() => 4), 4);
  },
);

testClean("a job that fails unseen is reported", async ({ reports }) => {
  const pool = new WorkerPool({ workers: 1 });
  pool.submitNowait(() => {
    throw new RangeError("job");
  }, { name: "unseen" });
  await pool.join();

  await sleep(6000);

  assertEquals(takeMessages(reports), [
    'Nobody has looked at task "unseen", which failed',
  ]);
});

testClean(
  "a job that is cancelled ends alone: its worker goes on",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const running = pool.submitNowait(() => sleep(HOUR_MS));
    const thrown = pool.submitNowait(() => {
      throw new CancelledError("by itself");
    });
    const next = pool.submitNowait(() => "next");
    await sleep(1);

    running.cancel();

    assertEquals(await next, "next");
    assert(running.cancelled);
    assert(thrown.cancelled);
    await pool.stop();
  },
);

testClean(
  "a job that is cancelled in the line never begins, and blocks nobody",
  async () => {
    const pool = await busyPool({ workers: 1, capacity: 2 });
    const first = pool.submitNowait(() => {
      throw new RangeError("it must not begin");
    });
    const second = pool.submitNowait(() => "second");
    const third = createTask(() => pool.run(() => "third"));
    await sleep(1);
    assertEquals([pool.queued, pool.waiting], [2, 1]);

    first.cancel();
    assertEquals([pool.queued, pool.waiting], [1, 0]);
    await sleep(1);

    assert(first.cancelled);
    assertEquals(pool.queued, 2);
    pool.submitNowait;
    const stopping = pool.stop({ timeoutMs: HOUR_MS * 2 });
    assertEquals([await second, await third], ["second", "third"]);
    await stopping;
  },
);

testClean(
  "WorkerPool.submit() waits for room, in the order of the calls",
  async () => {
    const pool = new WorkerPool({ workers: 1, capacity: 1 });
    const log: string[] = [];
    const submitters = ["a", "b", "c", "d"].map((name) =>
      createTask(async () => {
        await pool.submit(() => sleep(10));
        log.push(`${name} ${getRunningLoop().time()}`);
      })
    );

    for (const submitter of submitters) await submitter;
    await pool.stop();

    assertEquals(log, ["a 0", "b 0", "c 10", "d 20"]);
  },
);

testClean(
  "WorkerPool.submit() leaves no job when it is cancelled",
  async () => {
    const pool = await busyPool({ workers: 1, capacity: 0 });
    let begun = 0;
    const submit = () => pool.submit(() => void begun++);
    const controller = new AbortController();
    const cancelled = createTask(submit);
    const aborted = pool.submit(submit, { signal: controller.signal });
    const late = withScope((scope) => {
      scope.cancel();
      return submit();
    });
    await assertRejects(() => late, CancelledError);
    await sleep(1);
    assertEquals(pool.waiting, 2);

    cancelled.cancel();
    controller.abort("enough");

    await assertRejects(() => cancelled.toPromise(), CancelledError);
    assertEquals(await aborted.catch((reason) => reason), "enough");
    await pool.stop({ timeoutMs: 0 });
    assertEquals([pool.waiting, pool.unfinished, begun], [0, 0, 0]);
  },
);

testClean(
  "WorkerPool.submitNowait() refuses a job for which there is no room",
  async () => {
    const pool = await busyPool({ workers: 1, capacity: 1 });
    pool.submitNowait(() => {});

    const error = assertThrows(
      () => pool.submitNowait(() => {}),
      WorkerPoolFullError,
    );
    assertEquals(
      error.message,
      'Cannot submit a job to pool "pool": 1 wait already',
    );
    assertEquals(pool.trySubmit(() => {}), undefined);
    await pool.stop({ timeoutMs: 0 });
  },
);

testClean(
  "a newcomer never takes the place of who waits for room",
  async () => {
    const pool = new WorkerPool({ workers: 1, capacity: 0 });
    const log: string[] = [];
    pool.submitNowait(() => sleep(5));
    const waiter = createTask(() => pool.run(() => void log.push("waiter")));
    const newcomer = createTask(async () => {
      await sleep(5);
      log.push(`${pool.trySubmit(() => void log.push("newcomer"))}`);
    });

    await waiter;
    await newcomer;

    assertEquals(log.at(-1), "waiter");
  },
);

testClean(
  "WorkerPool.run() cancels its job with the caller, and waits for its end",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const log: string[] = [];
    const job = async () => {
      try {
        await sleep(HOUR_MS);
      } finally {
        await uncancellable(() => sleep(3));
        log.push(`job ${getRunningLoop().time()}`);
      }
    };

    await assertRejects(() => timeout(10, () => pool.run(job)), TimeoutError);

    log.push(`caller ${getRunningLoop().time()}`);
    assertEquals(log, ["job 13", "caller 13"]);
    assertEquals(await pool.run(() => "free"), "free");
  },
);

testClean(
  "WorkerPool.run() cancels its job when its signal aborts",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const controller = new AbortController();
    let reason: unknown;
    const run = pool.run(async ({ signal }) => {
      signal.addEventListener("abort", () => reason = signal.reason);
      await sleep(HOUR_MS);
    }, { signal: controller.signal });
    await sleep(1);

    controller.abort("enough");

    assertEquals(await run.catch((error) => error), "enough");
    assertInstanceOf(reason, CancelledError);
    assertEquals(pool.unfinished, 0);
  },
);

testClean(
  "a job is not ended by the deadline of who submitted it",
  async () => {
    const pool = new WorkerPool({ workers: 1 });

    const { task } = await timeout(
      5,
      () => pool.submit(() => sleep(50, { value: "done" })),
    );

    assertEquals(await task, "done");
  },
);

testClean("a job runs in the context of who submitted it", async () => {
  const user = new ContextVar<string>("user");
  const pool = new WorkerPool({ workers: 1 });
  const as = (name: string) =>
    createTask(() => {
      user.set(name);
      return pool.run(async () => {
        await sleep(1);
        return user.get();
      });
    });

  assertEquals(await gather([as("ada"), as("bob"), as("eve")]), [
    "ada",
    "bob",
    "eve",
  ]);
});

testClean("WorkerPool.start() does nothing the second time", async () => {
  const pool = new WorkerPool({ workers: 2, autoStart: false });
  let inside = 0;
  let most = 0;
  const jobs = Array.from({ length: 6 }, () =>
    pool.submitNowait(async () => {
      most = Math.max(most, ++inside);
      await sleep(1);
      inside--;
    }));
  await sleep(100);
  assertEquals([pool.started, pool.queued], [false, 6]);

  pool.start();
  pool.start();
  await gather(jobs);
  await pool.stop();

  assertEquals(most, 2);
});

testClean(
  "WorkerPool.stop() has the jobs done that were submitted",
  async () => {
    const pool = new WorkerPool({ workers: 2 });
    const jobs = Array.from(
      { length: 5 },
      (_, i) => pool.submitNowait(() => sleep(10, { value: i })),
    );

    await pool.stop();

    assertEquals(getRunningLoop().time(), 30);
    assertEquals(jobs.map((job) => job.result()), [0, 1, 2, 3, 4]);
    assert(pool.stopped);
  },
);

testClean(
  "WorkerPool refuses jobs when it was stopped, and join() ends",
  async () => {
    const pool = new WorkerPool({ workers: 1, name: "mail" });
    await pool.stop();

    const error = await assertRejects(
      () => pool.submit(() => {}),
      WorkerPoolStoppedError,
    );
    assertEquals(
      error.message,
      'Cannot submit a job to pool "mail": it was stopped',
    );
    await assertRejects(() => pool.run(() => {}), WorkerPoolStoppedError);
    assertThrows(() => pool.submitNowait(() => {}), WorkerPoolStoppedError);
    assertThrows(() => pool.start(), WorkerPoolStoppedError);
    await pool.join();
    await pool.stop();
  },
);

testClean("WorkerPool.stop() fails those who wait for room", async () => {
  const pool = await busyPool({ workers: 1, capacity: 0 });
  const waiter = createTask(() => pool.submit(() => {}));
  await sleep(1);

  const stopping = pool.stop({ timeoutMs: 10 });

  await assertRejects(() => waiter.toPromise(), WorkerPoolStoppedError);
  await stopping;
});

testClean(
  "WorkerPool.stop() cancels what is left when its time is over",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const quick = pool.submitNowait(() => sleep(5, { value: "quick" }));
    const slow = pool.submitNowait(() => sleep(HOUR_MS));
    const unbegun = pool.submitNowait(() => "never");

    await pool.stop({ timeoutMs: 10 });

    assertEquals(getRunningLoop().time(), 10);
    assertEquals(quick.result(), "quick");
    assert(slow.cancelled);
    assert(unbegun.cancelled);
  },
);

testClean(
  "WorkerPool.stop() gives up jobs that do not end, and names them",
  async ({ reports }) => {
    const pool = new WorkerPool({ workers: 1 });
    const stubborn = pool.submitNowait(
      () => uncancellable(() => sleep(1000), { graceMs: Infinity }),
      { name: "stubborn" },
    );
    await sleep(1);

    await pool.stop({ timeoutMs: 0, graceMs: 100 });

    assertEquals(getRunningLoop().time(), 101);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the jobs of pool "pool": the grace of 100 ms is over for "stubborn"',
    ]);
    await stubborn;
  },
);

testClean("WorkerPool.stop() can be shortened by another one", async () => {
  const pool = await busyPool({ workers: 1 });
  const patient = createTask(() => pool.stop());
  await sleep(10);

  await pool.stop({ timeoutMs: 0 });

  await patient;
  assertEquals(getRunningLoop().time(), 10);
});

testClean(
  "WorkerPool.stop() goes on to empty when its caller is cancelled",
  async () => {
    const pool = new WorkerPool({ workers: 1 });
    const job = pool.submitNowait(() => sleep(20, { value: "done" }));

    await assertRejects(() => timeout(5, () => pool.stop()), TimeoutError);

    assert(pool.stopped);
    assertEquals(await job, "done");
  },
);

testClean(
  "WorkerPool.stop() cancels the jobs of a pool that was never started",
  async () => {
    const pool = new WorkerPool({ workers: 1, autoStart: false });
    const job = pool.submitNowait(() => "never");

    await pool.stop();

    assert(job.cancelled);
  },
);

testClean(
  "a pool that is left cancels what is left, and tells how much",
  async ({ reports }) => {
    let left: WorkerPool | undefined;
    {
      await using pool = new WorkerPool({ workers: 1, name: "mail" });
      left = pool;
      pool.submitNowait(() => sleep(HOUR_MS));
      pool.submitNowait(() => {});
      await sleep(1);
    }

    assertEquals(left.unfinished, 0);
    assertEquals(takeMessages(reports), [
      'Cannot do 2 jobs of pool "mail": the pool was left without stop()',
    ]);
  },
);

testClean(
  "a pool that is left in a cancelled scope waits for the end of its jobs",
  async ({ reports }) => {
    let ended = false;
    const leave = timeout(5, async () => {
      await using pool = new WorkerPool({ workers: 1 });
      await pool.run(async () => {
        try {
          await sleep(HOUR_MS);
        } finally {
          await uncancellable(() => sleep(3));
          ended = true;
        }
      });
    });

    await assertRejects(() => leave, TimeoutError);

    assert(ended);
    takeMessages(reports);
  },
);

testClean(
  "WorkerPool.join() waits until all is done, and refuses a job of its own",
  async () => {
    const pool = new WorkerPool({ workers: 2 });
    await pool.join();
    pool.submitNowait(() => sleep(10));
    pool.submitNowait(() => sleep(20));

    await pool.join();

    assertEquals(getRunningLoop().time(), 20);
    const error = await assertRejects(
      () => pool.run(() => pool.join()),
      DeadlockError,
    );
    assertEquals(
      error.message,
      'Cannot join pool "pool" in a job of its own: the job would wait for itself',
    );
  },
);

testClean(
  "WorkerPool.run() in a job fails if no worker is left that could do it",
  async () => {
    const pool = new WorkerPool({ workers: 2 });
    const nested = async (ms: number) => {
      await sleep(ms);
      return await pool.run(() => "inner");
    };

    const outcomes = await gather([
      () => pool.run(() => nested(1)),
      () => pool.run(() => nested(2)),
    ], { returnExceptions: true });

    assertEquals(outcomes[0], "inner");
    assertInstanceOf(outcomes[1], DeadlockError);
    assertEquals(await pool.run(() => pool.run(() => "deep")), "deep");
  },
);

testClean(
  "WorkerPool.run() in a job with a deadline waits as long as that",
  async () => {
    const pool = new WorkerPool({ workers: 1 });

    await assertRejects(
      () => pool.run(() => timeout(10, () => pool.run(() => {}))),
      TimeoutError,
    );

    assertEquals(pool.unfinished, 0);
  },
);

testClean("WorkerPool refuses what makes no sense", async () => {
  assertThrows(() => new WorkerPool({ workers: 0 }), RangeError);
  assertThrows(() => new WorkerPool({ workers: Infinity }), RangeError);
  assertThrows(() => new WorkerPool({ workers: 1, capacity: -1 }), RangeError);
  const pool = new WorkerPool({ workers: 1 });
  await assertRejects(() => pool.run(1 as never), TypeError);
  assertThrows(() => pool.submitNowait(null as never), TypeError);
  assertThrows(() => pool.trySubmit(() => {}, { priority: NaN }), RangeError);
  await assertRejects(() => pool.stop({ timeoutMs: -1 }), RangeError);
  await assertRejects(() => pool.stop({ graceMs: NaN }), RangeError);
  assertEquals([pool.unfinished, pool.stopped], [0, false]);
});

Deno.test("jobs that wait in line are cancelled when the run ends", async () => {
  let begun = 0;
  const tasks = await runVirtual(async () => {
    const pool = new WorkerPool({ workers: 1 });
    const job = async () => {
      begun++;
      await sleep(HOUR_MS);
    };
    const jobs = [1, 2, 3].map(() => pool.submitNowait(job));
    await sleep(1);
    return jobs;
  });

  assertEquals(tasks.map(({ cancelled }) => cancelled), [true, true, true]);
  assertEquals(begun, 1);
});

Deno.test("a job that is cancelled anywhere leaves its place to the others", async () => {
  await cancelSweep(async (sweep) => {
    const pool = new WorkerPool({ workers: 1, capacity: 1 });
    const done: number[] = [];
    const run = (id: number) =>
      pool.run(async () => {
        await sleep(1);
        done.push(id);
      });
    const first = createTask(() => run(0));
    const swept = [1, 2].map((id) => sweep.target(() => run(id)));
    const last = createTask(() => run(3));

    await first;
    await last;
    for (const [i, target] of swept.entries()) {
      const { state } = await target;
      if (state === "done") assert(done.includes(i + 1), `${i + 1} is lost`);
    }
    await pool.stop();
    assertEquals(new Set(done).size, done.length);
    assertEquals([pool.running, pool.queued, pool.waiting], [0, 0, 0]);
  });
});

Deno.test("WorkerPool loses no job and doubles none, in any order", async () => {
  await explore(async () => {
    const pool = new WorkerPool({ workers: 2, capacity: 1 });
    const done: number[] = [];
    const submitters = [0, 1, 2, 3, 4].map((i) =>
      createTask(async () => {
        const { task } = await pool.submit(async () => {
          await sleep(i % 2);
          done.push(i);
        });
        if (i === 3) task.cancel();
        return task.toPromise().catch(() => {});
      })
    );
    await sleep(0);
    submitters[4]?.cancel();
    await gather(submitters, { returnExceptions: true });
    await pool.stop();

    assertEquals(new Set(done).size, done.length);
    for (const i of [0, 1, 2]) assert(done.includes(i), `${i} is lost`);
    assertEquals([pool.running, pool.queued, pool.waiting], [0, 0, 0]);
  }, { runs: 100 });
});
