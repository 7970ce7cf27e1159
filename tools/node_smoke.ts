/**
 * Loads the portable modules on Node, and runs a little of each.
 *
 * ```sh
 * npx -y node@24 tools/node_smoke.ts
 * ```
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { CancelledError, TimeoutError } from "../primitives/errors.ts";
import { gather } from "../primitives/gather.ts";
import { Queue } from "../primitives/queue.ts";
import { Runner } from "../primitives/runner.ts";
import { sleep } from "../primitives/sleep.ts";
import { createTask } from "../primitives/task.ts";
import { TaskGroup } from "../primitives/task_group.ts";
import { timeout } from "../primitives/timeout.ts";
import { runVirtual } from "../testing/virtual.ts";

for (const chapter of ["primitives", "patterns", "testing"]) {
  const folder = new URL(`../${chapter}/`, import.meta.url);
  for (const file of list(folder)) {
    test(`${chapter}/${file} loads`, async () => {
      assert.ok(Object.keys(await import(new URL(file, folder).href)));
    });
  }
}

test("mod.ts loads: only calls into io need Deno", async () => {
  // deno-lint-ignore ilmek/import-direction -- mod.ts itself is what is tested
  assert.ok("createTask" in await import("../mod.ts"));
});

test("a run waits, gathers, times out and cancels", async () => {
  await using runner = new Runner();
  await runner.run(async () => {
    const values = await gather([() => sleep(1, { value: 1 }), () => 2]);
    assert.deepEqual(values, [1, 2]);
    await assert.rejects(() => timeout(2, () => sleep(60_000)), TimeoutError);
    const task = createTask(() => sleep(60_000));
    await sleep(0);
    task.cancel();
    await assert.rejects(async () => await task, CancelledError);
  });
});

test("a group hands items over through a queue", async () => {
  const queue = new Queue<number>({ capacity: 1 });
  const sum = await TaskGroup.run(async (group) => {
    group.go(async () => {
      for (const item of [1, 2, 3]) await queue.put(item);
      queue.shutdown();
    });
    let sum = 0;
    for await (const item of queue) sum += item;
    return sum;
  });
  assert.equal(sum, 6);
});

test("virtual time jumps", async () => {
  await runVirtual(() => sleep(3_600_000));
});

/** The public modules of a folder; none if there is no such folder. */
function list(folder: URL): string[] {
  try {
    return readdirSync(folder).filter((name) => /^[a-z].*\.ts$/.test(name));
  } catch {
    return [];
  }
}
