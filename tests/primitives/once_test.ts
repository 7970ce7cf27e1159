import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { checkpoint } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, DeadlockError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { Once, once } from "@ilmek/async/once";
import { currentScope, withScope } from "@ilmek/async/scope";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { testClean } from "../_leaks.ts";
import { randomly } from "../_random.ts";

/** Work that takes 5 ms, and counts how often it begins and ends. */
class Work {
  begun = 0;
  ended = 0;

  readonly load = async (): Promise<string> => {
    this.begun++;
    try {
      await sleep(5);
      return `load ${this.begun}`;
    } finally {
      this.ended++;
    }
  };
}

testClean("Once.get() does its work once for all who ask", async () => {
  const work = new Work();
  const value = new Once(work.load);
  assertEquals([value.state, value.peek()], ["idle", undefined]);
  const loading = gather([() => value.get(), () => value.get()]);
  await sleep(1);
  assertEquals([value.state, value.waiting, work.begun], ["running", 2, 1]);

  assertEquals(await loading, ["load 1", "load 1"]);
  assertEquals(await value.get(), "load 1");
  assertEquals([value.state, value.peek(), value.waiting, work.begun], [
    "done",
    "load 1",
    0,
    1,
  ]);
});

testClean(
  "the deadline of the first caller ends that caller's wait only",
  async () => {
    const work = new Work();
    const value = new Once(work.load);
    const hasty = createTask(() => timeout(2, () => value.get()));
    const patient = createTask(async () => {
      await sleep(1);
      return await value.get();
    });

    await assertRejects(() => hasty.toPromise(), TimeoutError);
    assertEquals(await patient, "load 1");
    assertEquals(work.begun, 1);
  },
);

testClean("the work is cancelled when all who wait have left", async () => {
  const work = new Work();
  const value = new Once(work.load);
  const tasks = [1, 2].map(() => createTask(() => value.get()));
  await sleep(1);
  tasks[0]?.cancel();
  await sleep(1);
  assertEquals([work.ended, value.waiting], [0, 1]);
  tasks[1]?.cancel();
  assertEquals(value.state, "idle");
  await sleep(1);

  assertEquals([work.begun, work.ended], [1, 1]);
  assertEquals(await value.get(), "load 2");
});

testClean("who comes while abandoned work ends begins anew", async () => {
  const work = new Work();
  const value = new Once(work.load);
  const left = createTask(() => value.get());
  await sleep(1);
  left.cancel();

  assertEquals(await value.get(), "load 2");
  assertEquals([work.begun, work.ended], [2, 2]);
});

testClean("a failure is given to all who wait, and not kept", async () => {
  let attempts = 0;
  const value = new Once(async () => {
    await sleep(1);
    if (++attempts === 1) throw new RangeError("failed");
    return attempts;
  });
  const waits = [value.get(), value.get()];

  for (const wait of waits) {
    await assertRejects(() => wait, RangeError, "failed");
  }
  assertEquals([value.state, await value.get()], ["idle", 2]);
});

testClean("a failure is kept if that is wished", async () => {
  let attempts = 0;
  const value = new Once(() => {
    attempts++;
    throw new RangeError("failed");
  }, { keepsErrors: true });
  await assertRejects(() => value.get(), RangeError);
  await assertRejects(() => value.get(), RangeError);
  await assertRejects(() => select({ value: value.getOp() }), RangeError);

  assertEquals([attempts, value.state, value.peek()], [1, "failed", undefined]);
  value.reset();
  assertEquals(value.state, "idle");
});

testClean(
  "the work runs in the root, with the values of the first caller",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const value = new Once(() => `${user.get()} in ${currentScope().name}`, {
      name: "who",
    });
    const first = user.run(
      "ada",
      () => withScope(() => value.get(), { name: "inner" }),
    );

    assertEquals(await first, "ada in who");
  },
);

testClean("Once keeps values that are false or undefined", async () => {
  let calls = 0;
  const value = new Once(() => void calls++);
  await value.get();
  await value.get();

  assertEquals([calls, value.state], [1, "done"]);
});

testClean(
  "Once.reset() forgets the value, and work that is under way",
  async () => {
    const work = new Work();
    const value = new Once(work.load);
    const early = value.get();
    await sleep(1);
    value.reset();
    const late = value.get();

    assertEquals(await early, "load 2");
    assertEquals(await late, "load 2");
    assertEquals(work.begun, 2);
    value.reset();
    assertEquals(await value.get(), "load 3");
  },
);

testClean("work that waits for itself is told", async () => {
  const value: Once<string> = new Once(() => value.get(), { name: "loop" });

  await assertRejects(
    () => value.get(),
    DeadlockError,
    'Cannot wait for the value of "loop": its own work waits for it',
  );
  const patient: Once<string> = new Once(() =>
    timeout(1, () => patient.get()).catch((error) => error.name)
  );
  assertEquals(await patient.get(), "TimeoutError");
});

testClean("Once.get() ends with its signal and its scope", async () => {
  const work = new Work();
  const value = new Once(work.load);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = value.get({ signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => value.get({ signal }), RangeError, "enough");
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => value.get(), CancelledError);
  });
  await sleep(1);

  // Nobody was left to wait for it.
  assertEquals([value.state, work.begun, work.ended], ["idle", 0, 0]);
});

testClean(
  "Once.getOp() begins the work, and ends it if it was alone",
  async () => {
    const work = new Work();
    const value = new Once(work.load);
    const { key } = await select({ value: value.getOp(), late: sleepOp(1) });
    await sleep(1);
    assertEquals([key, work.ended, value.state], ["late", 1, "idle"]);

    const first = await select({ value: value.getOp(), late: sleepOp(9) });
    assertEquals(first, { key: "value", value: "load 2" });
    const again = await select({ value: value.getOp() });
    assertEquals(again.value, "load 2");
  },
);

testClean("once() makes a function that works once", async () => {
  const work = new Work();
  const load = once(work.load);
  const [a, b] = await Promise.all([load(), load()]);

  assertStrictEquals(a, b);
  assertEquals(work.begun, 1);
  await assertRejects(
    () => load({ signal: AbortSignal.abort(new RangeError("enough")) }),
    RangeError,
  );
});

Deno.test("a deadlock report names the work that is waited for", async () => {
  const error = await assertRejects(
    () =>
      runVirtual(async () => {
        const a: Once<void> = new Once(() => b.get(), { name: "a" });
        const b: Once<void> = new Once(() => a.get(), { name: "b" });
        await a.get();
      }, { exceptionHandler: () => {} }),
    DeadlockError,
  );

  assert(error.message.includes('task "a" waits for task "b"'), error.message);
  assert(error.message.includes('task "b" waits for task "a"'), error.message);
});

Deno.test("Once() throws on what is no function", () => {
  assertThrows(
    () => new Once(Promise.resolve(1) as unknown as () => number),
    TypeError,
    'Cannot create a lazy value as "fn" must be a function',
  );
  assertThrows(() => once(1 as unknown as () => void), TypeError);
});

Deno.test("Once does its work once in every order", async () => {
  await explore(async () => {
    let begun = 0;
    const value = new Once(async () => {
      begun++;
      await checkpoint();
      return begun;
    });
    const tasks = [1, 2, 3].map(() => createTask(() => value.get()));
    await checkpoint();
    tasks[1]?.cancel();
    const outcomes = await Promise.all(tasks.map((task) => task.outcome()));
    const values = outcomes.filter(({ state }) => state === "done");

    assert(values.length >= 2);
    assertEquals([begun, value.peek()], [1, 1]);
  }, { runs: 100 });
});

Deno.test("Once leaves no work behind, wherever waits are cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const work = new Work();
    const value = new Once(work.load);
    const a = sweep.target(() => value.get(), { name: "a" });
    const b = sweep.target(() => value.get(), { name: "b" });
    await a;
    await b;
    await sleep(1);
    assertEquals(work.begun, work.ended);
    assert(value.state !== "running");
    assert((await value.get()).startsWith("load"));
  });
});

testClean(
  "Once behaves as a value and a number",
  () =>
    randomly(async (draw) => {
      const value = new Once(() => sleep(3, { value: "value" }));
      let left = 0;
      let isThere = false;
      let waiting: Task<string>[] = [];
      for (let step = 0; step < 300; step++) {
        const action = draw(4);
        if (action === 0) {
          const task = createTask(() => value.get(), { eager: true });
          if (!isThere) {
            if (waiting.length === 0) left = 3;
            waiting.push(task);
          }
        } else if (action === 1 && waiting.length > 0) {
          const [task] = waiting.splice(draw(waiting.length), 1);
          task?.cancel();
        } else if (action === 2 && isThere) {
          value.reset();
          isThere = false;
        } else {
          await sleep(1);
          if (waiting.length > 0 && --left === 0) {
            isThere = true;
            waiting = [];
          }
        }
        await checkpoint();
        assertEquals([value.waiting, value.state], [
          waiting.length,
          isThere ? "done" : waiting.length > 0 ? "running" : "idle",
        ]);
      }
      for (const task of waiting) task.cancel();
    }),
);

Deno.test("Once begins anew in a run, though another has ended its work", async () => {
  let count = 0;
  const value = new Once(async () => {
    count++;
    await sleep(100);
    return count;
  });
  await runVirtual(async () => {
    // Dropped: the end of the run is no error of this wait.
    value.get();
    await sleep(1);
  });

  assertEquals(await runVirtual(() => value.get()), 2);
});
