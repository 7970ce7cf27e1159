import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AdaptiveBulkhead,
  type AdaptiveBulkheadOptions,
} from "@ilmek/async/adaptive-bulkhead";
import type { LimitSample } from "@ilmek/async/adaptive-limit";
import { BulkheadFullError } from "@ilmek/async/bulkhead";
import { compose } from "@ilmek/async/compose";
import { TimeoutError } from "@ilmek/async/errors";
import { explain } from "@ilmek/async/explain";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { Timeout } from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

/** A bulkhead that keeps its limit, and the samples that it has taken. */
function watched(options: AdaptiveBulkheadOptions = {}) {
  const samples: LimitSample[] = [];
  const bulkhead = new AdaptiveBulkhead({
    algorithm: (state, sample) => {
      samples.push(sample);
      return state;
    },
    initial: 4,
    maxQueue: Infinity,
    minWindowMs: 100,
    minSamples: 10,
    ...options,
  });
  return { bulkhead, samples };
}

/** Makes so many calls at once, of so many milliseconds each. */
function calls(bulkhead: AdaptiveBulkhead, count: number, ms: number) {
  const call = () => bulkhead.run(() => sleep(ms));
  return gather(Array.from({ length: count }, () => call));
}

testClean(
  "the limit changes once a window is old enough and has enough calls",
  async () => {
    const { bulkhead, samples } = watched();
    await calls(bulkhead, 8, 45);
    assertEquals(samples, []);
    await calls(bulkhead, 4, 45);

    assertEquals(samples, [{
      latencyMs: 45,
      inFlight: 4,
      calls: 10,
      drops: 0,
    }]);
  },
);

testClean(
  "a window with too few calls is forgotten when it is old",
  async () => {
    const { bulkhead, samples } = watched({ maxWindowMs: 500 });
    await calls(bulkhead, 4, 499);
    await calls(bulkhead, 4, 1);
    await calls(bulkhead, 12, 40);

    assertEquals(samples.length, 1);
    assertEquals(samples[0]?.latencyMs, 40);
  },
);

testClean("a sample tells what 9 of 10 calls stay below", async () => {
  const { bulkhead, samples } = watched({ initial: 20, minSamples: 20 });
  const call = (_: unknown, i: number) => () =>
    bulkhead.run(() => sleep(i < 19 ? 100 + i : 5000));
  await gather(Array.from({ length: 20 }, call));

  assertEquals(samples[0]?.latencyMs, 118);
});

testClean("a timeout counts as a drop, and not by its duration", async () => {
  const { bulkhead, samples } = watched();
  const policy = compose(bulkhead, new Timeout(50));
  const hang = () => policy.run(() => sleep(60_000));
  await gather(Array.from({ length: 12 }, () => hang), {
    returnExceptions: true,
  });

  assertEquals(samples, [{ latencyMs: 0, inFlight: 4, calls: 10, drops: 10 }]);
});

testClean(
  "a refusal of the other side counts as a drop, a quick failure not at all",
  async () => {
    const { bulkhead, samples } = watched({ minWindowMs: 0, minSamples: 2 });
    const failing = (error: Error) => bulkhead.run(() => Promise.reject(error));
    const busy = Object.assign(new RangeError("busy"), { retryAfterMs: 100 });
    for (const error of [new TypeError("wrong"), busy]) {
      await assertRejects(() => failing(error), Error);
    }
    await bulkhead.run(() => sleep(5));

    assertEquals(samples, [{ latencyMs: 5, inFlight: 1, calls: 2, drops: 1 }]);
  },
);

testClean(
  "a call that was cancelled gives its slot back, and does not count",
  async () => {
    const { bulkhead, samples } = watched({ minWindowMs: 0, minSamples: 1 });
    await assertRejects(
      () => timeout(10, () => bulkhead.run(() => sleep(60_000))),
      TimeoutError,
    );

    assertEquals([bulkhead.active, samples.length], [0, 0]);
  },
);

testClean("classify decides what counts", async () => {
  const { bulkhead, samples } = watched({
    minWindowMs: 0,
    minSamples: 1,
    classify: () => "ignore",
  });
  await bulkhead.run(() => "ok");

  assertEquals(samples.length, 0);
});

testClean(
  "a limit that grows lets in who waits, and one that falls waits itself",
  async () => {
    const limits = [4, 6, 2];
    const changes: string[] = [];
    const bulkhead = new AdaptiveBulkhead({
      algorithm: (state) => ({ ...state, limit: limits.shift() ?? 2 }),
      initial: 4,
      maxQueue: Infinity,
      minWindowMs: 0,
      minSamples: 4,
      onLimitChange: ({ from, to }) => changes.push(`${from} -> ${to}`),
    });
    const done = createTask(() => calls(bulkhead, 40, 10));
    const seen: number[] = [];
    for (let i = 0; i < 6; i++) {
      await sleep(i === 0 ? 5 : 10);
      seen.push(bulkhead.active);
    }
    await done;

    assertEquals(changes, ["4 -> 6", "6 -> 2"]);
    assertEquals(seen.slice(0, 2), [4, 4]);
    assertEquals(Math.max(...seen), 6);
    assertEquals(seen.at(-1), 2);
  },
);

testClean(
  "a limit forgets a crowd only some windows after it has gone",
  async () => {
    const bulkhead = new AdaptiveBulkhead({
      algorithm: (state) => state,
      initial: 50,
      maxQueue: Infinity,
      minWindowMs: 0,
      minSamples: 5,
    });
    // Four windows, the first of them with 20 calls at once; ten are remembered.
    await calls(bulkhead, 20, 10);
    const alone = () => bulkhead.run(() => sleep(1));
    for (let i = 0; i < 5 * 5; i++) await alone();
    const during = bulkhead.limit;
    for (let i = 0; i < 10 * 5; i++) await alone();

    assertEquals([during, bulkhead.limit], [50, 5]);
  },
);

for (const algorithm of ["aimd", "vegas", "gradient2"] as const) {
  testClean(
    `${algorithm} finds a limit near to what the other side can take`,
    async () => {
      // A server that does 10 calls at a time in 10 ms, and queues the rest.
      const bulkhead = new AdaptiveBulkhead({
        algorithm,
        maxQueue: Infinity,
        minWindowMs: 50,
        minSamples: 10,
        initial: 2,
      });
      let busyUntil = 0;
      const serve = async () => {
        const now = getRunningLoop().time();
        busyUntil = Math.max(now, busyUntil) + 1;
        await sleep(9 + busyUntil - now);
      };
      const policy = compose(bulkhead, new Timeout(40));
      await gather(
        Array.from({ length: 4000 }, () => () => policy.run(serve)),
        { returnExceptions: true },
      );

      const { limit } = bulkhead;
      assert(limit >= 5 && limit <= 50, `${limit}`);
    },
  );
}

testClean("a slot is held until work ends whose caller has left", async () => {
  const { bulkhead } = watched({ initial: 1, maxQueue: 0 });
  const policy = compose(bulkhead, new Timeout(10, { mode: "detach" }));
  await assertRejects(
    () => policy.run(() => uncancellable(() => sleep(50))),
    TimeoutError,
  );

  assertEquals([bulkhead.active, bulkhead.zombies], [1, 1]);
  await assertRejects(() => bulkhead.run(() => {}), BulkheadFullError);
  await sleep(50);
  assertEquals(bulkhead.snapshot(), {
    limit: 1,
    baselineMs: 0,
    active: 0,
    zombies: 0,
    waiting: 0,
    refused: 1,
    shed: 0,
  });
});

testClean(
  "an adaptive bulkhead that has learned nothing is pristine",
  async () => {
    const bulkhead = new AdaptiveBulkhead({ minWindowMs: 0, minSamples: 1 });
    assert(bulkhead.pristine);
    await bulkhead.run(() => sleep(5));

    assertEquals(bulkhead.pristine, false);
  },
);

Deno.test("explain() tells the bounds of an adaptive bulkhead", () => {
  const bulkhead = new AdaptiveBulkhead({ name: "search", max: 50 });

  assertEquals(explain(bulkhead).policies, [{
    policy: "bulkhead",
    name: "search",
    text: "1 to 50 at once, 0 wait",
  }]);
});

Deno.test("AdaptiveBulkhead() rejects wrong options", () => {
  const wrong: [object, string][] = [
    [{ min: 0 }, '"min" must be an integer >= 1'],
    [{ min: 5, max: 4 }, '"max" must be an integer >= 5'],
    [{ max: 4, initial: 5 }, '"initial" must be an integer <= 4'],
    [{ min: 4, initial: 2 }, '"initial" must be an integer >= 4'],
    [{ algorithm: "best" }, '"algorithm" must be "aimd", "vegas", "gradient2"'],
    [{ minWindowMs: -1 }, '"minWindowMs" must be a number >= 0'],
    [{ maxWindowMs: NaN }, '"maxWindowMs" must be a number >= 0'],
    [{ minSamples: 0 }, '"minSamples" must be an integer >= 1'],
    [{ maxQueue: 0.5 }, '"maxQueue" must be an integer >= 0'],
    [{ classify: 1 }, '"classify" must be a function'],
    [{ onLimitChange: 1 }, '"onLimitChange" must be a function'],
  ];
  for (const [options, message] of wrong) {
    assertThrows(
      () => new AdaptiveBulkhead(options as AdaptiveBulkheadOptions),
      Error,
      `Cannot create an adaptive bulkhead as ${message}`,
    );
  }
});

testClean(
  "a step that throws is reported, and costs neither a slot nor a result",
  async ({ reports }) => {
    const bulkhead = new AdaptiveBulkhead({
      algorithm: () => {
        throw new RangeError("step");
      },
      initial: 2,
      minWindowMs: 0,
      minSamples: 1,
    });

    const result = await bulkhead.run(() => "found");

    assertEquals([result, bulkhead.active, bulkhead.limit], ["found", 0, 2]);
    assertEquals(takeMessages(reports), [
      'Cannot adapt the limit of "bulkhead": "algorithm" has thrown',
    ]);
  },
);
