import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  checkChoice,
  checkCount,
  checkFunction,
  isThenable,
  show,
  toLimitMs,
  toMs,
} from "../../_internal/check.ts";

Deno.test("toMs() takes numbers >= 0 and durations", () => {
  assertEquals([0, 1.5, Infinity].map((ms) => toMs(ms, "wait")), [
    0,
    1.5,
    Infinity,
  ]);
  const duration = Temporal.Duration.from({ minutes: 1, milliseconds: 1 });
  assertEquals(toMs(duration, "wait"), 60_001);
  assertEquals(toMs({ total: () => 7 }, "wait"), 7);
});

Deno.test("toMs() throws a RangeError on a wrong number", () => {
  for (const ms of [-1, -0.1, NaN, -Infinity]) {
    assertThrows(
      () => toMs(ms, "wait", "delayMs"),
      RangeError,
      `Cannot wait as "delayMs" must be a number >= 0: current value is ${ms}`,
    );
  }
  const past = Temporal.Duration.from({ seconds: -1 });
  assertThrows(() => toMs(past, "wait"), RangeError, "current value is -1000");
});

Deno.test("toMs() throws a TypeError on anything else", () => {
  for (
    const [value, shown] of [
      ["5", '"5"'],
      [undefined, "undefined"],
      [null, "null"],
      [5n, "5n"],
      [true, "true"],
    ]
  ) {
    assertThrows(
      () => toMs(value as never, "wait"),
      TypeError,
      `Cannot wait as "ms" must be a number >= 0: current value is ${shown}`,
    );
  }
});

Deno.test("toMs() throws a TypeError on an object that is no duration", () => {
  assertThrows(() => toMs({} as never, "wait"), TypeError);
  assertThrows(() => toMs([] as never, "wait"), TypeError);
});

Deno.test("toLimitMs() takes null for no limit", () => {
  assertEquals([toLimitMs(null, "wait"), toLimitMs(5, "wait")], [Infinity, 5]);
  assertThrows(() => toLimitMs(-1, "wait"), RangeError);
});

Deno.test("checkCount() takes integers from the least on, and Infinity", () => {
  assertEquals(checkCount(1, "count", "n"), 1);
  assertEquals(checkCount(Infinity, "count", "n"), Infinity);
  assertEquals(checkCount(0, "count", "n", 0), 0);
  for (const n of [0, -1, 1.5, NaN, -Infinity]) {
    assertThrows(
      () => checkCount(n, "count", "n"),
      RangeError,
      `Cannot count as "n" must be an integer >= 1: current value is ${n}`,
    );
  }
  assertThrows(() => checkCount("1" as never, "count", "n"), TypeError, '"1"');
});

Deno.test("checkFunction() tells what was given instead", () => {
  checkFunction(() => {}, "call");
  assertThrows(
    () => checkFunction(undefined, "call", "onDone"),
    TypeError,
    'Cannot call as "onDone" must be a function: current value is undefined',
  );
  assertThrows(
    () => checkFunction(Promise.resolve(), "call"),
    TypeError,
    "an object of class Promise: pass the function, not what it returned",
  );
});

Deno.test("isThenable() is true for what await would wait for", () => {
  const callable = Object.assign(() => {}, { then() {} });

  assert(isThenable(Promise.resolve()));
  assert(isThenable({ then() {} }));
  assert(isThenable(callable));
  for (const value of [undefined, null, 1, "then", {}, { then: 1 }, () => {}]) {
    assertFalse(isThenable(value));
  }
});

Deno.test("show() is short, and never throws", () => {
  assertEquals(show("text"), '"text"');
  assertEquals(show(1n), "1n");
  assertEquals(show(Symbol("s")), "Symbol(s)");
  assertEquals(show(function named() {}), "function named");
  assertEquals(show(() => {}), "function");
  assertEquals(show(new Map()), "an object of class Map");
  assertEquals(show(Object.create(null)), "an object of class null");
});

Deno.test("checkChoice() throws a TypeError that names the choices", () => {
  checkChoice("a", "choose", "letter", ["a", "b"]);

  assertThrows(
    () => checkChoice("c", "choose", "letter", ["a", "b"]),
    TypeError,
    'Cannot choose as "letter" must be one of "a", "b": current value is "c"',
  );
});
