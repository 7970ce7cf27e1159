/**
 * What packages on npm get wrong about retries and timeouts, shown with the
 * packages themselves, and what ours do in their place.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { getRunningLoop } from "@ilmek/async/loop";
import { Retry, retry } from "@ilmek/async/retry";
import { exponential, spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { Timeout } from "@ilmek/async/timeout-policy";
import { runVirtual } from "@ilmek/async/virtual";
import {
  ConstantBackoff,
  handleAll,
  retry as cockatielRetry,
  TaskCancelledError,
  timeout as cockatielTimeout,
  TimeoutStrategy,
} from "cockatiel";
import pRetry from "p-retry";

const CAP_MS = 100;
const down = () => new RangeError("down");

/** How long the pauses between moments are. */
function gaps(moments: readonly number[]): number[] {
  return moments.slice(1).map((at, i) => at - (moments[i] ?? 0));
}

Deno.test("p-retry 9.0.0 has no jitter left once a delay reaches its limit", async () => {
  using time = new FakeTime();
  const moments: number[] = [];
  const done = pRetry(() => {
    moments.push(Date.now());
    throw down();
  }, { retries: 6, randomize: true, minTimeout: 60, maxTimeout: CAP_MS })
    .catch(() => {});

  for (let i = 0; i < 100; i++) await time.tickAsync(10);
  await done;

  assertEquals(new Set(gaps(moments).slice(1)), new Set([CAP_MS]));
});

Deno.test("Retry spreads the delays that have reached their limit, too", async () => {
  const delays: number[] = [];

  await runVirtual(() =>
    retry(() => Promise.reject(down()), {
      attempts: 7,
      schedule: exponential(60, { maxMs: CAP_MS }).jittered("full"),
      onRetry: ({ delayMs = NaN }) => delays.push(delayMs),
    }).catch(() => {})
  );

  assertEquals(delays.length, 6);
  assertEquals(new Set(delays).size, 6);
  assert(delays.every((ms) => ms < CAP_MS));
});

Deno.test("cockatiel 4.0.0 calls the work again after its caller has aborted", async () => {
  using time = new FakeTime();
  const start = Date.now();
  const calls: number[] = [];
  const controller = new AbortController();
  const policy = cockatielRetry(handleAll, {
    maxAttempts: 1,
    backoff: new ConstantBackoff(300),
  });
  const done = policy.execute(() => {
    calls.push(Date.now() - start);
    throw down();
  }, controller.signal).catch(() => {});
  await time.tickAsync(50);

  controller.abort();
  for (let i = 0; i < 100; i++) await time.tickAsync(10);
  await done;

  assertEquals(calls, [0, 300]);
});

Deno.test("Retry ends at once when its caller aborts, without another call", async () => {
  const calls: number[] = [];
  await runVirtual(async () => {
    const controller = new AbortController();
    const policy = new Retry({ attempts: 2, schedule: spaced(300) });
    const done = policy.run(() => {
      calls.push(getRunningLoop().time());
      throw down();
    }, { signal: controller.signal }).catch((error) => error);
    await sleep(50);

    controller.abort("left");

    assertEquals(await done, "left");
    assertEquals(getRunningLoop().time(), 50);
    await sleep(1000);
  });

  assertEquals(calls, [0]);
});

Deno.test("cockatiel 4.0.0 calls an abort by the caller a timeout", async () => {
  using time = new FakeTime();
  const controller = new AbortController();
  const policy = cockatielTimeout(1000, TimeoutStrategy.Aggressive);
  let timeouts = 0;
  policy.onTimeout(() => timeouts++);
  const done = policy.execute(
    () => new Promise((resolve) => setTimeout(resolve, 60_000)),
    controller.signal,
  ).catch((error) => error);
  await time.tickAsync(50);

  controller.abort(new TypeError("left"));
  const error = await done;

  assert(error instanceof TaskCancelledError, `${error}`);
  assertEquals(error.message, "Operation timed out after 1000ms");
  assertEquals(timeouts, 1);
});

Deno.test("Timeout gives the caller's reason when the caller aborts", async () => {
  await runVirtual(async () => {
    const controller = new AbortController();
    let timeouts = 0;
    const policy = new Timeout(1000, { onTimeout: () => timeouts++ });
    const reason = new TypeError("left");
    const done = policy.run(() => sleep(60_000), { signal: controller.signal })
      .catch((error) => error);
    await sleep(50);

    controller.abort(reason);

    assert(await done === reason);
    assertEquals(timeouts, 0);
  });
});
