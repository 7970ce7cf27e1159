import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { getRunningLoop } from "@ilmek/async/loop";
import { pipeline } from "@ilmek/async/pipeline";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskGroupError } from "@ilmek/async/task-group-error";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

const HOUR_MS = 3_600_000;

/** Numbers from 0, and a log of what becomes of the source. */
async function* counter(log: string[] = [], limit = Infinity) {
  try {
    for (let i = 0; i < limit; i++) {
      log.push(`give ${i}`);
      yield i;
    }
  } finally {
    await uncancellable(() => sleep(2));
    log.push("closed");
  }
}

testClean("Pipeline.map() keeps the order of the items", async () => {
  const results = await pipeline([5, 1, 4, 1, 3])
    .map((ms) => sleep(ms, { value: ms }), { concurrency: 3 })
    .toArray();

  assertEquals(results, [5, 1, 4, 1, 3]);
});

testClean(
  "Pipeline.map() gives results as they come, if order does not matter",
  async () => {
    const results = await pipeline([5, 1, 3])
      .map((ms) => sleep(ms, { value: ms }), { concurrency: 3, ordered: false })
      .toArray();

    assertEquals(results, [1, 3, 5]);
  },
);

testClean(
  "Pipeline.map() works on no more items at once than it may",
  async () => {
    let inside = 0;
    let most = 0;
    await pipeline(counter([], 20))
      .map(async (i) => {
        most = Math.max(most, ++inside);
        await sleep(i % 3);
        inside--;
      }, { concurrency: 4 })
      .toArray();

    assertEquals([inside, most], [0, 4]);
  },
);

testClean("stages work at the same time", async () => {
  await pipeline([1, 2, 3, 4])
    .map((n) => sleep(10, { value: n }))
    .map((n) => sleep(10, { value: n }))
    .to(() => sleep(10));

  assertEquals(getRunningLoop().time(), 60);
});

testClean("a slow end holds the source back", async () => {
  const log: string[] = [];
  let done = 0;
  await pipeline(counter(log, 50))
    .map((n) => n, { concurrency: 2 })
    .filter((n) => n >= 0)
    .to(async () => {
      await sleep(1);
      done++;
      // The stages, and the pipes between them, hold a few each.
      assert(log.length - done <= 12, `${log.length} taken, ${done} done`);
    });

  assertEquals(done, 50);
});

testClean("a slow item holds back only as many results as fit", async () => {
  const begun: number[] = [];
  const results = pipeline(counter([], 100))
    .map(async (i) => {
      begun.push(i);
      await sleep(i === 0 ? HOUR_MS : 1);
      return i;
    }, { concurrency: 2, capacity: 3 })
    .toArray();
  await sleep(HOUR_MS - 1);

  assert(begun.length <= 7, `${begun.length} items have begun`);
  assertEquals((await results).length, 100);
});

testClean("Pipeline.filter(), tap() and batch() do what they say", async () => {
  const seen: number[] = [];
  const batches = await pipeline([1, 2, 3, 4, 5, 6, 7])
    .filter((n) => n % 2 === 1)
    .tap((n) => seen.push(n))
    .batch(3)
    .toArray();

  assertEquals(batches, [[1, 3, 5], [7]]);
  assertEquals(seen, [1, 3, 5, 7]);
  assertEquals(await pipeline([]).batch(2).toArray(), []);
});

testClean("Pipeline.batch() waits for more as long as it may", async () => {
  const log: string[] = [];
  await pipeline([0, 5, 30, 4, 100])
    .tap((ms) => sleep(ms))
    .batch(3, { maxWaitMs: 10 })
    .to((batch) => void log.push(`${getRunningLoop().time()} ${batch}`));

  assertEquals(log, ["10 0,5", "45 30,4", "139 100"]);
});

testClean("a pipeline is not changed by its methods", async () => {
  const base = pipeline([1, 2]);
  const doubled = base.map((n) => n * 2);

  assertEquals(await base.toArray(), [1, 2]);
  assertEquals(await doubled.toArray(), [2, 4]);
});

testClean(
  "an error in a stage ends all, and closes the source before it comes out",
  async () => {
    const log: string[] = [];
    const fault = new RangeError("stage");
    const running = pipeline(counter(log))
      .map(async (n) => {
        try {
          await sleep(1);
          if (n === 3) throw fault;
        } finally {
          await uncancellable(() => sleep(1));
        }
        return n;
      }, { concurrency: 2 })
      .to(() => {});

    assertStrictEquals(await assertRejects(() => running), fault);
    assertEquals(log.at(-1), "closed");
  },
);

testClean(
  "an error of the source or of the sink comes out as it is",
  async () => {
    const fault = new RangeError("end");
    async function* bad() {
      yield 1;
      await sleep(1);
      throw fault;
    }

    assertStrictEquals(
      await assertRejects(() => pipeline(bad()).toArray()),
      fault,
    );
    const log: string[] = [];
    const running = pipeline(counter(log)).to(() => {
      throw fault;
    });
    assertStrictEquals(await assertRejects(() => running), fault);
    assertEquals(log.at(-1), "closed");
  },
);

testClean("several errors come out together", async () => {
  const error = await assertRejects(
    () =>
      pipeline([1, 2]).map(async (n) => {
        await uncancellable(() => sleep(1));
        throw new RangeError(`item ${n}`);
      }, { concurrency: 2 }).toArray(),
    TaskGroupError,
  );

  assertEquals(error.errors.map(String), [
    "RangeError: item 1",
    "RangeError: item 2",
  ]);
});

testClean(
  "a stage that throws a cancellation of others ends the pipeline with it",
  async () => {
    const gone = createTask(() => sleep(HOUR_MS));
    gone.cancel();
    const running = pipeline([1, 2, 3])
      .map(async (n) => n === 2 ? await gone : n, { concurrency: 2 })
      .toArray();

    const error = await assertRejects(() => running, CancelledError);
    assertStrictEquals(error, await gone.catch((error) => error));
  },
);

Deno.test("a pipeline that is cancelled anywhere leaves nothing behind", async () => {
  await cancelSweep(async (sweep) => {
    const log: string[] = [];
    const { state } = await sweep.target(() =>
      pipeline(counter(log, 3))
        .map((n) => sleep(1, { value: n }), { concurrency: 2 })
        .batch(2, { maxWaitMs: 5 })
        .to(() => sleep(1))
    );
    if (log.length > 0 || state === "done") assertEquals(log.at(-1), "closed");
  }, { tasks: "all" });
});

testClean("onError leaves out the items for which a stage fails", async () => {
  const failed: string[] = [];
  const results = await pipeline([1, 2, 3, 4])
    .map((n) => {
      if (n % 2 === 0) throw new RangeError(`${n}`);
      return sleep(5 - n, { value: n });
    }, {
      concurrency: 2,
      onError: (error, item) => failed.push(`${item}: ${error}`),
    })
    .toArray();

  assertEquals(results, [1, 3]);
  assertEquals(failed, ["2: RangeError: 2", "4: RangeError: 4"]);
});

testClean("leaving a loop over a pipeline ends all its stages", async () => {
  const log: string[] = [];
  const seen: number[] = [];
  for await (const n of pipeline(counter(log)).map((n) => n * 2)) {
    seen.push(n);
    if (n === 4) break;
  }

  assertEquals(seen, [0, 2, 4]);
  assertEquals(log.at(-1), "closed");
});

testClean("a loop over a pipeline throws the error of a stage", async () => {
  const fault = new RangeError("stage");
  const seen: number[] = [];
  const loop = async () => {
    const items = pipeline([1, 2, 3]).tap((n) => {
      if (n === 3) throw fault;
    });
    for await (const n of items) seen.push(n);
  };

  assertStrictEquals(await assertRejects(loop), fault);
  assertEquals(seen, [1, 2]);
});

testClean(
  "a pipeline ends when its signal aborts, or its scope is cancelled",
  async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const running = pipeline(counter(log))
      .to(() => sleep(1), { signal: controller.signal });
    await sleep(5);

    controller.abort("enough");

    assertEquals(await running.catch((reason) => reason), "enough");
    assertEquals(log.at(-1), "closed");
    await assertRejects(
      () => timeout(5, () => pipeline(counter(log)).to(() => sleep(1))),
      TimeoutError,
    );
    assertEquals(log.at(-1), "closed");
    const late = pipeline([1]).toArray({ signal: controller.signal });
    assertEquals(await late.catch((reason) => reason), "enough");
  },
);

Deno.test("Pipeline.to() writes to a stream, and closes it", async () => {
  const written: number[] = [];
  let closed = false;
  const sink = new WritableStream<number>({
    write: (n) => void written.push(n),
    close: () => void (closed = true),
  });

  await pipeline(ReadableStream.from([1, 2, 3])).map((n) => n * 2).to(sink);

  assertEquals([written, closed], [[2, 4, 6], true]);
});

Deno.test("an error aborts the stream at the end, and cancels the one at the start", async () => {
  const fault = new RangeError("stage");
  let aborted: unknown;
  let cancelled = false;
  const source = new ReadableStream<number>({
    start: (controller) => controller.enqueue(1),
    cancel: () => void (cancelled = true),
  });
  const sink = new WritableStream<number>({
    abort: (reason) => void (aborted = reason),
  });

  const running = pipeline(source).map(() => {
    throw fault;
  }).to(sink);

  assertStrictEquals(await assertRejects(() => running), fault);
  assertStrictEquals(aborted, fault);
  assert(cancelled);
});

Deno.test("Pipeline loses no item and doubles none, in any order", async () => {
  await explore(async () => {
    const results = await pipeline([0, 1, 2, 3, 4, 5])
      .map((n) => sleep(n % 2, { value: n }), { concurrency: 2, capacity: 1 })
      .filter((n) => n !== 3, { concurrency: 2 })
      .batch(2)
      .toArray();

    assertEquals(results, [[0, 1], [2, 4], [5]]);
  }, { runs: 60 });
});

Deno.test("Pipeline refuses what makes no sense", () => {
  const items = pipeline([1]);
  assertThrows(() => pipeline(1 as never), TypeError);
  assertThrows(() => items.map(1 as never), TypeError);
  assertThrows(() => items.map((n) => n, { concurrency: 0 }), RangeError);
  assertThrows(
    () => items.map((n) => n, { concurrency: Infinity }),
    RangeError,
  );
  assertThrows(() => items.tap(() => {}, { capacity: 0 }), RangeError);
  assertThrows(() => items.batch(0), RangeError);
  assertThrows(() => items.batch(1, { maxWaitMs: -1 }), RangeError);
});

testClean(
  "a stream that does not end a write does not hold up a cancellation",
  async ({ reports }) => {
    const sink = new WritableStream<number>({
      write: () => new Promise(() => {}),
    });
    const task = createTask(() => pipeline([1, 2]).to(sink));
    await sleep(1);

    task.cancel();
    const { state } = await timeout(10_000, () => task.outcome());

    assertEquals([state, sink.locked], ["cancelled", false]);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "the end of a stream": its grace of 5000 ms is over',
    ]);
  },
  { promises: "inside" },
);

testClean(
  "a stream that does not end its abort does not hold up a cancellation",
  async ({ reports }) => {
    const sink = new WritableStream<number>({
      abort: () => new Promise(() => {}),
    });
    const fault = new RangeError("stage");
    const task = createTask(() =>
      pipeline([1]).map(() => {
        throw fault;
      }).to(sink)
    );
    await sleep(1);

    task.cancel();
    const { state } = await timeout(10_000, () => task.outcome());

    assertEquals([state, sink.locked], ["failed", false]);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "the end of a stream": its grace of 5000 ms is over',
    ]);
  },
  { promises: "inside" },
);

testClean(
  "a stream that does not end its cancel does not hold up a cancellation",
  async ({ reports }) => {
    const source = new ReadableStream<number>({
      cancel: () => new Promise(() => {}),
    });
    const task = createTask(() => pipeline(source).toArray());
    await sleep(1);

    task.cancel();
    const { state } = await timeout(10_000, () => task.outcome());

    assertEquals([state, source.locked], ["cancelled", false]);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "the end of a stream": its grace of 5000 ms is over',
    ]);
  },
  { promises: "inside" },
);
