import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals } from "@std/assert";
import { rateLimiterExample } from "../../examples/10_rate_limiting.ts";
import { capture } from "./_capture.ts";

for (const order of ["fifo", "system"] as const) {
  Deno.test(`rateLimiterExample() lets exactly 3 calls begin in any window of 1 s (${order})`, async () => {
    const virtual = new VirtualLoop({ order });

    const { lines } = await capture(
      virtual,
      () => virtual.run(rateLimiterExample),
    );

    const calls = lines.filter(({ text }) => text.includes("API call"));
    assertEquals(calls.map(({ t }) => t), [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
    for (const [i, { text }] of calls.entries()) {
      assert(text.endsWith(`API call ${i}`));
    }
  });
}

Deno.test("rateLimiterExample() tells each call at once how long it waits", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(
    virtual,
    () => virtual.run(rateLimiterExample),
  );

  const waits = lines.filter(({ text }) => text.startsWith("Rate limit!"));
  assert(waits.every(({ t }) => t === 0));
  assertEquals(waits.map(({ text }) => text.split(" ")[2]), [
    ...Array(3).fill("1.00s"),
    ...Array(3).fill("2.00s"),
    "3.00s",
  ]);
});
