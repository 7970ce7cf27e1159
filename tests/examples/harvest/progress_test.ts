import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stripVTControlCharacters } from "node:util";
import { paintWith } from "../../../examples/harvest/paint.ts";
import {
  Progress,
  progressBar,
  type ProgressFacts,
  progressLine,
} from "../../../examples/harvest/progress.ts";
import { RunRecord } from "../../../examples/harvest/run_record.ts";
import { testClean } from "../../_leaks.ts";

const FACTS: ProgressFacts = {
  complete: 1234,
  wanted: 3000,
  rate: 412.4,
  leftMs: 4280,
  retries: 1,
  circuit: "closed",
  isStopping: false,
};
const PLAIN = paintWith({ color: false });

Deno.test("progressLine() says how far it is, how fast, and for how long", () => {
  assertEquals(
    progressLine(FACTS, PLAIN),
    " 41 %  1,234 of 3,000   412/s   4.3 s left  1 retry  circuit closed",
  );
});

Deno.test("progressLine() promises nothing where it knows nothing", () => {
  const line = progressLine({ ...FACTS, leftMs: NaN }, PLAIN);

  assertMatch(line, /412\/s {6}waiting {2}1 retry/);
});

Deno.test("progressLine() says that it is about to stop", () => {
  const line = progressLine({ ...FACTS, isStopping: true }, PLAIN);

  assertMatch(line, / {2}finishing what is under way {2}/);
});

Deno.test("progressLine() shows by color what state the circuit is in", () => {
  const paint = paintWith({ color: true });
  const line = (circuit: ProgressFacts["circuit"]) =>
    progressLine({ ...FACTS, circuit }, paint);

  assert(line("closed").endsWith("\x1b[32mcircuit closed\x1b[0m"));
  assert(line("half-open").endsWith("\x1b[33mcircuit half-open\x1b[0m"));
  assert(line("open").endsWith("\x1b[31mcircuit open\x1b[0m"));
});

Deno.test("progressBar() is full at the end, and not before", () => {
  const filled = (complete: number, wanted: number): number =>
    progressBar({ ...FACTS, complete, wanted }).replaceAll("░", "").length;

  assertEquals(filled(0, 3000), 0);
  assertEquals(filled(2999, 3000), 19);
  assertEquals(filled(3000, 3000), 20);
  assertEquals(filled(0, 0), 20);
});

testClean(
  "Progress writes a plain line each second where there is no terminal",
  async () => {
    const { progress, texts } = make(undefined);
    const task = createTask(() => progress.run());

    await sleep(3500);

    task.cancel();
    progress.clear();
    assertEquals(texts.length, 3);
    assert(texts.every((text) => /^ {2}0 % .*\n$/.test(text)), texts[0]);
    assert(!texts.join("").includes("\x1b"));
  },
);

testClean(
  "Progress writes over one line of a terminal, which does not wrap",
  async () => {
    const { progress, texts } = make(50);
    const task = createTask(() => progress.run());

    await sleep(1050);

    task.cancel();
    progress.clear();
    assertEquals(texts.length, 11);
    assertEquals(texts.pop(), "\r\x1b[2K");
    for (const text of texts) {
      assert(text.startsWith("\r\x1b[2K"));
      assert(stripVTControlCharacters(text).trimStart().length < 50);
      assert(!text.includes("\n"));
    }
  },
);

function make(
  columns: number | undefined,
): { progress: Progress; texts: string[] } {
  const texts: string[] = [];
  const progress = new Progress(
    { write: (text) => texts.push(text), columns, color: false },
    {
      record: new RunRecord({ wanted: 10, before: 0 }),
      client: { retries: 0 },
      stop: { drain: new AbortController().signal },
    },
  );
  return { progress, texts };
}
