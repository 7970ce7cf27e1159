import { assert, assertEquals, assertFalse } from "@std/assert";
import type { Captured, Line } from "./_capture.ts";
import { ClockCheck, compare, matches } from "./_compare.ts";
import type { TraceSection } from "./_trace.ts";

const SECTIONS: TraceSection[] = [{
  name: "Part",
  start: 0,
  duration_s: 2,
  same_time_groups: [[0, 1, 2]],
  events: [
    { t: 1, actor: "a", text: "a1" },
    { t: 1, actor: "a", text: "a2" },
    { t: 1, actor: "b", text: "b" },
    { t: 2, actor: "a", text: "end" },
  ],
}];

Deno.test("compare() finds nothing in what is equal", () => {
  assertEquals(
    compare(SECTIONS, printed(["1 a1", "1 a2", "1 b", "2 end"])),
    [],
  );
});

Deno.test("compare() lets actors interleave at one instant, unless it is total", () => {
  const other = printed(["1 a1", "1 b", "1 a2", "2 end"]);

  assertEquals(compare(SECTIONS, other), []);
  assertEquals(compare(SECTIONS, other, { total: true }).length, 4);
});

Deno.test("compare() finds lines of one actor in a wrong order", () => {
  const other = printed(["1 a2", "1 a1", "1 b", "2 end"]);

  assertEquals(compare(SECTIONS, other), [
    "Part: + 1 out a2",
    "Part: - 1 a a2",
  ]);
});

Deno.test("compare() finds a wrong text, a wrong time, and what is missing or too much", () => {
  const right = ["1 a1", "1 a2", "1 b", "2 end"];

  for (
    const wrong of [
      right.with(3, "2 End"),
      right.with(0, "1.001 a1"),
      right.slice(0, 3),
      right.slice(1),
      [...right, "2 more"],
      ["1 b", "1 b", "1 a1", "2 end"],
    ]
  ) {
    assert(compare(SECTIONS, printed(wrong)).length > 0, wrong.join());
  }
});

Deno.test("compare() leaves out times where they mean nothing, but not the order", () => {
  const late = printed(["0 a1", "5 a2", "7 b", "7 end"]);
  const options = { untimed: ["Part"] };

  assertEquals(compare(SECTIONS, late, options), []);
  assert(
    compare(SECTIONS, printed(["0 a2", "0 a1", "0 b", "0 end"]), options)
      .length > 0,
  );
});

Deno.test("compare() finds a wrong duration, a wrong heading, and errors", () => {
  const lines = printed(["1 a1", "1 a2", "1 b", "2 end"]).lines;
  const [heading, ...rest] = lines;
  const loud = rest.map((line) => ({ ...line, stream: "err" as const }));

  assertEquals(compare(SECTIONS, { lines, total: 3 }), [
    "Part: takes 3 s instead of 2 s",
  ]);
  assert(compare(SECTIONS, { lines: rest, total: 2 }).length > 0);
  assert(
    compare(SECTIONS, { lines: [heading as Line, ...loud], total: 2 }).length >
      0,
  );
});

Deno.test("matches() compares placeholders with the time they stand for", () => {
  const at = (t: number, text: string): Line => ({ t, stream: "out", text });

  assert(matches("[<loop_time>] x", at(1.5, "[1.50] x")));
  assertFalse(matches("[<loop_time>] x", at(1.5, "[1.51] x")));
  assert(matches("took ~2.00 s", at(0, "took 2.00 s")));
  assertFalse(matches("took ~2.00 s", at(0, "took 2.01 s")));
  assert(matches("<base>/1: ok", at(0, "http://127.0.0.1:80/1: ok")));
  assertFalse(matches("<base>/1: ok", at(0, "http://other/1: ok")));
  assert(matches("<loop type>", at(0, "<class 'Loop'>")));
});

Deno.test("ClockCheck.fits() sees a time of day that stands or jumps", () => {
  const clock = new ClockCheck();

  assert(clock.fits("23:59:59", 10));
  assert(clock.fits("00:00:01", 12));
  assertFalse(clock.fits("23:59:59", 13));
  assertFalse(clock.fits("00:00:09", 13));
  assertFalse(clock.fits("24h", 13));
});

/** Lines such as "1 text", under a heading at 0; it ends with the last of them. */
function printed(texts: readonly string[]): Captured {
  const lines = texts.map((line): Line => {
    const [t = "", ...words] = line.split(" ");
    return { t: Number(t), stream: "out", text: words.join(" ") };
  });
  return {
    lines: [{ t: 0, stream: "out", text: "=== Part ===" }, ...lines],
    total: 2,
  };
}
