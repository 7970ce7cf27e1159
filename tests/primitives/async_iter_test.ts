import { AsyncIter, iter, type IterSource } from "@ilmek/async/async-iter";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError } from "@ilmek/async/errors";
import { withScope } from "@ilmek/async/scope";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { testClean } from "../_leaks.ts";

async function* numbers(count: number, ms = 1) {
  for (let n = 0; n < count; n++) {
    await sleep(ms);
    yield n;
  }
}

testClean("iter() goes over all that can be gone over", async () => {
  const sources: IterSource<number>[] = [
    [0, 1, 2],
    new Set([0, 1, 2]),
    [0, Promise.resolve(1), 2] as Iterable<number>,
    numbers(3),
    () => numbers(3),
    () => [0, 1, 2],
    () => iter([0, 1, 2]),
    iter([0, 1, 2]),
    ReadableStream.from([0, 1, 2]),
    iter([0, 1, 2]).toReadable(),
  ];

  for (const source of sources) {
    assertEquals(await iter(source).toArray(), [0, 1, 2]);
    if (typeof source === "function") {
      assertEquals(await iter(source).merge([]).toArray(), [0, 1, 2]);
    }
  }
  assertEquals(await iter("ab").toArray(), ["a", "b"]);
});

Deno.test("iter() throws on what cannot be gone over", () => {
  for (const source of [undefined, null, 1, {}, Promise.resolve([])]) {
    assertThrows(
      () => iter(source as never),
      TypeError,
      'Cannot go over a source as "source" must be iterable',
    );
    assertThrows(() => iter([]).merge(source as never), TypeError);
  }
  assertThrows(() => iter([], { graceMs: -1 }), RangeError);
});

testClean(
  "AsyncIter fails if a function gives what cannot be gone over",
  async () => {
    await assertRejects(() => iter(() => 1 as never).toArray(), TypeError);
    await assertRejects(
      () => iter([1]).flatMap(() => 1 as never).toArray(),
      TypeError,
      "Cannot map items as",
    );
    await assertRejects(
      () => iter([1]).switchMap(() => 1 as never).toArray(),
      TypeError,
    );
  },
);

Deno.test("AsyncIter throws on arguments that mean nothing", () => {
  const it = iter([1]);
  const outOfRange: (() => unknown)[] = [
    () => it.batch(0),
    () => it.batch(-1),
    () => it.batch(1.5),
    () => it.batch(1, { withinMs: -1 }),
    () => it.take(-1),
    () => it.take(NaN),
    () => it.drop(-1),
    () => it.map(String, { concurrency: 0 }),
    () => it.map(String, { buffer: -1 }),
    () => it.buffered(-1),
    () => it.share({ capacity: 0 }),
    () => it.tee(0),
    () => it.tee(1, { capacity: 0 }),
    () => it.debounce(-1),
    () => it.throttle(NaN),
    () => it.timeoutEach(-1),
  ];
  for (const call of outOfRange) assertThrows(call, RangeError, "Cannot ");
  const wrongType = ["map", "filter", "flatMap", "switchMap", "takeWhile"];
  for (const name of [...wrongType, "dropWhile", "tap"]) {
    const call = it as unknown as Record<string, (fn: unknown) => unknown>;
    assertThrows(() => call[name]?.(1), TypeError, "must be a function", name);
  }
});

testClean(
  "AsyncIter rejects where a promise is due and a function is not one",
  async () => {
    for (const name of ["reduce", "forEach", "some", "every", "find"]) {
      const it = iter([1]) as unknown as Record<
        string,
        (fn: unknown) => Promise<unknown>
      >;
      await assertRejects(
        async () => await it[name]?.(1),
        TypeError,
        "must be a function",
      );
    }
  },
);

testClean(
  "AsyncIter's operators do what those of the language do",
  async () => {
    const list = [5, 3, 8, 1, 9, 2];
    const big = (n: number) => n > 4;
    const kinds = [
      () => iter(list),
      () => iter(() => numbers(6)).map((i) => list[i] ?? 0),
    ];

    for (const make of kinds) {
      const it = make();
      assertEquals(
        await it.map((n, i) => n * i).toArray(),
        list.map((n, i) => n * i),
      );
      assertEquals(await it.filter(big).toArray(), list.filter(big));
      assertEquals(
        await it.flatMap((n, i) => [n, i]).toArray(),
        list.flatMap((n, i) => [n, i]),
      );
      for (const limit of [0, 1, 3, 6, 7, Infinity]) {
        assertEquals(await it.take(limit).toArray(), list.slice(0, limit));
        assertEquals(await it.drop(limit).toArray(), list.slice(limit));
      }
      assertEquals(await it.takeWhile((n) => n !== 8).toArray(), [5, 3]);
      assertEquals(await it.dropWhile((n) => n !== 8).toArray(), [8, 1, 9, 2]);
      assertEquals(await it.reduce((a, b) => a + b), 28);
      assertEquals(await it.reduce((a, b) => a + b, "n"), "n538192");
      assertEquals(await it.some(big), true);
      assertEquals(await it.some((n) => n > 9), false);
      assertEquals(await it.every(big), false);
      assertEquals(await it.every((n) => n > 0), true);
      assertEquals(await it.find((n) => n > 5), 8);
      assertEquals(await it.find((n) => n > 9), undefined);
      assertEquals(await it.first(), 5);
      assertEquals(await it.last(), 2);
      assertEquals(await it.count(), 6);
      assertEquals(await it.enumerate({ start: 1 }).take(1).toArray(), [[
        1,
        5,
      ]]);
      assertEquals(
        await it.map((n) => [n, `${n}`] as const).toMap(),
        new Map(list.map((n) => [n, `${n}`])),
      );
      const seen: number[] = [];
      await it.tap((n) => seen.push(n)).forEach((n) => seen.push(-n));
      assertEquals(seen, list.flatMap((n) => [n, -n]));
    }
  },
);

testClean("AsyncIter waits for functions that give promises", async () => {
  const it = iter([1, 2, 3, 4]);
  const later = <T>(value: T) => sleep(1, { value });

  assertEquals(await it.map((n) => later(-n)).toArray(), [-1, -2, -3, -4]);
  assertEquals(await it.filter((n) => later(n > 2)).toArray(), [3, 4]);
  assertEquals(await it.takeWhile((n) => later(n < 3)).toArray(), [1, 2]);
  assertEquals(await it.dropWhile((n) => later(n < 3)).toArray(), [3, 4]);
  assertEquals(await it.flatMap((n) => later([n])).toArray(), [1, 2, 3, 4]);
  assertEquals(await it.reduce((a, b) => later(a + b), 0), 10);
  assertEquals(await it.some((n) => later(n > 3)), true);
  assertEquals(await it.every((n) => later(n > 3)), false);
  assertEquals(await it.find((n) => later(n > 2)), 3);
  const seen: number[] = [];
  await it.tap((n) => later(seen.push(n))).forEach((n) => later(seen.push(n)));
  assertEquals(seen, [1, 1, 2, 2, 3, 3, 4, 4]);
});

testClean("AsyncIter has an answer when there are no items", async () => {
  const none = iter<number>([]);

  assertEquals(await none.toArray(), []);
  assertEquals(await none.first(), undefined);
  assertEquals(await none.last(), undefined);
  assertEquals(await none.batch(2).toArray(), []);
  assertEquals(await none.every(() => false), true);
  assertEquals(await none.some(() => true), false);
  assertEquals(await none.reduce((a, b) => a + b, 7), 7);
  assertEquals(await none.merge().zip([]).toArray(), []);
  await assertRejects(
    () => none.reduce((a, b) => a + b),
    TypeError,
    "there is none",
  );
});

testClean(
  "AsyncIter.reduce() starts with undefined if it is told so",
  async () => {
    const joined = await iter([1]).reduce<string | undefined>(
      (sum, n) => `${sum}${n}`,
      undefined,
    );

    assertEquals(joined, "undefined1");
  },
);

testClean("AsyncIter.batch() gives the last list short", async () => {
  assertEquals(await iter(numbers(7)).batch(5).toArray(), [
    [0, 1, 2, 3, 4],
    [5, 6],
  ]);
  assertEquals(await iter([1, 2, 3]).take(2).batch(5).toArray(), [[1, 2]]);
  assertEquals(await iter([1, 2, 3]).batch(2).batch(2).toArray(), [
    [[1, 2], [3]],
  ]);
  assertEquals(await iter([1, 2, 3]).batch(2).map((b) => b.length).toArray(), [
    2,
    1,
  ]);
});

testClean(
  "AsyncIter takes a task among the items for what it gives",
  async () => {
    const tasks = [
      createTask(() => 1),
      createTask(() => sleep(5, { value: 2 })),
    ];

    const values = await iter(tasks).map((n) => n * 2).toArray();

    assertEquals(values, [2, 4]);
  },
);

testClean("AsyncIter begins anew with each loop", async () => {
  let begun = 0;
  const it = iter(function* () {
    begun++;
    yield* [1, 2, 3];
  }).batch(2).enumerate();

  assertEquals(await it.toArray(), [[0, [1, 2]], [1, [3]]]);
  assertEquals(await it.toArray(), [[0, [1, 2]], [1, [3]]]);
  assertEquals(begun, 2);
});

testClean("AsyncIter does nothing until it is asked", async () => {
  let pulls = 0;
  const source = iter(function* () {
    for (;;) yield pulls++;
  });

  const run = source.map((n) => n).filter(() => true)[Symbol.asyncIterator]();
  await sleep(1);
  assertEquals(pulls, 0);
  await run.next();
  await sleep(1);
  assertEquals(pulls, 1);
  await run[Symbol.asyncDispose]();

  assertEquals(pulls, 1);
});

testClean("AsyncIter serves calls of next() one after the other", async () => {
  const run = iter(() => numbers(3, 10))[Symbol.asyncIterator]();

  const answers = await Promise.all([
    run.next(),
    run.next(),
    run.next(),
    run.next(),
    run.next(),
  ]);

  assertEquals(answers.map(({ value }) => value), [
    0,
    1,
    2,
    undefined,
    undefined,
  ]);
});

testClean(
  "AsyncIter lets several tasks share one loop, in the order of their calls",
  async () => {
    const loop = iter(() => numbers(6, 10))[Symbol.asyncIterator]();
    const collect = () =>
      Array.fromAsync({ [Symbol.asyncIterator]: () => loop });

    const [a, b, c] = await gather([collect, collect, collect]);

    assertEquals([a, b, c], [[0, 3], [1, 4], [2, 5]]);
  },
);

testClean(
  "AsyncIter lets one who shares a loop go, and serves the others",
  async () => {
    const loop = iter(() => numbers(3, 10))[Symbol.asyncIterator]();
    const first = createTask(() => loop.next());
    const second = createTask(() => loop.next());
    const third = createTask(() => loop.next());
    await sleep(5);

    second.cancel();
    await assertRejects(() => second.toPromise(), CancelledError);

    assertEquals((await first).value, 0);
    assertEquals((await third).value, 1);
    await loop.return?.();
  },
);

testClean("AsyncIter says so again when it has ended", async () => {
  const run = iter([1])[Symbol.asyncIterator]();

  await run.next();
  for (let i = 0; i < 3; i++) {
    assertEquals(await run.next(), { done: true, value: undefined });
    assertEquals(await run.return?.(), { done: true, value: undefined });
  }
});

testClean(
  "AsyncIter refuses an item in a scope that was cancelled, and ends its source",
  async () => {
    let ended = 0;
    const run = iter(function* () {
      try {
        yield* [1, 2];
      } finally {
        ended++;
      }
    })[Symbol.asyncIterator]();
    await run.next();

    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => run.next(), CancelledError);
    });

    assertEquals(ended, 1);
    assertEquals((await run.next()).done, true);
  },
);

testClean("AsyncIter is cancelled though its items never wait", async () => {
  const endless = iter(function* () {
    for (let n = 0;; n++) yield n;
  });

  for (const source of [endless, endless.map((n) => Promise.resolve(n))]) {
    await withScope(async (scope) => {
      let count = 0;
      await assertRejects(
        () =>
          source.forEach(() => {
            if (++count === 1000) scope.cancel();
          }),
        CancelledError,
      );
      assert(count < 2000);
    });
  }
});

Deno.test("AsyncIter lets timers through though its items never wait", async () => {
  const endless = iter(function* () {
    for (let n = 0;; n++) yield n;
  });
  let due = false;
  const timer = createTask(async () => {
    await sleep(1);
    due = true;
  });

  await endless.find(() => due);
  await timer;
  for await (const _ of endless) break;

  assert(due);
});

testClean(
  "AsyncIter calls functions in the context of whoever goes over it",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen = new Set<string>();
    const look = <T>(value: T): T => {
      seen.add(user.get());
      return value;
    };
    const source = user.run("maker", () =>
      iter(() => numbers(4))
        .map(look)
        .flatMap((n) => look([n]))
        .switchMap((n) => look([n]))
        .map(look, { concurrency: 2 })
        .buffered(1)
        .filter(look));

    await user.run("consumer", () => source.forEach(look));

    assertEquals([...seen], ["consumer"]);
  },
);

testClean(
  "AsyncIter pulls in the task of the one who asks, where it can",
  async () => {
    const tasks = new Set<unknown>();
    const source = iter(async function* () {
      for (let n = 0; n < 3; n++) {
        tasks.add(currentTask());
        await sleep(1);
        yield n;
      }
    });

    const task = createTask(() => source.map((n) => n).toArray());
    await task;

    assertEquals(tasks.size, 1);
    assertStrictEquals([...tasks][0], task);
  },
);

testClean(
  "AsyncIter.zip() ends with the shortest, and asks all at once",
  async () => {
    const start = [numbers(3, 10), numbers(9, 10)] as const;

    const pairs = await iter(start[0]).zip(start[1], ["a", "b", "c", "d"])
      .toArray();

    assertEquals(pairs, [[0, 0, "a"], [1, 1, "b"], [2, 2, "c"]]);
  },
);

testClean("AsyncIter.merge() gives items as they come", async ({ virtual }) => {
  const merged = iter(() => numbers(3, 10)).map((n) => `a${n}`)
    .merge(iter(() => numbers(2, 12)).map((n) => `b${n}`));

  const items = await merged.toArray();

  assertEquals(items, ["a0", "b0", "a1", "b1", "a2"]);
  assertEquals(virtual.now, 30);
});

testClean("AsyncIter.merge() lets no source keep out the others", async () => {
  const endless = (name: string) =>
    iter(function* () {
      for (;;) yield name;
    });

  const items = await endless("a").merge(endless("b"), endless("c")).take(30)
    .toArray();

  for (const name of ["a", "b", "c"]) {
    assertEquals(items.filter((item) => item === name).length, 10);
  }
});

testClean(
  "AsyncIter.combineLatest() waits for all, then gives the latest",
  async () => {
    const pairs = await iter(() => numbers(3, 10))
      .combineLatest(iter(() => numbers(2, 25))).toArray();

    assertEquals(pairs, [[0, 0], [1, 0], [2, 0], [2, 1]]);
    assertEquals(await iter([1]).combineLatest([]).toArray(), []);
  },
);

testClean(
  "AsyncIter.switchMap() ends the one before, then begins the next",
  async () => {
    const log: string[] = [];
    const source = iter(() => numbers(3, 10)).switchMap((n) =>
      async function* () {
        log.push(`begin ${n}`);
        try {
          for (let i = 0;; i++) {
            await sleep(4);
            if (n === 2 && i === 2) return;
            yield `${n}.${i}`;
          }
        } finally {
          log.push(`end ${n}`);
        }
      }
    );

    const items = await source.toArray();

    assertEquals(items, ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]);
    assertEquals(log, [0, 1, 2].flatMap((n) => [`begin ${n}`, `end ${n}`]));
  },
);

testClean(
  "AsyncIter.concat() opens a source when its turn has come",
  async () => {
    const log: string[] = [];
    const source = (name: string) =>
      iter(function* () {
        log.push(name);
        yield name;
      });

    const run = source("a").concat(source("b"))[Symbol.asyncIterator]();
    await run.next();
    assertEquals(log, ["a"]);
    await run.next();
    assertEquals(log, ["a", "b"]);
    await run.next();

    assertEquals(await iter([1]).concat([2], [], [3]).toArray(), [1, 2, 3]);
  },
);

testClean(
  "AsyncIter.concat() cancels the streams that it has not reached",
  async () => {
    let cancelled = 0;
    const stream = new ReadableStream<number>({
      cancel() {
        cancelled++;
      },
    });

    for await (const _ of iter([1, 2]).concat(stream)) break;

    assertEquals(cancelled, 1);
  },
);

testClean(
  "AsyncIter.toReadable() pulls when it is read, and ends when it is cancelled",
  async () => {
    let pulls = 0;
    let ended = 0;
    const stream = iter(function* () {
      try {
        for (;;) yield pulls++;
      } finally {
        ended++;
      }
    }).toReadable();
    await sleep(1);
    assertEquals(pulls, 0);

    const reader = stream.getReader();
    assertEquals(await reader.read(), { done: false, value: 0 });
    await sleep(1);
    assertEquals(pulls, 1);
    await reader.cancel();

    assertEquals([pulls, ended], [1, 1]);
  },
);

testClean("AsyncIter.toReadable() fails as its source does", async () => {
  const stream = iter([1]).map(() => {
    throw new RangeError("source");
  }).toReadable();

  await assertRejects(() => stream.getReader().read(), RangeError, "source");
});

testClean("AsyncIter.timeoutEach() gives each item its time", async () => {
  const source = iter(() => numbers(3, 8)).timeoutEach(10);

  assertEquals(await source.tap(() => sleep(50)).toArray(), [0, 1, 2]);
  await assertRejects(
    () => iter(() => numbers(3, 12)).timeoutEach(10).toArray(),
    TimeoutError,
    "10 ms",
  );
});

Deno.test("AsyncIter is not made by hand, and knows its own kind", () => {
  assert(iter([1]).map((n) => n) instanceof AsyncIter);
});

testClean(
  "AsyncIter can be left while it looks for what never comes",
  async () => {
    let ended = 0;
    const run = iter(function* () {
      try {
        for (let n = 0;; n++) yield n;
      } finally {
        ended++;
      }
    }).filter(() => false)[Symbol.asyncIterator]();
    const pending = run.next();

    await run.return?.();

    assertEquals((await pending).done, true);
    assertEquals(ended, 1);
  },
);

testClean(
  "AsyncIter leaves nothing in the scope when a loop is forgotten",
  async () => {
    const run = iter(() => numbers(3)).map((n) => n)[Symbol.asyncIterator]();

    assertEquals((await run.next()).value, 0);
  },
);
