import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  gcra,
  type RateAlgorithm,
  slidingWindowLog,
} from "@ilmek/async/rate-algorithms";
import { type RateState, rateStep } from "@ilmek/async/rate-step";

const RATE = { limit: 10, perMs: 1000, burst: 2 };

Deno.test("rateStep() takes what fits, and tells what is left", () => {
  const { state, output, expireAt } = rateStep(gcra(RATE), undefined, {}, 500);

  assertEquals(state, { value: 600, frozenUntil: 0 });
  assertEquals(expireAt, 600);
  assertEquals(output, {
    ok: true,
    remaining: 1,
    limit: 10,
    perMs: 1000,
    retryAfterMs: 0,
    resetAfterMs: 100,
    waitMs: 0,
  });
});

Deno.test("rateStep() gives back the same state if it refuses", () => {
  const algorithm = gcra(RATE);
  const { state } = rateStep(algorithm, undefined, { cost: 2 }, 0);

  const refused = rateStep(algorithm, state, { cost: 1 }, 40);

  assert(refused.state === state);
  assertEquals(refused.output.ok, false);
  assertEquals(refused.output.retryAfterMs, 60);
});

Deno.test("rateStep() peeks without taking", () => {
  const algorithm = gcra(RATE);
  const peeked = rateStep(algorithm, undefined, { kind: "peek", cost: 2 }, 0);

  assertEquals(peeked.output.ok, true);
  assertEquals(peeked.output.remaining, 2);
  assertEquals(peeked.state, { value: 0, frozenUntil: 0 });
});

Deno.test("rateStep() reserves moments one after another, up to the longest wait", () => {
  const algorithm = gcra({ limit: 50, perMs: 1000, burst: 5 });
  const waits: (number | string)[] = [];
  let state: RateState<number> | undefined;
  for (let i = 0; i < 20; i++) {
    const input = { kind: "reserve", maxWaitMs: 200 } as const;
    const step = rateStep(algorithm, state, input, 0);
    state = step.state;
    const { ok, waitMs, retryAfterMs } = step.output;
    waits.push(ok ? waitMs : `not within ${retryAfterMs}`);
  }

  const refused = "not within 220";
  assertEquals(waits.slice(0, 5), [0, 0, 0, 0, 0]);
  assertEquals(waits.slice(5, 15), [
    20,
    40,
    60,
    80,
    100,
    120,
    140,
    160,
    180,
    200,
  ]);
  assertEquals(waits.slice(15), Array(5).fill(refused));
});

Deno.test("rateStep() books windows of a log ahead", () => {
  const algorithm = slidingWindowLog({ limit: 2, perMs: 100, burst: 2 });
  const waits: number[] = [];
  let state: RateState<ReturnType<typeof algorithm.take>> | undefined;
  for (let i = 0; i < 6; i++) {
    const step = rateStep(algorithm, state, { kind: "reserve" }, 10);
    state = step.state;
    waits.push(step.output.waitMs);
  }

  assertEquals(waits, [0, 0, 100, 100, 200, 200]);
});

Deno.test("rateStep() gives back what is refunded", () => {
  const algorithm = gcra(RATE);
  const taken = rateStep(algorithm, undefined, { cost: 2 }, 0);

  const refunded = rateStep(algorithm, taken.state, { kind: "refund" }, 0);

  assertEquals(refunded.output.remaining, 1);
  assertEquals(rateStep(algorithm, refunded.state, {}, 0).output.ok, true);
});

Deno.test("rateStep() lets nothing through during a penalty", () => {
  const algorithm = gcra(RATE);
  const input = { kind: "penalize", penaltyMs: 5000 } as const;
  const { state, expireAt } = rateStep(algorithm, undefined, input, 1000);

  const during = rateStep(algorithm, state, {}, 2000);
  const after = rateStep(algorithm, state, {}, 6000);

  assertEquals(expireAt, 6000);
  assertEquals(during.output.ok, false);
  assertEquals([during.output.remaining, during.output.retryAfterMs], [
    0,
    4000,
  ]);
  assertEquals(after.output.ok, true);
});

Deno.test("rateStep() does not end a penalty by a shorter one", () => {
  const algorithm = gcra(RATE);
  const penalty = (ms: number) =>
    ({ kind: "penalize", penaltyMs: ms }) as const;
  const long = rateStep(algorithm, undefined, penalty(5000), 0);

  const short = rateStep(algorithm, long.state, penalty(10), 0);

  assertEquals(short.state.frozenUntil, 5000);
});

Deno.test("rateStep() throws on a cost that can never fit", () => {
  const algorithm: RateAlgorithm = gcra(RATE);
  for (const cost of [3, 0, -1, NaN, Infinity]) {
    assertThrows(
      () => rateStep(algorithm, undefined, { cost }, 0),
      RangeError,
      `"cost" must be a number > 0 and at most 2, the burst: current value is ${cost}`,
    );
  }
});
