import {
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { keyed, KeyedFullError, type KeyedInstance } from "@ilmek/async/keyed";
import type { PolicyContext } from "@ilmek/async/policy";
import { sleep } from "@ilmek/async/sleep";
import { testClean } from "../_leaks.ts";

class Fake implements KeyedInstance {
  readonly key: string;
  pristine = true;

  constructor(key: string) {
    this.key = key;
  }

  async run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
  ): Promise<T> {
    const { signal } = new AbortController();
    return await fn({ signal, attempt: 1, deadline: Infinity });
  }
}

const make = (key: string) => new Fake(key);
const keysOf = (all: Iterable<[string, Fake]>) => [...all].map(([key]) => key);

testClean("keyed() makes one instance for each key", () => {
  const all = keyed(make);

  assertStrictEquals(all.get("a"), all.get("a"));
  assertNotStrictEquals(all.get("a"), all.get("b"));
  assertEquals(all.size, 2);
});

testClean("Keyed.run() runs work under the instance of the key", async () => {
  const all = keyed(make);

  const attempt = await all.run("a", (context) => context.attempt);

  assertEquals(attempt, 1);
  assertEquals(keysOf(all), ["a"]);
});

testClean("keyed() drops the least recently used if there are too many", () => {
  const all = keyed(make, { max: 2 });
  all.get("a");
  all.get("b");
  all.get("a");

  all.get("c");

  assertEquals(keysOf(all), ["a", "c"]);
  assertEquals(all.snapshot(), { size: 2, max: 2, evicted: 1, overflowed: 0 });
});

testClean("keyed() keeps what is no longer as it was made", () => {
  const all = keyed(make, { max: 2 });
  all.get("a").pristine = false;
  all.get("b");

  all.get("c");

  assertEquals(keysOf(all).toSorted(), ["a", "c"]);
});

testClean("keyed() refuses a new key if none may go", async () => {
  const all = keyed(make, { max: 1, name: "hosts" });
  all.get("a").pristine = false;

  const error = assertThrows(() => all.get("b"), KeyedFullError);
  await assertRejects(() => all.run("c", () => 1), KeyedFullError);

  assertEquals([error.policy, error.key, error.max], ["hosts", "b", 1]);
  assertEquals(error.rejected, true);
  assertEquals(all.snapshot().overflowed, 2);
  assertEquals(all.get("a").key, "a");
});

testClean("keyed() lets new keys share one instance if it is told to", () => {
  const all = keyed(make, { max: 1, onFull: "share-overflow" });
  all.get("a").pristine = false;

  assertStrictEquals(all.get("b"), all.get("c"));
  assertEquals(keysOf(all), ["a"]);
});

testClean("keyed() finds one that may go behind many that may not", () => {
  const all = keyed(make, { max: 100 });
  for (let i = 0; i < 100; i++) all.get(`k${i}`).pristine = i === 99;

  let refused = 0;
  for (let i = 0; i < 7 && all.peek("new") === undefined; i++) {
    try {
      all.get("new");
    } catch {
      refused++;
    }
  }

  assertEquals(all.peek("new")?.key, "new");
  assertEquals(refused, 6);
});

testClean(
  "keyed() drops those that nobody asked for in a long time",
  async () => {
    const all = keyed(make, { idleMs: 100 });
    all.get("a");
    all.get("b").pristine = false;
    await sleep(60);
    all.get("c");
    await sleep(60);

    all.get("d");

    assertEquals(keysOf(all).toSorted(), ["b", "c", "d"]);
  },
);

testClean("Keyed.peek() makes nothing, and is no use", () => {
  const all = keyed(make, { max: 2 });
  all.get("a");
  all.get("b");

  assertEquals(all.peek("x"), undefined);
  all.peek("a");
  all.get("c");

  assertEquals(keysOf(all), ["b", "c"]);
});

testClean("keyed() throws on bad options", () => {
  assertThrows(() => keyed(1 as never), TypeError, '"create"');
  assertThrows(() => keyed(make, { max: 0 }), RangeError, '"max"');
  assertThrows(() => keyed(make, { idleMs: -1 }), RangeError, '"idleMs"');
  assertThrows(
    () => keyed(make, { onFull: "evict" as never }),
    TypeError,
    '"onFull"',
  );
});
