import { assert, assertEquals, assertGreater } from "@std/assert";
import { PATTERN_PITFALLS } from "./pattern_pitfalls.ts";
import { type Pitfall, PITFALLS } from "./pitfalls.ts";

const TABLES: Record<string, Readonly<Record<number, Pitfall>>> = {
  PITFALLS,
  PATTERN_PITFALLS,
};

Deno.test("PITFALLS holds all pitfalls, from 1 to 51", () => {
  assertEquals(numbersOf(PITFALLS), numbersTo(51));
});

Deno.test("PATTERN_PITFALLS holds all pitfalls, from 1 to 60", () => {
  assertEquals(numbersOf(PATTERN_PITFALLS), numbersTo(60));
});

for (const [table, pitfalls] of Object.entries(TABLES)) {
  Deno.test(`${table} names a test for each pitfall`, () => {
    for (const pitfall of Object.values(pitfalls)) {
      assertGreater(pitfall.title.length, 0);
      const cover = Object.values(pitfall.tests).flat();
      assertGreater(cover.length, 0, pitfall.title);
      for (const text of cover) assertGreater(text.length, 0, pitfall.title);
    }
  });

  Deno.test(`${table} names tests that exist`, async () => {
    assertEquals(await missingOf(pitfalls), []);
  });
}

function numbersOf(pitfalls: Readonly<Record<number, Pitfall>>): number[] {
  return Object.keys(pitfalls).map(Number);
}

function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

/** The tests that are named, and are not there. */
async function missingOf(
  pitfalls: Readonly<Record<number, Pitfall>>,
): Promise<string[]> {
  const missing: string[] = [];
  const texts = new Map<string, string>();
  for (const pitfall of Object.values(pitfalls)) {
    for (const [file, names] of Object.entries(pitfall.tests)) {
      const text = texts.get(file) ??
        await Deno.readTextFile(new URL(file, import.meta.url));
      texts.set(file, text);
      for (const name of names) {
        if (
          !text.includes(`(${JSON.stringify(name)},`) && !isWrapped(text, name)
        ) {
          missing.push(`${file}: ${name}`);
        }
      }
    }
  }
  assert(texts.size > 0);
  return missing;
}

/** Whether a test is registered with its name on a line of its own. */
function isWrapped(text: string, name: string): boolean {
  return text.includes(`(\n  ${JSON.stringify(name)},\n`);
}
