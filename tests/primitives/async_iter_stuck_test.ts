/**
 * Sources that never answer, and the bugs of other libraries around them.
 */
import { iter } from "@ilmek/async/async-iter";
import { CancelledError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";

/** Throws, where the language would rather not have it. */
function fail(message: string): never {
  throw new RangeError(message);
}

const NEVER = new Promise<never>(() => {});

/** Gives one item, then waits for what never comes. */
async function* stuck() {
  yield 1;
  await NEVER;
}

/** What is reported while `fn` runs, in real time: nobody sees a stuck promise. */
async function reportsOf(fn: () => Promise<unknown>): Promise<string[]> {
  const loop = getRunningLoop();
  const before = loop.exceptionHandler;
  const messages: string[] = [];
  loop.exceptionHandler = ({ message }) => messages.push(message);
  try {
    await fn();
  } finally {
    loop.exceptionHandler = before;
  }
  return messages;
}

Deno.test("AsyncIter leaves a source that is stuck when its grace is over, and tells so", async () => {
  const messages = await reportsOf(() =>
    assertRejects(
      () => timeout(1, () => iter(stuck, { graceMs: 2 }).toArray()),
      TimeoutError,
    )
  );

  assertEquals(messages, [
    "Cannot wait longer for a source: it has not ended within 2 ms",
  ]);
});

Deno.test("AsyncIter leaves a source that is stuck in a task of its own", async () => {
  const operators = [
    () => iter(stuck, { graceMs: 2 }).timeoutEach(1).toArray(),
    () => iter(stuck, { graceMs: 2 }).timeoutEach(1).buffered(1).toArray(),
  ];
  for (const operator of operators) {
    const messages = await reportsOf(() =>
      assertRejects(operator, TimeoutError)
    );

    assertEquals(messages, [
      'Cannot end task "source of timeoutEach()": it is stuck, and has not ended within 2 ms',
    ]);
  }
});

Deno.test("AsyncIter ends the other sources though one is stuck", async () => {
  let ended = 0;
  const other = async function* () {
    try {
      for (;;) {
        await sleep(1);
        yield 2;
      }
    } finally {
      ended++;
    }
  };

  const messages = await reportsOf(async () => {
    for await (const n of iter(stuck, { graceMs: 2 }).merge(other, other)) {
      if (n === 2) break;
    }
  });

  assertEquals(ended, 2);
  assertEquals(messages.length, 1);
});

Deno.test("AsyncIter.return() does not hang behind a next() that is stuck", async () => {
  const run = iter(stuck, { graceMs: 2 })[Symbol.asyncIterator]();
  await run.next();
  const pending = run.next();

  const messages = await reportsOf(async () => {
    assertEquals(await run.return?.(), { done: true, value: undefined });
  });

  assertEquals(messages, [
    'Cannot end a source: its "next" has not ended within 2 ms',
  ]);
  assert(await Promise.race([pending, Promise.resolve("pending")]));
});

Deno.test("AsyncIter does not wait for ever for return() once it is cancelled", async () => {
  const source = {
    [Symbol.asyncIterator]: (): AsyncIterator<number> => ({
      next: () => Promise.resolve({ done: false, value: 1 }),
      return: () => NEVER,
    }),
  };

  const messages = await reportsOf(() =>
    assertRejects(
      () =>
        timeout(1, async () => {
          for await (const _ of iter(source, { graceMs: 2 })) {
            await sleep(1000);
          }
        }),
      TimeoutError,
    )
  );

  assertEquals(messages, [
    'Cannot wait longer for the cleanup "end of a source": its grace of 2 ms is over',
  ]);
});

Deno.test("AsyncIter ends a stream that is stuck in a read at once", async () => {
  let cancelled = 0;
  // It would hang if it waited for the grace.
  const silent = () =>
    iter(
      new ReadableStream<number>({
        cancel() {
          cancelled++;
        },
      }),
      { graceMs: Infinity },
    );

  await assertRejects(
    () => timeout(1, () => silent().toArray()),
    TimeoutError,
  );
  const run = silent()[Symbol.asyncIterator]();
  const pending = run.next();
  await run.return?.();
  assertEquals((await pending).done, true);
  await assertRejects(
    () => silent().merge(silent()).timeoutEach(1).toArray(),
    TimeoutError,
  );

  assertEquals(cancelled, 4);
});

testClean(
  "AsyncIter.merge() runs the finalizers of all of six sources",
  async () => {
    let ended = 0;
    const source = (ms: number) =>
      iter(async function* () {
        try {
          for (let n = 0;; n++) {
            await sleep(ms);
            yield n;
          }
        } finally {
          await sleep(ms).catch(() => {});
          ended++;
        }
      });
    const sources = [1, 2, 3, 5, 1000, Infinity].map(source);
    const [first, ...others] = sources;
    assert(first !== undefined);

    const ways = [
      () => first.merge(...others),
      () => first.zip(...others.slice(0, 3)),
      () => first.combineLatest(...others.slice(0, 3)),
      () => first.concat(...others),
    ];
    const began = [6, 4, 4, 1];
    for (const [index, way] of ways.entries()) {
      ended = 0;
      for await (const _ of way()) break;
      assertEquals(ended, began[index]);
    }
  },
);

testClean(
  "AsyncIter waits for finalizers that wait, though it was cancelled",
  async ({ virtual }) => {
    const log: string[] = [];
    const source = iter(async function* () {
      try {
        for (let n = 0;; n++) {
          await sleep(10);
          yield n;
        }
      } finally {
        await uncancellable(() => sleep(100));
        log.push(`ended at ${virtual.now}`);
      }
    });

    await assertRejects(
      () => timeout(15, () => source.merge([]).toArray()),
      TimeoutError,
    );
    log.push(`left at ${virtual.now}`);

    assertEquals(log, ["ended at 115", "left at 115"]);
  },
);

testClean(
  "AsyncIter throws the error of a finalizer when a loop is left",
  async () => {
    const source = () =>
      iter(async function* () {
        try {
          for (let n = 0;; n++) {
            await sleep(1);
            yield n;
          }
        } finally {
          fail("finalizer");
        }
      });
    const leave = async (it: AsyncIterable<unknown>) => {
      for await (const _ of it) break;
    };

    await assertRejects(() => leave(source()), RangeError, "finalizer");
    await assertRejects(() => leave(source().buffered(0)), RangeError);
    await assertRejects(
      () => leave(source().merge(source())),
      AggregateError,
      "2 of them have failed",
    );
  },
);

testClean(
  "AsyncIter tells of the error of a finalizer if there is another to throw",
  async ({ reports }) => {
    const source = iter(function* () {
      try {
        yield 1;
      } finally {
        fail("finalizer");
      }
    }).map(() => {
      throw new TypeError("function");
    });

    await assertRejects(() => source.toArray(), TypeError, "function");
    assertEquals(takeMessages(reports), [
      "Cannot end a source quietly: it fails",
    ]);
  },
);

testClean(
  "AsyncIter is cancelled while an item is on its way through a function",
  async () => {
    let ended = 0;
    const source = iter(function* () {
      try {
        yield* [1, 2, 3];
      } finally {
        ended++;
      }
    }).map(() => sleep(1000)).filter(() => sleep(1000));

    const error = await timeout(10, () => source.toArray()).catch((it) => it);

    assert(error instanceof TimeoutError);
    assert(error.cause === undefined || error.cause instanceof CancelledError);
    assertEquals(ended, 1);
  },
);
