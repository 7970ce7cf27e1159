import {
  assert,
  assertEquals,
  assertFalse,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { detach } from "@ilmek/async/detach";
import {
  CancelledError,
  InvalidStateError,
  ScopeClosedError,
} from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { getRunningLoop, Loop, newLoop } from "@ilmek/async/loop";
import { race } from "@ilmek/async/race";
import { Runner, type RunnerOptions } from "@ilmek/async/runner";
import { sleep } from "@ilmek/async/sleep";
import {
  allTasks,
  createTask,
  currentTask,
  type Task,
} from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { leftoversAfter, testClean } from "../_leaks.ts";
import { VirtualLoop } from "@ilmek/async/virtual";

/** Runs `main`, and gives what was reported meanwhile. */
async function reportsOf(
  main: () => unknown,
  options: RunnerOptions = {},
): Promise<string[]> {
  const reports: string[] = [];
  await using runner = new Runner({
    exceptionHandler: ({ message }) => reports.push(message),
    ...options,
  });
  await runner.run(main);
  return reports;
}

Deno.test("Runner.run() gives what main returns", async () => {
  await using runner = new Runner();

  assertEquals(await runner.run(() => 1), 1);
  assertEquals(await runner.run(() => sleep(1, { value: 2 })), 2);
});

Deno.test("Runner.run() throws what main throws", async () => {
  await using runner = new Runner();
  const error = new TypeError("main");

  const thrown = await assertRejects(() =>
    runner.run(() => Promise.reject(error))
  );

  assertStrictEquals(thrown, error);
});

Deno.test("Runner.run() runs main as a task on its own loop", async () => {
  await using runner = new Runner();

  await runner.run(() => {
    assertEquals(currentTask()?.name, "main");
    assertStrictEquals(getRunningLoop(), runner.loop);
    assert(runner.loop.running);
  });

  assertFalse(runner.loop.running);
  assert(getRunningLoop() !== runner.loop);
});

Deno.test("Runner.run() cancels what main left behind, and waits for it", async () => {
  const log: string[] = [];
  await using runner = new Runner();

  await runner.run(async () => {
    createTask(async () => {
      try {
        await sleep(60_000);
      } catch (error) {
        log.push((error as CancelledError).kind);
        await uncancellable(() => sleep(2));
        log.push("cleaned up");
      }
    });
    await sleep(0);
  });

  assertEquals(log, ["shutdown", "cleaned up"]);
});

Deno.test("Runner.run() waits for leftovers if it is told to", async () => {
  const log: string[] = [];
  await using runner = new Runner({ leftovers: "wait" });

  await runner.run(() => {
    createTask(async () => {
      await sleep(2);
      createTask(async () => {
        await sleep(2);
        log.push("grandchild");
      });
      log.push("child");
    });
  });

  assertEquals(log, ["child", "grandchild"]);
});

Deno.test("Runner.run() reports leftovers by name when their grace is over", async () => {
  const reports = await reportsOf(async () => {
    const stubborn = async () => {
      for (;;) await sleep(60_000).catch(() => {});
    };
    createTask(() => uncancellable(() => sleep(60_000)), { name: "slow" });
    createTask(() => uncancellable(stubborn), { name: "stubborn" });
    await sleep(0);
  }, { graceMs: 3 });

  assert(
    reports.includes(
      'Cannot wait longer for "slow", "stubborn": the grace of 3 ms is over',
    ),
  );
});

Deno.test("Runner.run() reports a leftover that fails while it is cancelled", async () => {
  const reports = await reportsOf(async () => {
    createTask(async () => {
      await sleep(60_000).catch(() => {});
      throw new TypeError("cleanup");
    }, { name: "messy" });
    await sleep(0);
  });

  assertEquals(reports, ['Nobody has looked at task "messy", which failed']);
});

Deno.test("Runner.run() does not nest", async () => {
  await using runner = new Runner();
  await using other = new Runner();

  await runner.run(async () => {
    await assertRejects(
      () => other.run(() => {}),
      InvalidStateError,
      "Cannot start a run inside of another: await the function itself",
    );
  });
});

Deno.test("Runner.run() runs one main at a time", async () => {
  await using runner = new Runner();
  const first = runner.run(() => sleep(1, { value: "first" }));

  await assertRejects(
    () => runner.run(() => {}),
    InvalidStateError,
    "Cannot run: the runner runs already",
  );

  assertEquals(await first, "first");
});

Deno.test("Runner.run() rejects anything but a function", async () => {
  await using runner = new Runner();

  await assertRejects(
    () => runner.run(1 as never),
    TypeError,
    'Cannot run as "main" must be a function: current value is 1',
  );
  assertEquals(await runner.run(() => "still works"), "still works");
});

Deno.test("two runners run side by side", async () => {
  await using one = new Runner();
  await using two = new Runner();

  const values = await Promise.all([
    one.run(() => sleep(2, { value: allTasks().size })),
    two.run(() => sleep(1, { value: allTasks().size })),
  ]);

  assertEquals(values, [1, 1]);
});

Deno.test("Runner keeps context variables from run to run", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });
  await using runner = new Runner();

  await runner.run(() => user.set("ada"));

  assertEquals(await runner.run(() => user.get()), "ada");
  assertEquals(user.get(), "nobody");
});

Deno.test("Runner sees the context variables of its creator", async () => {
  const user = new ContextVar("user", { defaultValue: "nobody" });

  await user.run("ada", async () => {
    await using runner = new Runner();
    assertEquals(await runner.run(() => user.get()), "ada");
  });
});

Deno.test("Runner.cancel() cancels the run that is under way", async () => {
  await using runner = new Runner();
  const running = runner.run(() => sleep(60_000));
  await Promise.resolve();

  assert(runner.cancel("stop"));
  assertFalse(runner.cancel("again"));
  const error = await assertRejects(() => running, CancelledError);

  assertEquals([error.kind, error.reason], ["shutdown", "stop"]);
  assertFalse(runner.cancel());
});

Deno.test("Runner.cancel() ends the wait for leftovers", async () => {
  const runner = new Runner({ leftovers: "wait" });
  let left: Task<void> | undefined;
  const running = runner.run(() => {
    left = createTask(() => sleep(60_000));
  });
  await new Promise((resolve) => setTimeout(resolve, 1));

  assert(runner.cancel());
  await running;

  assert(left?.cancelled);
  await runner.close();
});

Deno.test("Runner.cancel() cancels leftovers that would be waited for", async () => {
  const runner = new Runner({ leftovers: "wait" });
  let left: Task<void> | undefined;
  const running = runner.run(async () => {
    left = createTask(() => sleep(500));
    await sleep(60_000);
  });
  await new Promise((resolve) => setTimeout(resolve, 1));

  assert(runner.cancel());
  await assertRejects(() => running, CancelledError);

  assert(left?.cancelled);
  await runner.close();
});

Deno.test("Runner.run() lets cleanup go on that is under way", async () => {
  const log: string[] = [];
  await using runner = new Runner();
  await runner.run(async () => {
    const left = createTask(async () => {
      try {
        await sleep(60_000);
      } finally {
        await uncancellable(() => race([() => sleep(5)]));
        log.push("cleaned up");
      }
    });
    await sleep(1);
    left.cancel();
    await sleep(1);
  });

  assertEquals(log, ["cleaned up"]);
});

Deno.test("Runner.run() keeps the process alive until it has ended", async () => {
  const loop = newLoop();
  const { clock } = Loop.coreOf(loop);
  const keepAlive = clock.keepAlive.bind(clock);
  let kept = 0;
  clock.keepAlive = (look) => {
    kept++;
    const release = keepAlive(look);
    return () => {
      kept--;
      release();
    };
  };
  await using runner = new Runner({ loopFactory: () => loop });

  assertEquals(await runner.run(() => sleep(1).then(() => kept)), 1);
  assertEquals(kept, 0);
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A runner whose clock is looked at by hand. */
function lookedAt() {
  const loop = newLoop();
  const { clock } = Loop.coreOf(loop);
  const keepAlive = clock.keepAlive.bind(clock);
  const seen: { look: () => void; messages: string[] } = {
    look: () => {},
    messages: [],
  };
  clock.keepAlive = (look) => {
    if (look !== undefined) seen.look = look;
    return keepAlive(look);
  };
  const runner = new Runner({
    loopFactory: () => loop,
    exceptionHandler: ({ message }) => void seen.messages.push(message),
  });
  return { runner, seen, loop };
}

Deno.test("Runner.run() tells once that all tasks wait, and for what", async () => {
  const { runner, seen } = lookedAt();
  const answer = new Future<string>({ name: "answer" });

  const over = runner.run(async () => await answer);
  await nextTurn();
  for (let i = 0; i < 4; i++) seen.look();

  assertEquals(seen.messages, [
    "Cannot go on: a deadlock, or a source that was not registered; these wait" +
    '\n  task "main" waits for future "answer"',
  ]);
  answer.setResult("late");
  assertEquals(await over, "late");
});

Deno.test("Runner.run() takes one look that finds all waiting for a coincidence", async () => {
  const { runner, seen } = lookedAt();
  const answers = [new Future<void>(), new Future<void>({ name: "second" })];

  const over = runner.run(async () => {
    for (const answer of answers) await answer;
  });
  for (const answer of answers) {
    await nextTurn();
    seen.look();
    answer.setResult();
  }
  await over;

  assertEquals(seen.messages, []);
});

Deno.test("Runner.run() is not stuck while a timer, a hold or a foreign promise can wake it", async () => {
  const { runner, seen, loop } = lookedAt();

  await runner.run(async () => {
    const looks = async (): Promise<void> => {
      await nextTurn();
      seen.look();
      seen.look();
    };
    const held = loop.hold("a test");
    const waiting = createTask(() => sleep(Infinity));
    await looks();
    held[Symbol.dispose]();
    const close = Loop.coreOf(loop).expectOutside();
    await looks();
    close();
    const nap = createTask(() => sleep(60_000));
    await looks();
    nap.cancel();
    waiting.cancel();
  });

  assertEquals(seen.messages, []);
});

Deno.test("Runner.cancel() returns false if nothing runs", async () => {
  await using runner = new Runner();

  assertFalse(runner.cancel());
});

Deno.test("Runner.cancelHard() ends cleanup that cancel() has left alone", async () => {
  const log: string[] = [];
  await using runner = new Runner();
  const running = runner.run(async () => {
    try {
      await sleep(60_000);
    } finally {
      await uncancellable(() => sleep(200)).then(() => log.push("cleaned up"));
    }
  });
  const ended = assertRejects(() => running, CancelledError);
  await new Promise((resolve) => setTimeout(resolve, 1));
  runner.cancel();
  await new Promise((resolve) => setTimeout(resolve, 1));

  runner.cancelHard();

  await ended;
  assertEquals(log, []);
});

Deno.test("Runner.close() cancels a run that is under way, and waits for it", async () => {
  const log: string[] = [];
  const runner = new Runner();
  const running = runner.run(async () => {
    try {
      await sleep(60_000);
    } finally {
      await uncancellable(() => sleep(2));
      log.push("cleaned up");
    }
  });
  running.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1));

  await runner.close();

  assertEquals(log, ["cleaned up"]);
  await assertRejects(() => running, CancelledError);
});

Deno.test("Runner.close() may be called twice, and ends all runs", async () => {
  const runner = new Runner();
  await runner.run(() => {});

  await runner.close();
  await runner.close();

  assert(runner.loop.closed);
  await assertRejects(
    () => runner.run(() => {}),
    ScopeClosedError,
    "Cannot run: the runner was closed",
  );
});

Deno.test("Runner.close() drops callbacks that are planned", async () => {
  const log: string[] = [];
  const runner = new Runner();
  await runner.run(() => {
    const loop = getRunningLoop();
    loop.callLater(1, () => log.push("later"));
    loop.callSoon(() => log.push("soon"));
  });

  await runner.close();
  await new Promise((resolve) => setTimeout(resolve, 3));

  assertFalse(log.includes("later"));
});

Deno.test("Runner.run() leaves nothing of detached work", async () => {
  const log: string[] = [];
  await using runner = new Runner();

  await runner.run(() => {
    detach(() => sleep(60_000)).catch((error) => log.push(error.kind));
  });

  assertEquals(log, ["shutdown"]);
});

Deno.test("a run on a virtual loop leaves no scope, claim, timer or hold", async () => {
  const virtual = new VirtualLoop();

  await virtual.run(async () => {
    createTask(() => sleep(60_000));
    detach(() => sleep(60_000)).catch(() => {});
    await sleep(1);
  });

  assertEquals(leftoversAfter(virtual), []);
});

Deno.test("Runner takes the loop that its factory makes", async () => {
  const loop = newLoop();
  await using runner = new Runner({ loopFactory: () => loop, debug: true });

  assertStrictEquals(runner.loop, loop);
  assert(loop.debug);
  assertEquals(await runner.run(() => sleep(1, { value: 1 })), 1);
});

Deno.test("Runner() throws on bad options", () => {
  assertThrows(
    () => new Runner({ loopFactory: 1 as never }),
    TypeError,
    'Cannot create a runner as "loopFactory" must be a function',
  );
  assertThrows(
    () => new Runner({ graceMs: -1 }),
    RangeError,
    'Cannot create a runner as "graceMs" must be a number >= 0',
  );
  assertThrows(
    () => new Runner({ exceptionHandler: 1 as never }),
    TypeError,
    '"exceptionHandler" must be a function',
  );
});

Deno.test("a run ends at once when nothing is left", async () => {
  const start = performance.now();
  await using runner = new Runner();

  await runner.run(() => {});

  assertLess(performance.now() - start, 1000);
});

testClean("a run inside of a virtual run is refused", async () => {
  const runner = new Runner();

  await assertRejects(() => runner.run(() => {}), InvalidStateError, "inside");
});
