import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { Watch, WatchClosedError } from "@ilmek/async/watch";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

testClean("Watch.set() changes the value, and wakes who waits", async () => {
  const watch = new Watch("a");
  const waits = [watch.changed(), watch.changed()];
  assertEquals([watch.value, watch.version, watch.waiting], ["a", 0, 2]);

  assert(watch.set("b"));

  assertEquals([watch.value, watch.version, watch.waiting], ["b", 1, 0]);
  assertEquals(await Promise.all(waits), ["b", "b"]);
});

testClean("to set an equal value is no change", async () => {
  const watch = new Watch(NaN);
  const waiting = watch.changed();

  assertEquals([watch.set(NaN), watch.version], [false, 0]);
  watch.update((value) => value);
  assertEquals(watch.waiting, 1);
  watch.update(() => 2);
  assertEquals(await waiting, 2);

  const list = new Watch([1], { equals: () => false });
  assert(list.set(list.value));
  const byLength = new Watch("ab", { equals: (a, b) => a.length === b.length });
  assertEquals([byLength.set("cd"), byLength.value], [false, "ab"]);
});

testClean("Watch.changed() with since misses no change", async () => {
  const watch = new Watch(1);
  const { version } = watch;
  watch.set(2);
  watch.set(3);

  assertEquals(await watch.changed({ since: version }), 3);
  assertEquals(
    (await select({ change: watch.changedOp({ since: version }) })).value,
    3,
  );
});

testClean("Watch.until() takes the present value if it fits", async () => {
  const watch = new Watch(5);

  assertEquals(await watch.until((value) => value > 3), 5);
  const waiting = watch.until((value) => value > 7);
  watch.set(6);
  assertEquals(watch.waiting, 1);
  watch.set(8);

  assertEquals(await waiting, 8);
});

testClean("Watch.until() misses no value while it waits", async () => {
  const watch = new Watch(0);
  const waiting = watch.until((value) => value === 1);
  watch.set(1);
  watch.set(2);

  assertEquals(await waiting, 1);
});

testClean(
  "Watch.until() with edge waits for the step to a value that fits",
  async () => {
    const watch = new Watch(5);
    const waiting = watch.until((value) => value > 3, { edge: true });
    watch.set(6);
    watch.set(1);
    assertEquals(watch.waiting, 1);
    watch.set(7);

    assertEquals(await waiting, 7);
    const fresh = watch.until((value) => value < 3, { edge: true });
    watch.set(2);
    assertEquals(await fresh, 2);
  },
);

testClean(
  "Watch.until() runs its predicate in the caller's context",
  async () => {
    const watch = new Watch(0);
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen: string[] = [];
    const task = createTask(() =>
      user.run("ada", () =>
        watch.until((value) => {
          seen.push(user.get());
          return value === 1;
        }))
    );
    await sleep(0);
    user.run("grace", () => watch.set(1));
    await task;

    assertEquals(seen, ["ada", "ada"]);
  },
);

testClean("a predicate that throws ends its own wait only", async () => {
  const watch = new Watch(0);
  const bad = watch.until((value) => {
    if (value === 1) throw new RangeError("failed");
    return false;
  });
  const good = watch.until((value) => value === 1);
  watch.set(1);

  await assertRejects(() => bad, RangeError, "failed");
  assertEquals(await good, 1);
  await assertRejects(
    () =>
      watch.until(() => {
        throw new RangeError("at once");
      }),
    RangeError,
    "at once",
  );
});

testClean("a predicate may change the value again", async () => {
  const watch = new Watch(0);
  const log: number[] = [];
  const first = watch.until((value) => {
    log.push(value);
    if (value === 1) watch.set(2);
    return value === 2;
  });
  const second = watch.until((value) => value === 2);
  watch.set(1);

  assertEquals([await first, await second], [2, 2]);
  assertEquals(log, [0, 1, 2]);
});

testClean(
  "a predicate is not asked again when its wait has ended",
  async () => {
    const watch = new Watch(0);
    const controller = new AbortController();
    const { signal } = controller;
    const asked: number[] = [];
    const first = watch.until((value) => {
      if (value === 1) controller.abort(new RangeError("enough"));
      return value === 1;
    });
    const second = watch.until((value) => asked.push(value) < 0, { signal });
    watch.set(1);

    assertEquals(await first, 1);
    await assertRejects(() => second, RangeError, "enough");
    assertEquals(asked, [0]);
  },
);

testClean(
  "iterating gives the value, and the latest after each change",
  async () => {
    const watch = new Watch(0);
    const seen: number[] = [];
    const slow = createTask(async () => {
      for await (const value of watch) {
        seen.push(value);
        await sleep(2);
      }
    });
    for (let value = 1; value <= 5; value++) {
      await sleep(1);
      watch.set(value);
    }
    watch.close();
    await slow;

    assertEquals([seen[0], seen.at(-1)], [0, 5]);
    assert(seen.length < 6);
  },
);

testClean("Watch.close() ends waits and iterations", async () => {
  const watch = new Watch(0, { name: "port" });
  const waits = [watch.changed(), watch.until((value) => value === 1)];
  watch.close();
  watch.close();

  for (const wait of waits) {
    await assertRejects(
      () => wait,
      WatchClosedError,
      'Cannot wait for watch "port": it was closed',
    );
  }
  assertThrows(() => watch.set(1), WatchClosedError, "Cannot set");
  await assertRejects(() => watch.changed(), WatchClosedError);
  await assertRejects(() => watch.until((v) => v === 1), WatchClosedError);
  await assertRejects(
    () => select({ change: watch.changedOp() }),
    WatchClosedError,
  );
  await assertRejects(
    () => select({ fits: watch.untilOp((v) => v === 1) }),
    WatchClosedError,
  );
  assertEquals(await watch.until((value) => value === 0), 0);
  assert(watch.closed);
  {
    using other = new Watch(1);
    other.set(2);
  }
});

testClean(
  "waits of a Watch end with their signal and their scope",
  async () => {
    const watch = new Watch(0);
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [
      watch.changed({ signal }),
      watch.until(() => false, { signal }),
    ];
    const task = createTask(() => watch.until(() => false));
    await sleep(0);
    assertEquals(watch.waiting, 3);
    controller.abort(new RangeError("enough"));
    task.cancel();
    for (const wait of waits) {
      await assertRejects(() => wait, RangeError, "enough");
    }
    await task.outcome();
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => watch.changed(), CancelledError);
      await assertRejects(() => watch.until(() => true), CancelledError);
    });

    assertEquals(watch.waiting, 0);
  },
);

testClean("the operations of a Watch wait, or leave", async () => {
  const watch = new Watch(0);
  const { key } = await select({
    change: watch.changedOp(),
    fits: watch.untilOp((value) => value === 1),
    edge: watch.untilOp((value) => value === 0, { edge: true }),
    late: sleepOp(1),
  });
  assertEquals([key, watch.waiting], ["late", 0]);

  const choosing = select({ fits: watch.untilOp((value) => value === 2) });
  watch.set(1);
  watch.set(2);
  watch.set(3);
  assertEquals(await choosing, { key: "fits", value: 2 });
  const ready = await select({ fits: watch.untilOp((value) => value === 3) });
  assertEquals(ready.value, 3);
});

Deno.test("Watch refuses what cannot work", async () => {
  const watch = new Watch(0);
  const none = 1 as unknown as () => boolean;

  assertThrows(
    () => new Watch(0, { equals: none }),
    TypeError,
    'Cannot create a watch as "equals" must be a function',
  );
  await assertRejects(
    () => watch.until(none),
    TypeError,
    '"predicate" must be',
  );
  assertThrows(() => watch.untilOp(none), TypeError);
  assertThrows(() => watch.update(none as unknown as () => number), TypeError);
  await assertRejects(
    () => watch.changed({ since: -1 }),
    RangeError,
    '"since" must be an integer >= 0',
  );
  assertThrows(() => watch.changedOp({ since: 0.5 }), RangeError);
});

Deno.test("who follows a Watch sees its last value in every order", async () => {
  await explore(async () => {
    const watch = new Watch(0);
    const follow = async () => {
      let last = -1;
      for await (const value of watch) {
        assert(value > last);
        last = value;
        await checkpoint();
      }
      return last;
    };
    const write = async () => {
      for (let value = 1; value <= 3; value++) {
        await checkpoint();
        watch.set(value);
      }
      watch.close();
    };
    const [a, b] = await gather([follow, follow, write]);

    assertEquals([a, b, watch.waiting], [3, 3, 0]);
  }, { runs: 150 });
});

Deno.test("Watch leaves nothing, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const watch = new Watch(0);
    const targets = [
      sweep.target(async () => {
        await watch.changed();
        await watch.until((value) => value === 2);
      }, { name: "waits" }),
      sweep.target(async () => {
        for await (const value of watch) if (value === 2) break;
      }, { name: "iterates" }),
    ];
    await sleep(1);
    watch.set(1);
    await sleep(1);
    watch.set(2);
    await Promise.all(targets);
    assertEquals(watch.waiting, 0);
  });
});

testClean(
  "Watch behaves as a value and a list",
  () =>
    randomly(async (draw) => {
      const watch = new Watch(0);
      let value = 0;
      let line: { id: number; wanted: number }[] = [];
      const expected: string[] = [];
      const log: string[] = [];
      const tasks = new Map<number, Task<void>>();
      for (let id = 0; id < 300; id++) {
        const action = draw(3);
        if (action === 0) {
          const wanted = draw(4);
          tasks.set(
            id,
            createTask(async () => {
              await watch.until((value) => value === wanted);
              log.push(`${id}`);
            }, { eager: true }),
          );
          if (value === wanted) expected.push(`${id}`);
          else line.push({ id, wanted });
        } else if (action === 1) {
          value = draw(4);
          watch.set(value);
          for (const { id, wanted } of line) {
            if (wanted === value) expected.push(`${id}`);
          }
          line = line.filter(({ wanted }) => wanted !== value);
        } else if (line.length > 0) {
          const [left] = line.splice(draw(line.length), 1);
          tasks.get(left?.id ?? -1)?.cancel();
        }
        await sleep(0);
        assertEquals(watch.waiting, line.length);
        assertEquals(log, expected);
      }
      for (const { id } of line) tasks.get(id)?.cancel();
    }),
);

testClean(
  "Watch.until() misses no value that the predicate of another sets",
  async () => {
    const watch = new Watch(0);
    const setting = createTask(() =>
      watch.until((n) => {
        if (n === 1) watch.set(2);
        return n === 2;
      })
    );
    const seen: number[] = [];
    const looking = createTask(() =>
      watch.until((n) => {
        seen.push(n);
        return n === 3;
      })
    );
    await sleep(1);
    watch.set(1);
    watch.set(3);
    await setting;
    await looking;

    assertEquals(seen, [0, 1, 2, 3]);
  },
);

testClean(
  "Watch.until() sees that its predicate has ended its signal",
  async () => {
    const watch = new Watch(0);
    const controller = new AbortController();
    await assertRejects(
      () =>
        watch.until(() => {
          controller.abort(new RangeError("over"));
          return false;
        }, controller),
      RangeError,
    );

    assertEquals(watch.waiting, 0);
  },
);
