import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { ScopeClosedError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { TaskTracker } from "@ilmek/async/task-tracker";
import { takeMessages, testClean } from "../_leaks.ts";

testClean(
  "TaskTracker.wait() ends when it is closed and all are gone",
  async () => {
    const tracker = new TaskTracker();
    tracker.createTask(() => sleep(2));
    tracker.createTask(() => sleep(5), { name: "slow" });
    assertEquals([tracker.size, tracker.closed], [2, false]);
    let isOver = false;
    const waiting = tracker.wait().then(() => isOver = true);
    await sleep(10);
    assertEquals([tracker.size, isOver], [0, false]);

    tracker.close();
    tracker.close();
    await waiting;

    assert(tracker.closed);
  },
);

testClean(
  "TaskTracker waits for tasks that fail or are cancelled, too",
  async ({ reports }) => {
    const tracker = new TaskTracker();
    tracker.createTask(() => {
      throw new RangeError("failed");
    });
    tracker.createTask(() => sleep(Infinity)).cancel();
    using _closing = tracker;
    tracker.close();
    await tracker.wait();

    assertEquals(tracker.size, 0);
    await sleep(5000);
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean(
  "TaskTracker takes tasks after close() as long as some run",
  async () => {
    const tracker = new TaskTracker();
    tracker.createTask(async () => {
      await sleep(1);
      tracker.createTask(() => sleep(1));
    });
    tracker.close();
    await tracker.wait();

    assertThrows(
      () => tracker.createTask(() => {}),
      ScopeClosedError,
      "Cannot create a task: the tracker was closed",
    );
  },
);

testClean(
  "TaskTracker.wait() ends with its signal, and the tasks go on",
  async () => {
    const tracker = new TaskTracker();
    const task = tracker.createTask(() => sleep(2, { value: 1 }));
    const controller = new AbortController();
    const waiting = tracker.wait({ signal: controller.signal });
    controller.abort(new RangeError("enough"));
    await assertRejects(() => waiting, RangeError, "enough");
    const { key } = await select({ all: tracker.waitOp(), late: sleepOp(1) });
    assertEquals(key, "late");
    tracker.close();

    assertEquals((await select({ all: tracker.waitOp() })).key, "all");
    assertEquals(await task, 1);
  },
);

testClean(
  "TaskTracker.createTask() throws on what is no function",
  async () => {
    const tracker = new TaskTracker();
    assertThrows(
      () => tracker.createTask(1 as unknown as () => void),
      TypeError,
      '"fn" must be a function',
    );
    assertEquals(tracker.size, 0);
    tracker.close();
    await tracker.wait();
  },
);

Deno.test("TaskTracker loses sight of no task in any order", async () => {
  await explore(async () => {
    const tracker = new TaskTracker();
    let ended = 0;
    for (const ms of [1, 0, 1]) {
      tracker.createTask(async () => {
        await sleep(ms);
        ended++;
      });
    }
    tracker.close();
    await tracker.wait();

    assertEquals(ended, 3);
  }, { runs: 100 });
});

Deno.test("TaskTracker keeps its tasks, wherever its wait is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const tracker = new TaskTracker();
    let isDone = false;
    tracker.createTask(async () => {
      await sleep(1);
      isDone = true;
    });
    tracker.close();
    await sweep.target(() => tracker.wait());
    await sleep(2);
    assert(isDone);
    assertFalse(tracker.size > 0);
  });
});
