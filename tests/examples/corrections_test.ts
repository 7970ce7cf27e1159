import { assertEquals, assertThrows } from "@std/assert";
import {
  correct,
  type Hunk,
  readBugs,
  readCorrection,
  readTrace,
  sectionOfVariant,
  type TraceSection,
} from "./_trace.ts";

const BUGS = [{ id: "B01", title: "A bug" }];
const SECTION: TraceSection = {
  name: "Part",
  start: 0,
  duration_s: 2,
  same_time_groups: [[0, 1]],
  events: [
    { t: 1, actor: "a", text: "one" },
    { t: 1, actor: "b", text: "two" },
    { t: 2, actor: "a", text: "three" },
  ],
};

Deno.test("Every correction names a bug of the list and fits to its trace", () => {
  const files = [...Deno.readDirSync(new URL("corrections", import.meta.url))];

  for (const { name } of files) {
    const correction = readCorrection(Number.parseInt(name));
    const { sections, variants } = readTrace(correction.example);
    const all = [...sections, ...variants.map(sectionOfVariant)];

    assertEquals(name, `${String(correction.example).padStart(2, "0")}.json`);
    correct(all, correction, readBugs());
  }
});

Deno.test("correct() refuses a hunk that names no bug of the list", () => {
  for (const bug of ["B99", ""]) {
    const error = assertThrows(() => apply({ bug }), TypeError);

    assertEquals(
      error.message,
      `Cannot correct "Part": "${bug}" is no bug of the list`,
    );
  }
});

Deno.test("correct() refuses a hunk without a reason", () => {
  assertThrows(() => apply({ why: "" }), TypeError, "a hunk has no reason");
});

Deno.test("correct() refuses to remove what is not there", () => {
  const remove = [{ t: 1, actor: "b", text: "one" }];

  assertThrows(() => apply({ remove }), RangeError, '"one" is not there at 1');
});

Deno.test("correct() refuses a hunk for a section that is not there", () => {
  assertThrows(() => apply({ in: "Other" }), RangeError, "is not there");
  assertThrows(() => apply({ isNew: true }), RangeError, "is already there");
});

Deno.test("correct() takes lines out, and puts others where their time is", () => {
  const [section] = apply({
    remove: [{ t: 1, actor: "b", text: "two" }],
    add: [{ t: 1.5, actor: "c", text: "new" }],
    duration_s: 3,
  });

  assertEquals(section?.events.map(({ text }) => text), [
    "one",
    "new",
    "three",
  ]);
  assertEquals(section?.duration_s, 3);
  assertEquals(section?.same_time_groups, []);
});

function apply(hunk: Partial<Hunk>): readonly TraceSection[] {
  const whole: Hunk = { bug: "B01", why: "It is wrong", in: "Part", ...hunk };
  return correct([SECTION], { example: 1, hunks: [whole] }, BUGS);
}
