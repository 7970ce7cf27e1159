import {
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Context,
  ContextVar,
  copyContext,
  MissingValueError,
  Token,
} from "@ilmek/async/context-var";
import { InvalidStateError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop } from "@ilmek/async/loop";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

testClean("ContextVar.get() gives what was set, across waits", async () => {
  const user = new ContextVar<string>("user");
  user.set("ada");

  await sleep(1);

  assertEquals(user.get(), "ada");
});

testClean(
  "ContextVar.get() falls back to its argument, then to the default",
  () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const bare = new ContextVar<string | undefined>("bare");

    assertEquals(user.get(), "nobody");
    assertEquals(user.get("fallback"), "fallback");
    assertEquals(bare.get(undefined), undefined);
    user.set("ada");
    assertEquals(user.get("fallback"), "ada");
  },
);

testClean("ContextVar.get() throws if there is nothing to give", () => {
  const user = new ContextVar<string>("user");

  assertThrows(
    () => user.get(),
    MissingValueError,
    'Cannot read "user": it has no value in this context, and no default',
  );
});

testClean("a default of undefined is a default", () => {
  const user = new ContextVar<string | undefined>("user", {
    defaultValue: undefined,
  });

  assertEquals(user.get(), undefined);
});

testClean("what a task sets, its creator does not see", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const task = createTask(async () => {
    user.set("inside");
    await sleep(1);
    return user.get();
  });

  assertEquals(await task, "inside");
  assertEquals(user.get(), "nobody");
});

testClean(
  "a task sees the values at its creation, not at its start",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    user.set("at creation");
    const task = createTask(() => user.get());

    user.set("later");

    assertEquals(await task, "at creation");
  },
);

testClean("a function that is awaited directly shares the values", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const change = async () => {
    await sleep(1);
    user.set("changed");
  };

  await change();

  assertEquals(user.get(), "changed");
});

testClean("a scope shares the values with its surroundings", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });

  await withScope(() => user.set("inside"));

  assertEquals(user.get(), "inside");
});

testClean("a waiter keeps its own values, whoever wakes it", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const gate = new Future<void>();
  const waiter = user.run("waiter", () =>
    createTask(async () => {
      await gate;
      return user.get();
    }));
  await sleep(1);

  user.run("waker", () => gate.setResult());

  assertEquals(await waiter, "waiter");
});

testClean("callbacks see the values of who planned them", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const log: string[] = [];
  const loop = getRunningLoop();
  user.run("ada", () => {
    loop.callSoon(() => log.push(user.get()));
    loop.callLater(1, () => log.push(user.get()));
  });

  await sleep(2);

  assertEquals(log, ["ada", "ada"]);
});

testClean("ContextVar.reset() takes one change back", () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const first = user.set("ada");
  const second = user.set("bob");

  user.reset(second);
  assertEquals(user.get(), "ada");
  user.reset(first);

  assertEquals(user.get(), "nobody");
  assertStrictEquals(first.variable, user);
});

testClean("ContextVar.reset() throws on a token that was used", () => {
  const user = new ContextVar<string>("user");
  const token = user.set("ada");
  user.reset(token);

  assertThrows(
    () => user.reset(token),
    InvalidStateError,
    'Cannot reset "user": the token has been used already',
  );
});

testClean("ContextVar.reset() throws on a token of another variable", () => {
  const user = new ContextVar<string>("user");
  const other = new ContextVar<string>("other");
  const token = other.set("x");

  assertThrows(
    () => user.reset(token),
    TypeError,
    'Cannot reset "user": the token belongs to "other"',
  );
  assertEquals(other.get(), "x");
});

testClean("ContextVar.reset() throws in another context", async () => {
  const user = new ContextVar<string>("user");
  const token = user.set("ada");
  const task = createTask(() =>
    assertThrows(
      () => user.reset(token),
      InvalidStateError,
      'Cannot reset "user": the token was created in another context',
    )
  );

  await task;
  assertEquals(user.get(), "ada");
});

testClean("ContextVar.run() sets the value for its function only", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });

  const seen = await user.run("ada", async () => {
    await sleep(1);
    return user.get();
  });

  assertEquals([seen, user.get()], ["ada", "nobody"]);
});

testClean("ContextVar.run() keeps what else is set inside to itself", () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  const other = new ContextVar("other", { defaultValue: 0 });

  user.run("ada", () => other.set(1));

  assertEquals(other.get(), 0);
});

testClean("ContextVar.run() keeps task and scope", async () => {
  const user = new ContextVar<string>("user");
  await withScope(() =>
    user.run("ada", () => {
      assertEquals(currentTask()?.name, "main");
      assertEquals(currentScope().name, "here");
    }), { name: "here" });
});

testClean(
  "ContextVar.run() throws what its function throws, and on no function",
  () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });

    assertThrows(
      () =>
        user.run("ada", () => {
          throw new RangeError("inside");
        }),
      RangeError,
      "inside",
    );
    assertThrows(() => user.run("ada", 1 as never), TypeError, '"fn" must be');
    assertEquals(user.get(), "nobody");
  },
);

testClean("ContextVar() throws on a name that is no string", () => {
  assertThrows(
    () => new ContextVar(1 as never),
    TypeError,
    'Cannot create a context variable as "name" must be a string: current value is 1',
  );
});

testClean("copyContext() is a copy of the present values", () => {
  const user = new ContextVar<string>("user");
  user.set("ada");
  const context = copyContext();
  user.set("bob");

  assertEquals(context.get(user), "ada");
  assertEquals(context.run(() => user.get()), "ada");
  assertEquals(user.get(), "bob");
});

testClean("Context.run() keeps what is set in it", () => {
  const step = new ContextVar<number>("step");
  const context = copyContext();
  assertFalse(context.has(step as never));

  context.run(() => step.set(1));

  assertEquals([context.get(step), context.has(step as never)], [1, true]);
  assertThrows(() => step.get(), MissingValueError);
});

testClean("Context.run() throws on anything but a function", () => {
  assertThrows(
    () => copyContext().run(1 as never),
    TypeError,
    'Cannot run in a context as "fn" must be a function',
  );
});

testClean("two tasks in one context share what they set", async () => {
  const step = new ContextVar("step", { defaultValue: 0 });
  const context = copyContext();
  const count = () => {
    step.set(step.get() + 1);
  };

  const tasks = [1, 2].map(() => createTask(count, { context }));
  for (const task of tasks) await task;

  assertEquals([context.get(step), step.get()], [2, 0]);
});

testClean("Token and Context are exported to be told by instanceof", () => {
  const user = new ContextVar<string>("user");

  assertEquals(user.set("ada") instanceof Token, true);
  assertEquals(copyContext() instanceof Context, true);
});
