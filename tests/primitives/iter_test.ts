import * as all from "@ilmek/async";
import { AsyncIter } from "@ilmek/async/async-iter";
import * as entry from "@ilmek/async/iter";
import { assert, assertEquals } from "@std/assert";
import { testClean } from "../_leaks.ts";

/** What the module has besides operators. */
const OTHERS = [
  "AsyncIter",
  "AsyncRange",
  "channelFrom",
  "iter",
  "count",
  "range",
];

Deno.test("iter has a function for each method of AsyncIter", () => {
  const methods = Object.getOwnPropertyNames(AsyncIter.prototype)
    .filter((name) => name !== "constructor" && name !== "count");
  const functions = Object.keys(entry).filter((name) => !OTHERS.includes(name));

  assertEquals(functions.sort(), methods.sort());
});

Deno.test("mod.ts has iter() and the sources, and no operator", () => {
  const flat = all as unknown as Record<string, unknown>;
  for (const name of OTHERS) assert(name in flat, name);
  for (const name of ["map", "filter", "merge", "zip", "toArray"]) {
    assertEquals(flat[name], undefined, name);
  }
});

testClean("iter's functions do what the methods do", async () => {
  const list = [1, 2, 3, 4];
  const odd = (n: number) => n % 2 === 1;
  const { toArray } = entry;

  assertEquals(await toArray(entry.map(list, (n) => -n)), [-1, -2, -3, -4]);
  assertEquals(await toArray(entry.filter(list, odd)), [1, 3]);
  assertEquals(await toArray(entry.merge(list, [5])), [1, 5, 2, 3, 4]);
  assertEquals(await toArray(entry.concat(list, [5])), [1, 2, 3, 4, 5]);
  assertEquals(await toArray(entry.zip(list, "ab")), [[1, "a"], [2, "b"]]);
  assertEquals(await toArray(entry.zip()), []);
  assertEquals(await toArray(entry.merge()), []);
  assertEquals(await toArray(entry.batch(list, 3)), [[1, 2, 3], [4]]);
  assertEquals(await entry.reduce(list, (a, b) => a + b, 0), 10);
  assertEquals(await entry.every(list, odd), false);
});
