import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { WaitGroup } from "@ilmek/async/wait-group";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

testClean("WaitGroup.wait() waits for the last", async () => {
  const group = new WaitGroup();
  const log: string[] = [];
  await group.wait();
  group.add(2);
  const tasks = [..."ab"].map((name) =>
    createTask(async () => {
      await group.wait();
      log.push(name);
    })
  );
  await sleep(0);

  group.done();
  await sleep(1);
  assertEquals([log.length, group.count, group.waiting], [0, 1, 2]);
  group.done();
  await gather(tasks);

  assertEquals([log.join(""), group.count, group.waiting], ["ab", 0, 0]);
});

testClean(
  "WaitGroup.add() throws while those go on who have waited",
  async () => {
    const group = new WaitGroup({ name: "uploads" });
    group.add();
    const waiting = group.wait();
    group.done();
    assertThrows(
      () => group.add(),
      InvalidStateError,
      'Cannot add to wait group "uploads": who has waited for the end has not gone on yet',
    );
    await waiting;

    group.add();
    group.done();
  },
);

testClean("WaitGroup.done() throws if nothing is under way", () => {
  const group = new WaitGroup();
  group.add();
  group.done();

  assertThrows(
    () => group.done(),
    InvalidStateError,
    "Cannot be done in a wait group: nothing is under way",
  );
  for (const count of [0, -1, 0.5]) {
    assertThrows(() => group.add(count), RangeError, '"count" must be');
  }
});

testClean("WaitGroup.wait() ends with its signal and its scope", async () => {
  const group = new WaitGroup();
  group.add();
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = group.wait({ signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => group.wait({ signal }), RangeError, "enough");
  await withScope(async (scope) => {
    const inside = group.wait();
    scope.cancel();
    await assertRejects(() => inside, CancelledError);
    await assertRejects(() => group.wait(), CancelledError);
  });
  assertEquals(group.waiting, 0);

  // Whoever has left does not keep others from adding.
  group.done();
  group.add();
});

testClean("WaitGroup.waitOp() waits, or leaves", async () => {
  const group = new WaitGroup();
  assertEquals((await select({ group: group.waitOp() })).key, "group");
  group.add();
  const { key } = await select({ group: group.waitOp(), late: sleepOp(1) });
  assertEquals([key, group.waiting], ["late", 0]);
  const choosing = select({ group: group.waitOp() });
  group.done();
  group.add();

  assertEquals((await choosing).key, "group");
});

Deno.test("WaitGroup lets none go on early in any order", async () => {
  await explore(async () => {
    const group = new WaitGroup();
    let done = 0;
    group.add(3);
    const work = async () => {
      await checkpoint();
      done++;
      group.done();
    };
    const wait = async () => {
      await group.wait();
      assertEquals(done, 3);
    };
    await gather([wait, work, work, wait, work]);

    assertEquals([group.count, group.waiting], [0, 0]);
  }, { runs: 100 });
});

Deno.test("WaitGroup leaves nothing, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const group = new WaitGroup();
    group.add();
    const target = sweep.target(() => group.wait());
    await sleep(1);
    group.done();
    await target;
    group.add();
    assertEquals([group.count, group.waiting], [1, 0]);
  });
});

testClean("WaitGroup behaves as a number", () =>
  randomly(async (draw) => {
    const group = new WaitGroup();
    let count = 0;
    let waiting = 0;
    for (let step = 0; step < 300; step++) {
      const action = draw(3);
      if (action === 0) {
        const more = 1 + draw(3);
        group.add(more);
        count += more;
      } else if (action === 1 && count > 0) {
        group.done();
        if (--count === 0) waiting = 0;
      } else {
        createTask(() => group.wait(), { eager: true });
        if (count > 0) waiting++;
      }
      await sleep(0);
      assertEquals([group.count, group.waiting], [count, waiting]);
    }
    while (group.count > 0) group.done();
    await sleep(0);
  }));

testClean(
  "a wait that is dropped does not end the process when it is cancelled",
  async () => {
    const group = new WaitGroup();
    group.add();
    await withScope(async (scope) => {
      group.wait();
      scope.cancel();
      await sleep(1);
    }).catch(() => {});

    assertEquals(group.waiting, 0);
  },
);
