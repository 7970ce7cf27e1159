import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkpoint } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { limit } from "@ilmek/async/limit";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

testClean(
  "limit() lets so many calls be under way, in their order",
  async () => {
    const limited = limit(2);
    const log: string[] = [];
    const calls = ["a", "b", "c", "d"].map((name, i) =>
      limited(async () => {
        log.push(`+${name}`);
        await sleep(i + 1);
        log.push(`-${name}`);
        return name;
      })
    );
    assertEquals([limited.active, limited.waiting, limited.concurrency], [
      2,
      2,
      2,
    ]);

    assertEquals(await Promise.all(calls), ["a", "b", "c", "d"]);
    assertEquals(log, ["+a", "+b", "-a", "+c", "-b", "+d", "-c", "-d"]);
    assertEquals([limited.active, limited.waiting], [0, 0]);
  },
);

testClean("a call whose function throws gives its place back", async () => {
  const limited = limit(1);
  await assertRejects(
    () =>
      limited(() => {
        throw new RangeError("at once");
      }),
    RangeError,
    "at once",
  );
  await assertRejects(
    () => limited(() => Promise.reject(new RangeError("later"))),
    RangeError,
    "later",
  );

  assertEquals(await limited(() => "next"), "next");
});

testClean("a call that is cancelled while it waits never begins", async () => {
  const limited = limit(1);
  const busy = createTask(() => limited(() => sleep(10)));
  await sleep(1);
  const log: string[] = [];
  await assertRejects(
    () => timeout(1, () => limited(() => log.push("begun"))),
    TimeoutError,
  );
  const last = limited(() => log.push("last"));
  await busy;
  await last;

  assertEquals([log, limited.active], [["last"], 0]);
});

testClean("a call leaves the line when its signal aborts", async () => {
  const limited = limit(1);
  const controller = new AbortController();
  const { signal } = controller;
  const busy = createTask(() => limited(() => sleep(10)));
  await sleep(1);
  const waiting = limited(() => {}, { signal });
  controller.abort(new RangeError("enough"));

  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => limited(() => {}, { signal }), RangeError);
  assertEquals(limited.waiting, 0);
  await busy;
});

testClean(
  "a call that is cancelled at work keeps its place until it has ended",
  async () => {
    const limited = limit(1);
    const task = createTask(() =>
      limited(async () => {
        try {
          await sleep(Infinity);
        } catch {
          await new Promise<void>((resolve) => queueMicrotask(resolve));
          assertEquals(limited.active, 1);
        }
      })
    );
    await sleep(1);
    task.cancel();
    await task.outcome();

    assertEquals(limited.active, 0);
  },
);

testClean(
  "a function runs in the scope and context of its caller",
  async () => {
    const limited = limit(1);
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const busy = createTask(() => limited(() => sleep(5)));
    await sleep(1);
    const seen = await user.run("ada", () =>
      withScope(
        () => limited(() => [user.get(), currentScope().name]),
        { name: "mine" },
      ));
    await busy;

    assertEquals(seen, ["ada", "mine"]);
  },
);

testClean("a limit may be entered from inside of another", async () => {
  const [outer, inner] = [limit(2), limit(1)];
  const results = await gather(
    [1, 2, 3].map((n) => () =>
      outer(() => inner(() => sleep(1, { value: n })))
    ),
  );

  assertEquals(results, [1, 2, 3]);
});

Deno.test("limit() rejects wrong arguments", async () => {
  assertThrows(
    () => limit(0),
    RangeError,
    'Cannot create a limit as "concurrency" must be an integer >= 1: current value is 0',
  );
  await assertRejects(
    () => limit(1)("fn" as never),
    TypeError,
    'Cannot call as "fn" must be a function: current value is "fn"',
  );
});

Deno.test("a limit never lets more in, and forgets nobody, in any order", async () => {
  await explore(async () => {
    const limited = limit(2);
    let inside = 0;
    let most = 0;
    const tasks = Array.from(
      { length: 6 },
      () =>
        createTask(() =>
          limited(async () => {
            most = Math.max(most, ++inside);
            try {
              await checkpoint();
            } finally {
              inside--;
            }
          })
        ),
    );
    await checkpoint();
    tasks[1]?.cancel();
    tasks[3]?.cancel();
    for (const task of tasks) await task.outcome();
    assertEquals([inside, limited.active, limited.waiting], [0, 0, 0]);
    assertEquals(most <= 2, true);
  }, { runs: 100 });
});

Deno.test("a loop of ready calls in real time lets timers fire", async () => {
  const limited = limit(1);
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  while (!fired) await limited(() => {});

  clearTimeout(timer);
});
