import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { abortable } from "@ilmek/async/checkpoint";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { Runner, type RunnerOptions } from "@ilmek/async/runner";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  ThreadPool,
  ThreadPoolBrokenError,
  ThreadPoolFullError,
  type ThreadPoolOptions,
  ThreadPoolStoppedError,
} from "@ilmek/async/thread-pool";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { WorkerCrashedError } from "@ilmek/async/worker";

const MODULE = import.meta.resolve("./fixtures/pool_work.ts");
const HOUR_MS = 3_600_000;
type Work = typeof import("./fixtures/pool_work.ts");

/** A pool of one thread, and the functions of the fixture. */
function poolOfOne(options: ThreadPoolOptions = {}) {
  const pool = new ThreadPool({ maxThreads: 1, ...options });
  return { pool, work: pool.use<Work>(MODULE) };
}

/** Two numbers that all threads see. */
function sharedNumbers(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(8));
}

async function begun(numbers: Int32Array, times = 1): Promise<void> {
  while (Atomics.load(numbers, 0) < times) await sleep(1);
}

/** Runs `main`, and gives what was reported. */
async function reportsOf(
  main: () => unknown,
  options: RunnerOptions = {},
): Promise<string[]> {
  const reports: string[] = [];
  await using runner = new Runner({
    exceptionHandler: ({ message }) => void reports.push(message),
    ...options,
  });
  await runner.run(main);
  return reports;
}

Deno.test("ThreadPool.use() gives the functions of a module", async () => {
  const { pool, work } = poolOfOne({ name: "crew" });
  await using _pool = pool;

  assertEquals(await work.add(40, 2), 42);
  assertEquals(await work.nameOfThread(), "crew-1");
  assertEquals([pool.threads, pool.idle, pool.completed], [1, 1, 2]);
  await assertRejects(() => work.fail("no"), RangeError, "no");
  const wrong = pool.use<{ notAFunction(): void }>(MODULE);
  await assertRejects(
    () => wrong.notAFunction(),
    TypeError,
    "does not export a function of that name",
  );
});

Deno.test("ThreadPool.use() gives what is no promise", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;

  assertEquals(await Promise.resolve(work), work);
  assertEquals(work.add, work.add);
});

Deno.test("ThreadPool.run() runs a function that stands for itself", async () => {
  const { pool } = poolOfOne();
  await using _pool = pool;
  const square = (n: number) => n * n;

  assertEquals(await pool.run(square, [7]), 49);
  assertEquals(await pool.run(square, [8]), 64);
  await assertRejects(
    () => pool.run(square.bind(null), [1]),
    TypeError,
    "must have a source",
  );
});

Deno.test("ThreadPool does many short calls, each once, in order", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;

  const sums = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => work.add(i, 1)),
  );

  assertEquals(sums, Array.from({ length: 1000 }, (_, i) => i + 1));
  assertEquals([pool.queued, pool.unfinished, pool.threads], [0, 0, 1]);
});

Deno.test("ThreadPool starts threads as they are needed", async () => {
  await using pool = new ThreadPool({ maxThreads: 2 });
  const work = pool.use<Work>(MODULE);
  assertEquals(pool.threads, 0);

  const numbers = sharedNumbers();
  const calls = [work.waitFor(numbers, "a"), work.waitFor(numbers, "b")];
  await begun(numbers, 2);

  assertEquals([pool.threads, pool.idle], [2, 0]);
  Atomics.store(numbers, 1, 1);
  assertEquals(await Promise.all(calls), ["a", "b"]);
});

Deno.test("a call behind a long one goes to a thread that is idle", async () => {
  await using pool = new ThreadPool({ maxThreads: 2 });
  const work = pool.use<Work>(MODULE);
  const numbers = sharedNumbers();
  // Both threads are there, and have learned that calls are short.
  await Promise.all([work.nameLater(1), work.nameLater(1)]);
  for (let i = 0; i < 60; i++) {
    await Promise.all([work.add(1, 1), work.add(1, 1)]);
  }

  const long = work.waitFor(numbers, "long");
  const sums = await Promise.all(
    Array.from({ length: 20 }, (_, i) => work.add(i, 0)),
  );

  assertEquals(sums.length, 20);
  Atomics.store(numbers, 1, 1);
  assertEquals(await long, "long");
});

Deno.test("ThreadPool serves calls of a higher priority first", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();
  const log: string[] = [];
  const first = work.waitFor(numbers, "first");
  await begun(numbers);
  const note = async (name: string, priority: number) => {
    await pool.run(work.add, [1, 2], { priority });
    log.push(name);
  };
  const rest = [note("low", -1), note("usual", 0), note("high", 1)];

  Atomics.store(numbers, 1, 1);
  await Promise.all([first, ...rest]);

  assertEquals(log, ["high", "usual", "low"]);
});

Deno.test("ThreadPool hands over what is transferred, both ways", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const buffer = new ArrayBuffer(8);

  assertEquals(
    await pool.run(work.sizeOf, [buffer], { transfer: [buffer] }),
    8,
  );
  assertEquals(buffer.byteLength, 0);
  assertEquals((await work.giveBuffer(16)).byteLength, 16);
  const stream = ReadableStream.from(["x", "y"]);
  assertEquals(
    await pool.run(work.readStream, [stream], {
      transfer: [stream as unknown as Transferable],
    }),
    "xy",
  );
  assertEquals(await Array.fromAsync(await work.giveStream()), ["a", "b", "c"]);
});

Deno.test("what cannot be copied fails its call, and no other", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  await work.add(1, 1);
  const wrong = (() => {}) as unknown as number;

  const [bad, good, worse] = await Promise.allSettled([
    work.add(wrong, 1),
    work.add(2, 2),
    work.giveFunction(),
  ]);

  assertInstanceOf((bad as PromiseRejectedResult).reason, DOMException);
  assertEquals(good, { status: "fulfilled", value: 4 });
  assertInstanceOf((worse as PromiseRejectedResult).reason, DOMException);
  assertEquals(pool.unfinished, 0);
});

Deno.test("a call that is cancelled in line never begins, and blocks nobody", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();
  const other = sharedNumbers();
  const first = work.waitFor(numbers, "first");
  await begun(numbers);
  const cancelled = createTask(() => work.nap(other));
  const next = work.add(1, 2);
  await sleep(1);
  assertEquals(pool.queued, 2);

  cancelled.cancel();
  await assertRejects(() => cancelled.toPromise(), CancelledError);
  assertEquals(pool.queued, 1);
  Atomics.store(numbers, 1, 1);

  assertEquals([await first, await next], ["first", 3]);
  assertEquals(other[0], 0);
});

Deno.test("a call that runs is told to end, and its thread is kept", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  for (const fn of [work.nap, work.compute]) {
    const numbers = sharedNumbers();
    const controller = new AbortController();
    const call = pool.run(fn as Work["nap"], [numbers], {
      signal: controller.signal,
    });
    const behind = work.nameOfThread();
    await begun(numbers);

    controller.abort("enough");

    assertEquals(await call.catch((reason) => reason), "enough");
    assertEquals(await behind, "pool-1");
  }
  assertEquals([pool.stuck, pool.threads], [0, 1]);
});

Deno.test("a caller that is cancelled waits for the end of its call", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  await work.add(1, 2);

  await assertRejects(
    () => timeout(20, () => work.nap(sharedNumbers())),
    TimeoutError,
  );

  assertEquals([pool.unfinished, pool.idle], [0, 1]);
});

Deno.test("a thread that does not end is given up, counted and replaced", async () => {
  const numbers = sharedNumbers();

  const reports = await reportsOf(async () => {
    const { pool, work } = poolOfOne();
    await using _pool = pool;
    const call = createTask(() =>
      pool.run(work.spin, [numbers, 300], { graceMs: 10 })
    );
    await begun(numbers);
    const behind = work.nameOfThread();

    call.cancel();

    await assertRejects(() => call.toPromise(), CancelledError);
    assertEquals(await behind, "pool-2");
    assertEquals(pool.stuck, 1);
  });

  assertEquals(reports, [
    'Thread "pool-1" has not ended within the grace of 10 ms: call "spin"',
  ]);
});

Deno.test("the time of a task counts from when it has a thread", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();
  const first = work.nameLater(300);
  const patient = pool.run(work.add, [1, 2], { taskTimeoutMs: 250 });
  const late = pool.run(work.nap, [numbers], { taskTimeoutMs: 20 });
  const impatient = pool.run(work.add, [1, 2], { queueTimeoutMs: 1 });

  const inLine = await assertRejects(() => impatient, TimeoutError);
  const inThread = await assertRejects(() => late, TimeoutError);

  assertEquals([inLine.label, inThread.label], [
    'the start of call "add"',
    'call "nap"',
  ]);
  assertEquals([await first, await patient], ["pool-1", 3]);
});

Deno.test("a call behind another one in its thread still has its limit in line", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  // Short calls let the pool send some ahead.
  for (let i = 0; i < 30; i++) await work.add(1, 2);

  const long = work.nameLater(300);
  const impatient = pool.run(work.add, [1, 2], { queueTimeoutMs: 20 });

  const error = await assertRejects(() => impatient, TimeoutError);
  assertEquals(error.label, 'the start of call "add"');
  assertEquals(await long, "pool-1");
});

Deno.test("a crash is told to the call that ran, and to no other", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();
  for (let i = 0; i < 30; i++) await work.add(1, 1);

  const [crashed, behind] = await Promise.allSettled([
    work.crash(numbers, 1),
    work.nameOfThread(),
  ]);

  const { reason } = crashed as PromiseRejectedResult;
  assertInstanceOf(reason, WorkerCrashedError);
  assertStringIncludes(reason.message, "elsewhere");
  assertEquals(behind, { status: "fulfilled", value: "pool-2" });
  await assertRejects(() => work.close(), WorkerCrashedError, "close()");
  assertEquals(await work.add(1, 2), 3);
});

Deno.test("an idempotent call is made again after a crash, once", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();
  const poison = sharedNumbers();

  const again = await pool.run(work.crash, [numbers, 1], { idempotent: true });
  const error = await assertRejects(
    () => pool.run(work.crash, [poison, 9], { idempotent: true }),
    WorkerCrashedError,
  );

  assertEquals([again, numbers[0], poison[0]], ["survived", 2, 2]);
  assertStringIncludes(error.message, "for the second time");
});

Deno.test("a pool whose threads do not start backs off, then fails", async () => {
  const { pool, work } = poolOfOne({
    preload: ["data:text/javascript,throw new RangeError('no')"],
    maxBootFailures: 2,
    bootBackoffMs: 10,
    name: "sick",
  });
  await using _pool = pool;
  const calls = [work.add(1, 2), work.add(3, 4)];

  const [error] = await Promise.all(
    calls.map((call) => assertRejects(() => call, ThreadPoolBrokenError)),
  );

  assertEquals(
    error?.message,
    'Cannot run in a thread: 2 threads of the pool "sick" have failed in a row: a module could not be loaded',
  );
  assertInstanceOf(error?.cause, RangeError);
  await assertRejects(() => work.add(1, 2), ThreadPoolBrokenError);
});

Deno.test("ThreadPool refuses calls for which there is no room", async () => {
  const { pool, work } = poolOfOne({ capacity: 2 });
  await using _pool = pool;
  const numbers = sharedNumbers();
  const first = work.waitFor(numbers, "first");
  await begun(numbers);
  const waiting = [work.add(1, 2), work.add(3, 4)];
  await sleep(0);
  assert(pool.needsDrain);

  const error = await assertRejects(() => work.add(5, 6), ThreadPoolFullError);
  assertEquals(
    error.message,
    'Cannot run in a thread: 2 calls wait for the pool "pool" already',
  );
  assert(error.rejected);
  const drained = pool.drain();
  Atomics.store(numbers, 1, 1);
  await drained;

  assertEquals(await work.add(5, 6), 11);
  await Promise.all([first, ...waiting]);
});

Deno.test("ThreadPool replaces threads that are used up, one by one", async () => {
  await using pool = new ThreadPool({
    maxThreads: 1,
    maxTasks: 3,
    random: () => 0,
  });
  const work = pool.use<Work>(MODULE);
  const names: string[] = [];
  for (let i = 0; i < 7; i++) names.push(await work.nameOfThread());

  assertEquals(names, [
    ...["pool-1", "pool-1", "pool-1"],
    ...["pool-2", "pool-2", "pool-2"],
    "pool-3",
  ]);
});

Deno.test("ThreadPool replaces a thread whose heap is too big, or that is too old", async () => {
  for (const limit of [{ maxHeapBytes: 1 }, { maxAgeMs: 0 }]) {
    const { pool, work } = poolOfOne(limit);
    await using _pool = pool;

    const names = [await work.nameOfThread(), await work.nameOfThread()];

    assertEquals(names, ["pool-1", "pool-2"]);
  }
});

Deno.test("ThreadPool ends threads that have nothing to do, but for the least", async () => {
  await using pool = new ThreadPool({
    maxThreads: 2,
    minThreads: 1,
    idleMs: 20,
  });
  const work = pool.use<Work>(MODULE);
  const numbers = sharedNumbers();
  const calls = [work.waitFor(numbers, "a"), work.waitFor(numbers, "b")];
  await begun(numbers, 2);
  assertEquals(pool.threads, 2);

  Atomics.store(numbers, 1, 1);
  await Promise.all(calls);
  while (pool.threads > 1) await sleep(5);
  await sleep(50);

  assertEquals(pool.threads, 1);
});

Deno.test("ThreadPool keeps an idle thread that gives signs of life", async () => {
  const names = await runVirtual(async () => {
    const { pool, work } = poolOfOne({
      heartbeatMs: HOUR_MS / 10,
      idleMs: Infinity,
    });
    await using _pool = pool;
    const before = await work.nameOfThread();
    await sleep(HOUR_MS);
    return [before, await work.nameOfThread()];
  });

  assertEquals(names, ["pool-1", "pool-1"]);
});

Deno.test("ThreadPool replaces an idle thread that gives no sign of life", async () => {
  const { pool, work } = poolOfOne({ heartbeatMs: 10 });
  await using _pool = pool;

  await work.leaveSpinning(600);
  while (pool.threads > 0) await sleep(5);

  assertEquals(await work.nameOfThread(), "pool-2");
});

Deno.test("what a call leaves behind is cancelled before the next one", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const numbers = sharedNumbers();

  await work.leave(numbers);
  await work.nameLater(10);

  assertEquals(numbers[0], 0);
});

Deno.test("ThreadPool.map() gives results in order, and takes few items ahead", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  let taken = 0;
  function* numbers() {
    for (let i = 0; i < 20; i++) {
      taken++;
      yield i;
    }
  }
  const squares: number[] = [];

  const results = pool.map(numbers(), (n: number) => n * n, { concurrency: 2 });
  for await (const square of results) {
    squares.push(square);
    assert(taken - squares.length <= 8, `${taken} taken`);
  }

  assertEquals(squares, Array.from({ length: 20 }, (_, i) => i * i));
  for await (const name of pool.map([1, 2, 3], work.nameLater)) {
    assertEquals(name, "pool-1");
    break;
  }
  assertEquals(pool.unfinished, 0);
});

Deno.test("ThreadPool.stop() has calls done, then refuses others", async () => {
  const { pool, work } = poolOfOne();
  const calls = [work.nameLater(5), work.nameLater(5)];
  await sleep(0);

  await pool.stop();

  assertEquals([await calls[0], await calls[1]], ["pool-1", "pool-1"]);
  assertEquals([pool.threads, pool.stopped], [0, true]);
  const error = await assertRejects(
    () => work.add(1, 2),
    ThreadPoolStoppedError,
  );
  assertEquals(
    error.message,
    'Cannot run in a thread: the pool "pool" was stopped',
  );
  await pool.stop();
});

Deno.test("ThreadPool.stop() cancels what is left when its time is over", async () => {
  const { pool, work } = poolOfOne();
  const numbers = sharedNumbers();
  const calls = [work.nap(numbers), work.nap(numbers)];
  const outcomes = gather(calls, { returnExceptions: true });
  await begun(numbers);

  await pool.stop({ timeoutMs: 5 });

  for (const outcome of await outcomes) {
    assertInstanceOf(outcome, CancelledError);
  }
  assertEquals([numbers[0], pool.threads], [1, 0]);
});

Deno.test("the end of a run ends the threads that were started in it", async () => {
  const { pool, work } = poolOfOne();

  await reportsOf(() => work.add(1, 2));
  assertEquals(pool.threads, 0);

  await reportsOf(() => work.add(3, 4));
  assertEquals(pool.threads, 0);
});

Deno.test("calls of one run get a thread when the run of another thread has ended", async () => {
  const { pool, work } = poolOfOne();
  await using _pool = pool;
  const started = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const other = reportsOf(async () => {
    await work.add(1, 2);
    started.resolve();
    await abortable(over.promise);
  });
  await started.promise;
  const numbers = sharedNumbers();
  const first = work.waitFor(numbers, "first");
  await begun(numbers);
  const second = work.nameOfThread();

  over.resolve();
  await other;
  Atomics.store(numbers, 1, 1);

  assertEquals([await first, await second], ["first", "pool-2"]);
});

Deno.test("ThreadPool refuses what makes no sense", async () => {
  assertThrows(() => new ThreadPool({ maxThreads: 0 }), RangeError);
  assertThrows(
    () => new ThreadPool({ maxThreads: 1, minThreads: 2 }),
    RangeError,
  );
  assertThrows(() => new ThreadPool({ capacity: -1 }), RangeError);
  assertThrows(() => new ThreadPool({ idleMs: NaN }), RangeError);
  assertThrows(() => new ThreadPool({ preload: ["no url"] }), TypeError);
  const pool = new ThreadPool({ maxThreads: 1 });
  const fn = () => 1;
  assertThrows(() => pool.use("no url"), TypeError);
  await assertRejects(() => pool.run(1 as never, []), TypeError);
  await assertRejects(() => pool.run(fn, [], { priority: NaN }), RangeError);
  await assertRejects(
    () => pool.run(fn, [], { taskTimeoutMs: -1 }),
    RangeError,
  );
  await assertRejects(() => pool.run(fn, [], { graceMs: -1 }), RangeError);
  await assertRejects(() => pool.stop({ timeoutMs: -1 }), RangeError);
  assertEquals([pool.threads, pool.unfinished], [0, 0]);
});
