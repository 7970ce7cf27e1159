import { assertEquals, assertRejects } from "@std/assert";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { Sequencer } from "@ilmek/async/sequencer";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

/** Goes through steps, each of which takes time. */
async function walk(
  sequencer: Sequencer,
  steps: readonly number[],
  log: number[],
): Promise<void> {
  for (const index of steps) {
    using _step = await sequencer.step(index);
    log.push(index);
    await sleep(1);
    log.push(index);
  }
}

testClean("Sequencer.step() begins when the step before was left", async () => {
  const sequencer = new Sequencer();
  const log: number[] = [];

  await gather([
    () => walk(sequencer, [1, 3], log),
    () => walk(sequencer, [4], log),
    () => walk(sequencer, [0, 2], log),
  ]);

  assertEquals(log, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  assertEquals(sequencer.waiting, 0);
});

Deno.test("Sequencer keeps its order whoever comes first", async () => {
  await explore(async () => {
    const sequencer = new Sequencer();
    const log: number[] = [];
    await gather([
      () => walk(sequencer, [1, 2], log),
      () => walk(sequencer, [0, 3], log),
    ]);
    assertEquals(log, [0, 0, 1, 1, 2, 2, 3, 3]);
  }, { runs: 50 });
});

testClean(
  "Sequencer.step() is left once, however often it is disposed",
  async () => {
    const sequencer = new Sequencer();
    const first = await sequencer.step(0);
    first[Symbol.dispose]();
    first[Symbol.dispose]();

    const later = createTask(() => sequencer.step(2));
    await sleep(0);

    assertEquals(sequencer.waiting, 1);
    (await sequencer.step(1))[Symbol.dispose]();
    await later;
  },
);

testClean("Sequencer.step() rejects a step that somebody has", async () => {
  const sequencer = new Sequencer();
  using _step = await sequencer.step(0);

  await assertRejects(
    () => sequencer.step(0),
    InvalidStateError,
    "Cannot begin step 0: it belongs to somebody else",
  );
});

testClean("Sequencer is broken when one that waits is cancelled", async () => {
  const sequencer = new Sequencer();
  const two = createTask(() => sequencer.step(2));
  const three = createTask(() => sequencer.step(3));
  await sleep(0);

  two.cancel();

  const message = "Cannot go on: the one who waited for step 2 has gone";
  await assertRejects(() => two.toPromise(), CancelledError);
  await assertRejects(() => three.toPromise(), InvalidStateError, message);
  await assertRejects(() => sequencer.step(0), InvalidStateError, message);
});

testClean(
  "Sequencer.step() keeps its step if the cancel comes after the grant",
  async () => {
    const sequencer = new Sequencer();
    const log: number[] = [];
    const first = await sequencer.step(0);
    const task = createTask(async () => {
      using _step = await sequencer.step(1);
      log.push(1);
    });
    await sleep(0);

    first[Symbol.dispose]();
    task.cancel();
    await walk(sequencer, [2], log);

    assertEquals(log, [1, 2, 2]);
  },
);

testClean("Sequencer.step() rejects what is no number of a step", async () => {
  await assertRejects(
    () => new Sequencer().step(-1),
    RangeError,
    'Cannot begin a step as "index" must be an integer >= 0: current value is -1',
  );
});
