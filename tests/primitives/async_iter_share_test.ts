/**
 * One source for several consumers.
 */
import { iter } from "@ilmek/async/async-iter";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { testClean } from "../_leaks.ts";

/** A source that tells how often it was begun, asked and ended. */
function counted(items: number, ms = 1) {
  const seen = { begun: 0, pulls: 0, ended: 0 };
  const source = iter(async function* () {
    seen.begun++;
    try {
      for (let n = 0; n < items; n++) {
        seen.pulls++;
        await sleep(ms);
        yield n;
      }
    } finally {
      seen.ended++;
    }
  });
  return { seen, source };
}

testClean(
  "AsyncIter.tee() gives each loop all items, and goes over them once",
  async () => {
    const { seen, source } = counted(5);
    const branches = source.tee(3);

    const all = await gather(branches.map((it) => () => it.toArray()));

    assertEquals(all, Array(3).fill([0, 1, 2, 3, 4]));
    assertEquals(seen, { begun: 1, pulls: 5, ended: 1 });
  },
);

testClean("AsyncIter.tee() lets the slowest hold the others back", async () => {
  const { seen, source } = counted(100);
  const [quick, slow] = source.tee(2, { capacity: 3 });
  assert(quick !== undefined && slow !== undefined);

  const items: number[] = [];
  const task = createTask(() => quick.forEach((n) => items.push(n)));
  await sleep(50);
  assertEquals(items, [0, 1, 2]);
  assertEquals(seen.pulls, 3);

  assertEquals(await slow.take(2).toArray(), [0, 1]);
  await task;
  assertEquals(items.length, 100);
});

testClean(
  "AsyncIter.tee() ends its source when the last loop is left",
  async () => {
    const { seen, source } = counted(100);
    const [a, b] = source.tee(2);
    assert(a !== undefined && b !== undefined);

    for await (const _ of a) break;
    assertEquals(seen.ended, 0);
    for await (const _ of b) break;

    assertEquals(seen, { begun: 1, pulls: 1, ended: 1 });
  },
);

testClean("AsyncIter.share() gives what comes from then on", async () => {
  const { seen, source } = counted(6, 10);
  const shared = source.share();
  const early = createTask(() => shared.toArray());
  await sleep(25);
  const late = createTask(() => shared.toArray());

  assertEquals(await early, [0, 1, 2, 3, 4, 5]);
  assertEquals(await late, [2, 3, 4, 5]);
  assertEquals(seen.begun, 1);
});

testClean("AsyncIter.share() begins anew when all have left", async () => {
  const { seen, source } = counted(3);
  const shared = source.share();

  assertEquals(await shared.toArray(), [0, 1, 2]);
  assertEquals(await shared.take(1).toArray(), [0]);
  assertEquals(await shared.toArray(), [0, 1, 2]);

  assertEquals([seen.begun, seen.ended], [3, 3]);
});

testClean(
  "AsyncIter.share() goes on for the others when one is cancelled",
  async () => {
    const { seen, source } = counted(5, 10);
    const shared = source.share();
    const stays = createTask(() => shared.toArray());

    await assertRejects(
      () => timeout(15, () => shared.toArray()),
      TimeoutError,
    );

    assertEquals(await stays, [0, 1, 2, 3, 4]);
    assertEquals(seen, { begun: 1, pulls: 5, ended: 1 });
  },
);

testClean(
  "AsyncIter.share() is not cancelled with the one who began",
  async () => {
    const { source } = counted(5, 10);
    const shared = source.share();
    const first = createTask(() => shared.toArray());
    await sleep(5);
    const second = createTask(() => shared.toArray());
    await sleep(10);

    first.cancel();

    assertEquals(await second, [0, 1, 2, 3, 4]);
  },
);

testClean(
  "AsyncIter.share() throws the error of the source at each, after what was there",
  async () => {
    const shared = iter(async function* () {
      yield 1;
      await sleep(1);
      throw new RangeError("source");
    }).share();
    const seen: number[] = [];
    const go = () => shared.forEach((n) => seen.push(n));

    const outcomes = await gather([go, go], { returnExceptions: true });

    assertEquals(seen, [1, 1]);
    assertEquals(outcomes.map((it) => (it as Error).message), [
      "source",
      "source",
    ]);
  },
);

testClean(
  "AsyncIter.share() lets one go who waits, at once",
  async ({ virtual }) => {
    const { source } = counted(2, 1000);
    const shared = source.share();
    const stays = createTask(() => shared.toArray());
    const run = shared[Symbol.asyncIterator]();
    const pending = run.next();
    await sleep(10);

    await run.return?.();

    assertEquals((await pending).done, true);
    assertEquals(virtual.now, 10);
    assertEquals(await stays, [0, 1]);
  },
);
