import { assertEquals } from "@std/assert";
import { Ring } from "../../_internal/ring.ts";

Deno.test("Ring gives items first in, first out, beyond its first capacity", () => {
  const ring = new Ring<number>();
  const items = Array.from({ length: 100 }, (_, i) => i);
  for (const item of items) ring.push(item);

  assertEquals(ring.size, 100);
  assertEquals(items.map(() => ring.shift()), items);
  assertEquals([ring.size, ring.shift()], [0, undefined]);
});

Deno.test("Ring keeps the order when it has gone around before it grows", () => {
  const ring = new Ring<number>();
  for (let i = 0; i < 10; i++) ring.push(-1);
  for (let i = 0; i < 10; i++) ring.shift();

  const items = Array.from({ length: 40 }, (_, i) => i);
  for (const item of items) ring.push(item);

  assertEquals([...ring], items);
});

Deno.test("Ring.at() counts from the head, and knows its end", () => {
  const ring = new Ring<string>();
  for (const item of ["x", "a", "b"]) ring.push(item);
  ring.shift();

  assertEquals([ring.at(0), ring.at(1), ring.at(2)], ["a", "b", undefined]);
});

Deno.test("Ring keeps undefined as an item", () => {
  const ring = new Ring<undefined>();
  ring.push(undefined);

  assertEquals([ring.size, ring.shift(), ring.size], [1, undefined, 0]);
});

Deno.test("Ring behaves as an array in any order of calls", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const draw = drawer(seed);
  const ring = new Ring<number>();
  const model: number[] = [];
  for (let step = 0; step < 2000; step++) {
    if (draw() < 0.55) {
      ring.push(step);
      model.push(step);
    } else assertEquals(ring.shift(), model.shift(), `seed ${seed}`);
    assertEquals(ring.size, model.length, `seed ${seed}`);
  }
  assertEquals([...ring], model, `seed ${seed}`);
});

/** Random numbers from 0 to 1 by a linear congruence (Park and Miller). */
function drawer(seed: number): () => number {
  let state = seed % 2147483646 + 1;
  return () => (state = state * 48271 % 2147483647) / 2147483647;
}
