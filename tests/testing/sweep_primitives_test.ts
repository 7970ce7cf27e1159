import { assert, assertEquals } from "@std/assert";
import { asCompleted } from "@ilmek/async/as-completed";
import { type CancelSweep, cancelSweep } from "@ilmek/async/cancel-sweep";
import { abortable, checkpoint } from "@ilmek/async/checkpoint";
import { Coroutine } from "@ilmek/async/coroutine";
import { explore } from "@ilmek/async/explore";
import { Future } from "@ilmek/async/future";
import { gather } from "@ilmek/async/gather";
import { interval } from "@ilmek/async/interval";
import { Queue, QueueShutDownError } from "@ilmek/async/queue";
import { race } from "@ilmek/async/race";
import { withScope } from "@ilmek/async/scope";
import { shield } from "@ilmek/async/shield";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { moveOnAfter, timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { wait } from "@ilmek/async/wait";
import { waitFor } from "@ilmek/async/wait-for";

/** Work that counts how much of it is under way. */
class Work {
  active = 0;
  begun = 0;

  async run(ms: number): Promise<number> {
    this.active++;
    this.begun++;
    try {
      await sleep(ms);
      return ms;
    } finally {
      this.active--;
    }
  }
}

/**
 * Registers a sweep of what waits in some way for work: no work may be under way at
 * the end. It is swept as a whole, task by task, and explored.
 */
function testSweep(
  name: string,
  body: (work: Work) => unknown,
): void {
  const test = async (sweep: CancelSweep) => {
    const work = new Work();
    sweep.check(() => assertEquals(work.active, 0));
    await sweep.target(() => body(work));
    assertEquals(work.active, 0);
  };
  // What is shared among callers comes as a bare promise, from inside.
  const promises = "inside";
  Deno.test(`${name} passes its cancel sweep`, async () => {
    const { points } = await cancelSweep(test, { promises });
    assert(points.length > 1);
  });
  Deno.test(`${name} holds in every order`, async () => {
    await explore(async () => {
      const work = new Work();
      await body(work);
      assertEquals(work.active, 0);
    }, { runs: 50, promises });
  });
}

/** Ends tasks that are not cancelled with those who wait for them. */
async function endAll(tasks: readonly Task<number>[]): Promise<void> {
  await uncancellable(async () => {
    for (const task of tasks) await task[Symbol.asyncDispose]();
  });
}

testSweep("sleep()", (work) => work.run(1));

testSweep("checkpoint()", async (work) => {
  await checkpoint();
  await work.run(0);
});

testSweep("interval()", async (work) => {
  for await (const tick of interval(5)) {
    await work.run(1);
    if (tick === 2) break;
  }
});

testSweep("gather()", async (work) => {
  const sum = (await gather([() => work.run(1), () => work.run(2)]))
    .reduce((a, b) => a + b);
  assertEquals(sum, 3);
});

testSweep("race()", async (work) => {
  assertEquals(await race([() => work.run(1), () => work.run(2)]), 1);
});

testSweep("wait()", async (work) => {
  const tasks = [1, 2].map((ms) => createTask(() => work.run(ms)));
  try {
    const { done } = await wait(tasks);
    assertEquals(done.size, 2);
  } finally {
    await endAll(tasks);
  }
});

testSweep("waitFor()", async (work) => {
  assertEquals(await waitFor(() => work.run(1), 10), 1);
});

testSweep("timeout()", async (work) => {
  assertEquals(await timeout(10, () => work.run(1)), 1);
});

testSweep("moveOnAfter()", async (work) => {
  await moveOnAfter(2, async () => {
    await work.run(1);
    await work.run(10);
  });
});

testSweep("withScope()", async (work) => {
  await withScope(async (scope) => {
    await work.run(1);
    scope.cancel();
    await work.run(1).catch((error) => {
      if (error !== scope.error) throw error;
    });
  });
});

testSweep("uncancellable()", async (work) => {
  await uncancellable(() => work.run(1));
  await work.run(1);
});

testSweep("TaskGroup.run()", async (work) => {
  await TaskGroup.run(async (group) => {
    group.createTask(() => work.run(1));
    group.go(() => work.run(2));
    await work.run(1);
    group.createTask(() => work.run(3));
  });
});

testSweep("TaskGroup.slot()", async (work) => {
  let most = 0;
  await TaskGroup.run(async (group) => {
    for (let i = 0; i < 4; i++) {
      await group.slot();
      group.createTask(async () => {
        const result = work.run(1);
        most = Math.max(most, work.active);
        await result;
      });
    }
  }, { limit: 2 });
  assertEquals(most, 2);
});

testSweep("TaskGroup.all()", async (work) => {
  const { a, b } = await TaskGroup.all({
    a: () => work.run(1),
    b: () => work.run(2),
  });
  assertEquals([a, b], [1, 2]);
});

testSweep("asCompleted()", async (work) => {
  const tasks = [2, 1].map((ms) => createTask(() => work.run(ms)));
  const seen: number[] = [];
  try {
    for (const next of asCompleted(tasks)) seen.push(await next);
    assertEquals(seen, [1, 2]);
  } finally {
    await endAll(tasks);
  }
});

testSweep("await of a task", async (work) => {
  const task = createTask(() => work.run(1));
  try {
    await sleep(0);
  } finally {
    await task.outcome().catch(() => {});
  }
});

testSweep("await of a future", async (work) => {
  const future = new Future<number>();
  await TaskGroup.run(async (group) => {
    group.createTask(async () => {
      const result = await work.run(1);
      if (!future.done) future.setResult(result);
    });
    assertEquals(await future, 1);
  });
});

testSweep("Coroutine", async (work) => {
  const coroutine = new Coroutine(() => work.run(1));
  await gather([coroutine, () => work.run(2)]);
});

testSweep("abortable()", async (work) => {
  const bare = Promise.resolve().then(() => 1);
  assertEquals(await abortable(bare), 1);
  await work.run(1);
});

Deno.test("shield() passes its cancel sweep: the work goes on", async () => {
  await cancelSweep(async (sweep) => {
    const work = new Work();
    const inner = createTask(() => work.run(2));
    sweep.check(() => assertEquals([work.begun, work.active], [1, 0]));
    await sweep.target(() => shield(inner));
    assertEquals(await inner, 2);
  });
});

Deno.test("Queue passes its cancel sweep: no item is lost or doubled", async () => {
  await cancelSweep(async (sweep) => {
    const queue = new Queue<number>({ capacity: 1 });
    const put: number[] = [];
    const taken: number[] = [];
    const producer = sweep.target(async () => {
      try {
        for (let item = 0; item < 4; item++) {
          await queue.put(item);
          put.push(item);
        }
      } catch (error) {
        if (!(error instanceof QueueShutDownError)) throw error;
      }
    }, { name: "producer" });
    const consumers = ["a", "b"].map((name) =>
      sweep.target(async () => {
        for await (const item of queue) taken.push(item);
      }, { name })
    );
    producer.then(() => queue.shutdown());
    for (const consumer of consumers) await consumer;
    const dropped = queue.shutdown({ immediate: true });
    await producer;
    assertEquals([...taken, ...dropped].sort(), put);
    assertEquals(queue.waiting, 0);
  });
});
