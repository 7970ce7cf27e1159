import { assert, assertEquals, assertMatch } from "@std/assert";
import { PROGRAMS } from "../../examples/_programs.ts";
import { compare } from "./_compare.ts";
import { linesOf, permissionsOf, runProgram } from "./_processes.ts";
import { DRAWN, numberOf, TRACED } from "./_programs.ts";
import { expectedSections, expectedVariant } from "./_trace.ts";

/** Installs virtual time, so that nobody has to wait. */
const VIRTUAL_TIME = "--preload=tests/examples/_virtual_time.ts";

for (const program of PROGRAMS) {
  const { file } = program;

  Deno.test(`${file} runs with the permissions that it names`, async () => {
    const flags = [VIRTUAL_TIME, ...await permissionsOf(file)];

    const { code, out, err } = await runProgram(file, { flags });

    assertEquals(err, "");
    assertEquals(code, 0);
    const number = numberOf(program);
    if (DRAWN.includes(number)) assertMatch(out, /tamamlandı.*\n$/);
    else if (number === 14) assertMatch(out, /İşlem hatası!\n$/);
    else if (TRACED.includes(program)) {
      assertEquals(problemsOf(number, out), []);
    } else assert(out.length > 0);
  });
}

Deno.test("06_event_loop.ts --signals ends cleanly by a signal", async () => {
  const file = "06_event_loop.ts";

  const { code, out, err } = await runProgram(file, {
    flags: await permissionsOf(file),
    args: ["--signals"],
    interruptAfter: "Çalışıyor...",
  });

  const variant = expectedVariant(6, "py/out/ex06_signal.real.json");
  const printed = out.split("\n").filter((line) => line !== "");
  assertEquals(printed, [
    policyLine(),
    ...variant.events.map(({ text }) => text),
  ]);
  assertEquals(err, "");
  assertEquals(code, 0);
});

/** Compares what came from a process, without times. */
function problemsOf(example: number, out: string): string[] {
  const lines = linesOf(out);
  if (example === 6) {
    // The policy tells of the loop that the run makes.
    assertEquals(lines.shift()?.text, policyLine());
  }
  return compare(expectedSections(example), { lines, total: NaN });
}

function policyLine(): string | undefined {
  const variant = expectedVariant(6, "py/out/ex06_policy.real.json");
  return variant.events[0]?.text;
}
