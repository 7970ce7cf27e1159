import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  consoleSink,
  formatLogJson,
  formatLogText,
  lineSink,
  type LogEntry,
  type LogFields,
} from "@ilmek/async/log-sink";
import { Logger } from "@ilmek/async/logger";
import { sleep } from "@ilmek/async/sleep";
import { takeMessages, testClean } from "../_leaks.ts";

/** An entry with these fields. */
function entryOf(fields: LogFields, more: Partial<LogEntry> = {}): LogEntry {
  return {
    time: new Date(2026, 0, 2, 3, 4, 5, 6).getTime(),
    level: "info",
    logger: "app",
    message: "said",
    context: {},
    fields,
    ...more,
  };
}

function jsonOf(fields: LogFields) {
  return JSON.parse(formatLogJson(entryOf(fields))).fields;
}

class LoadError extends Error {
  static {
    this.prototype.name = "LoadError";
  }
  readonly retryAfterMs = 20;
}

Deno.test("formatLogJson() tells all of an entry in one line", () => {
  const task = { id: 2, name: "save", parent: { id: 1, name: "main" } };
  const line = formatLogJson(entryOf({ text: "a\nb" }, {
    time: 0,
    task,
    context: { request: "r-1" },
  }));

  assert(!line.includes("\n"));
  assertEquals(JSON.parse(line), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    logger: "app",
    message: "said",
    task,
    context: { request: "r-1" },
    fields: { text: "a\nb" },
  });
});

Deno.test("formatLogJson() keeps name, cause and facts of errors", () => {
  const error = new LoadError("not loaded", {
    cause: new AggregateError([new TypeError("a"), "b"], "all"),
  });

  const { stack, ...rest } = jsonOf({ error }).error;

  assertStringIncludes(stack, "not loaded");
  assertEquals(rest, {
    name: "LoadError",
    message: "not loaded",
    retryAfterMs: 20,
    cause: {
      name: "AggregateError",
      message: "all",
      errors: [{ name: "TypeError", message: "a" }, "b"],
    },
  });
});

Deno.test("formatLogJson() writes what JSON does not know, and never throws", () => {
  const circle: Record<string, unknown> = { name: "circle" };
  circle["self"] = circle;
  const deep: { next?: object } = {};
  let end = deep;
  for (let i = 0; i < 100; i++) end = end.next = {};
  const hostile = {
    get field(): never {
      throw new LoadError("read");
    },
  };
  const twice = { x: 1 };

  const told = jsonOf({
    big: 1n,
    not: NaN,
    symbol: Symbol("s"),
    fn: jsonOf,
    map: new Map([["k", 1n]]),
    set: new Set([1]),
    date: new Date(0),
    invalid: new Date(NaN),
    bytes: new Uint8Array(3),
    circle,
    hostile,
    twice: [twice, twice],
    many: Array.from({ length: 103 }, (_, i) => i),
    nothing: null,
    absent: undefined,
  });

  assertEquals(told.many.slice(99), [99, "[3 more]"]);
  delete told.many;
  assertEquals(told, {
    big: "1",
    not: "NaN",
    symbol: "Symbol(s)",
    fn: "[function jsonOf]",
    map: { k: "1" },
    set: [1],
    date: "1970-01-01T00:00:00.000Z",
    invalid: null,
    bytes: "[Uint8Array of 3 bytes]",
    circle: { name: "circle", self: "[circular]" },
    hostile: "[unreadable]",
    twice: [{ x: 1 }, { x: 1 }],
    nothing: null,
  });
  assertStringIncludes(formatLogJson(entryOf({ deep })), "[deeper]");
  assertEquals(
    JSON.parse(formatLogJson(entryOf({}, { time: NaN }))).time,
    null,
  );
});

Deno.test("formatLogText() writes as the guide's format does", () => {
  assertEquals(
    formatLogText(
      entryOf({}, { logger: "__main__", message: "Worker-0 durdu" }),
    ),
    "2026-01-02 03:04:05,006 - __main__ - INFO - Worker-0 durdu",
  );
  const levels = (["debug", "info", "warn", "error"] as const).map((level) =>
    formatLogText(entryOf({}, { level })).split(" - ")[2]
  );
  assertEquals(levels, ["DEBUG", "INFO", "WARNING", "ERROR"]);
});

Deno.test("formatLogText() adds context and fields, and quotes what needs it", () => {
  const text = formatLogText(entryOf({
    rows: 2,
    path: "/a",
    text: 'say "no"',
    list: [1],
    absent: undefined,
  }, { context: { request: "r-1" } }));

  assertStringIncludes(
    text,
    'INFO - said request=r-1 rows=2 path=/a text="say \\"no\\"" list=[1] absent=undefined',
  );
});

Deno.test("formatLogText() tells where an error is from, and why it came", () => {
  const cause = new TypeError("disk");
  const error = new RangeError("full", { cause });
  cause.cause = error;

  const lines = formatLogText(entryOf({ error })).split("\n");

  assertStringIncludes(lines[0] ?? "", 'said error="RangeError: full"');
  assertEquals(lines[1], "RangeError: full");
  assertEquals(
    lines.filter((line) => line.startsWith("Caused by")),
    ["Caused by: TypeError: disk"],
  );
});

testClean(
  "lineSink() writes lines, and reports a write that rejects",
  async ({ reports }) => {
    const lines: string[] = [];
    const log = new Logger(lineSink(async (line) => {
      lines.push(line);
      await sleep(1);
      throw new LoadError("full");
    }, { format: ({ message }) => message }));

    log.info("a");
    log.info("b");
    await sleep(2);

    assertEquals(lines, ["a\n", "b\n"]);
    assertEquals(takeMessages(reports), [
      'Cannot write a log entry of "app": the sink has failed',
    ]);
  },
);

testClean("consoleSink() calls the method of the level", () => {
  const calls: string[] = [];
  const target = Object.fromEntries(
    ["debug", "info", "warn", "error"].map((level) => [
      level,
      (text: string) => calls.push(`${level}: ${text.split(" - ")[3]}`),
    ]),
  ) as unknown as Console;
  const log = new Logger(consoleSink(target), { level: "debug" });

  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");

  assertEquals(calls, ["debug: a", "info: b", "warn: c", "error: d"]);
});

Deno.test("sinks throw on what they cannot use", () => {
  assertThrows(
    () => lineSink("file" as unknown as () => void),
    TypeError,
    'Cannot write log lines as "write" must be a function',
  );
  assertThrows(
    () => consoleSink(undefined as unknown as Console),
    TypeError,
    'Cannot write to a console as "target" must be a console: current value is undefined',
  );
  assertThrows(
    () => consoleSink({} as Console),
    TypeError,
    '"target.debug" must be a function',
  );
});

Deno.test("formatLogText() writes an entry whatever its fields are", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  class OddError extends Error {
    override get message(): string {
      throw new RangeError("message");
    }
  }
  const text = formatLogText({
    time: 0,
    level: "info",
    logger: "app",
    message: "odd",
    context: {},
    fields: { proxy, error: new OddError(), rows: 2 },
  });

  assertStringIncludes(
    text,
    " - odd proxy=[unreadable] error=[unreadable] rows=2",
  );
});
