import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Barrier, BrokenBarrierError } from "@ilmek/async/barrier";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

testClean("Barrier lets all go on when the last has come", async () => {
  const barrier = new Barrier(3);
  const log: number[] = [];
  const arrive = (ms: number) => async () => {
    await sleep(ms);
    const index = await barrier.wait();
    log.push(index);
    return index;
  };

  const indexes = await gather([arrive(3), arrive(1), arrive(2)]);

  assertEquals(indexes, [2, 0, 1]);
  assertEquals([barrier.waiting, barrier.parties], [0, 3]);
});

testClean("Barrier is there again for as many", async () => {
  const barrier = new Barrier(2);
  const tasks = [1, 2, 3].map(() => createTask(() => barrier.wait()));
  await sleep(0);
  assertEquals([barrier.waiting, tasks.map(({ done }) => done)], [
    1,
    [true, true, false],
  ]);

  assertEquals(await barrier.wait(), 1);

  assertEquals(await gather(tasks), [0, 1, 0]);
  assertEquals(await new Barrier(1).wait(), 0);
});

testClean("a wait that is cancelled frees its place", async () => {
  const barrier = new Barrier(3);
  const [a, b] = [1, 2].map(() => createTask(() => barrier.wait()));
  await sleep(0);
  a?.cancel();
  assertEquals([barrier.waiting, barrier.broken], [1, false]);
  const c = createTask(() => barrier.wait());
  await sleep(0);
  assertEquals(await barrier.wait(), 2);

  assertEquals([await b, await c], [0, 1]);
  assertEquals((await a?.outcome())?.state, "cancelled");
});

testClean("who may go on does so in spite of a late cancel", async () => {
  const barrier = new Barrier(2);
  const task = createTask(() => barrier.wait());
  await sleep(0);
  const own = barrier.wait();
  task.cancel();

  assertEquals([await task, await own], [0, 1]);
});

testClean("Barrier.abort() breaks it until it is reset", async () => {
  const barrier = new Barrier(2, { name: "start" });
  const waiting = barrier.wait();
  barrier.abort();

  await assertRejects(
    () => waiting,
    BrokenBarrierError,
    'Cannot wait at barrier "start": it was aborted',
  );
  await assertRejects(() => barrier.wait(), BrokenBarrierError, "it is broken");
  await assertRejects(
    () => select({ barrier: barrier.waitOp() }),
    BrokenBarrierError,
  );
  assert(barrier.broken);
  barrier.reset();
  assertEquals(await Promise.all([barrier.wait(), barrier.wait()]), [0, 1]);
});

testClean("Barrier.reset() sends those away who wait", async () => {
  const barrier = new Barrier(2);
  const waiting = barrier.wait();
  barrier.reset();

  await assertRejects(() => waiting, BrokenBarrierError, "it was reset");
  assertEquals([barrier.broken, barrier.waiting], [false, 0]);
});

testClean("Barrier.wait() ends with its signal and its scope", async () => {
  const barrier = new Barrier(2);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = barrier.wait({ signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => barrier.wait({ signal }), RangeError, "enough");
  const [first] = [barrier.wait()];
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => barrier.wait(), CancelledError);
  });
  assertEquals(barrier.waiting, 1);
  await barrier.wait();

  assertEquals(await first, 0);
});

testClean("Barrier.waitOp() takes a place, or frees it", async () => {
  const barrier = new Barrier(2);
  const { key } = await select({ all: barrier.waitOp(), late: sleepOp(1) });
  assertEquals([key, barrier.waiting], ["late", 0]);
  const choosing = select({ all: barrier.waitOp(), late: sleepOp(1) });

  assertEquals((await select({ all: barrier.waitOp() })).value, 1);
  assertEquals(await choosing, { key: "all", value: 0 });
});

Deno.test("Barrier() throws on what is no number of parties", () => {
  for (const parties of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new Barrier(parties),
      RangeError,
      `Cannot create a barrier as "parties" must be an integer >= 1: current value is ${parties}`,
    );
  }
});

Deno.test("Barrier lets none go on before all have come, in every order", async () => {
  await explore(async () => {
    const barrier = new Barrier(3);
    let arrived = 0;
    const work = async () => {
      for (let round = 1; round <= 2; round++) {
        await checkpoint();
        arrived++;
        await barrier.wait();
        assert(arrived >= round * 3);
      }
    };
    await gather([work, work, work]);

    assertEquals([arrived, barrier.waiting], [6, 0]);
  }, { runs: 150 });
});

Deno.test("Barrier frees places, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const barrier = new Barrier(2);
    const target = sweep.target(() => barrier.wait(), { name: "target" });
    const other = createTask(() => barrier.wait());
    await sleep(1);
    const { state } = await target;
    if (state === "cancelled") await barrier.wait();
    await other;
    assertEquals(barrier.waiting, 0);
  });
});

testClean(
  "Barrier behaves as a line of a fixed length",
  () =>
    randomly(async (draw) => {
      const barrier = new Barrier(4);
      const line: number[] = [];
      const tasks = new Map<number, Task<number>>();
      for (let id = 0; id < 300; id++) {
        if (draw(3) > 0 || line.length === 0) {
          tasks.set(id, createTask(() => barrier.wait(), { eager: true }));
          line.push(id);
          if (line.length === 4) {
            for (const [index, member] of line.splice(0).entries()) {
              assertEquals(await tasks.get(member), index);
            }
          }
        } else {
          const [left = -1] = line.splice(draw(line.length), 1);
          tasks.get(left)?.cancel();
        }
        assertEquals(barrier.waiting, line.length);
      }
      for (const id of line) tasks.get(id)?.cancel();
    }),
);

testClean(
  "a select with several choices at a barrier is one party",
  async () => {
    const barrier = new Barrier(3);
    const choosing = createTask(() =>
      select({ first: barrier.waitOp(), second: barrier.waitOp() })
    );
    const waiting = createTask(() => barrier.wait());
    await sleep(1);

    assertEquals([barrier.waiting, waiting.done], [2, false]);
    assertEquals(await barrier.wait(), 2);
    assertEquals(await choosing, { key: "first", value: 0 });
    assertEquals(await waiting, 1);
  },
);
