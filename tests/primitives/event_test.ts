import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { AutoResetEvent, Event, Latch } from "@ilmek/async/event";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

type Waitable = Pick<Event, "wait" | "waitOp" | "waiting">;

/** Tasks that log their names when they go on. */
function lineUp(event: Waitable, names: string, log: string[]): Task<void>[] {
  return [...names].map((name) =>
    createTask(async () => {
      assertEquals(await event.wait(), true);
      log.push(name);
    }, { name })
  );
}

testClean("Event.set() lets all go on who wait, in order", async () => {
  const event = new Event();
  const log: string[] = [];
  const tasks = lineUp(event, "abc", log);
  await sleep(1);
  assertEquals([log.length, event.waiting], [0, 3]);

  event.set();
  assertEquals([event.isSet, event.waiting], [true, 0]);
  await gather(tasks);

  assertEquals(log.join(""), "abc");
});

testClean("Event.wait() need not wait if the event is set", async () => {
  const event = new Event();
  event.set();
  event.set();

  assertEquals(await event.wait(), true);
  assertEquals(await select({ event: event.waitOp() }), {
    key: "event",
    value: true,
  });
});

testClean(
  "who waits goes on although the event is cleared at once",
  async () => {
    const event = new Event();
    const log: string[] = [];
    const tasks = lineUp(event, "ab", log);
    await sleep(0);

    event.set();
    event.clear();
    assertFalse(event.isSet);
    await gather(tasks);

    assertEquals(log.join(""), "ab");
    const { key } = await select({ event: event.waitOp(), late: sleepOp(1) });
    assertEquals([key, event.waiting], ["late", 0]);
  },
);

testClean("AutoResetEvent.set() lets one go on", async () => {
  const event = new AutoResetEvent();
  const log: string[] = [];
  const tasks = lineUp(event, "abc", log);
  await sleep(0);

  event.set();
  event.set();
  await sleep(1);
  assertEquals([log.join(""), event.isSet, event.waiting], ["ab", false, 1]);

  event.set();
  await gather(tasks);
});

testClean("AutoResetEvent stays set for one who comes later", async () => {
  const event = new AutoResetEvent();
  event.set();
  event.set();
  assert(event.isSet);

  await event.wait();

  assertFalse(event.isSet);
  event.set();
  event.clear();
  const { key } = await select({ event: event.waitOp(), late: sleepOp(1) });
  assertEquals(key, "late");
});

testClean(
  "AutoResetEvent.waitOp() resets it only if it is chosen",
  async () => {
    const [chosen, other] = [new AutoResetEvent(), new AutoResetEvent()];
    chosen.set();
    other.set();

    await select({ a: chosen.waitOp(), b: other.waitOp() }, { biased: true });

    assertEquals([chosen.isSet, other.isSet], [false, true]);
  },
);

testClean(
  "AutoResetEvent is handed over in spite of a late cancel",
  async () => {
    const event = new AutoResetEvent();
    const log: string[] = [];
    const [first, second] = lineUp(event, "ab", log);
    await sleep(0);

    event.set();
    first?.cancel();
    await first?.outcome();
    assertEquals([log.join(""), event.waiting], ["a", 1]);

    second?.cancel();
    await second?.outcome();
    event.set();
    assert(event.isSet);
  },
);

testClean("Latch.release() opens for those who wait by then", async () => {
  const latch = new Latch();
  const log: string[] = [];
  const tasks = lineUp(latch, "ab", log);
  await sleep(0);

  assertEquals(latch.release(), 2);
  const [late] = lineUp(latch, "c", log);
  await gather(tasks);
  assertEquals([log.join(""), latch.waiting], ["ab", 1]);

  latch.release();
  await late;
});

for (const make of [Event, AutoResetEvent, Latch]) {
  testClean(
    `${make.name}.wait() leaves the line when it is cancelled`,
    async () => {
      const event = new make();
      const log: string[] = [];
      const tasks = lineUp(event, "abc", log);
      await sleep(0);
      tasks[1]?.cancel();
      assertEquals(event.waiting, 2);
      await tasks[1]?.outcome();

      for (const task of tasks) task.cancel();
      await gather(tasks, { returnExceptions: true });
      assertEquals([event.waiting, log.length], [0, 0]);
    },
  );

  testClean(`${make.name}.wait() ends with its signal`, async () => {
    const event = new make();
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = event.wait({ signal });
    controller.abort(new RangeError("enough"));

    await assertRejects(() => waiting, RangeError, "enough");
    await assertRejects(() => event.wait({ signal }), RangeError, "enough");
    assertEquals(event.waiting, 0);
  });

  testClean(`${make.name}.wait() throws in a cancelled scope`, async () => {
    const event = new make();
    if ("set" in event) event.set();
    let threw = false;
    await withScope(async (scope) => {
      scope.cancel();
      await event.wait().catch(() => threw = true);
    });

    assert(threw);
    if (event instanceof AutoResetEvent) assert(event.isSet);
  });

  testClean(`a deadlock report calls ${make.name} by its name`, async () => {
    const event = new make({ name: "ready" });

    assert(String(event.waitOp()).includes('"ready"'));
    await Promise.resolve();
  });
}

Deno.test("Event wakes all, and none twice, in every order", async () => {
  await explore(async () => {
    const event = new Event();
    const log: string[] = [];
    const tasks = lineUp(event, "abc", log);
    await checkpoint();
    tasks[1]?.cancel();
    event.set();
    event.clear();
    await checkpoint();
    event.set();
    await Promise.all(tasks.map((task) => task.outcome()));

    assertEquals(log.filter((name) => name !== "b").toSorted(), ["a", "c"]);
    assertEquals(event.waiting, 0);
  }, { runs: 150 });
});

Deno.test("AutoResetEvent lets as many pass as it was set, in every order", async () => {
  await explore(async () => {
    const event = new AutoResetEvent();
    const log: string[] = [];
    const tasks = lineUp(event, "abcd", log);
    for (let i = 0; i < 4; i++) {
      while (event.isSet) await checkpoint();
      event.set();
      await checkpoint();
    }
    await gather(tasks);

    assertEquals(log.length, 4);
    assertFalse(event.isSet);
  }, { runs: 150 });
});

Deno.test("AutoResetEvent loses no wake-up, wherever its waiters are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const event = new AutoResetEvent();
    let passed = 0;
    const pass = async () => {
      await event.wait();
      passed++;
    };
    const target = sweep.target(pass, { name: "target" });
    const other = createTask(pass);
    await sleep(1);
    event.set();
    await target;
    event.set();
    await other;
    // What nobody has taken is still there.
    assertEquals(passed + (event.isSet ? 1 : 0), 2);
    assertEquals(event.waiting, 0);
  });
});

Deno.test("Event and Latch leave nothing, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const [event, latch] = [new Event(), new Latch()];
    sweep.target(async () => {
      await event.wait();
      await latch.wait();
    });
    await sleep(1);
    event.set();
    await sleep(1);
    latch.release();
    sweep.check(() => assertEquals([event.waiting, latch.waiting], [0, 0]));
  });
});

testClean(
  "AutoResetEvent behaves as a flag and a line",
  () =>
    randomly(async (draw) => {
      const event = new AutoResetEvent();
      let isSet = false;
      const line: number[] = [];
      const expected: number[] = [];
      const got: number[] = [];
      const tasks = new Map<number, Task<void>>();
      for (let id = 0; id < 300; id++) {
        const action = draw(4);
        if (action <= 1) {
          tasks.set(
            id,
            createTask(async () => {
              await event.wait();
              got.push(id);
            }, { eager: true }),
          );
          line.push(id);
          if (isSet) expected.push(line.shift() as number);
          isSet = false;
        } else if (action === 2) {
          event.set();
          const next = line.shift();
          if (next === undefined) isSet = true;
          else expected.push(next);
        } else if (line.length > 0) {
          const [left = -1] = line.splice(draw(line.length), 1);
          tasks.get(left)?.cancel();
        }
        await sleep(0);
        assertEquals([event.isSet, event.waiting], [isSet, line.length]);
      }
      for (const id of line) tasks.get(id)?.cancel();
      assertEquals(got, expected);
    }),
);
