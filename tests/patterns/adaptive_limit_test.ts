import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  aimd,
  boundedStep,
  gradient2,
  type LimitSample,
  type LimitState,
  type LimitStep,
  vegas,
} from "@ilmek/async/adaptive-limit";

const WELL: LimitSample = { latencyMs: 10, inFlight: 100, calls: 50, drops: 0 };

/** What becomes of a limit in so many steps of the same kind. */
function repeat(
  step: LimitStep,
  sample: LimitSample,
  steps: number,
  state: LimitState = { limit: 50, baselineMs: 10 },
): LimitState {
  for (let i = 0; i < steps; i++) state = step(state, sample);
  return state;
}

Deno.test("aimd() adds one while all goes well, and cuts at a drop", () => {
  const step = aimd({ backoff: 0.5 });

  assertEquals(repeat(step, WELL, 3).limit, 53);
  assertEquals(repeat(step, { ...WELL, drops: 1 }, 2).limit, 12.5);
});

for (
  const [name, make] of [["vegas", vegas], ["gradient2", gradient2]] as const
) {
  Deno.test(`${name}() grows while calls take as long as ever`, () => {
    const { limit } = repeat(make(), WELL, 5);

    assert(limit > 55, `${limit}`);
  });

  Deno.test(`${name}() falls when calls take much longer`, () => {
    const { limit } = repeat(make(), { ...WELL, latencyMs: 40 }, 5);

    assert(limit < 45, `${limit}`);
  });

  Deno.test(`${name}() falls at drops, and learns no latency from them`, () => {
    const sample = { ...WELL, latencyMs: 1000, drops: 50 };
    const { limit, baselineMs } = repeat(make(), sample, 5);

    assert(limit < 45, `${limit}`);
    assertEquals(baselineMs, 10);
  });

  Deno.test(`${name}() takes its first baseline from the first sample`, () => {
    const state = make()({ limit: 50, baselineMs: 0 }, WELL);

    assertEquals(state.baselineMs, 10);
    assert(state.limit > 50);
  });

  Deno.test(`${name}() gives a number even if calls take no time at all`, () => {
    const { limit } = repeat(make(), { ...WELL, latencyMs: 0 }, 5);

    assert(limit > 50 && Number.isFinite(limit), `${limit}`);
  });
}

Deno.test("vegas() believes after some time that calls take longer for good", () => {
  const { baselineMs } = repeat(vegas(), { ...WELL, latencyMs: 20 }, 100);

  assertEquals(baselineMs, 20);
});

Deno.test("gradient2() leaves no room for a queue while calls get slower", () => {
  const sample = { ...WELL, latencyMs: 16 };
  const { limit } = gradient2({ smoothing: 0.5 })(
    { limit: 50, baselineMs: 10 },
    sample,
  );
  const gradient = 1.5 * (10 + 0.05 * 6) / 16;

  assert(gradient < 1);
  assertAlmostEquals(limit, 50 + 0.5 * (50 * gradient - 50));
});

Deno.test("gradient2() forgets an average that is far too high", () => {
  const { baselineMs } = repeat(gradient2(), WELL, 1, {
    limit: 50,
    baselineMs: 100,
  });

  assertAlmostEquals(baselineMs, (100 - 0.05 * 90) * 0.95);
});

Deno.test("boundedStep() keeps a limit from growing that nobody uses", () => {
  const step = boundedStep(aimd(), { min: 1, max: 200 });
  const state = { limit: 50, baselineMs: 0 };

  assertEquals(step(state, { ...WELL, inFlight: 24 }, 100).limit, 50);
  assertEquals(step(state, { ...WELL, inFlight: 25 }, 100).limit, 51);
});

Deno.test("boundedStep() keeps a limit near to what there was lately", () => {
  const step = boundedStep(aimd(), { min: 4, max: 200 });
  const state = { limit: 50, baselineMs: 0 };
  const sample = { ...WELL, inFlight: 2 };

  assertEquals(step(state, sample, 2).limit, 10);
  assertEquals(step(state, sample, 0).limit, 4);
});

Deno.test("boundedStep() keeps any step within its bounds", () => {
  const bounds = { min: 3, max: 9 };
  for (const [wanted, limit] of [[-1, 3], [NaN, 5], [1e9, 9], [7.5, 7.5]]) {
    const step = boundedStep(
      () => ({ limit: wanted as number, baselineMs: 0 }),
      bounds,
    );

    assertEquals(step({ limit: 5, baselineMs: 0 }, WELL, 100).limit, limit);
  }
});

Deno.test("steps reject wrong options", () => {
  const wrong: [() => LimitStep, string][] = [
    [() => aimd({ backoff: 1 }), '"backoff" must be a number between 0 and 1'],
    [() => vegas({ drift: 0 }), '"drift" must be a number between 0 and 1'],
    [() => gradient2({ tolerance: 0.9 }), '"tolerance" must be a number >= 1'],
    [() => gradient2({ smoothing: 2 }), '"smoothing" must be a number betw'],
  ];
  for (const [make, message] of wrong) {
    assertThrows(make, RangeError, `Cannot make a step as ${message}`);
  }
});
