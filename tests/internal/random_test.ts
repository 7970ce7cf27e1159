import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { seededRandom } from "../../_internal/random.ts";

const take = (random: () => number, count: number) =>
  Array.from({ length: count }, random);

Deno.test("seededRandom() gives the same numbers for the same seed", () => {
  assertEquals(take(seededRandom(7), 5), take(seededRandom(7), 5));
  assertNotEquals(take(seededRandom(7), 5), take(seededRandom(8), 5));
});

Deno.test("seededRandom() spreads over [0, 1)", () => {
  const numbers = take(seededRandom(1), 10_000);

  const tenths = Array.from({ length: 10 }, () => 0);
  for (const n of numbers) tenths[Math.floor(n * 10)] = 1;
  assert(numbers.every((n) => n >= 0 && n < 1));
  assertEquals(tenths, Array.from({ length: 10 }, () => 1));
});
