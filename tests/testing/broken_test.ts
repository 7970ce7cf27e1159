import { assertEquals } from "@std/assert";

/** The lines of a file of `broken/` that do something. */
async function linesOf(name: string): Promise<string[]> {
  const url = new URL(`./broken/${name}.ts`, import.meta.url);
  return (await Deno.readTextFile(url))
    .replaceAll(/\w+Semaphore/g, "Semaphore")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !line.startsWith("/**") && !line.startsWith("import"));
}

/** The lines of `a` that are not in `b`, in order. */
function without(a: readonly string[], b: readonly string[]): string[] {
  const left = [...b];
  return a.filter((line) => {
    const place = left.indexOf(line);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}

Deno.test("the broken copies are one line away from the right one", async () => {
  const right = await linesOf("right");
  const loses = await linesOf("loses");
  const sleeps = await linesOf("sleeps");
  const steals = await linesOf("steals");

  assertEquals(without(loses, right), ["throwIfCancelled();"]);
  assertEquals(without(right, loses), []);
  assertEquals(without(sleeps, right), []);
  assertEquals(without(right, sleeps), ["this.#grant();"]);
  // A line has moved: the permits are taken after the wait, not at the grant.
  assertEquals([...steals].sort(), [...right].sort());
});
