import { getRunningLoop, setLoopPolicy } from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  customLoopPolicy,
  getLoopInfo,
  performanceMonitoring,
  threadingExample,
} from "../../examples/06_event_loop.ts";
import { blockThread } from "../../examples/_block.ts";
import { capture } from "./_capture.ts";
import { matches } from "./_compare.ts";
import { expectedVariant } from "./_trace.ts";

const QUICK_THREAD = import.meta.resolve("../../examples/_virtual_thread.ts");

Deno.test("customLoopPolicy() tells of the loop of each runner, once", async () => {
  const { events } = expectedVariant(6, "py/out/ex06_policy.virtual.json");
  const virtual = new VirtualLoop();
  const restore = setLoopPolicy(customLoopPolicy);

  const { lines } = await capture(virtual, async () => {
    try {
      await using runner = new Runner();
      await runner.run(getLoopInfo);
      await runner.run(() => {});
    } finally {
      restore();
    }
    await using _silent = new Runner();
  });

  assertEquals(lines.length, events.length);
  for (const [i, line] of lines.entries()) {
    assert(matches(events[i]?.text ?? "", line), line.text);
  }
});

for (const order of ["fifo", "system"] as const) {
  Deno.test(`performanceMonitoring() reports a step that blocks, by name (${order})`, async () => {
    const virtual = new VirtualLoop({ order });

    const { lines } = await capture(
      virtual,
      () =>
        virtual.run(() => performanceMonitoring((ms) => virtual.advance(ms))),
    );

    assertEquals(lines.length, 1);
    assert(/200 ms: .*"slow_task"/.test(lines[0]?.text ?? ""));
  });

  Deno.test(`performanceMonitoring() reports nothing if no step blocks (${order})`, async () => {
    const virtual = new VirtualLoop({ order });

    const { lines } = await capture(
      virtual,
      () => virtual.run(() => performanceMonitoring(() => {})),
    );

    assertEquals(lines, []);
  });
}

Deno.test("performanceMonitoring() reports a step that blocks in real time", async () => {
  const { lines } = await capture(new VirtualLoop(), async () => {
    await using runner = new Runner();
    await runner.run(() => performanceMonitoring(() => blockThread(110)));
  });

  // On a busy machine other steps may take long, too.
  assert(lines.some(({ text }) => /\d{3,} ms: .*"slow_task"/.test(text)));
});

Deno.test("performanceMonitoring() leaves the loop as it was", async () => {
  const virtual = new VirtualLoop();
  const handler = () => {};
  const block = () => {
    throw new RangeError("broken");
  };

  await capture(virtual, () =>
    virtual.run(async () => {
      const loop = getRunningLoop();
      loop.exceptionHandler = handler;
      await assertRejects(() => performanceMonitoring(block), RangeError);
      assertEquals(loop.debug, false);
      assertEquals(loop.exceptionHandler, handler);
    }));
});

Deno.test("threadingExample() lets others go on while the thread works", async () => {
  let ticks = 0;

  const { lines } = await capture(new VirtualLoop(), async () => {
    await using runner = new Runner();
    await runner.run(async () => {
      createTask(async () => {
        for (;;) {
          await sleep(1);
          ticks++;
        }
      });
      await threadingExample(QUICK_THREAD);
    });
  });

  assertEquals(lines.map(({ text }) => text), [
    "Ana thread: MainThread",
    "Async task çalışıyor (thread: AsyncThread)",
    "Thread'den sonuç",
  ]);
  assert(ticks > 0);
});

Deno.test("threadingExample() throws what is thrown in the thread", async () => {
  const broken = "data:text/javascript," +
    "export function asyncTaskInThread() { throw new RangeError('in there'); }";
  const virtual = new VirtualLoop();

  await assertRejects(
    () => capture(virtual, () => virtual.run(() => threadingExample(broken))),
    RangeError,
    "in there",
  );
});
