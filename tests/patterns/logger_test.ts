import { assert, assertEquals, assertThrows } from "@std/assert";
import { ContextVar } from "@ilmek/async/context-var";
import { type LogEntry, Logger, logReports } from "@ilmek/async/logger";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { takeMessages, testClean } from "../_leaks.ts";

const down = () => new RangeError("down");

/** Entries, and the sink that keeps them. */
function keeping(): [LogEntry[], (entry: LogEntry) => void] {
  const entries: LogEntry[] = [];
  return [entries, (entry) => void entries.push(entry)];
}

testClean("Logger writes what matters enough, in order", () => {
  const [entries, sink] = keeping();
  const log = new Logger(sink, { level: "warn" });

  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");

  assertEquals(entries.map(({ level, message }) => [level, message]), [
    ["warn", "c"],
    ["error", "d"],
  ]);
  assert(log.isEnabled("error") && !log.isEnabled("info"));
});

testClean("Logger.level can be set, and children without one follow", () => {
  const [entries, sink] = keeping();
  const log = new Logger(sink);
  const follows = log.child();
  const own = log.child({ level: "error" });

  log.level = "debug";
  follows.debug("follows");
  own.debug("own");

  assertEquals(entries.map(({ message }) => message), ["follows"]);
  assertEquals([follows.level, own.level], ["debug", "error"]);
});

testClean("Logger tells when, by whom and with which fields", () => {
  const [entries, sink] = keeping();
  const now = () => 1000;
  const log = new Logger(sink, { name: "shop", fields: { a: 1, b: 1 }, now });

  log.child({ name: "db", fields: { b: 2, c: 2 } }).info("saved", { c: 3 });

  const [entry] = entries;
  assertEquals([entry?.time, entry?.logger], [1000, "shop.db"]);
  assertEquals(entry?.fields, { a: 1, b: 2, c: 3 });
});

Deno.test("Logger takes the time of the day by default", () => {
  const [entries, sink] = keeping();
  const before = Date.now();

  new Logger(sink).info("now");

  const time = entries[0]?.time ?? 0;
  assert(before <= time && time <= Date.now());
});

testClean(
  "Logger tells the task, and the task whose group it is in",
  async () => {
    const [entries, sink] = keeping();
    const log = new Logger(sink);
    const parent = currentTask();

    const bare = createTask(() => log.info("bare"), { name: "bare" });
    await bare;
    await using group = new TaskGroup();
    const task = group.createTask(() => log.info("member"), { name: "member" });
    await task;

    assertEquals(entries.map((it) => it.task?.name), ["bare", "member"]);
    assertEquals(entries[0]?.task?.parent, undefined);
    assertEquals(entries[1]?.task?.id, task.id);
    assertEquals(entries[1]?.task?.parent, {
      id: parent?.id ?? 0,
      name: parent?.name ?? "",
    });
  },
);

Deno.test("Logger tells no task outside of all tasks", () => {
  const [entries, sink] = keeping();

  new Logger(sink).info("outside");

  assert(entries[0] !== undefined && !("task" in entries[0]));
});

testClean(
  "Logger tells the chosen context variables where it writes",
  async () => {
    const [entries, sink] = keeping();
    const request = new ContextVar<string>("request");
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const log = new Logger(sink, {
      context: { request, user, at: () => getRunningLoop().time() },
    });

    await Promise.all(["r-1", "r-2"].map((id) =>
      request.run(id, async () => {
        await sleep(5);
        const task = createTask(() => log.info("done"));
        await task;
      })
    ));
    log.info("after");

    assertEquals(entries.map(({ context }) => context), [
      { request: "r-1", at: 5 },
      { request: "r-2", at: 5 },
      { at: 5 },
    ]);
  },
);

testClean(
  "Logger writes the entry although a function of the context throws",
  () => {
    const [entries, sink] = keeping();
    const error = down();
    const fail = () => {
      throw error;
    };
    const log = new Logger(sink, { context: { broken: fail }, now: fail });

    log.info("written");

    assertEquals(entries[0]?.context, { broken: error });
    assertEquals(entries[0]?.time, NaN);
  },
);

testClean(
  "Logger writes the entry although a getter of the fields throws",
  () => {
    const [entries, sink] = keeping();
    const error = down();

    new Logger(sink, { fields: { kept: 1 } }).info("written", {
      get field(): never {
        throw error;
      },
    });

    assertEquals(entries[0]?.fields, { kept: 1, unreadable: error });
  },
);

testClean(
  "Logger reports a failing sink once, until it works again",
  async ({ reports }) => {
    let works = false;
    const log = new Logger(() => {
      if (!works) throw down();
    }, { name: "shop" });
    const message = 'Cannot write a log entry of "shop": the sink has failed';

    log.info("1");
    log.child().info("2");
    assertEquals(takeMessages(reports), [message]);
    works = true;
    log.info("3");
    works = false;
    log.info("4");
    assertEquals(takeMessages(reports), [message]);

    const slow = new Logger(() => Promise.reject(down()), { name: "shop" });
    slow.info("5");
    await sleep(1);
    assertEquals(takeMessages(reports), [message]);
  },
);

testClean(
  "Logger that logs the failure of its own sink comes to an end",
  () => {
    let calls = 0;
    const log = new Logger(() => {
      calls++;
      throw down();
    });
    getRunningLoop().exceptionHandler = logReports(log);

    log.info("first");

    assertEquals(calls, 2);
  },
);

testClean("logReports() writes reports of the loop as errors", () => {
  const [entries, sink] = keeping();
  const handler = logReports(new Logger(sink));
  const exception = down();

  handler({ message: "A callback has thrown", exception });
  handler({ message: "Something is odd" });
  const task = { toString: () => '<Task "t">' };
  handler({ message: "A task has failed", task, createdAt: "at x" });

  assertEquals(
    entries.map(({ level, message, fields }) => [level, message, fields]),
    [
      ["error", "A callback has thrown", { error: exception }],
      ["error", "Something is odd", {}],
      ["error", "A task has failed", { of: '<Task "t">', createdAt: "at x" }],
    ],
  );
});

testClean("Logger throws on what it cannot use", () => {
  const [, sink] = keeping();
  const bad = "loud" as "warn";

  assertThrows(
    () => new Logger(console as unknown as () => void),
    TypeError,
    'Cannot create a logger as "sink" must be a function',
  );
  assertThrows(
    () => new Logger(sink, { level: bad }),
    TypeError,
    'Cannot create a logger as "level" must be "debug", "info", "warn" or "error": current value is "loud"',
  );
  assertThrows(() => new Logger(sink).child({ level: bad }), TypeError);
  assertThrows(
    () => new Logger(sink).log(bad, { message: "", fields: {} }),
    TypeError,
    "Cannot write a log entry",
  );
  assertThrows(() => {
    new Logger(sink).level = bad;
  }, TypeError);
  assertThrows(
    () => new Logger(sink, { context: { id: 1 as unknown as () => void } }),
    TypeError,
    '"context.id" must be a function',
  );
});
