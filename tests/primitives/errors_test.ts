import {
  assert,
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
  isCancelled,
  rethrowCancelled,
  ScopeClosedError,
  TimeoutError,
} from "@ilmek/async/errors";

Deno.test("CancelledError() is explicit, and has no details, by default", () => {
  const error = new CancelledError();

  assertEquals(error.message, "Cannot go on with the work: it was cancelled");
  assertEquals([error.kind, error.reason, error.scope, error.by, error.at], [
    "explicit",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(error.through, []);
  assertFalse("cause" in error);
});

Deno.test("CancelledError() tells why in its message", () => {
  const kinds = {
    "deadline": "its deadline has passed",
    "sibling-failed": "another member of its group failed",
    "signal": "its signal was aborted",
    "given-up": "nobody waits for it any more",
    "shutdown": "the run is ending",
  } as const;
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    assertEquals(
      new CancelledError("why", { kind, scope: "job", by: "boss" }).message,
      `Cannot go on with "job": ${kinds[kind]} by "boss" (why)`,
    );
  }
});

Deno.test("CancelledError() keeps a reason that is no string out of its message", () => {
  const reason = { code: 1 };
  const error = new CancelledError(reason);

  assertStrictEquals(error.reason, reason);
  assertFalse(error.message.includes("("));
});

Deno.test("CancelledError() keeps its cause, undefined too", () => {
  const cause = new TypeError("why");

  assertStrictEquals(new CancelledError(1, { cause }).cause, cause);
  assert("cause" in new CancelledError(1, { cause: undefined }));
});

Deno.test("TimeoutError() tells the time, or that the deadline has passed", () => {
  const error = new TimeoutError(5, { label: "fetch", deadline: 10 });

  assertEquals(
    error.message,
    'Cannot finish "fetch" in time: 5 ms have passed',
  );
  assertEquals([error.ms, error.deadline, error.label], [5, 10, "fetch"]);
  assertEquals(
    new TimeoutError().message,
    "Cannot finish the work: its deadline has passed",
  );
});

Deno.test("errors carry their names on the prototype", () => {
  const errors: Record<string, Error> = {
    CancelledError: new CancelledError(),
    TimeoutError: new TimeoutError(),
    InvalidStateError: new InvalidStateError(),
    DeadlockError: new DeadlockError(),
    ScopeClosedError: new ScopeClosedError(),
  };
  for (const [name, error] of Object.entries(errors)) {
    assertEquals(error.name, name);
    assertFalse(Object.hasOwn(error, "name"));
    assert(String(error).startsWith(name));
  }
});

Deno.test("isCancelled() knows our cancellations and the platform's", () => {
  const controller = new AbortController();
  controller.abort();

  assert(isCancelled(new CancelledError()));
  assert(isCancelled(controller.signal.reason));
  assert(isCancelled(new DOMException("stop", "AbortError")));
});

Deno.test("isCancelled() takes nothing else for a cancellation", () => {
  for (
    const error of [
      new TypeError("wrong"),
      new TimeoutError(),
      new DOMException("late", "TimeoutError"),
      { name: "CancelledError" },
      undefined,
      null,
      "AbortError",
    ]
  ) {
    assertFalse(isCancelled(error));
  }
});

Deno.test("rethrowCancelled() throws the very cancellation, and nothing else", () => {
  const error = new CancelledError();

  rethrowCancelled(new TypeError("wrong"));
  rethrowCancelled(undefined);

  assertStrictEquals(assertThrows(() => rethrowCancelled(error)), error);
});
