import { channelFrom } from "@ilmek/async/generator";
import { CancelledError } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";

testClean(
  "channelFrom() runs all steps of a generator in one task of its own",
  async () => {
    const tasks = new Set<unknown>();
    const loop = channelFrom(async function* () {
      for (let n = 0; n < 4; n++) {
        tasks.add(currentTask());
        await sleep(1);
        yield n;
      }
    })[Symbol.asyncIterator]();
    const askers = [
      createTask(() => loop.next()),
      createTask(() => loop.next()),
    ];

    for (const asker of askers) await asker;
    while (!(await loop.next()).done);

    assertEquals(tasks.size, 1);
    assert(!tasks.has(currentTask()));
    for (const asker of askers) assert(!tasks.has(asker));
  },
);

testClean(
  "channelFrom() cancels what a generator has kept open, and waits for it",
  async ({ reports }) => {
    const log: string[] = [];
    const values = channelFrom(async function* () {
      await using group = new TaskGroup();
      group.createTask(async () => {
        try {
          await sleep(1000);
        } finally {
          log.push("member");
        }
      });
      try {
        for (let n = 0;; n++) {
          await sleep(1);
          yield n;
        }
      } finally {
        log.push("generator");
      }
    });

    for await (const n of values) if (n === 2) break;

    assertEquals(log.sort(), ["generator", "member"]);
    assertEquals(takeMessages(reports), [
      "Cannot keep 1 tasks: the group was left without waitAll()",
    ]);
  },
);

testClean(
  "channelFrom() ends a generator that waits when the consumer is cancelled",
  async () => {
    let ended = false;
    const values = channelFrom(async function* () {
      try {
        await sleep(Infinity);
        yield 1;
      } finally {
        ended = true;
      }
    });
    const task = createTask(() => values.toArray());
    await sleep(1);
    task.cancel();

    await assertRejects(() => task.toPromise(), CancelledError);
    assert(ended);
  },
);

testClean("channelFrom() is as far ahead as it may", async () => {
  for (const buffer of [0, 2]) {
    let yielded = 0;
    const loop = channelFrom(async function* () {
      for (;;) yield ++yielded;
    }, { buffer })[Symbol.asyncIterator]();

    await loop.next();
    await sleep(1);

    assertEquals(yielded, 1 + buffer);
    await loop.return?.();
  }
});

testClean("channelFrom() throws what the generator throws", async () => {
  const values = channelFrom(async function* () {
    yield 1;
    throw new RangeError("generator");
  });

  await assertRejects(() => values.toArray(), RangeError, "generator");
});

Deno.test("channelFrom() throws on what it cannot run", () => {
  assertThrows(() => channelFrom([] as never), TypeError, "a function");
  assertThrows(
    () => channelFrom(async function* () {}, { buffer: -1 }),
    RangeError,
    '"buffer"',
  );
});
