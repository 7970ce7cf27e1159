import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { getRunningLoop } from "@ilmek/async/loop";
import { run } from "@ilmek/async/run";
import { Runner } from "@ilmek/async/runner";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import {
  currentThreadName,
  isThreadCancelled,
  runInWorker,
  type RunInWorkerOptions,
  toThread,
  WorkerCrashedError,
} from "@ilmek/async/worker";
import { Program } from "./_program.ts";

const WORK = import.meta.resolve("./fixtures/work.ts");
const HOUR_MS = 3_600_000;

/** Two numbers that both threads see. */
function sharedNumbers(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(8));
}

async function isSet(numbers: Int32Array, index = 0): Promise<void> {
  while (Atomics.load(numbers, index) === 0) await sleep(1);
}

/** Starts a function of the fixture, cancels it when it runs, and gives the reports. */
async function cancelAtWork(
  exportName: string,
  numbers: Int32Array,
  options: RunInWorkerOptions = {},
): Promise<string[]> {
  const reports: string[] = [];
  await run(async () => {
    await withScope(async (scope) => {
      const work = runInWorker(WORK, exportName, [numbers], options);
      work.catch(() => {});
      await isSet(numbers);
      scope.cancel("enough");
      const error = await assertRejects(() => work, CancelledError);
      assertEquals(error.reason, "enough");
    });
  }, {
    interrupt: "none",
    exceptionHandler: ({ message, exception }) => {
      reports.push(
        exception === undefined ? message : `${message}: ${exception}`,
      );
    },
  });
  return reports;
}

Deno.test("runInWorker() gives what the function returns", async () => {
  assertEquals(await runInWorker<number>(WORK, "add", [40, 2]), 42);
  assertEquals(await runInWorker(new URL(WORK), "add", ["a", "b"]), "ab");
});

Deno.test("runInWorker() runs on a loop of its own, in a thread with a name", async () => {
  const name = await runInWorker(WORK, "nameLater", [], {
    name: "AsyncThread",
  });

  assertEquals(name, "AsyncThread");
  assertEquals(currentThreadName(), "MainThread");
  assertEquals(isThreadCancelled(), false);
});

Deno.test("runInWorker() numbers threads without a name", async () => {
  const names = await Promise.all([
    runInWorker<string>(WORK, "nameLater"),
    runInWorker<string>(WORK, "nameLater"),
  ]);

  assert(names.every((name) => /^Thread-\d+$/.test(name)));
  assertEquals(new Set(names).size, 2);
});

Deno.test("runInWorker() hands over what is to be transferred", async () => {
  const buffer = new ArrayBuffer(8);

  const size = await runInWorker(WORK, "sizeOf", [buffer], {
    transfer: [buffer],
  });

  assertEquals(size, 8);
  assertEquals(buffer.byteLength, 0);
});

Deno.test("runInWorker() keeps class, name, fields and cause of an error", async () => {
  const error = await assertRejects(
    () => runInWorker(WORK, "failTyped"),
    RangeError,
    "too many",
  ) as RangeError & { order: number; parts: unknown[] };

  assertEquals(error.name, "OrderError");
  assertStringIncludes(error.stack ?? "", "work.ts");
  assertEquals(error.order, 7);
  assertInstanceOf(error.parts[0], TypeError);
  assertEquals(error.parts[1], 3);
  assertEquals("retry" in error, false);
  assertInstanceOf(error.cause, DOMException);
  assertEquals([error.cause.name, error.cause.message], ["AbortError", "no"]);
  assertEquals(Object.keys(error).sort(), ["order", "parts"]);
});

Deno.test("runInWorker() keeps the errors of an AggregateError", async () => {
  const error = await assertRejects(
    () => runInWorker(WORK, "failTogether"),
    AggregateError,
    "both",
  );

  assertEquals(error.errors.map(String), ["TypeError: one", "OrderError: two"]);
  assertInstanceOf(error.errors[0], TypeError);
  assertEquals(error.errors[1].order, 7);
});

Deno.test("runInWorker() keeps an error that is its own cause", async () => {
  const error = await assertRejects(
    () => runInWorker(WORK, "failInCircle"),
    TypeError,
  );

  assertEquals(error.cause, error);
});

Deno.test("runInWorker() keeps the errors of this package and of the platform", async () => {
  const late = await assertRejects(
    () => runInWorker(WORK, "failInTime"),
    TimeoutError,
  );
  assertEquals([late.ms, late.label], [1, "nap"]);
  assertInstanceOf(late.cause, CancelledError);
  assertEquals(late.cause.kind, "deadline");

  await assertRejects(
    () => runInWorker(WORK, "failAsPlatform"),
    Deno.errors.NotFound,
  );
});

Deno.test("runInWorker() throws what is thrown that is no error", async () => {
  const thrown = await runInWorker(WORK, "throwValue").catch((error) => error);

  assertEquals(thrown, { code: 1 });
});

Deno.test("runInWorker() rejects if something cannot be copied", async () => {
  for (
    const work of [
      () => runInWorker(WORK, "add", [() => {}]),
      () => runInWorker(WORK, "giveFunction"),
    ]
  ) {
    const error = await assertRejects(work, DOMException);
    assertEquals(error.name, "DataCloneError");
  }
});

Deno.test("runInWorker() rejects if there is no such function or module", async () => {
  const message = `"${WORK}" does not export a function of that name`;

  for (const name of ["notAFunction", "missing"]) {
    await assertRejects(() => runInWorker(WORK, name), TypeError, message);
  }
  await assertRejects(
    () => runInWorker(import.meta.resolve("./missing.ts"), "add"),
    TypeError,
    "missing.ts",
  );
  await assertRejects(
    () => runInWorker("./work.ts", "add"),
    TypeError,
    '"module" must be a URL',
  );
});

Deno.test("runInWorker() cancels what the function leaves, and waits for it", async () => {
  const numbers = sharedNumbers();

  await runInWorker(WORK, "leaveTask", [numbers]);

  assertEquals(numbers[0], 1);
});

Deno.test("runInWorker() cancels the function with the ambient scope", async () => {
  const numbers = sharedNumbers();

  assertEquals(await cancelAtWork("rest", numbers), []);

  assertEquals([...numbers], [1, 1]);
});

Deno.test("runInWorker() ends a computation that gives way", async () => {
  assertEquals(await cancelAtWork("computeGently", sharedNumbers()), []);
});

Deno.test("runInWorker() ends a computation that looks at isThreadCancelled()", async () => {
  const numbers = sharedNumbers();

  assertEquals(await cancelAtWork("compute", numbers), []);

  assertEquals([...numbers], [1, 1]);
});

Deno.test("runInWorker() terminates what does not end within the grace", async () => {
  const options = { name: "stubborn", graceMs: 20 };

  const reports = await cancelAtWork("holdOut", sharedNumbers(), options);

  assertEquals(reports, [
    'Thread "stubborn" has not ended within the grace of 20 ms',
  ]);
});

Deno.test("runInWorker() reports what fails while it is cancelled", async () => {
  const options = { name: "careless" };

  const reports = await cancelAtWork("failInCleanup", sharedNumbers(), options);

  assertEquals(reports, [
    'Thread "careless" has failed while it was cancelled: ' +
    "OrderError: the cleanup has failed",
  ]);
});

Deno.test("runInWorker() is cancelled while the thread starts", async () => {
  for (const turns of [0, 1, 5, 20]) {
    const work = withScope(async (scope) => {
      const work = runInWorker(WORK, "rest", [sharedNumbers()]);
      work.catch(() => {});
      await sleep(turns);
      scope.cancel();
      await work;
    });

    await assertRejects(() => work, CancelledError);
  }
});

Deno.test("runInWorker() does not start in a cancelled scope", async () => {
  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => runInWorker(WORK, "add", [1, 2]), CancelledError);
  });
});

Deno.test("runInWorker() ends at once when its run is cancelled hard", async () => {
  const numbers = sharedNumbers();
  await using runner = new Runner();
  const program = runner.run(() =>
    runInWorker(WORK, "holdOut", [numbers], { graceMs: HOUR_MS })
  );
  program.catch(() => {});
  await isSet(numbers);

  runner.cancel("gently");
  await sleep(1);
  runner.cancelHard("hard");

  const error = await assertRejects(() => program, CancelledError);
  assertEquals(error.reason, "gently");
});

Deno.test("runInWorker() ends with the signal of its options", async () => {
  const numbers = sharedNumbers();
  const controller = new AbortController();
  const { signal } = controller;
  const work = createTask(() =>
    runInWorker(WORK, "rest", [numbers], { signal })
  );
  await isSet(numbers);

  controller.abort(new RangeError("enough"));

  await assertRejects(() => work.toPromise(), RangeError, "enough");
  assertEquals([...numbers], [1, 1]);
  await assertRejects(() => runInWorker(WORK, "add", [1, 2], { signal }));
});

Deno.test("runInWorker() never blocks the loop", async () => {
  const numbers = sharedNumbers();
  const work = createTask(() => runInWorker(WORK, "compute", [numbers]));
  await isSet(numbers);

  // The thread computes until it is cancelled; meanwhile timers fire here.
  for (let ticks = 0; ticks < 5; ticks++) await sleep(1);

  assertEquals(work.done, false);
  work.cancel();
  assertEquals((await work.outcome()).state, "cancelled");
});

for (
  const [name, how] of [
    ["throwElsewhere", "Uncaught OrderError: elsewhere"],
    ["rejectElsewhere", "Uncaught (in promise) OrderError: elsewhere"],
    ["closeThread", "it was ended by close()"],
    ["exitThread", "it was ended by Deno.exit(3)"],
  ] as const
) {
  Deno.test(`runInWorker() rejects if the thread crashes (${name})`, async () => {
    const error = await assertRejects(
      () => runInWorker(WORK, name, [], { name: "crashing" }),
      WorkerCrashedError,
      `Cannot get the result of thread "crashing": ${how}`,
    );

    assertEquals(error.thread, "crashing");
  });
}

Deno.test("runInWorker() refuses a wrong grace", async () => {
  await assertRejects(
    () => runInWorker(WORK, "add", [1, 2], { graceMs: -1 }),
    RangeError,
    '"graceMs"',
  );
});

Deno.test("runInWorker() makes virtual time stand still", async () => {
  await runVirtual(async (virtual) => {
    createTask(() => sleep(HOUR_MS));

    assertEquals(await runInWorker(WORK, "add", [1, 2]), 3);

    assertEquals(virtual.now, 0);
  });
});

Deno.test("runInWorker() passes debug mode on", async () => {
  const isDebugging = () =>
    toThread(async (loopUrl: string) => {
      const { getRunningLoop } = await import(loopUrl);
      return getRunningLoop().debug as boolean;
    }, import.meta.resolve("@ilmek/async/loop"));

  assertEquals(await run(isDebugging, { interrupt: "none" }), false);
  assertEquals(
    await run(isDebugging, { interrupt: "none", debug: true }),
    true,
  );
});

Deno.test("toThread() runs functions of all kinds", async () => {
  assertEquals(await toThread((a: number, b: number) => a + b, 1, 2), 3);
  assertEquals(await toThread(async (a: number) => await a, 1), 1);
  assertEquals(
    await toThread(function () {
      return [...arguments].length;
    }),
    0,
  );
});

Deno.test("toThread() sends the source, and nothing from around it", async () => {
  const around = 1;

  await assertRejects(
    () => toThread(() => around),
    ReferenceError,
    "around is not defined",
  );
});

Deno.test("toThread() refuses what has no source of its own", async () => {
  const methods = {
    method() {
      return 1;
    },
  };

  await assertRejects(() => toThread(Math.max, 1, 2), TypeError, "native");
  await assertRejects(() => toThread((() => 1).bind({})), TypeError, "bound");
  await assertRejects(
    () => toThread(methods.method),
    TypeError,
    "does not stand for itself",
  );
  await assertRejects(
    () => toThread("1 + 1" as unknown as () => void),
    TypeError,
    '"fn"',
  );
});

Deno.test("toThread() throws what the function throws", async () => {
  await assertRejects(
    () =>
      toThread(() => {
        throw new RangeError("no");
      }),
    RangeError,
    "no",
  );
});

Deno.test("toThread() ends with the ambient scope", async () => {
  const forever = () =>
    toThread(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
    });

  await assertRejects(() => timeout(20, forever), TimeoutError);
});

Deno.test("workers write to the console", async () => {
  await using program = new Program("threads.ts", ["logs"], ["--allow-read"]);

  const { code, stdout } = await program.end();

  assertEquals(stdout, "MainThread\nAsyncThread\n");
  assertEquals(code, 0);
});

Deno.test("run() exits a process that a spinning worker keeps alive", async () => {
  await using program = new Program("threads.ts", ["spins"], ["--allow-read"]);

  const { code, stdout, stderr } = await program.end();

  assertEquals(stdout, "gave up\n");
  assertStringIncludes(stderr, "has not ended within the grace of 50 ms");
  assertEquals(code, 0);
});

Deno.test("run() gives the value if a worker has ended in time", async () => {
  assert(!getRunningLoop().closed);
  assertEquals(await run(() => runInWorker(WORK, "add", [1, 2])), 3);
});
