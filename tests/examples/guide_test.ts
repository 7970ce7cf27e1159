import { sleep } from "@ilmek/async/sleep";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stripVTControlCharacters } from "node:util";
import { main } from "../../examples/guide.ts";
import { type Program, PROGRAMS } from "../../examples/_programs.ts";
import { runProgram } from "./_processes.ts";

const GOOD: Program = {
  title: "Uyku",
  file: "01_good.ts",
  start: ({ virtual }) =>
    virtual.run(async () => {
      console.log("=== Uyku ===");
      await sleep(61_500);
      console.log("\n=== Son ===");
      console.error("careful");
    }),
};
const BAD: Program = {
  title: "Hata",
  file: "12_bad.ts",
  start: ({ virtual }) =>
    virtual.run(async () => {
      await sleep(250);
      throw new RangeError("broken");
    }),
};

Deno.test("main() of guide.ts puts virtual times in front of lines, and tells what happened", async () => {
  const lines: string[] = [];

  const succeeded = await main({
    programs: [GOOD],
    write: (line) => lines.push(line),
  });

  assert(succeeded);
  assertEquals(lines.slice(1, 7), [
    "",
    "   0.00 s  === Uyku ===",
    "",
    "  61.50 s  === Son ===",
    "  61.50 s  careful",
    "",
  ]);
  const [row = "", closing = ""] = lines.slice(-3).filter((line) =>
    line !== ""
  );
  assertMatch(row, /^ {3}1 {2}Uyku +61\.50 s +0\.\d\d s +3 {2}finished$/);
  assertMatch(closing, /^ {2}All finished: 61\.5 s of waiting in 0\.\d\d s\.$/);
});

Deno.test("main() of guide.ts goes on after a program that fails, and says so", async () => {
  const lines: string[] = [];

  const succeeded = await main({
    programs: [BAD, GOOD],
    write: (line) => lines.push(line),
  });

  assert(!succeeded);
  assertMatch(
    lines.find((line) => line.startsWith("  12  Hata")) ?? "",
    /0\.25 s .* 0 {2}failed: RangeError: broken$/,
  );
  assertMatch(lines.at(-1) ?? "", /^ {2}1 of 2 failed: 61\.8 s of waiting/);
});

Deno.test("main() of guide.ts colors lines on request only, and aligns them all the same", async () => {
  const plain: string[] = [];
  const colored: string[] = [];

  await main({ programs: [GOOD], write: (line) => plain.push(line) });
  await main({
    programs: [GOOD],
    write: (line) => colored.push(line),
    color: true,
  });

  assert(!plain.join("").includes("\x1b"));
  assert(colored.join("").includes("\x1b[36m=== Uyku ==="));
  assert(colored.join("").includes("\x1b[31mcareful"));
  const stripped = colored.map(stripVTControlCharacters);
  const withoutReal = (lines: string[]) =>
    lines.map((line) => line.replaceAll(/\d+\.\d\d s(\.| +3)/g, "$1"));
  assertEquals(withoutReal(stripped), withoutReal(plain));
});

Deno.test("main() of guide.ts gives the console back", async () => {
  const { log, error, warn } = console;

  await main({ programs: [BAD], write: () => {} });

  assertEquals([console.log, console.error, console.warn], [log, error, warn]);
});

Deno.test("The task `guide` runs all programs with its permissions, plain in a pipe", async () => {
  const { code, out, err } = await runProgram("guide.ts", {
    flags: await permissionsOfTask(),
  });

  const table = out.slice(out.indexOf("What happened"));
  assertEquals(table.match(/ {2}finished$/gm)?.length, PROGRAMS.length);
  assertMatch(
    table,
    /\n {2}All finished: \d+\.\d s of waiting in \d+\.\d\d s\.\n$/,
  );
  assert(!out.includes("\x1b"));
  assertEquals(err, "");
  assertEquals(code, 0);
});

Deno.test("The task `guide` exits with 1 if a program fails", async () => {
  const flags = await permissionsOfTask();

  const { code, out } = await runProgram("guide.ts", {
    flags: flags.filter((flag) => !flag.startsWith("--allow-net")),
  });

  assertMatch(out, /failed: NotCapable/);
  assertMatch(out, /\n {2}3 of \d+ failed: .*\n$/);
  assertEquals(code, 1);
});

/** The flags of the task in `deno.json`. */
async function permissionsOfTask(): Promise<string[]> {
  const config = new URL("../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(config)) as {
    tasks: { guide: { command: string } };
  };
  return tasks.guide.command.split(" ").filter((word) => word.startsWith("--"));
}
