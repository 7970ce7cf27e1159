import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  HELP,
  isLocal,
  parseOptions,
  UsageError,
} from "../../../examples/harvest/options.ts";

Deno.test("parseOptions() reads all options", () => {
  const options = parseOptions([
    ...["--urls", "urls.txt", "--base-url", "https://example.com/api"],
    ...["--db", "x.db", "--report", "x.svg", "--rate", "7", "--timeout=250"],
    ...["--concurrency", "3", "--documents", "9", "--resume"],
  ]);

  assertEquals(options, {
    urls: "urls.txt",
    baseUrl: "https://example.com/api",
    db: "x.db",
    report: "x.svg",
    rate: 7,
    concurrency: 3,
    timeoutMs: 250,
    resume: true,
    documents: 9,
  });
});

Deno.test("parseOptions() is careful with the servers of others, and bold with its own", () => {
  const own = parseOptions([]);
  const other = parseOptions(["--base-url", "https://example.com"]);

  assert(own !== "help" && other !== "help");
  assert(isLocal(own));
  assert(!isLocal(other));
  assertEquals([own.rate, own.concurrency], [600, 32]);
  assertEquals([other.rate, other.concurrency], [20, 8]);
  assertEquals([own.db, other.db], ["harvest-demo/documents.db", "harvest.db"]);
  assertEquals(own.report, "harvest-demo/timeline.svg");
  assertEquals(other.report, undefined);
});

Deno.test("parseOptions() puts --help before all that is wrong with values", () => {
  assertEquals(parseOptions(["--rate", "x", "-h"]), "help");
});

for (
  const [args, message] of [
    [["--speed", "9"], "Cannot read the options: Unknown option '--speed'"],
    [["now"], "Cannot read the options: Unexpected argument 'now'"],
    [["--db"], "Cannot read the options: Option '--db"],
    [["--rate", "0"], "--rate as it must be an integer from 1 to 100000"],
    [["--rate", "1.5"], 'current value is "1.5"'],
    [["--concurrency", "1001"], "must be an integer from 1 to 1000"],
    [["--timeout", "soon"], 'current value is "soon"'],
    [["--base-url", "ftp://x"], "Cannot use --base-url as it must be a URL of"],
    [["--base-url", "api"], 'current value is "api"'],
  ] as const
) {
  Deno.test(`parseOptions() throws on ${args.join(" ")}`, () => {
    assertThrows(() => parseOptions(args), UsageError, message);
  });
}

Deno.test("HELP names every option, and fits a terminal", () => {
  const names = [
    ...["urls", "base-url", "db", "report", "rate", "concurrency", "timeout"],
    ...["resume", "documents", "help"],
  ];

  assertEquals(names.filter((name) => !HELP.includes(`\n  --${name} `)), []);
  assertEquals(HELP.split("\n").filter((line) => line.length > 80), []);
});
