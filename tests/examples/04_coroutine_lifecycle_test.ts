import { runVirtual } from "@ilmek/async/virtual";
import { assertEquals, assertThrows } from "@std/assert";
import {
  asyncRange,
  fetchUserWithPosts,
} from "../../examples/04_coroutine_lifecycle.ts";

Deno.test("asyncRange() counts by a step, also down, and may give nothing", async () => {
  const cases: [start: number, stop: number, step: number, wanted: number[]][] =
    [
      [0, 5, 2, [0, 2, 4]],
      [3, 0, -1, [3, 2, 1]],
      [2, 2, 1, []],
      [3, 2, 1, []],
      [0, 1, -1, []],
    ];

  for (const [start, stop, step, wanted] of cases) {
    await runVirtual(async (virtual) => {
      const numbers: number[] = [];
      for await (const n of asyncRange(start, stop, { step })) numbers.push(n);

      assertEquals(numbers, wanted);
      assertEquals(virtual.now, 100 * wanted.length);
    });
  }
});

Deno.test("asyncRange() throws on a step with which it would never end", () => {
  for (const step of [0, NaN, Infinity]) {
    assertThrows(() => asyncRange(0, 2, { step }), RangeError, String(step));
  }
});

Deno.test("fetchUserWithPosts() merges both records in the time of one", async () => {
  await runVirtual(async (virtual) => {
    const { posts, ...user } = await fetchUserWithPosts(7);

    assertEquals(user, { id: 7, name: "User-7" });
    assertEquals(posts.length, 2);
    assertEquals(virtual.now, 500);
  });
});
