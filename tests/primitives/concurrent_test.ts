import { assert, assertEquals, assertRejects } from "@std/assert";
import { forEachConcurrent, mapConcurrent } from "@ilmek/async/concurrent";
import { ContextVar } from "@ilmek/async/context-var";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

/** A source that counts what is asked of it. */
class Source {
  pulled = 0;
  closed = 0;
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  *sync(): Generator<number> {
    try {
      while (this.pulled < this.#length) yield this.pulled++;
    } finally {
      this.closed++;
    }
  }

  async *async(): AsyncGenerator<number> {
    try {
      while (this.pulled < this.#length) {
        await sleep(1);
        yield this.pulled++;
      }
    } finally {
      this.closed++;
    }
  }
}

for (const kind of ["sync", "async"] as const) {
  testClean(
    `mapConcurrent() gives results in the order of the items (${kind})`,
    async () => {
      const results = await mapConcurrent(
        new Source(5)[kind](),
        (n, index) => sleep(5 - n, { value: [n, index] }),
        { concurrency: 3 },
      );

      assertEquals(results, [0, 1, 2, 3, 4].map((n) => [n, n]));
    },
  );

  testClean(
    `forEachConcurrent() has so many calls under way, and pulls no item early (${kind})`,
    async () => {
      const source = new Source(20);
      let running = 0;
      let most = 0;
      await forEachConcurrent(source[kind](), async () => {
        most = Math.max(most, ++running);
        await sleep(10);
        assert(source.pulled - 20 <= 0);
        running--;
      }, { concurrency: 4 });

      assertEquals([most, source.pulled, source.closed], [4, 20, 1]);
    },
  );

  testClean(
    `the first failure cancels the other calls, and closes the source (${kind})`,
    async () => {
      const source = new Source(20);
      const log: string[] = [];
      const failing = mapConcurrent(source[kind](), async (n) => {
        try {
          await sleep(n === 1 ? 5 : 100);
        } catch (error) {
          log.push(`${n} cancelled`);
          throw error;
        }
        throw new RangeError(`${n} failed`);
      }, { concurrency: 3 });

      await assertRejects(() => failing, RangeError, "1 failed");
      assertEquals(log.toSorted(), ["0 cancelled", "2 cancelled"]);
      assertEquals(source.closed, 1);
      assert(source.pulled <= 4);
    },
  );

  testClean(
    `a cancellation ends the calls, and closes the source (${kind})`,
    async () => {
      const source = new Source(20);
      await assertRejects(
        () =>
          timeout(5, () =>
            forEachConcurrent(source[kind](), () => sleep(100), {
              concurrency: 2,
            })),
        TimeoutError,
      );

      assertEquals(source.closed, 1);
      assert(source.pulled <= 3);
    },
  );

  testClean(
    `functions run in the context of the caller (${kind})`,
    async () => {
      const user = new ContextVar("user", { defaultValue: "nobody" });
      const seen = await user.run(
        "ada",
        () =>
          withScope((scope) =>
            mapConcurrent(
              new Source(2)[kind](),
              async () => {
                await sleep(1);
                const inside = currentScope();
                return [
                  user.get(),
                  inside.effectiveDeadline === scope.deadline,
                ];
              },
              { concurrency: 2 },
            ), { deadlineMs: 1000 }),
      );

      assertEquals(seen, [["ada", true], ["ada", true]]);
    },
  );
}

testClean("all items may be under way at once", async ({ virtual }) => {
  await forEachConcurrent(new Source(50).sync(), () => sleep(10), {
    concurrency: Infinity,
  });

  assertEquals(virtual.now, 10);
});

testClean("promises among the items are awaited", async () => {
  const items = [Promise.resolve(1), 2];

  assertEquals(
    await mapConcurrent(items, (n) => n * 2, { concurrency: 1 }),
    [2, 4],
  );
});

testClean(
  "what else fails is told to the exception handler",
  async ({ reports }) => {
    const failing = forEachConcurrent([1, 2], async (n) => {
      await sleep(n).catch(() => {
        throw new RangeError("second");
      });
      throw new RangeError("first");
    }, { concurrency: 2 });

    await assertRejects(() => failing, RangeError, "first");
    assertEquals(takeMessages(reports), [
      "Cannot throw an error of a concurrent call: another came first",
    ]);
  },
);

testClean(
  "a source that throws ends all, and is not closed again",
  async () => {
    let closed = 0;
    const source: Iterable<number> = {
      [Symbol.iterator]: () => ({
        next: () => {
          throw new RangeError("no more");
        },
        return: () => {
          closed++;
          return { done: true, value: undefined };
        },
      }),
    };

    await assertRejects(
      () => forEachConcurrent(source, () => {}, { concurrency: 2 }),
      RangeError,
      "no more",
    );
    assertEquals(closed, 0);
  },
);

testClean("nothing is pulled in a scope that is cancelled", async () => {
  const source = new Source(5);
  const task = createTask(async () => {
    await sleep(Infinity).catch(() => {});
    await forEachConcurrent(source.sync(), () => {}, { concurrency: 2 });
  });
  await sleep(0);
  task.cancel();

  assertEquals((await task.outcome()).state, "cancelled");
  assertEquals(source.pulled, 0);
});

Deno.test("mapConcurrent() rejects wrong arguments", async () => {
  const wrong = (source: unknown, fn: unknown, options: unknown) => () =>
    mapConcurrent(source as number[], fn as () => void, options as never);
  const fn = () => {};

  await assertRejects(
    wrong([1], fn, { concurrency: 0 }),
    RangeError,
    'Cannot call for each item as "concurrency" must be an integer >= 1: current value is 0',
  );
  await assertRejects(wrong([1], fn, {}), TypeError, '"concurrency"');
  await assertRejects(wrong([1], fn, undefined), TypeError, '"concurrency"');
  await assertRejects(
    wrong(7, fn, { concurrency: 1 }),
    TypeError,
    'Cannot call for each item as "source" must be iterable: current value is 7',
  );
  await assertRejects(
    wrong([1], "fn", { concurrency: 1 }),
    TypeError,
    'Cannot call for each item as "fn" must be a function',
  );
});

Deno.test("a long run of calls that never wait lets timers fire", async () => {
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  function* untilFired(): Generator<number> {
    while (!fired) yield 1;
  }
  await forEachConcurrent(untilFired(), () => {}, { concurrency: 2 });

  clearTimeout(timer);
});

testClean(
  "mapConcurrent() throws the error of a call, and reports that of the source",
  async ({ reports }) => {
    const source = function* () {
      try {
        yield* [1, 2];
      } finally {
        failWith(new TypeError("source"));
      }
    };
    await assertRejects(
      () =>
        mapConcurrent(source(), () => failWith(new RangeError("call")), {
          concurrency: 1,
        }),
      RangeError,
      "call",
    );

    assertEquals(takeMessages(reports), [
      "Cannot end a source quietly: it fails",
    ]);
  },
);

/** Throws, where the language would rather not have it. */
function failWith(error: Error): never {
  throw error;
}
