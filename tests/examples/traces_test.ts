import { assertEquals } from "@std/assert";
import { numberOf, perform, problemsOf, TRACED } from "./_programs.ts";
import { readTrace, sameTimeGroups } from "./_trace.ts";

for (const program of TRACED) {
  Deno.test(`${program.file} prints its trace, in asyncio's order`, async () => {
    const captured = await perform(program, { order: "fifo" });

    assertEquals(problemsOf(program, captured, { total: true }), []);
  });

  Deno.test(`${program.file} prints its trace, in the order of production`, async () => {
    const captured = await perform(program, { order: "system" });

    assertEquals(problemsOf(program, captured), []);
  });

  Deno.test(`The trace of ${program.file} tells where actors share an instant`, () => {
    for (const section of readTrace(numberOf(program)).sections) {
      assertEquals(
        sameTimeGroups(section.events),
        section.same_time_groups as number[][],
      );
    }
  });
}

Deno.test("Each trace is that of a program", () => {
  const folder = new URL("traces/", import.meta.url);
  const traces = [...Deno.readDirSync(folder)].map(({ name }) =>
    Number.parseInt(name)
  );

  assertEquals(TRACED.map(numberOf), traces.toSorted((a, b) => a - b));
});
