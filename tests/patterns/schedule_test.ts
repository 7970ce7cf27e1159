import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  exponential,
  fibonacci,
  fixed,
  recurs,
  Schedule,
  spaced,
} from "@ilmek/async/schedule";
import { seededRandom } from "../../_internal/random.ts";

const half = () => 0.5;
const high = () => 0.999999;

Deno.test("exponential() doubles up to its limit, and stays there", () => {
  assertEquals(exponential(100, { maxMs: 500 }).delays(5), [
    100,
    200,
    400,
    500,
    500,
  ]);
  assertEquals(exponential(10, { factor: 3 }).delays(3), [10, 30, 90]);
});

Deno.test("exponential() stays finite after many attempts", () => {
  const step = exponential(100, { maxMs: Infinity }).begin();
  const at = (attempt: number) =>
    step({ attempt, elapsedMs: 0, lastDelayMs: 0, random: half });

  assertEquals(at(5000), Number.MAX_SAFE_INTEGER);
  assertEquals(exponential(0, { maxMs: Infinity }).delays(2000).at(-1), 0);
});

Deno.test("fibonacci() adds the last two delays, and stays finite", () => {
  assertEquals(fibonacci(10, { maxMs: 45 }).delays(6), [
    10,
    10,
    20,
    30,
    45,
    45,
  ]);
  assert(
    fibonacci(10, { maxMs: Infinity }).delays(2000).every(Number.isSafeInteger),
  );
});

Deno.test("spaced() waits after each end, fixed() keeps the pace of beginnings", () => {
  const input = { lastDelayMs: 0, random: half };
  const [space, pace] = [spaced(100).begin(), fixed(100).begin()];

  assertEquals(space({ ...input, attempt: 1, elapsedMs: 30 }), 100);
  assertEquals(pace({ ...input, attempt: 1, elapsedMs: 30 }), 70);
  assertEquals(pace({ ...input, attempt: 2, elapsedMs: 160 }), 40);
});

Deno.test("fixed() goes on at once when it is late, and makes up for nothing", () => {
  const input = { lastDelayMs: 0, random: half };
  const pace = fixed(100).begin();

  assertEquals(pace({ ...input, attempt: 1, elapsedMs: 350 }), 0);
  assertEquals(pace({ ...input, attempt: 2, elapsedMs: 360 }), 40);
});

Deno.test("recurs() stops after so many delays", () => {
  assertEquals(recurs(2).delays(9), [0, 0]);
  assertEquals(recurs(0).delays(9), []);
  assertEquals(spaced(5).recurs(3).delays(9), [5, 5, 5]);
});

Deno.test("Schedule.and() takes the longer delay while both go on", () => {
  assertEquals(exponential(10).and(spaced(25).recurs(3)).delays(9), [
    25,
    25,
    40,
  ]);
});

Deno.test("Schedule.or() takes the shorter delay while one goes on", () => {
  assertEquals(exponential(10).recurs(4).or(spaced(25).recurs(2)).delays(9), [
    10,
    20,
    40,
    80,
  ]);
});

Deno.test("Schedule.andThen() counts anew for the schedule that follows", () => {
  assertEquals(spaced(5).recurs(2).andThen(exponential(100)).delays(4), [
    5,
    5,
    100,
    200,
  ]);
  assertEquals(spaced(5).recurs(1).andThen(spaced(7).recurs(1)).delays(9), [
    5,
    7,
  ]);
});

Deno.test("Schedule.upTo() stops before a delay that would end too late", () => {
  assertEquals(spaced(40).upTo(100).delays(9), [40, 40]);
});

Deno.test("Schedule.jittered() spreads what was limited before", () => {
  const capped = exponential(100, { maxMs: 200 });

  assertEquals(capped.jittered("full").delays(4, { random: half }), [
    50,
    100,
    100,
    100,
  ]);
  assertEquals(capped.jittered("equal").delays(3, { random: half }), [
    75,
    150,
    150,
  ]);
  assertEquals(capped.jittered("none").delays(3, { random: half }), [
    100,
    200,
    200,
  ]);
});

Deno.test("Schedule.jittered() keeps every way of spreading in its bounds", () => {
  const seed = 41;
  const random = seededRandom(seed);
  const base = exponential(100, { maxMs: 800 });
  for (let run = 0; run < 50; run++) {
    const plain = base.delays(8);
    const full = base.jittered("full").delays(8, { random });
    const equal = base.jittered("equal").delays(8, { random });
    const loose = base.jittered("decorrelated", { maxMs: 800 })
      .delays(8, { random });

    assert(full.every((ms, i) => ms >= 0 && ms < (plain[i] ?? 0)), `${seed}`);
    assert(
      equal.every((ms, i) => ms >= (plain[i] ?? 0) / 2 && ms < (plain[i] ?? 0)),
      `${seed}`,
    );
    assert(loose.every((ms) => ms >= 100 && ms <= 800), `${seed}`);
    assert(
      loose.every((ms, i) => i === 0 || ms <= (loose[i - 1] ?? 0) * 3),
      `${seed}`,
    );
  }
});

Deno.test("Schedule.jittered() decorrelates from the last delay", () => {
  const loose = exponential(100).jittered("decorrelated", { maxMs: 1000 });

  assertEquals(loose.delays(4, { random: half }), [100, 200, 350, 575]);
  assert(loose.delays(9, { random: high }).at(-1) === 1000);
});

Deno.test("Schedule.begin() begins afresh each time", () => {
  const schedule = fibonacci(1);

  assertEquals(schedule.delays(3), schedule.delays(3));
  const own = new Schedule(() => {
    let left = 2;
    return () => left-- > 0 ? 7 : undefined;
  });
  assertEquals([own.delays(9), own.delays(9)], [[7, 7], [7, 7]]);
});

Deno.test("Schedules throw on bad arguments", () => {
  assertThrows(() => exponential(-1), RangeError, '"firstMs"');
  assertThrows(() => exponential(1, { factor: 0.5 }), RangeError, '"factor"');
  assertThrows(() => exponential(1, { maxMs: NaN }), RangeError, '"maxMs"');
  assertThrows(() => fibonacci(NaN), RangeError, '"firstMs"');
  assertThrows(() => spaced(-1), RangeError, '"ms"');
  assertThrows(() => fixed(0), RangeError, '"ms"');
  assertThrows(() => recurs(1.5), RangeError, '"count"');
  assertThrows(() => spaced(1).upTo(-1), RangeError, '"ms"');
  assertThrows(() => spaced(1).and(1 as never), TypeError, '"schedule"');
  assertThrows(() => spaced(1).andThen(1 as never), TypeError, '"schedule"');
  assertThrows(
    () => spaced(1).jittered("some" as never),
    TypeError,
    '"jitter"',
  );
  assertThrows(() => new Schedule(1 as never), TypeError, '"begin"');
});
