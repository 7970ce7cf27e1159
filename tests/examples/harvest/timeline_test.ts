import { assert, assertEquals } from "@std/assert";
import { RunRecord } from "../../../examples/harvest/run_record.ts";
import { scaleOf, ticksOf } from "../../../examples/harvest/svg.ts";
import { timelineSvg } from "../../../examples/harvest/timeline.ts";
import { testRecord } from "./_record.ts";

testRecord(
  "timelineSvg() draws each attempt, and what held requests back",
  (record) => {
    const svg = timelineSvg(record, { title: "A & <B>", retries: 12 });

    assertEquals(svg.match(/<circle class="ok"/g)?.length, 200);
    assertEquals(svg.match(/<circle class="status"/g)?.length, 1);
    assert(svg.includes("<title>circuit open for 500 ms</title>"));
    assert(svg.includes("<title>limiter paused for 1.5 s</title>"));
    assert(svg.includes(">A &amp; &lt;B&gt;</text>"));
    assert(svg.includes("300 of 301 documents are there, 100 from before"));
    assertEquals(problemsOf(svg), []);
  },
);

testRecord("timelineSvg() keeps all that it draws on the page", (record) => {
  const svg = timelineSvg(record, { title: "t", retries: 0 });

  for (const [, x, y] of svg.matchAll(/ c?x="([^"]+)" c?y="([^"]+)"/g)) {
    assert(Number(x) >= 0 && Number(x) <= 1120, `x = ${x}`);
    assert(Number(y) >= 0 && Number(y) <= 760, `y = ${y}`);
  }
});

Deno.test("timelineSvg() draws a run in which nothing has happened", () => {
  const record = new RunRecord({ wanted: 0, before: 0 });
  record.end();

  const svg = timelineSvg(record, { title: "Nothing", retries: 0 });

  assertEquals(problemsOf(svg), []);
});

Deno.test("timelineSvg() leaves out documents of a large run, and no failure", () => {
  const record = new RunRecord({ wanted: 20_000, before: 0 });
  for (let i = 0; i < 20_000; i++) {
    record.addAttempt(i % 1000 === 1 ? "timeout" : "ok", 0);
  }
  record.end();

  const svg = timelineSvg(record, { title: "Large", retries: 0 });

  const dots = svg.match(/<circle class="ok"/g)?.length ?? 0;
  assert(dots > 4000 && dots <= 6000, String(dots));
  assertEquals(svg.match(/<circle class="timeout"/g)?.length, 20);
});

Deno.test("ticksOf() gives round numbers up to the end, or beyond", () => {
  assertEquals(ticksOf(11_400, 10), [0, 2000, 4000, 6000, 8000, 10_000]);
  assertEquals(ticksOf(730, 4, { isUpTo: true }), [0, 200, 400, 600, 800]);
  assertEquals(ticksOf(1, 4, { isUpTo: true }), [0, 0.5, 1]);
});

Deno.test("scaleOf() spreads values over places", () => {
  const scale = scaleOf([0, 10], [100, 0]);

  assertEquals([scale(0), scale(2.5), scale(10)], [100, 75, 0]);
});

/** Tags that do not match, and numbers that are none. */
function problemsOf(svg: string): string[] {
  const problems: string[] = svg.match(/NaN|undefined|Infinity/g) ?? [];
  const open: string[] = [];
  for (const [, end, name = "", empty] of svg.matchAll(TAG_REGEXP)) {
    if (end === "/") {
      if (open.pop() !== name) problems.push(`</${name}>`);
    } else if (empty !== "/") open.push(name);
  }
  return [...problems, ...open];
}

const TAG_REGEXP = /<(\/?)(\w+)[^>]*?(\/?)>/g;
