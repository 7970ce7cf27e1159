import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import plugin from "../../tools/lint_plugin.ts";

const ROOT = new URL("../../", import.meta.url);

/** Lints `source` as if it stood in `path`, and gives back the broken rules. */
function broken(path: string, source: string): string[] {
  const file = fileURLToPath(new URL(path, ROOT));
  return Deno.lint.runPlugin(plugin, file, source)
    .map(({ id }) => id.replace("ilmek/", ""));
}

Deno.test("no-await-create-task reports a task that is awaited at once", () => {
  const rule = ["no-await-create-task"];

  assertEquals(broken("tests/x.ts", "await createTask(fn);"), rule);
  assertEquals(broken("tests/x.ts", "await group.createTask(fn);"), rule);
  assertEquals(broken("tests/x.ts", "await (f().createTask(fn));"), rule);
});

Deno.test("no-await-create-task allows a task that is kept", () => {
  assertEquals(
    broken("tests/x.ts", "const task = createTask(fn); await task;"),
    [],
  );
  assertEquals(broken("tests/x.ts", "await createTask(fn).toPromise();"), []);
});

Deno.test("no-deno-outside-io reports the global in portable chapters", () => {
  const rule = ["no-deno-outside-io"];

  assertEquals(broken("primitives/x.ts", "Deno.exit();"), rule);
  assertEquals(broken("_internal/x.ts", "f(globalThis.Deno);"), rule);
  assertEquals(broken("patterns/x.ts", "type Info = Deno.FileInfo;"), rule);
  assertEquals(broken("testing/x.ts", "const { Deno } = globalThis;"), rule);
});

Deno.test("no-deno-outside-io allows the global elsewhere, and the word", () => {
  assertEquals(broken("io/x.ts", "Deno.exit();"), []);
  assertEquals(broken("tools/x.ts", "Deno.exit();"), []);
  assertEquals(broken("primitives/x.ts", "f({ Deno: 1 }).Deno;"), []);
});

Deno.test("no-deno-outside-io limits what is imported from Node", () => {
  const rule = ["no-deno-outside-io"];

  assertEquals(broken("primitives/x.ts", 'import "node:fs";'), rule);
  assertEquals(broken("primitives/x.ts", 'import "node:process";'), rule);
  assertEquals(broken("testing/x.ts", 'import "node:process";'), []);
  assertEquals(broken("primitives/x.ts", 'import "node:async_hooks";'), []);
  assertEquals(broken("io/x.ts", 'import "node:sqlite";'), []);
});

Deno.test("no-raw-time reports clocks, timers, randomness and the console", () => {
  const sources = [
    "Date.now();",
    "globalThis.Date.now();",
    "new Date();",
    "performance.now();",
    "Math.random();",
    "AbortSignal.timeout(1);",
    "Temporal.Now.instant();",
    "setTimeout(fn, 1);",
    "globalThis.setInterval(fn, 1);",
    "run(setImmediate);",
    "const { setTimeout: set } = globalThis;",
    "f({ setTimeout });",
    'import { setTimeout as sleep } from "node:timers/promises";',
    "console.error(1);",
  ];

  for (const source of sources) {
    const rules = broken("io/x.ts", source);
    assertEquals(rules, ["no-raw-time"], source);
  }
});

Deno.test("no-raw-time allows types, members and other chapters", () => {
  const sources = [
    "type Handle = ReturnType<typeof setTimeout>;",
    "clock.setTimeout(fn, 1);",
    "interface Clock { setTimeout(fn: () => void): void }",
    "class Clock { setTimeout(): void {} }",
    "loop.now();",
    "new Date(5);",
  ];

  for (const source of sources) {
    assertEquals(broken("io/x.ts", source), [], source);
  }
  assertEquals(broken("bench/x.ts", "setTimeout(fn, Date.now());"), []);
});

Deno.test("no-raw-time lets the clock read time, and the report write", () => {
  const clock = "_internal/system_clock.ts";
  const report = "_internal/report.ts";

  assertEquals(broken(clock, "setTimeout(fn, performance.now());"), []);
  assertEquals(broken(clock, "console.log(1);"), ["no-raw-time"]);
  assertEquals(broken(report, "console.log(1);"), []);
  assertEquals(broken(report, "Date.now();"), ["no-raw-time"]);
});

Deno.test("no-plain-error reports an `Error` that is thrown or rejected with", () => {
  const rule = ["no-plain-error"];

  assertEquals(broken("patterns/x.ts", 'throw new Error("no");'), rule);
  assertEquals(broken("patterns/x.ts", 'throw Error("no");'), rule);
  assertEquals(broken("patterns/x.ts", "Promise.reject(new Error());"), rule);
  assertEquals(broken("patterns/x.ts", "reject(new Error());"), rule);
});

Deno.test("no-plain-error allows subclasses, stacks and other chapters", () => {
  assertEquals(broken("patterns/x.ts", 'throw new RangeError("no");'), []);
  assertEquals(broken("patterns/x.ts", "const { stack } = new Error();"), []);
  assertEquals(broken("tests/x.ts", 'throw new Error("no");'), []);
});

Deno.test("no-private-keyword reports what is hidden only by convention", () => {
  const rule = ["no-private-keyword"];

  assertEquals(broken("tools/x.ts", "class A { private x = 1; }"), rule);
  assertEquals(
    broken("tools/x.ts", "class A { protected f(): void {} }"),
    rule,
  );
  assertEquals(broken("tools/x.ts", "class A { _x = 1; }"), rule);
  assertEquals(
    broken("tools/x.ts", "class A { get _x() { return 1; } }"),
    rule,
  );
});

Deno.test("no-private-keyword allows `#name` and unused bindings", () => {
  assertEquals(broken("tools/x.ts", "class A { #x = 1; y = 2; }"), []);
  assertEquals(broken("tools/x.ts", "using _permit = f();"), []);
});

Deno.test("no-default-export reports both ways to write one", () => {
  const rule = ["no-default-export"];

  assertEquals(broken("mod.ts", "export default 1;"), rule);
  assertEquals(
    broken("io/x.ts", "const a = 1; export { a as default };"),
    rule,
  );
  assertEquals(broken("io/x.ts", "export const a = 1;"), []);
  assertEquals(broken("tools/x.ts", "export default 1;"), []);
});

Deno.test("import-direction reports imports of chapters above", () => {
  const rule = ["import-direction"];
  const queue = 'import { Queue } from "../primitives/queue.ts";';
  const retry = 'export type { Retry } from "../patterns/retry.ts";';

  assertEquals(broken("_internal/x.ts", queue), rule);
  assertEquals(broken("primitives/x.ts", retry), rule);
  assertEquals(broken("patterns/x.ts", 'import "../io/file.ts";'), rule);
  assertEquals(broken("testing/x.ts", retry), rule);
  assertEquals(broken("io/x.ts", 'await import("../tests/x.ts");'), rule);
  assertEquals(broken("patterns/x.ts", queue), []);
  assertEquals(broken("testing/x.ts", queue), []);
  assertEquals(broken("io/x.ts", retry), []);
});

Deno.test("import-direction reports mod.ts, packages and private helpers", () => {
  const rule = ["import-direction"];

  assertEquals(broken("io/x.ts", 'import "../mod.ts";'), rule);
  assertEquals(broken("tests/io/x.ts", 'import "../../mod.ts";'), rule);
  assertEquals(broken("io/x.ts", 'import "@std/assert";'), rule);
  assertEquals(broken("io/x.ts", 'import "@ilmek/async";'), rule);
  assertEquals(broken("io/x.ts", 'import "../patterns/_backoff.ts";'), rule);
  assertEquals(broken("patterns/x.ts", 'import "./_backoff.ts";'), []);
  assertEquals(broken("tests/x.ts", 'import "@ilmek/async";'), []);
  assertEquals(broken("mod.ts", 'export * from "./io/run.ts";'), []);
});

Deno.test("no-non-null reports each use of `!`", () => {
  const rule = ["no-non-null"];

  assertEquals(broken("tests/x.ts", "f(list[0]!);"), rule);
  assertEquals(broken("tests/x.ts", "let x!: number;"), rule);
  assertEquals(broken("tests/x.ts", "class A { x!: number; }"), rule);
  assertEquals(broken("tests/x.ts", "class A { #x!: number; }"), rule);
  assertEquals(broken("tests/x.ts", "class A { x = !y; }"), []);
  assertEquals(broken("tests/x.ts", "if (a !== b && !c) f();"), []);
});
