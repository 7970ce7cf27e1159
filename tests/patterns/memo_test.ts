import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { DeadlockError, TimeoutError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { Memo, type MemoOptions } from "@ilmek/async/memo";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

/** A memo that counts: the value is how often a key was computed. */
function counting(options: MemoOptions<string, number> & { ms?: number } = {}) {
  const { ms = 0, ...rest } = options;
  const counts = new Map<string, number>();
  const memo = new Memo<string, number>(async (key) => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    await sleep(ms);
    return count;
  }, rest);
  return { memo, counts };
}

testClean("Memo.get() computes a value once", async () => {
  const { memo } = counting();

  assertEquals(await gather([memo.get("a"), memo.get("a")]), [1, 1]);
  assertEquals(await memo.get("a"), 1);
  assertEquals(await memo.get("b"), 1);
  assertEquals([memo.size, memo.pending], [2, 0]);
  assertEquals(memo.stats, { hits: 1, staleHits: 0, misses: 3, refreshes: 0 });
});

testClean("Memo computes a value anew when it has expired", async () => {
  const { memo } = counting({ ttlMs: 10 });
  assertEquals(await memo.get("a"), 1);
  await sleep(9);
  assertEquals([await memo.get("a"), memo.peek("a")], [1, 1]);

  await sleep(1);

  assertEquals(memo.peek("a"), undefined);
  assertEquals(await memo.get("a"), 2);
});

testClean("Memo takes how long a value is fresh from a function", async () => {
  const { memo } = counting({ ttlMs: (value) => value * 10 });
  await memo.get("a");
  await sleep(10);
  assertEquals(await memo.get("a"), 2);
  await sleep(15);

  assertEquals(await memo.get("a"), 2);
});

testClean(
  "Memo gives a stale value while it computes another, once",
  async () => {
    const { memo, counts } = counting({ ttlMs: 10, staleMs: 100, ms: 5 });
    await memo.get("a");
    await sleep(20);

    assertEquals([await memo.get("a"), await memo.get("a")], [1, 1]);
    assertEquals(counts.get("a"), 2);
    await sleep(6);

    assertEquals(await memo.get("a"), 2);
    assertEquals(memo.stats, {
      hits: 1,
      staleHits: 2,
      misses: 1,
      refreshes: 1,
    });
  },
);

testClean(
  "a caller that leaves does not end a refresh in the background",
  async () => {
    const { memo } = counting({ ttlMs: 10, staleMs: 10, ms: 15 });
    await memo.get("a");
    await sleep(15);
    await memo.get("a");
    await sleep(6);

    await assertRejects(() => timeout(1, () => memo.get("a")), TimeoutError);
    await sleep(20);

    assertEquals(memo.peek("a"), 2);
  },
);

testClean("an error is not kept, unless it is told to be", async () => {
  let calls = 0;
  const fail = (): never => {
    calls++;
    throw new RangeError(`call ${calls}`);
  };
  const plain = new Memo(fail);
  await assertRejects(() => plain.get(1), RangeError, "call 1");
  await assertRejects(() => plain.get(1), RangeError, "call 2");
  const keeping = new Memo(fail, { errorTtlMs: 10 });
  await assertRejects(() => keeping.get(1), RangeError, "call 3");
  await assertRejects(() => keeping.get(1), RangeError, "call 3");
  assertEquals(keeping.peek(1), undefined);

  await sleep(10);

  await assertRejects(() => keeping.get(1), RangeError, "call 4");
});

testClean(
  "a stale value survives a refresh that fails, which is told",
  async ({ reports }) => {
    const told: unknown[] = [];
    for (
      const onRefreshError of [undefined, (error: unknown) => told.push(error)]
    ) {
      let calls = 0;
      const memo = new Memo(() => {
        if (++calls > 1) throw new RangeError("down");
        return calls;
      }, {
        ttlMs: 10,
        staleMs: 1000,
        errorTtlMs: 50,
        ...(onRefreshError && { onRefreshError }),
      });
      await memo.get("a");
      await sleep(20);
      await memo.get("a");
      await sleep(1);

      assertEquals([await memo.get("a"), calls], [1, 2]);
      await sleep(50);
      assertEquals([await memo.get("a"), await sleep(1), calls], [
        1,
        undefined,
        3,
      ]);
    }

    assertEquals(takeMessages(reports), [
      'Cannot compute a value of "memo" anew',
      'Cannot compute a value of "memo" anew',
    ]);
    assertEquals(told.length, 2);
  },
);

testClean(
  "Memo refreshes early by chance, the more likely the slower it is",
  async () => {
    const draws = [0.5, 0.999];
    const { memo, counts } = counting({
      ttlMs: 100,
      ms: 10,
      earlyRefresh: 1,
      random: () => draws.shift() ?? 0,
    });
    await memo.get("a");
    await sleep(50);

    // 10 ms * -ln(0.5) is less than the 50 ms that are left, 10 * -ln(0.001) is more.
    await memo.get("a");
    assertEquals(memo.stats.refreshes, 0);
    assertEquals(await memo.get("a"), 1);
    assertEquals(memo.stats.refreshes, 1);
    await sleep(20);

    assertEquals([await memo.get("a"), counts.get("a")], [2, 2]);
  },
);

testClean("Memo forgets what was not asked for the longest", async () => {
  const { memo } = counting({ max: 2 });
  await memo.get("a");
  await memo.get("b");
  await memo.get("a");

  await memo.get("c");

  assertEquals([memo.peek("a"), memo.peek("b"), memo.peek("c")], [
    1,
    undefined,
    1,
  ]);
  assertEquals(memo.size, 2);
});

testClean(
  "Memo.set() and delete() win over what is being computed",
  async () => {
    const { memo } = counting({ ms: 5 });
    const first = memo.get("a");
    await sleep(1);
    memo.set("a", 50);
    assertEquals([await first, await memo.get("a")], [1, 50]);

    memo.delete("a");
    const second = memo.get("a");
    await sleep(1);
    assert(memo.delete("a"));
    assertEquals([await second, memo.peek("a")], [2, undefined]);

    await memo.get("a");
    memo.clear();
    assertEquals([memo.size, memo.delete("a")], [0, false]);
  },
);

testClean(
  "Memo.refresh() gives a new value, and others the former meanwhile",
  async () => {
    const { memo } = counting({ ms: 5 });
    await memo.get("a");
    const refreshed = memo.refresh("a");
    await sleep(1);

    assertEquals(await memo.get("a"), 1);
    assertEquals([await refreshed, await memo.get("a")], [2, 2]);
  },
);

testClean(
  "the computation is cancelled when the last caller has left",
  async () => {
    let ended = 0;
    const memo = new Memo(async (_key: string, { signal }) => {
      signal.addEventListener("abort", () => ended++);
      await sleep(1000);
      return 1;
    }, { errorTtlMs: 1000 });
    const first = createTask(() => timeout(5, () => memo.get("a")));
    const second = createTask(() => timeout(10, () => memo.get("a")));
    await assertRejects(() => first.toPromise(), TimeoutError);
    assertEquals(ended, 0);

    await assertRejects(() => second.toPromise(), TimeoutError);

    assertEquals([ended, memo.size, memo.pending], [1, 0, 0]);
  },
);

testClean(
  "Memo.get() rejects with what a function of its options throws",
  async () => {
    const memo = new Memo((key: string) => key, {
      keyOf: (key) => {
        if (key === "bad") throw new RangeError("no key");
        return key;
      },
    });

    await assertRejects(() => memo.get("bad"), RangeError, "no key");
    assertEquals(await memo.get("good"), "good");
  },
);

testClean("an onRefreshError that fails is reported", async ({ reports }) => {
  let calls = 0;
  const memo = new Memo(() => {
    if (calls++ > 0) throw new RangeError("down");
    return "value";
  }, {
    ttlMs: 1,
    staleMs: 60_000,
    onRefreshError: async () => {
      await sleep(1);
      throw new RangeError("a mistake in the hook");
    },
  });
  await memo.get("key");
  await sleep(2);

  assertEquals(await memo.get("key"), "value");
  await sleep(5);
  assertEquals(takeMessages(reports), ['A hook of "memo" has thrown']);
});

testClean("keyOf tells which keys are the same", async () => {
  const memo = new Memo(({ id }: { id: number }) => ({ id }), {
    keyOf: ({ id }) => id,
  });

  assertStrictEquals(await memo.get({ id: 1 }), await memo.get({ id: 1 }));
});

testClean(
  "a function that asks for the key that it computes fails",
  async () => {
    const memo: Memo<string, number> = new Memo((key) => memo.get(key));

    const error = await assertRejects(() => memo.get("a"), DeadlockError);

    assertEquals(
      error.message,
      'Cannot get a value of "memo" while it is computed: it would wait for itself',
    );
  },
);

testClean("Memo refuses what makes no sense", () => {
  const fn = () => 1;
  assertThrows(() => new Memo(1 as never), TypeError);
  assertThrows(() => new Memo(fn, { ttlMs: -1 }), RangeError);
  assertThrows(() => new Memo(fn, { staleMs: NaN }), RangeError);
  assertThrows(() => new Memo(fn, { errorTtlMs: -1 }), RangeError);
  assertThrows(() => new Memo(fn, { earlyRefresh: -1 }), RangeError);
  assertThrows(() => new Memo(fn, { max: 0 }), RangeError);
  assertThrows(() => new Memo(fn, { keyOf: 1 as never }), TypeError);
});
