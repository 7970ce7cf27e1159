import {
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { bind, detach } from "@ilmek/async/detach";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { VirtualLoop } from "@ilmek/async/virtual";
import { leftoversAfter, testClean } from "../_leaks.ts";

testClean(
  "detach() gives what its function returns, sync and by identity",
  () => {
    const value = {};

    assertStrictEquals(detach(() => value), value);
  },
);

testClean("detach() throws what its function throws", () => {
  const error = new TypeError("wrong");

  const thrown = assertThrows(() =>
    detach(() => {
      throw error;
    })
  );

  assertStrictEquals(thrown, error);
});

testClean("detach() throws on anything but a function", () => {
  assertThrows(
    () => detach(sleep(0) as never),
    TypeError,
    'Cannot detach as "fn" must be a function',
  );
  return sleep(0);
});

testClean("detach() runs outside of the caller's scope and task", () => {
  return withScope((scope) => {
    scope.cancel();
    detach(() => {
      assertFalse(currentScope().cancelled);
      assertEquals(currentTask(), undefined);
    });
    assertEquals(currentScope().name, "caller");
  }, { name: "caller" });
});

testClean("detach() keeps the values of context variables", () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });

  assertEquals(user.run("ada", () => detach(() => user.get())), "ada");
});

testClean(
  "detach() outlives the caller's timeout: work is shared between callers",
  async () => {
    let shared: Promise<string> | undefined;
    const load = () => shared ??= detach(() => sleep(20, { value: "user" }));

    await assertRejects(() =>
      timeout(5, async () => {
        load();
        await sleep(100);
      }), TimeoutError);

    assertEquals(await load(), "user");
  },
);

Deno.test("detach() does not outlive the run", async () => {
  const log: string[] = [];
  const virtual = new VirtualLoop();

  await virtual.run(async () => {
    detach(async () => {
      try {
        for (let i = 0; i < 5; i++) await sleep(1000);
        log.push("went on");
      } catch (error) {
        log.push(error instanceof CancelledError ? error.kind : `${error}`);
      }
    });
    await sleep(1);
  });

  assertEquals(log, ["shutdown"]);
  assertEquals(leftoversAfter(virtual), []);
});

testClean(
  "bind() fixes scope, task and context at the call of bind()",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const task = createTask(() => {
      user.set("ada");
      return [bind(() => [currentTask()?.name, user.get()])];
    }, { name: "binder" });
    const [bound] = await task;

    assertEquals(bound?.(), ["binder", "ada"]);
    assertEquals(user.get(), "nobody");
  },
);

testClean("bind() hands over arguments and the value", () => {
  const add = bind((a: number, b: number) => a + b);

  assertEquals(add(1, 2), 3);
});

testClean("bind() throws on anything but a function", () => {
  assertThrows(
    () => bind(1 as never),
    TypeError,
    'Cannot bind as "fn" must be a function',
  );
});

testClean(
  "an abort listener finds the aborter's scope, a bound one its own",
  async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    await withScope(() => {
      controller.signal.addEventListener("abort", () => {
        seen.push(`bare: ${currentScope().name}`);
      });
      controller.signal.addEventListener(
        "abort",
        bind(() => seen.push(`bound: ${currentScope().name}`)),
      );
      return sleep(1);
    }, { name: "registrant" });

    await withScope(() => controller.abort(), { name: "aborter" });

    assertEquals(seen, ["bare: aborter", "bound: registrant"]);
  },
);

testClean(
  "a bound function waits under the scope in which it was bound",
  async () => {
    const [nap] = await withScope((scope) => {
      scope.cancel("over");
      return [bind(() => sleep(1))];
    });

    const error = await assertRejects(
      () => nap?.() ?? Promise.resolve(),
      CancelledError,
    );

    assertEquals(error.reason, "over");
  },
);
