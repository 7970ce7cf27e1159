/**
 * What pools of threads on npm get wrong, shown with the packages themselves, and
 * what ours does in their place.
 *
 * @module
 */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ThreadPool } from "@ilmek/async/thread-pool";
import { Piscina } from "piscina";
import workerpool from "workerpool";

const MODULE = import.meta.resolve("./fixtures/thread_work.ts");
type Work = typeof import("./fixtures/thread_work.ts");

/** What is left of an error that has come from a thread. */
function told(error: unknown): unknown[] {
  const { name, order, cause } = error as Error & { order?: number };
  return [name, order, error instanceof RangeError, cause instanceof TypeError];
}

Deno.test({
  name: "piscina 5.3.2 loses the class and the fields of an error",
  // Its threads outlive the test for a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const pool = new Piscina({ filename: MODULE, maxThreads: 1 });

    const error = await assertRejects(() =>
      pool.run(undefined, { name: "failTyped" })
    );

    assertEquals(told(error), ["Error", undefined, false, true]);
    await pool.destroy();
  },
});

Deno.test({
  name: "workerpool 10.0.3 loses the class and the cause of an error",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const pool = workerpool.pool({ maxWorkers: 1, workerType: "thread" });
    const fail = () => {
      throw new RangeError("no", { cause: new TypeError("why") });
    };

    const error = await assertRejects(() => Promise.resolve(pool.exec(fail)));

    assertEquals(told(error).slice(2), [false, false]);
    await pool.terminate();
  },
});

Deno.test("ThreadPool keeps name, fields, class and cause of an error", async () => {
  await using pool = new ThreadPool({ maxThreads: 1 });

  const error = await assertRejects(() => pool.use<Work>(MODULE).failTyped());

  assertEquals(told(error), ["OrderError", 7, true, true]);
});

Deno.test({
  name: "piscina 5.3.2 fails a call whose thread crashes, and cannot repeat it",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const pool = new Piscina({ filename: MODULE, maxThreads: 1 });
    const calls = new Int32Array(new SharedArrayBuffer(4));

    const error = await assertRejects(() =>
      pool.run(calls, { name: "crashOnce" })
    );

    assertInstanceOf(error, Error);
    assertEquals(calls[0], 1);
    await pool.destroy();
  },
});

Deno.test("ThreadPool repeats a call that may be, if its thread crashes", async () => {
  await using pool = new ThreadPool({ maxThreads: 1 });
  const { crashOnce } = pool.use<Work>(MODULE);
  const calls = new Int32Array(new SharedArrayBuffer(4));

  assertEquals(
    await pool.run(crashOnce, [calls], { idempotent: true }),
    "survived",
  );
});
