import { assertEquals, assertRejects } from "@std/assert";
import { abortable } from "@ilmek/async/checkpoint";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { Future } from "@ilmek/async/future";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitAllParked } from "@ilmek/async/wait-all-parked";
import { testClean } from "../_leaks.ts";

testClean("waitAllParked() lets all others come to their wait", async () => {
  const log: string[] = [];
  const gate = new Future<void>();
  const tasks = [1, 2, 3].map((n) =>
    createTask(async () => {
      for (let i = 0; i < 20 * n; i++) await null;
      await sleep(0);
      log.push(`task ${n} is there`);
      await gate;
    })
  );

  await waitAllParked();

  assertEquals(log, ["task 1 is there", "task 2 is there", "task 3 is there"]);
  gate.setResult();
  for (const task of tasks) await task;
});

testClean("waitAllParked() does not let time pass", async ({ virtual }) => {
  const task = createTask(() => sleep(1000));

  await waitAllParked();

  assertEquals([virtual.now, task.done], [0, false]);
  await task;
});

testClean("waitAllParked() returns at once where nobody else is", async () => {
  await waitAllParked();
  await waitAllParked();
});

testClean(
  "waitAllParked() takes a wait for something outside for a wait",
  async () => {
    const outside = Promise.withResolvers<void>();
    const task = createTask(() => abortable(outside.promise));

    await waitAllParked();

    assertEquals(task.done, false);
    outside.resolve();
    await task;
  },
);

testClean(
  "waitAllParked() waits for tasks that await bare promises",
  async () => {
    let ready = false;
    const task = createTask(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ready = true;
    });

    await waitAllParked();

    assertEquals(ready, true);
    await task;
  },
);

testClean(
  "waitAllParked() with a cushion waits until all stay where they are",
  async ({ virtual }) => {
    const log: string[] = [];
    const busy = createTask(async () => {
      for (let i = 0; i < 5; i++) await sleep(10);
      log.push("busy has ended");
    });
    const long = createTask(() => sleep(1000));

    await waitAllParked({ cushionMs: 20 });

    assertEquals(log, ["busy has ended"]);
    assertEquals([virtual.now, long.done], [80, false]);
    await busy;
    await long;
  },
);

testClean(
  "waitAllParked() lets several callers go on, one after another",
  async () => {
    const log: string[] = [];
    const tasks = ["a", "b"].map((name) =>
      createTask(async () => {
        await waitAllParked();
        log.push(`${name} begins`);
        await sleep(0);
        log.push(`${name} ends`);
      })
    );

    for (const task of tasks) await task;

    assertEquals(log, ["a begins", "a ends", "b begins", "b ends"]);
  },
);

testClean("waitAllParked() leaves the line when it is cancelled", async () => {
  const waiter = createTask(() => waitAllParked({ cushionMs: 1000 }));
  await sleep(1);

  waiter.cancel();

  await assertRejects(() => waiter.toPromise(), CancelledError);
});

testClean("waitAllParked() is refused in a cancelled scope", async () => {
  const log: string[] = [];
  const task = createTask(async () => {
    try {
      await sleep(1000);
    } finally {
      await waitAllParked();
      log.push("went on");
    }
  });
  await sleep(1);
  task.cancel();

  const { state } = await task.outcome();

  assertEquals([state, log], ["cancelled", []]);
});

Deno.test("waitAllParked() works in every order", async () => {
  await explore(async () => {
    let there = 0;
    const gate = new Future<void>();
    const tasks = [1, 2, 3].map(() =>
      createTask(async () => {
        await sleep(0);
        there++;
        await gate;
      })
    );
    await waitAllParked();
    assertEquals(there, 3);
    gate.setResult();
    for (const task of tasks) await task;
  }, { runs: 50 });
});

testClean("waitAllParked() rejects a bad cushion", async () => {
  await assertRejects(
    () => waitAllParked({ cushionMs: -1 }),
    RangeError,
    'Cannot wait until all are parked as "cushionMs" must be a number >= 0: current value is -1',
  );
});

Deno.test("waitAllParked() rejects where time is not virtual", async () => {
  await assertRejects(
    () => waitAllParked(),
    InvalidStateError,
    "Cannot wait until all are parked: the time of the loop is not virtual",
  );
});
