import { coroutine } from "@ilmek/async/coroutine";
import { assertEquals } from "@std/assert";
import { repr, Tuple, typeText } from "../../examples/_python.ts";

Deno.test("repr() shows values as Python does", () => {
  const cases: [value: unknown, shown: string][] = [
    ["a", "'a'"],
    ["it's", `"it's"`],
    [`"it's"`, `'"it\\'s"'`],
    ["a\\\n", "'a\\\\\\n'"],
    [[1, 0.5, -2], "[1, 0.5, -2]"],
    [[], "[]"],
    [true, "True"],
    [false, "False"],
    [undefined, "None"],
    [null, "None"],
    [
      { id: 1, name: "x", tags: ["y"] },
      "{'id': 1, 'name': 'x', 'tags': ['y']}",
    ],
    [new Tuple(4, { a: 1 }), "(4, {'a': 1})"],
    [new Tuple(4), "(4,)"],
    [new Map([[1, "x"], [2, "y"]]), "{1: 'x', 2: 'y'}"],
    [new RangeError("bad"), "RangeError('bad')"],
  ];

  for (const [value, shown] of cases) assertEquals(repr(value), shown);
});

Deno.test("typeText() shows the type of a coroutine and of other objects", () => {
  using call = coroutine(() => {});

  assertEquals(typeText(call), "<class 'coroutine'>");
  assertEquals(typeText(new Map()), "<class 'Map'>");
});
