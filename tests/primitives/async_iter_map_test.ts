/**
 * `map` with several calls at a time.
 */
import { iter } from "@ilmek/async/async-iter";
import { CancelledError } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";

/** Throws, where the language would rather not have it. */
function fail(message: string): never {
  throw new RangeError(message);
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

testClean(
  "AsyncIter.map() with a concurrency keeps so many calls under way",
  async ({ virtual }) => {
    let active = 0;
    let most = 0;
    const source = iter(upTo(9)).map(async (n) => {
      most = Math.max(most, ++active);
      await sleep(10);
      active--;
      return n;
    }, { concurrency: 3 });

    assertEquals(await source.toArray(), upTo(9));
    assertEquals(most, 3);
    assertEquals(virtual.now, 30);
  },
);

testClean(
  "AsyncIter.map() gives results in order, or as they come",
  async () => {
    const source = iter([30, 10, 20]);
    const nap = (ms: number) => sleep(ms, { value: ms });

    assertEquals(
      await source.map(nap, { concurrency: 3 }).toArray(),
      [30, 10, 20],
    );
    assertEquals(
      await source.map(nap, { concurrency: 3, ordered: false }).toArray(),
      [10, 20, 30],
    );
    assertEquals(
      await source.map(nap, { concurrency: Infinity }).toArray(),
      [30, 10, 20],
    );
  },
);

testClean(
  "AsyncIter.map() pulls no more than it may while nobody takes",
  async () => {
    const cases = [
      { concurrency: 1, buffer: 2 },
      { concurrency: 2, buffer: 0 },
      { concurrency: 3, buffer: 4 },
    ];
    for (const { concurrency, buffer } of cases) {
      for (const ordered of [true, false]) {
        let pulls = 0;
        let active = 0;
        const run = iter(function* () {
          for (;;) yield pulls++;
        }).map(async (n) => {
          assert(++active <= concurrency);
          await sleep(1);
          active--;
          return n;
        }, { concurrency, buffer, ordered })[Symbol.asyncIterator]();

        await run.next();
        await sleep(100);

        assertEquals(pulls, 1 + concurrency + buffer);
        await run.return?.();
        assertEquals(pulls, 1 + concurrency + buffer);
      }
    }
  },
);

testClean(
  "AsyncIter.map() starts nothing more when the loop is left",
  async () => {
    for (const concurrency of [1, 2]) {
      const begun: number[] = [];
      const cancelled: number[] = [];
      const source = iter(upTo(8)).map(async (n) => {
        begun.push(n);
        try {
          await sleep(10 * (n + 1));
        } catch (error) {
          cancelled.push(n);
          throw error;
        }
      }, { concurrency, buffer: 1 });

      for await (const _ of source) break;
      const after = [...begun];
      await sleep(1000);

      assertEquals(begun, after);
      assert(begun.length <= concurrency + 1);
      assertEquals(cancelled.sort(), begun.slice(1));
    }
  },
);

testClean(
  "AsyncIter.map() throws the error of the source, and not of an item",
  async () => {
    const seen: unknown[] = [];
    const source = iter(async function* () {
      yield 1;
      await sleep(1);
      throw new RangeError("source");
    }).map((n) => {
      seen.push(n);
      return sleep(5, { value: n });
    }, { concurrency: 2 });

    await assertRejects(() => source.toArray(), RangeError, "source");
    assertEquals(seen, [1]);
  },
);

testClean(
  "AsyncIter.map() cancels the other calls when one fails, and waits for them",
  async () => {
    const log: string[] = [];
    const source = iter(upTo(9)).map(async (n) => {
      try {
        await sleep(10);
        if (n === 1) throw new RangeError("call");
        await sleep(1000);
      } finally {
        await Promise.resolve();
        log.push(`end ${n}`);
      }
    }, { concurrency: 3 });

    await assertRejects(() => source.toArray(), RangeError, "call");

    assertEquals(log.sort(), ["end 0", "end 1", "end 2"]);
  },
);

testClean("AsyncIter.map() gives what was ready before the error", async () => {
  for (const ordered of [true, false]) {
    const items: number[] = [];
    await assertRejects(
      async () => {
        const source = iter(upTo(3)).map(async (n) => {
          await sleep(n);
          if (n === 2) throw new RangeError("call");
          return n;
        }, { concurrency: 3, ordered });
        for await (const n of source) {
          items.push(n);
          await sleep(50);
        }
      },
      RangeError,
    );

    assertEquals(items, [0, 1]);
  }
});

testClean(
  "AsyncIter.map() tells of errors that come after the first",
  async ({ reports }) => {
    const source = iter(upTo(2)).map(async (n) => {
      try {
        await sleep(10);
      } finally {
        fail(`call ${n}`);
      }
    }, { concurrency: 2 });

    await assertRejects(() => source.toArray(), RangeError, "call 0");
    assertEquals(takeMessages(reports), [
      "Cannot throw an error of map(): another came first",
    ]);
  },
);

testClean(
  "AsyncIter.map() takes a foreign cancellation for an error",
  async () => {
    const other = createTask(() => sleep(1000));
    const source = iter(upTo(3)).map(async (n) => {
      if (n === 1) {
        other.cancel();
        await other;
      }
      return n;
    }, { concurrency: 2 });

    const error = await source.toArray().catch((error) => error);

    assert(error instanceof CancelledError);
    assertStrictEquals(error, await other.toPromise().catch((it) => it));
  },
);

testClean("AsyncIter.map() gives each call a task of its own", async () => {
  const tasks = new Set<unknown>();
  await iter(upTo(3)).map(async (n) => {
    tasks.add(currentTask());
    await sleep(1);
    return n;
  }, { concurrency: 3 }).toArray();

  assertEquals(tasks.size, 3);
  assert(!tasks.has(currentTask()));
});

testClean(
  "AsyncIter.map() loses nothing and doubles nothing, whatever takes how long",
  async () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    let state = seed;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor(state / 2 ** 32 * below);
    };
    for (let round = 0; round < 40; round++) {
      const count = draw(30);
      const concurrency = 1 + draw(6);
      const buffer = draw(4);
      const ordered = draw(2) === 0;
      let active = 0;
      const source = iter(async function* () {
        for (let n = 0; n < count; n++) {
          if (draw(2) === 0) await sleep(draw(5));
          yield n;
        }
      }).map(async (n) => {
        const told = `seed ${seed}`;
        assert(++active <= concurrency, told);
        if (draw(3) > 0) await sleep(draw(9));
        active--;
        return n;
      }, { concurrency, buffer, ordered });

      const items: number[] = [];
      for await (const n of source) {
        items.push(n);
        if (draw(3) === 0) await sleep(draw(5));
      }

      if (!ordered) items.sort((a, b) => a - b);
      assertEquals(items, upTo(count), `seed ${seed}`);
    }
  },
);

testClean(
  "AsyncIter.forEach() runs so many calls at a time",
  async ({ virtual }) => {
    const seen: number[] = [];
    await iter(upTo(6)).forEach(async (n) => {
      await sleep(10);
      seen.push(n);
    }, { concurrency: 2 });

    assertEquals(seen.sort(), upTo(6));
    assertEquals(virtual.now, 30);
  },
);

testClean(
  "AsyncIter.toArray() takes all that several calls give, and is cancelled with its scope",
  async () => {
    const source = iter(upTo(100)).map((n) => sleep(n % 7, { value: n }), {
      concurrency: 5,
    });

    assertEquals(await source.toArray(), upTo(100));
    assertEquals(await source.count(), 100);
    const task = createTask(() => source.toArray());
    await sleep(20);
    task.cancel();

    await assertRejects(() => task.toPromise(), CancelledError);
  },
);

testClean(
  "AsyncIter.map() throws what is no Error, undefined too",
  async () => {
    for (const thrown of [undefined, null, "text", 0]) {
      for (const concurrency of [1, 2]) {
        const source = iter([1]).map(() => {
          throw thrown;
        }, { concurrency });
        const outcome = await source.toArray().then(
          () => "no error",
          (error) => ({ error }),
        );

        assertEquals(outcome, { error: thrown });
      }
    }
  },
);
