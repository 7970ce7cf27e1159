import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  fixedWindow,
  gcra,
  type Rate,
  type RateAlgorithm,
  slidingWindow,
  slidingWindowLog,
  tokenBucket,
} from "@ilmek/async/rate-algorithms";
import { seededRandom } from "../../_internal/random.ts";

const ALL = [gcra, tokenBucket, slidingWindowLog, slidingWindow, fixedWindow];
const SEED = Number(Deno.env.get("ILMEK_SEED") ?? Date.now() % 1e6);

/** What was taken, and when. */
type Take = readonly [at: number, cost: number];

/** Takes by chance for a while, as soon as it fits or later. */
function takeByChance(
  algorithm: RateAlgorithm,
  random: () => number,
  count = 200,
): Take[] {
  const takes: Take[] = [];
  let state = algorithm.initial;
  let now = 0;
  while (takes.length < count) {
    if (random() < 0.3) now += random() * algorithm.perMs;
    const cost = 1 + Math.floor(random() * Math.min(3, algorithm.burst));
    now = Math.max(now, algorithm.readyAt(state, cost, now));
    state = algorithm.take(state, cost, now);
    takes.push([now, cost]);
  }
  return takes;
}

/** The most that any stretch of `ms`, open at its end, has seen. */
function mostIn(takes: readonly Take[], ms: number): number {
  let most = 0;
  for (const [from] of takes) {
    const inside = takes.filter(([at]) => at >= from && at < from + ms - 1e-5);
    most = Math.max(most, inside.reduce((sum, [, cost]) => sum + cost, 0));
  }
  return most;
}

function randomRate(random: () => number, hasBurst: boolean): Rate {
  const limit = 1 + Math.floor(random() * 12);
  const perMs = [1, 100, 333, 1000][Math.floor(random() * 4)] ?? 1;
  const burst = hasBurst ? 1 + Math.floor(random() * 2 * limit) : limit;
  return { limit, perMs, burst };
}

for (const factory of ALL) {
  const rate = { limit: 10, perMs: 1000, burst: 10 };

  Deno.test(`${factory.name}() allows the whole burst at once, and no more`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    let state = algorithm.initial;
    for (let i = 0; i < 10; i++) {
      assert(algorithm.readyAt(state, 1, 5000) <= 5000);
      state = algorithm.take(state, 1, 5000);
    }

    assertEquals(algorithm.remaining(state, 5000), 0);
    assert(algorithm.readyAt(state, 1, 5000) > 5000);
  });

  Deno.test(`${factory.name}() is ready at the moment that it has told`, () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < 50; round++) {
      const algorithm: RateAlgorithm = factory(randomRate(random, false));
      let state = algorithm.initial;
      let now = random() * 1000;
      for (let i = 0; i < 30; i++) {
        const cost = 1 + Math.floor(random() * algorithm.limit);
        const at = algorithm.readyAt(state, cost, now);
        if (at > now) {
          const half = (now + at) / 2;
          assert(algorithm.readyAt(state, cost, half) > half, `seed ${SEED}`);
        }
        now = Math.max(now, at);
        const again = algorithm.readyAt(state, cost, now);
        assert(again <= now + 1e-6, `seed ${SEED}: ${again} > ${now}`);
        state = algorithm.take(state, cost, now);
        now += random() * 20;
      }
    }
  });

  Deno.test(`${factory.name}() leaves the states alone that it is given`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    const initial = JSON.stringify(algorithm.initial);
    const first = algorithm.take(algorithm.initial, 2, 0);

    let state = first;
    for (let i = 0; i < 8; i++) state = algorithm.take(state, 1, 10 * i);
    const other = algorithm.take(first, 5, 20);
    algorithm.refund(first, 1, 30);

    assertEquals(algorithm.remaining(first, 0), 8);
    assertAlmostEquals(algorithm.remaining(other, 20), 3, 0.3);
    assertEquals(algorithm.remaining(algorithm.initial, 0), 10);
    assertEquals(JSON.stringify(algorithm.initial), initial);
  });

  Deno.test(`${factory.name}() goes on from a state that was kept as JSON`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    let state = algorithm.initial;
    for (let i = 0; i < 25; i++) {
      const now = 150 * i;
      state = algorithm.take(state, 1, now);
      const kept = JSON.parse(JSON.stringify(state));
      for (const cost of [1, 5, 10]) {
        assertEquals(
          algorithm.readyAt(kept, cost, now),
          algorithm.readyAt(state, cost, now),
        );
      }
      if (i % 3 === 0) state = kept;
    }
  });

  Deno.test(`${factory.name}() gives back what is refunded`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    const full = algorithm.take(algorithm.initial, 10, 500);

    const some = algorithm.refund(full, 4, 500);
    const all = algorithm.refund(some, 9, 500);

    assertEquals(algorithm.remaining(some, 500), 4);
    assert(algorithm.readyAt(some, 4, 500) <= 500);
    assertEquals(algorithm.remaining(all, 500), 10);
  });

  Deno.test(`${factory.name}() tells when its state is as new`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    const state = algorithm.take(algorithm.initial, 7, 3100);
    const at = algorithm.initialAt(state);

    assert(algorithm.initialAt(algorithm.initial) <= 0);
    assert(at > 3100);
    assertAlmostEquals(algorithm.remaining(state, at), 10, 1e-6);
    assert(algorithm.remaining(state, at - 1) < 10);
  });

  Deno.test(`${factory.name}() keeps to the order of what was booked ahead`, () => {
    const algorithm: RateAlgorithm = factory(rate);
    let state = algorithm.initial;
    let at = 0;
    for (let i = 0; i < 35; i++) {
      const next = Math.max(0, algorithm.readyAt(state, 1, at));
      assert(next >= at);
      at = next;
      state = algorithm.take(state, 1, at);
    }

    assert(at >= 2000);
    assert(algorithm.readyAt(state, 1, 0) >= at);
  });
}

for (const factory of [gcra, tokenBucket]) {
  Deno.test(`${factory.name}() never lets through more than burst and rate allow`, () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < 12; round++) {
      const rate = randomRate(random, true);
      const takes = takeByChance(factory(rate), random);
      for (const part of [0.1, 1, 3.3]) {
        const ms = part * rate.perMs;
        const most = rate.burst + rate.limit * part;
        const seen = mostIn(takes, ms);
        assert(seen <= most + 1e-6, `seed ${SEED}: ${seen} > ${most}`);
      }
    }
  });
}

Deno.test("gcra() and tokenBucket() allow the same", () => {
  const random = seededRandom(SEED);
  const rate = { limit: 7, perMs: 1000, burst: 4 };
  const [a, b] = [gcra(rate), tokenBucket(rate)];
  let [x, y] = [a.initial, b.initial];
  for (let i = 0, now = 0; i < 500; i++, now += random() * 400) {
    const cost = 1 + Math.floor(random() * 4);
    const at = Math.max(now, a.readyAt(x, cost, now));
    assertAlmostEquals(Math.max(now, b.readyAt(y, cost, now)), at, 1e-6);
    assertAlmostEquals(a.remaining(x, now), b.remaining(y, now), 1e-6);
    if (random() < 0.2) continue;
    now = at;
    x = a.take(x, cost, now);
    y = b.take(y, cost, now);
  }
});

Deno.test("slidingWindowLog() never lets more than the limit into a window", () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 12; round++) {
    const rate = randomRate(random, false);
    const takes = takeByChance(slidingWindowLog(rate), random);
    const seen = mostIn(takes, rate.perMs);
    assert(seen <= rate.limit, `seed ${SEED}: ${seen} > ${rate.limit}`);
  }
});

Deno.test("slidingWindowLog() uses the limit up as soon as it may", () => {
  const log = slidingWindowLog({ limit: 3, perMs: 1000, burst: 3 });
  const times: number[] = [];
  let state = log.initial;
  for (let i = 0, now = 0; i < 10; i++) {
    now = Math.max(now, log.readyAt(state, 1, now));
    state = log.take(state, 1, now);
    times.push(now);
  }

  assertEquals(times, [0, 0, 0, 1000, 1000, 1000, 2000, 2000, 2000, 3000]);
});

Deno.test("slidingWindowLog() forgets what has left the window", () => {
  const log = slidingWindowLog({ limit: 1000, perMs: 100, burst: 1000 });
  let state = log.initial;
  for (let now = 0; now < 100_000; now += 10) state = log.take(state, 1, now);

  assertEquals(log.remaining(state, 99_990), 990);
  assert(state.log.length < 300);
});

Deno.test("slidingWindow() never lets twice the limit into a window", () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 12; round++) {
    const rate = randomRate(random, false);
    const takes = takeByChance(slidingWindow(rate), random);
    const seen = mostIn(takes, rate.perMs);
    assert(seen <= 2 * rate.limit, `seed ${SEED}: ${seen}, ${rate.limit}`);
  }
});

Deno.test("fixedWindow() never lets more than the limit between two edges", () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 12; round++) {
    const rate = randomRate(random, false);
    const takes = takeByChance(fixedWindow(rate), random);
    const windows = new Map<number, number>();
    for (const [at, cost] of takes) {
      const index = Math.floor((at + 1e-6) / rate.perMs);
      windows.set(index, (windows.get(index) ?? 0) + cost);
    }
    const most = Math.max(...windows.values());
    assert(most <= rate.limit, `seed ${SEED}: ${most} > ${rate.limit}`);
  }
});

Deno.test("Only fixedWindow() lets twice the limit through around an edge", () => {
  const rate = { limit: 10, perMs: 1000, burst: 10 };
  const around = ALL.map((factory) => {
    const algorithm: RateAlgorithm = factory(rate);
    let state = algorithm.initial;
    let count = 0;
    for (const now of [999, 1001]) {
      for (let i = 0; i < 10; i++) {
        if (algorithm.readyAt(state, 1, now) > now) continue;
        state = algorithm.take(state, 1, now);
        count++;
      }
    }
    return [factory.name, count];
  });

  assertEquals(around, [
    ["gcra", 10],
    ["tokenBucket", 10],
    ["slidingWindowLog", 10],
    ["slidingWindow", 10],
    ["fixedWindow", 20],
  ]);
});

for (const factory of [slidingWindowLog, slidingWindow, fixedWindow]) {
  Deno.test(`${factory.name}() throws if the burst is not the limit`, () => {
    assertThrows(
      () => factory({ limit: 10, perMs: 1000, burst: 5 }),
      RangeError,
      '"burst" must be the limit, 10: current value is 5',
    );
  });
}
