// These tests hold for `@std` itself as well as for its stand-ins.
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";
import { deadline, delay } from "@std/async";
import { ensureDir, exists, walk } from "@std/fs";
import { FakeTime, TimeError } from "@std/testing/time";

/** Runs an assertion that must fail, and gives back its message. */
function failure(fn: () => void): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new TypeError("Expected the assertion to fail");
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new TypeError("Expected the assertion to fail");
}

class Point {
  x: number;
  constructor(x: number) {
    this.x = x;
  }
}

Deno.test("equal() compares primitives by value, 0 with -0 and NaN with itself", () => {
  assert(equal(1, 1));
  assert(equal(0, -0));
  assert(equal(NaN, NaN));
  assert(!equal(1, "1"));
  assert(!equal(null, undefined));
  assert(!equal(1n, 1));
});

Deno.test("equal() compares objects by their own enumerable properties", () => {
  const symbol = Symbol("s");

  assert(equal({ a: { b: [1, 2] } }, { a: { b: [1, 2] } }));
  assert(!equal({ a: 1 }, { a: 1, b: undefined }));
  assert(!equal({ a: undefined }, { b: undefined }));
  assert(!equal({ [symbol]: 1 }, { [symbol]: 2 }));
  assert(!equal([1, 2], [2, 1]));
  assert(!equal([1], { 0: 1 }));
});

Deno.test("equal() tells prototypes apart, save null from that of plain objects", () => {
  const bare = Object.assign(Object.create(null), { x: 1 });

  assert(equal(new Point(1), new Point(1)));
  assert(!equal(new Point(1), new Point(2)));
  assert(!equal(new Point(1), { x: 1 }));
  assert(equal(bare, { x: 1 }));
});

Deno.test("equal() compares maps and sets without regard to order", () => {
  assert(equal(new Set([1, 2]), new Set([2, 1])));
  assert(!equal(new Set([1]), new Set([1, 2])));
  assert(equal(new Set([{ a: 1 }]), new Set([{ a: 1 }])));
  assert(!equal(new Set([{ a: 1 }]), new Set([{ a: 2 }])));
  assert(equal(new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])));
  assert(!equal(new Map([["a", 1]]), new Map([["a", 2]])));
  assert(equal(new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]])));
});

Deno.test("equal() compares dates, patterns, URLs and bytes by what they hold", () => {
  assert(equal(new Date(5), new Date(5)));
  assert(!equal(new Date(5), new Date(6)));
  assert(equal(new Date(NaN), new Date(NaN)));
  assert(equal(/a/g, /a/g));
  assert(!equal(/a/g, /a/i));
  assert(!equal(new URL("http://a.b/c"), new URL("http://a.b/d")));
  assert(equal(new Uint8Array([1, 2]), new Uint8Array([1, 2])));
  assert(!equal(new Uint8Array([1, 2]), new Uint8Array([1, 3])));
  assert(!equal(new Uint8Array([1]), new Int8Array([1])));
  assert(!equal(new ArrayBuffer(1), new ArrayBuffer(2)));
});

Deno.test("equal() ends on cycles", () => {
  const a: { self?: unknown } = {};
  a.self = a;
  const b: { self?: unknown } = {};
  b.self = b;

  assert(equal(a, b));
});

Deno.test("equal() throws on what cannot be compared", () => {
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError);
  assertThrows(() => equal(new WeakSet(), new WeakSet()), TypeError);
});

Deno.test("assert() fails on falsy values", () => {
  assert("yes");
  assertEquals(failure(() => assert(0, "why")), "why");
});

Deno.test("assertFalse() fails on truthy values", () => {
  assertFalse("");
  assertEquals(failure(() => assertFalse(1, "why")), "why");
});

Deno.test("assertEquals() shows the lines that differ", () => {
  assertEquals({ a: [1] }, { a: [1] });
  const message = failure(() => assertEquals({ a: 1 }, { a: 2 }, "why"));

  assertStringIncludes(message, "Values are not equal: why");
  assertMatch(message, /- +a: .*1/);
  assertMatch(message, /\+ +a: .*2/);
});

Deno.test("assertNotEquals() fails on deeply equal values", () => {
  assertNotEquals({ a: 1 }, { a: 2 });
  failure(() => assertNotEquals({ a: 1 }, { a: 1 }));
});

Deno.test("assertStrictEquals() compares by identity, and tells 0 from -0", () => {
  assertStrictEquals(NaN, NaN);
  failure(() => assertStrictEquals(0, -0));
  const message = failure(() => assertStrictEquals({ a: 1 }, { a: 1 }));

  assertStringIncludes(message, "not reference-equal");
});

Deno.test("assertNotStrictEquals() fails on the same value", () => {
  const object = {};

  assertNotStrictEquals(object, {});
  assertNotStrictEquals(0, -0);
  failure(() => assertNotStrictEquals(object, object));
});

Deno.test("assertExists() fails on null and undefined", () => {
  assertExists(0);
  failure(() => assertExists(null));
  failure(() => assertExists(undefined));
});

Deno.test("assertInstanceOf() names both classes", () => {
  assertInstanceOf(new Point(1), Point);
  const message = failure(() => assertInstanceOf(new Date(), Point));

  assertStringIncludes(message, '"Point" but was "Date"');
  failure(() => assertInstanceOf(null, Point));
  failure(() => assertInstanceOf(Point, Point));
});

Deno.test("assertMatch() fails if the pattern does not match", () => {
  assertMatch("abc", /b/);
  failure(() => assertMatch("abc", /d/));
});

Deno.test("assertStringIncludes() fails if the text is not there", () => {
  assertStringIncludes("abc", "bc");
  failure(() => assertStringIncludes("abc", "cb"));
});

Deno.test("assertArrayIncludes() compares deeply and lists what is missing", () => {
  assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }]);
  const message = failure(() => assertArrayIncludes([1, 2], [2, 3]));

  assertMatch(message, /missing: \[\s*3/);
});

Deno.test("assertGreater() and its kin compare with operators", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1, 2);
  assertLessOrEqual(1, 1);
  assertEquals(failure(() => assertGreater(1, 1)), "Expect 1 > 1");
  assertEquals(failure(() => assertGreaterOrEqual(0, 1)), "Expect 0 >= 1");
  assertEquals(failure(() => assertLess(1, 1)), "Expect 1 < 1");
  assertEquals(failure(() => assertLessOrEqual(2, 1)), "Expect 2 <= 1");
});

Deno.test("assertAlmostEquals() allows for the tolerance", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 11, 1);
  failure(() => assertAlmostEquals(10, 11, 0.5));
  failure(() => assertAlmostEquals(1, 1.001));
});

Deno.test("assertObjectMatch() looks only at the expected properties", () => {
  assertObjectMatch({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } });
  assertObjectMatch({ a: [{ b: 1, c: 2 }, 3] }, { a: [{ b: 1 }] });
  assertObjectMatch(new Point(1), { x: 1 });
  failure(() => assertObjectMatch({ a: 1 }, { a: 2 }));
  failure(() => assertObjectMatch({ a: 1 }, { b: undefined }));
  failure(() => assertObjectMatch({ a: [1] }, { a: [1, 2] }));
  failure(() =>
    assertObjectMatch({ m: new Map([["k", 1]]) }, { m: new Map([["k", 2]]) })
  );
  failure(() => assertObjectMatch({ s: new Set([1]) }, { s: new Set([1, 2]) }));
});

Deno.test("assertThrows() gives back the error, and checks class and message", () => {
  const error = new RangeError("out of reach");
  const fn = () => {
    throw error;
  };

  assertStrictEquals(assertThrows(fn), error);
  assertStrictEquals(assertThrows(fn, RangeError, "of reach"), error);
  assertStringIncludes(
    failure(() => assertThrows(fn, TypeError)),
    'instance of "TypeError", but was "RangeError"',
  );
  assertStringIncludes(
    failure(() => assertThrows(fn, RangeError, "within")),
    'to include "within", but got "out of reach"',
  );
  assertEquals(
    failure(() => assertThrows(() => {}, "why")),
    "Expected function to throw: why",
  );
});

Deno.test("assertThrows() accepts only errors if a class is given", () => {
  const fn = () => {
    // deno-lint-ignore no-throw-literal -- that is what is tested
    throw "text";
  };

  assertEquals(assertThrows(fn), "text");
  failure(() => assertThrows(fn, Error));
});

Deno.test("assertRejects() gives back the error, and checks class and message", async () => {
  const error = new RangeError("out of reach");
  const fn = () => Promise.reject(error);

  assertStrictEquals(await assertRejects(fn), error);
  assertStrictEquals(await assertRejects(fn, RangeError, "of reach"), error);
  await rejection(assertRejects(fn, TypeError));
  await rejection(assertRejects(fn, RangeError, "within"));
  assertEquals(
    await rejection(assertRejects(() => Promise.resolve())),
    "Expected function to reject.",
  );
});

Deno.test("assertRejects() fails if the function throws", async () => {
  const fn = () => {
    throw new RangeError("too early");
  };

  assertEquals(
    await rejection(assertRejects(fn)),
    "Function throws when expected to reject.",
  );
});

Deno.test("fail() and unreachable() fail", () => {
  assertEquals(failure(() => fail("why")), "Failed assertion: why");
  assertEquals(failure(() => unreachable()), "Unreachable.");
});

Deno.test("delay() resolves after its time", async () => {
  using time = new FakeTime();
  const log: string[] = [];
  const done = delay(100).then(() => log.push("done"));

  await time.tickAsync(99);
  await time.runMicrotasks();
  assertEquals(log, []);
  await time.tickAsync(1);
  await done;

  assertEquals(log, ["done"]);
});

Deno.test("delay() rejects with the reason of its signal", async () => {
  const controller = new AbortController();
  const reason = new RangeError("enough");
  const pending = delay(100, { signal: controller.signal });

  controller.abort(reason);

  assertStrictEquals(await assertRejects(() => pending), reason);
  assertStrictEquals(
    await assertRejects(() => delay(1, { signal: controller.signal })),
    reason,
  );
});

Deno.test("deadline() passes the result on", async () => {
  assertEquals(await deadline(Promise.resolve(1), 1000), 1);
});

Deno.test("deadline() rejects with a DOMException when time is up", async () => {
  using time = new FakeTime();
  const never = Promise.withResolvers<void>();
  const late = assertRejects(() => deadline(never.promise, 100), DOMException);

  await time.tickAsync(100);

  assertEquals((await late).name, "TimeoutError");
});

Deno.test("ensureDir() makes all directories of a path, and refuses a file", async () => {
  const root = await Deno.makeTempDir();
  await ensureDir(`${root}/a/b`);
  await ensureDir(`${root}/a/b`);
  await Deno.writeTextFile(`${root}/a/file`, "");

  assert(await exists(`${root}/a/b`, { isDirectory: true }));
  await assertRejects(() => ensureDir(`${root}/a/file`), Error, "got 'file'");

  await Deno.remove(root, { recursive: true });
});

Deno.test("exists() tells files from directories", async () => {
  const root = await Deno.makeTempDir();
  await Deno.writeTextFile(`${root}/file`, "");

  assert(await exists(`${root}/file`));
  assert(await exists(`${root}/file`, { isFile: true }));
  assertFalse(await exists(`${root}/file`, { isDirectory: true }));
  assertFalse(await exists(`${root}/nothing`));

  await Deno.remove(root, { recursive: true });
});

Deno.test("walk() yields what the options ask for, the root first", async () => {
  const root = await Deno.makeTempDir();
  await ensureDir(`${root}/a/b`);
  await Deno.writeTextFile(`${root}/a/x.ts`, "");
  await Deno.writeTextFile(`${root}/a/b/y.md`, "");
  const paths = async (options?: Parameters<typeof walk>[1]) =>
    (await Array.fromAsync(walk(root, options)))
      .map(({ path }) => path.slice(root.length).replaceAll("\\", "/"));

  assertEquals((await paths())[0], "");
  assertEquals((await paths()).sort(), [
    "",
    "/a",
    "/a/b",
    "/a/b/y.md",
    "/a/x.ts",
  ]);
  assertEquals(await paths({ exts: [".ts"] }), ["/a/x.ts"]);
  assertEquals(await paths({ exts: ["ts"] }), ["/a/x.ts"]);
  assertEquals(await paths({ includeDirs: false, skip: [/[\\/]b$/] }), [
    "/a/x.ts",
  ]);
  assertEquals(await paths({ maxDepth: 1, match: [/[\\/]a$/] }), ["/a"]);

  await Deno.remove(root, { recursive: true });
});

Deno.test("FakeTime replaces the clock until it is disposed", () => {
  const realSetTimeout = globalThis.setTimeout;
  {
    using time = new FakeTime(1000);

    assertEquals(Date.now(), 1000);
    assertEquals(new Date().getTime(), 1000);
    assertInstanceOf(new Date(), Date);
    time.tick(500);
    assertEquals([time.start, time.now, Date.now()], [1000, 1500, 1500]);
  }
  assertStrictEquals(globalThis.setTimeout, realSetTimeout);
  assertGreater(Date.now(), 1500);
});

Deno.test("FakeTime.tick() runs timers in the order they fall due", () => {
  using time = new FakeTime(0);
  const log: string[] = [];
  setTimeout(() => log.push(`b ${Date.now()}`), 20);
  setTimeout((name) => log.push(`${name} ${Date.now()}`), 10, "a");
  setTimeout(() => {
    setTimeout(() => log.push(`nested ${Date.now()}`), 5);
  }, 10);
  const id = setTimeout(() => log.push("cleared"), 10);
  clearTimeout(id);

  time.tick(20);

  assertEquals(typeof Number(id), "number");
  assertEquals(log, ["a 10", "nested 15", "b 20"]);
});

Deno.test("FakeTime repeats intervals until they are cleared", () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  const id = setInterval(() => log.push(Date.now()), 10);

  time.tick(35);
  clearInterval(id);
  time.tick(35);

  assertEquals(log, [10, 20, 30]);
});

Deno.test("FakeTime.tickAsync() runs microtasks once, and then advances", async () => {
  using time = new FakeTime(0);
  const log: string[] = [];
  Promise.resolve().then(() => setTimeout(() => log.push("first"), 10));
  (async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    setTimeout(() => log.push("second"), 10);
  })();

  await time.tickAsync(20);
  assertEquals(log, ["first"]);
  await time.tickAsync(10);
  assertEquals(log, ["first", "second"]);
});

Deno.test("FakeTime.next() goes to the next timer", async () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  setTimeout(() => log.push(Date.now()), 10);
  setTimeout(() => log.push(Date.now()), 30);

  assert(time.next());
  assertEquals(time.now, 10);
  assert(await time.nextAsync());
  assertFalse(time.next());
  assertEquals(log, [10, 30]);
});

Deno.test("FakeTime.runAll() runs until no timer is left", async () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  const chain = (left: number) => {
    log.push(Date.now());
    if (left > 0) setTimeout(() => chain(left - 1), 10);
  };

  chain(2);
  time.runAll();
  chain(1);
  await time.runAllAsync();

  assertEquals(log, [0, 10, 20, 20, 30]);
});

Deno.test("FakeTime fakes AbortSignal.timeout()", () => {
  using time = new FakeTime();
  const signal = AbortSignal.timeout(100);

  time.tick(99);
  assertFalse(signal.aborted);
  time.tick(1);

  assertEquals(signal.reason.name, "TimeoutError");
});

Deno.test("FakeTime stands still where a timer throws", () => {
  using time = new FakeTime(0);
  setTimeout(() => {
    throw new RangeError("thrown");
  }, 10);

  assertThrows(() => time.tick(20), RangeError, "thrown");
  assertEquals(time.now, 10);
});

Deno.test("FakeTime refuses a second one, the past, and a wrong start", () => {
  assertThrows(() => new FakeTime("never"), TypeError);
  {
    using time = new FakeTime(1000);

    assertThrows(() => new FakeTime(), TimeError);
    assertThrows(() => time.now = 999, RangeError);
  }
  assertThrows(() => FakeTime.restore(), TimeError);
});

Deno.test("FakeTime.restoreFor() gives real time to a function", async () => {
  using _time = new FakeTime(0);

  assertGreater(await FakeTime.restoreFor(() => Date.now()), 1e12);
  assertEquals(Date.now(), 0);
  await assertRejects(
    () =>
      FakeTime.restoreFor(() => {
        throw new RangeError("thrown");
      }),
    RangeError,
  );
  assertEquals(Date.now(), 0);
});

Deno.test("FakeTime.delay() waits in real time", async () => {
  using time = new FakeTime(0);
  const controller = new AbortController();
  controller.abort();

  await time.delay(1);

  assertEquals(time.now, 0);
  await assertRejects(
    () => time.delay(1, { signal: controller.signal }),
    DOMException,
    "Delay was aborted.",
  );
});
