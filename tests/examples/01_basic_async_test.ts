import { VirtualLoop } from "@ilmek/async/virtual";
import { assertEquals } from "@std/assert";
import {
  asyncTask,
  main,
  runAsync,
  runSync,
  syncTask,
} from "../../examples/01_basic_async.ts";
import { capture } from "./_capture.ts";

Deno.test("runSync() starts a task only after the end of the one before", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(
    virtual,
    () => virtual.run(() => runSync((ms) => virtual.advance(ms))),
  );

  assertEquals(lines.slice(0, 6).map(({ text }) => text.slice(11)), [
    "Task-1 başladı",
    "Task-1 bitti",
    "Task-2 başladı",
    "Task-2 bitti",
    "Task-3 başladı",
    "Task-3 bitti",
  ]);
});

Deno.test("runAsync() starts all tasks before any ends", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(virtual, () => virtual.run(runAsync));

  assertEquals(lines.slice(0, 6).map(({ text }) => text.slice(11)), [
    "Task-1 başladı",
    "Task-2 başladı",
    "Task-3 başladı",
    "Task-1 bitti",
    "Task-2 bitti",
    "Task-3 bitti",
  ]);
});

Deno.test("syncTask() and asyncTask() give what they have done", async () => {
  const virtual = new VirtualLoop();
  const results: string[] = [];

  await capture(virtual, () =>
    virtual.run(async () => {
      results.push(syncTask("A", 1, () => {}));
      results.push(await asyncTask("B", 1));
    }));

  assertEquals(results, ["A tamamlandı", "B tamamlandı"]);
});

Deno.test("main() blocks the thread in real time unless it is told otherwise", async () => {
  const { wait } = Atomics;
  const waits: unknown[] = [];
  const virtual = new VirtualLoop();
  Atomics.wait = (...args: unknown[]) => {
    waits.push(args[3]);
    return "timed-out";
  };

  try {
    await capture(virtual, () => virtual.run(() => main()));
  } finally {
    Atomics.wait = wait;
  }

  assertEquals(waits, [2000, 2000, 2000]);
});
