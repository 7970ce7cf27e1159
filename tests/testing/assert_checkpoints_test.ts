import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  assertCheckpoints,
  NoCheckpointError,
} from "@ilmek/async/assert-checkpoints";
import { checkpoint } from "@ilmek/async/checkpoint";
import { Queue } from "@ilmek/async/queue";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { testClean } from "../_leaks.ts";

testClean("assertCheckpoints() passes what waits, or could", async () => {
  const queue = new Queue<number>();

  await assertCheckpoints(() => sleep(1000));
  await assertCheckpoints(() => checkpoint());
  await assertCheckpoints(() => queue.put(1));
  await assertCheckpoints(() => queue.get());

  // A wait that was refused has had no effect.
  assertEquals(queue.size, 0);
});

testClean(
  "assertCheckpoints() throws if nothing can be cancelled",
  async () => {
    await assertRejects(
      () => assertCheckpoints(() => {}),
      NoCheckpointError,
      'Cannot cancel the call: "fn" has ended in a cancelled scope without any wait that throws',
    );
    await assertRejects(
      () => assertCheckpoints(() => Promise.resolve()),
      NoCheckpointError,
    );
    await assertRejects(
      () => assertCheckpoints(() => uncancellable(() => sleep(1))),
      NoCheckpointError,
    );
  },
);

testClean(
  "assertCheckpoints() throws if the cancellation is swallowed",
  async () => {
    await assertRejects(
      () => assertCheckpoints(() => sleep(1).catch(() => {})),
      NoCheckpointError,
    );
  },
);

testClean("assertCheckpoints() throws what the call throws", async () => {
  const error = new TypeError("mine");

  const thrown = await assertRejects(() =>
    assertCheckpoints(() => {
      throw error;
    })
  );

  assertStrictEquals(thrown, error);
});

testClean(
  "assertCheckpoints() does not swallow a cancellation from outside",
  async () => {
    const task = createTask(async () => {
      await sleep(0);
      await assertCheckpoints(() => sleep(1));
      await sleep(0);
      await assertCheckpoints(() => uncancellable(() => sleep(1)));
    });
    await sleep(0);
    task.cancel();

    const { state } = await task.outcome();

    assertEquals(state, "cancelled");
  },
);

testClean("assertCheckpoints() rejects what is no function", async () => {
  await assertRejects(
    () => assertCheckpoints(1 as never),
    TypeError,
    'Cannot assert that there are checkpoints as "fn" must be a function: current value is 1',
  );
});
