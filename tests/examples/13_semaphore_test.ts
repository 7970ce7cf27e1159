import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals } from "@std/assert";
import { main } from "../../examples/13_semaphore.ts";
import { capture } from "./_capture.ts";
import { compare } from "./_compare.ts";
import { replay } from "./_programs.ts";
import { readTrace, sectionOfVariant } from "./_trace.ts";

const RECORDED = readTrace(13).variants.filter(({ draws, file }) =>
  draws !== null && file.endsWith("virtual.json")
);

for (const variant of RECORDED) {
  Deno.test(`main() prints the recording ${variant.file}`, async () => {
    const virtual = new VirtualLoop({ order: "fifo" });
    const random = replay(variant.draws ?? []);

    const captured = await capture(
      virtual,
      () => virtual.run(() => main({ random })),
    );

    const section = { ...sectionOfVariant(variant), name: "(main)" };
    assertEquals(compare([section], captured, { tolerance: 0.006 }), []);
  });
}

Deno.test("main() lets in no more than there are permits, the first first", async () => {
  for (let permits = 1; permits <= 5; permits++) {
    const virtual = new VirtualLoop();
    let state = permits;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647;

    const { lines } = await capture(
      virtual,
      () => virtual.run(() => main({ random, permits })),
    );

    let inside = 0;
    const entered: string[] = [];
    for (const { text } of lines) {
      if (text.endsWith("kaynağı aldı!")) {
        entered.push(text.split(" ")[0] ?? "");
        assert(++inside <= permits);
      } else if (text.includes("serbest bıraktı")) inside--;
    }
    assertEquals(
      entered,
      Array.from({ length: 10 }, (_, id) => `Worker-${id}`),
    );
  }
});
