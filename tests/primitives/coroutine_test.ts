import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Coroutine, coroutine } from "@ilmek/async/coroutine";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

/** Adds two numbers, slowly. */
async function add(a: number, b: number): Promise<number> {
  await sleep(1);
  return a + b;
}

testClean("coroutine() calls nothing before it is awaited", async () => {
  const log: string[] = [];
  const call = coroutine(() => log.push("called"));
  await sleep(1);
  assertEquals([log, call.state], [[], "created"]);

  await call;

  assertEquals([log, call.state], [["called"], "closed"]);
});

testClean(
  "coroutine() hands over its arguments, and gives the value",
  async () => {
    const call = coroutine(add, 1, 2);

    assertEquals(call.name, "add");
    assertEquals(await call, 3);
  },
);

testClean(
  "a coroutine that is awaited runs in the task that awaits it",
  async () => {
    const call = coroutine(() => currentTask()?.name);
    const task = createTask(async () => await call, { name: "waiter" });

    assertEquals(await task, "waiter");
  },
);

testClean("a coroutine that is awaited begins at once", async () => {
  const log: string[] = [];
  const call = coroutine(() => log.push("begun"));

  const value = call.then(() => log.push("ended"));
  log.push("next");
  await value;

  assertEquals(log, ["begun", "next", "ended"]);
});

testClean("Coroutine.state tells where it stands", async () => {
  const gate = new Future<void>();
  const states: string[] = [];
  const call: Coroutine<void> = coroutine(async () => {
    states.push(call.state);
    await gate;
    states.push(call.state);
  });

  states.push(call.state);
  const task = createTask(async () => await call);
  await sleep(1);
  states.push(call.state);
  gate.setResult();
  await task;
  states.push(call.state);

  assertEquals(states[0], "created");
  assertEquals(states[1], "running");
  assertEquals(states[2], "suspended");
  assertEquals(states.at(-1), "closed");
});

testClean("Coroutine.state is closed after an error as well", async () => {
  const call = coroutine(() => Promise.reject(new TypeError("wrong")));
  const sync = coroutine(() => {
    throw new TypeError("at once");
  });

  await assertRejects(() => call, TypeError, "wrong");
  await assertRejects(() => sync, TypeError, "at once");

  assertEquals([call.state, sync.state], ["closed", "closed"]);
});

testClean("a coroutine begins only once", async () => {
  const log: string[] = [];
  const call = coroutine(function greet() {
    log.push("called");
  });
  await call;

  await assertRejects(
    () => call,
    InvalidStateError,
    'Cannot begin coroutine "greet" again: it has begun, or was closed',
  );
  assertThrows(() => call.start(), InvalidStateError, "again");
  assertEquals(log, ["called"]);
});

testClean(
  "a coroutine that is under way cannot be awaited by another",
  async () => {
    const call = coroutine(add, 1, 2);
    const first = createTask(async () => await call);
    await sleep(0);

    await assertRejects(() => call, InvalidStateError, "has begun");

    assertEquals(await first, 3);
  },
);

testClean("Coroutine.start() runs it as a task", async () => {
  const call = coroutine(add, 1, 2);

  const task = call.start();
  const named = coroutine(add, 1, 2).start({ name: "mine" });

  assertEquals([task.name, named.name], ["add", "mine"]);
  assertEquals(await task, 3);
  assertEquals(call.state, "closed");
  await named;
});

testClean("a coroutine whose task never began is closed", async () => {
  const log: string[] = [];
  const call = coroutine(() => log.push("never"));
  const task = call.start();

  task.cancel();
  await assertRejects(() => task, CancelledError);
  await sleep(0);

  assertEquals([call.state, log], ["closed", []]);
});

testClean(
  "a coroutine that is awaited ends with the scope of its waiter",
  async () => {
    const call = coroutine(() => sleep(100));

    await assertRejects(() => timeout(5, () => call), TimeoutError);

    assertEquals(call.state, "closed");
  },
);

testClean("Coroutine.close() gives the call up", async () => {
  const call = coroutine(add, 1, 2);

  call.close();
  call.close();

  assertEquals(call.state, "closed");
  await assertRejects(() => call, InvalidStateError, "closed");
});

testClean("Coroutine.close() throws while the call is under way", async () => {
  const call = coroutine(add, 1, 2);
  const task = call.start();
  await sleep(0);

  assertThrows(
    () => call.close(),
    InvalidStateError,
    'Cannot close coroutine "add": it is suspended, cancel its task instead',
  );
  await task;
  call.close();
});

testClean("using of a coroutine closes it, if it has not begun", async () => {
  let kept: Coroutine<number> | undefined;
  {
    using call = coroutine(add, 1, 2);
    kept = call;
  }
  assertEquals(kept.state, "closed");

  using running = coroutine(add, 1, 2);
  const task = running.start();
  await sleep(0);
  running[Symbol.dispose]();
  assertEquals(await task, 3);
});

testClean(
  "Coroutine() and coroutine() throw on anything but a function",
  () => {
    assertThrows(
      () => new Coroutine(1 as never),
      TypeError,
      'Cannot create a coroutine as "fn" must be a function: current value is 1',
    );
    assertThrows(
      () => coroutine(sleep(0) as never),
      TypeError,
      "pass the function, not what it returned",
    );
    return sleep(0);
  },
);

testClean("Coroutine prints its name and its state", () => {
  using call = coroutine(add, 1, 2);
  using nameless = new Coroutine(() => {}, { name: "" });

  assertEquals(String(call), '<Coroutine "add" created>');
  assertEquals(Deno.inspect(call), String(call));
  assertEquals(Object.prototype.toString.call(call), "[object Coroutine]");
  assertEquals(nameless.name, "");
});

testClean("a coroutine throws the very error of its function", async () => {
  const error = new TypeError("wrong");

  const thrown = await assertRejects(() =>
    coroutine(() => Promise.reject(error))
  );

  assertStrictEquals(thrown, error);
});

testClean("a coroutine passes values on as promises do", async () => {
  assertEquals(await coroutine(add, 1, 2).then((n) => n * 2), 6);
  assertEquals(
    await coroutine(() => Promise.reject(new TypeError("x")))
      .then(() => "no", (error) => `${error}`),
    "TypeError: x",
  );
  assert(coroutine(() => 1).then() instanceof Promise);
});
