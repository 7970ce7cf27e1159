import { assert, assertEquals, assertGreater } from "@std/assert";
import { PITFALLS } from "./pitfalls.ts";

Deno.test("PITFALLS holds all pitfalls, from 1 to 51", () => {
  const numbers = Object.keys(PITFALLS).map(Number);

  assertEquals(numbers, Array.from({ length: 51 }, (_, i) => i + 1));
});

Deno.test("PITFALLS names a test for each pitfall", () => {
  for (const pitfall of Object.values(PITFALLS)) {
    assertGreater(pitfall.title.length, 0);
    const cover = Object.values(pitfall.tests).flat();
    assertGreater(cover.length, 0, pitfall.title);
    for (const text of cover) assertGreater(text.length, 0, pitfall.title);
  }
});

Deno.test("PITFALLS names tests that exist", async () => {
  const missing: string[] = [];
  const texts = new Map<string, string>();
  for (const pitfall of Object.values(PITFALLS)) {
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
  assertEquals(missing, []);
});

/** Whether a test is registered with its name on a line of its own. */
function isWrapped(text: string, name: string): boolean {
  return text.includes(`(\n  ${JSON.stringify(name)},\n`);
}
