import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { paintWith } from "../../../examples/harvest/paint.ts";
import {
  reportLines,
  type ReportOptions,
} from "../../../examples/harvest/report.ts";
import { RunRecord } from "../../../examples/harvest/run_record.ts";
import { testRecord } from "./_record.ts";

const OPTIONS: ReportOptions = {
  db: "x.db",
  picture: "x.svg",
  retries: 12,
  isStopped: false,
  hasGivenUp: false,
  command: "harvest --resume",
  paint: paintWith({ color: false }),
};

testRecord("reportLines() tells all of a run", (record) => {
  const lines = [...reportLines(record, OPTIONS)];

  assertEquals(lines, [
    "Incomplete at 300 of 301: 200 documents in 10.0 s, 20 a second",
    "",
    `  ${lines[2]?.trim()}`,
    `  ${"".padEnd(6)}${"‖".repeat(9)}${"".padEnd(15)}${"×".repeat(6)}${
      "".padEnd(24)
    } × circuit open, ‖ told to pause`,
    "",
    "  before    100 were there already",
    "  latency   p50 25 ms, p90 45 ms, p99 50 ms, max 50 ms",
    "  attempts  201, 1 failed: 1 error of the server",
    "  retries   12",
    "  limiter   paused 1 time as the server said, 1.5 s in all",
    "  circuit   opened 1 time",
    "  database  x.db, table documents",
    "  picture   x.svg",
    "",
    "  documents/9: RangeError: no <such> thing",
    "",
    "Get what is missing: harvest --resume",
  ]);
});

testRecord("reportLines() draws the pace of the run", (record) => {
  const [, , sparks = ""] = reportLines(record, OPTIONS);

  assertEquals(sparks.slice(2, 62).length, 60);
  assert(/^[▁▂▃▄▅▆▇█]+ 24\/s$/.test(sparks.trim()), sparks);
});

testRecord(
  "reportLines() calls a run that was stopped by its name",
  (record) => {
    const [headline] = reportLines(record, { ...OPTIONS, isStopped: true });

    assertStringIncludes(headline ?? "", "Stopped at 300 of 301: ");
  },
);

testRecord("reportLines() says that a run was given up", (record) => {
  const [headline] = reportLines(record, { ...OPTIONS, hasGivenUp: true });

  assertStringIncludes(
    headline ?? "",
    "Given up, as nothing came any more, at 300 of 301: ",
  );
});

Deno.test("reportLines() of a run without anything to do is short", () => {
  const record = new RunRecord({ wanted: 5, before: 5 });
  record.end();

  const lines = [...reportLines(record, { ...OPTIONS, picture: undefined })];

  assertEquals(lines.slice(1), [
    "",
    "  before    5 were there already",
    "  attempts  0, none failed",
    "  retries   12",
    "  limiter   never told to pause",
    "  circuit   never opened",
    "  database  x.db, table documents",
  ]);
  assertStringIncludes(lines[0] ?? "", "Complete: 0 documents in ");
});

Deno.test("reportLines() names five losses, and counts the rest", () => {
  const record = new RunRecord({ wanted: 7, before: 0 });
  for (let i = 0; i < 7; i++) record.addLoss(`d${i}`, new RangeError("gone"));

  const lines = [...reportLines(record, OPTIONS)];

  assertEquals(lines.filter((line) => line.includes("gone")).length, 5);
  assert(lines.includes("  and 2 more"));
});
