import { VirtualLoop } from "@ilmek/async/virtual";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { withContext } from "@ilmek/async/context-manager";
import { assertEquals, assertRejects } from "@std/assert";
import {
  AsyncResource,
  ConnectionError,
  gatherExceptionHandling,
  retryAsync,
  retryExample,
  taskExceptionHandling,
} from "../../examples/14_error_handling.ts";
import { formatExc } from "../../examples/_python.ts";
import { capture } from "./_capture.ts";
import { compare } from "./_compare.ts";
import { readTrace } from "./_trace.ts";

const RETRY = "=== Retry Pattern ===";

/** Runs in virtual time, and gives what was printed and when. */
async function printed(fn: () => unknown): Promise<string[]> {
  const virtual = new VirtualLoop();
  const { lines } = await capture(
    virtual,
    () => virtual.run(async () => void await fn()),
  );
  return lines.map(({ t, text }) => `${t} ${text}`);
}

for (const { file, draws, lines } of readTrace(14).variants) {
  Deno.test(`retryExample() prints what was recorded in ${file}`, async () => {
    const from = lines.findIndex(([, text]) => text === RETRY);
    const part = lines.slice(from + 1);
    const to = part.findIndex(([, text]) => text.startsWith("==="));
    const start = lines[from]?.[0] ?? 0;
    const left = (draws ?? []).map(([, , , value]) => value);

    const virtual = new VirtualLoop();
    const captured = await capture(
      virtual,
      () => virtual.run(() => retryExample(() => left.shift() ?? NaN)),
    );

    const events = part.slice(0, to).map(([at, text]) => ({
      t: at - start,
      actor: "main",
      text,
    }));
    const section = {
      name: "(main)",
      start: 0,
      duration_s: events.at(-1)?.t ?? 0,
      same_time_groups: [],
      events,
    };
    assertEquals(compare([section], captured), []);
    assertEquals(left, []);
  });
}

Deno.test("retryAsync() refuses to try 0 times", async () => {
  let calls = 0;

  await printed(() =>
    assertRejects(
      () => retryAsync(() => Promise.resolve(++calls), { maxRetries: 0 }),
      RangeError,
      '"attempts" must be an integer >= 1',
    )
  );

  assertEquals(calls, 0);
});

Deno.test("retryAsync() does not repeat a mistake of the program", async () => {
  const lines = await printed(() =>
    assertRejects(
      () => retryAsync(() => Promise.reject(new TypeError("x is not there"))),
      TypeError,
    )
  );

  assertEquals(lines, ["0 Deneme 1/3 başarısız: x is not there"]);
});

Deno.test("retryAsync() does not repeat a cancellation", async () => {
  const lines = await printed(async () => {
    const task = createTask(() =>
      retryAsync(() => Promise.reject(new ConnectionError("down")), {
        delayMs: 10_000,
      })
    );
    await sleep(1000);
    task.cancel();
    await task.catch(() => console.log("cancelled"));
  });

  assertEquals(lines, ["0 Deneme 1/3 başarısız: down", "1 cancelled"]);
});

Deno.test("gatherExceptionHandling() leaves nothing running behind an error", async () => {
  const virtual = new VirtualLoop();

  const { total } = await capture(
    virtual,
    () => virtual.run(gatherExceptionHandling),
  );

  assertEquals(total, 1);
});

Deno.test("taskExceptionHandling() tells of a task that takes longer, too", async () => {
  const lines = await printed(() =>
    taskExceptionHandling(async () => {
      await sleep(2000);
      throw new RangeError("slow");
    })
  );

  assertEquals(lines, ["2 Task exception: slow"]);
});

Deno.test("AsyncResource is released although its use is cancelled meanwhile", async () => {
  const resource = new AsyncResource("R");

  const lines = await printed(async () => {
    const task = createTask(() => withContext(resource, () => {}));
    await sleep(600);
    task.cancel();
    await task.catch(() => {});
  });

  assertEquals(resource.acquired, false);
  assertEquals(lines.at(-1), "0.7 [R] Kaynak serbest bırakıldı");
});

Deno.test("formatExc() tells the way of an error, the outermost call first", () => {
  function inner(): never {
    throw new RangeError("deep");
  }
  function outer(): string {
    try {
      return inner();
    } catch (error) {
      return formatExc(error, outer);
    }
  }

  const text = outer().replace(/line \d+/g, "line N");

  assertEquals(
    text,
    `Traceback (most recent call last):
  File "14_error_handling_test.ts", line N, in outer
  File "14_error_handling_test.ts", line N, in inner
RangeError: deep`,
  );
});
