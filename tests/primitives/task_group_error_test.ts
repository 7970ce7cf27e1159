import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  leafErrors,
  splitErrors,
  TaskGroupError,
} from "@ilmek/async/task-group-error";

const isType = (error: unknown) => error instanceof TypeError;

Deno.test("TaskGroupError() is an AggregateError with the group's name", () => {
  const errors = [new TypeError("a"), new RangeError("b")];
  const error = new TaskGroupError(errors, "team");

  assertInstanceOf(error, AggregateError);
  assertEquals(error.name, "TaskGroupError");
  assertEquals([error.errors, error.group], [errors, "team"]);
  assertEquals(
    error.message,
    'Cannot finish group "team": 2 of its tasks failed',
  );
  assertStrictEquals(error.cause, errors[0]);
});

Deno.test("TaskGroupError() copies its errors", () => {
  const errors = [new TypeError("a")];
  const error = new TaskGroupError(errors);

  errors.pop();

  assertEquals(error.errors.length, 1);
  assertEquals(error.message, "Cannot finish the group: 1 of its tasks failed");
});

Deno.test("leafErrors() gives the errors of nested groups in order", () => {
  const [a, b, c] = [new TypeError("a"), new TypeError("b"), "c"];
  const inner = new TaskGroupError([b, new TaskGroupError([c])]);

  assertEquals(leafErrors(new TaskGroupError([a, inner])), [a, b, c]);
});

Deno.test("leafErrors() takes any other error for the only one", () => {
  const error = new AggregateError([new TypeError("kept together")]);

  assertEquals(leafErrors(error), [error]);
});

Deno.test("splitErrors() keeps nesting and names on both sides", () => {
  const [a, b, c] = [
    new TypeError("a"),
    new RangeError("b"),
    new TypeError("c"),
  ];
  const error = new TaskGroupError(
    [a, new TaskGroupError([b, c], "inner")],
    "outer",
  );

  const [meant, rest] = splitErrors(error, isType);

  assert(meant instanceof TaskGroupError && rest instanceof TaskGroupError);
  assertEquals([meant.group, rest.group], ["outer", "outer"]);
  assertStrictEquals(meant.errors[0], a);
  assertEquals(leafErrors(meant), [a, c]);
  assertEquals(leafErrors(rest), [b]);
  assertEquals((rest.errors[0] as TaskGroupError).group, "inner");
});

Deno.test("splitErrors() gives undefined for a part with nothing in it", () => {
  const error = new TaskGroupError([new TypeError("a")]);

  const [meant, rest] = splitErrors(error, isType);
  assertEquals(rest, undefined);
  assertEquals(leafErrors(meant), error.errors);
  assertEquals(splitErrors(error, () => false)[0], undefined);
});

Deno.test("splitErrors() splits a single error, too", () => {
  const error = new TypeError("a");

  assertEquals(splitErrors(error, isType), [error, undefined]);
  assertEquals(splitErrors("text", isType), [undefined, "text"]);
});

Deno.test("splitErrors() throws on anything but a function", () => {
  assertThrows(
    () => splitErrors(new TypeError("a"), TypeError.name as never),
    TypeError,
    'Cannot split an error as "isMeant" must be a function',
  );
});
