/**
 * Compares the library with asyncio: `deno task oracle`.
 *
 * Every port runs on the order of asyncio, then on that of production. A trace
 * that differs is an error, unless the port declares a deviation; then a trace
 * that does not differ is one.
 *
 * @module
 */
import "./all.ts";
import { allScenarios, type Order } from "./harness.ts";
import {
  describe,
  judge,
  missingPorts,
  readReasons,
  type Verdict,
} from "./verdict.ts";

const reasons = await readReasons();
const fifo = await judgeAll("fifo");
const system = await judgeAll("system");
const all = [...fifo, ...system];

const problems = [
  ...all.filter(({ result }) => result === "error").map(describe),
  ...all.filter(isUnexplained).map(({ id, deviation }) =>
    `${id} declares deviation ${deviation}, of which docs/asyncio.md knows nothing`
  ),
  ...missingPorts().map((id) => `${id} has no port`),
];
for (const problem of problems) console.log(`ERROR ${problem}\n`);
printDeviations(all);
console.log(summaryOf("on the order of production", system));
console.log(summaryOf("scenarios", fifo));
if (problems.length > 0) Deno.exit(1);

async function judgeAll(order: Order): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const port of allScenarios()) verdicts.push(await judge(port, order));
  return verdicts;
}

function isUnexplained({ deviation }: Verdict): boolean {
  return deviation !== undefined && !reasons.has(deviation);
}

/** Each number with its reason, and the scenarios that differ by it. */
function printDeviations(verdicts: readonly Verdict[]): void {
  const found = verdicts.filter(({ result }) => result === "deviation");
  const byNumber = Map.groupBy(found, ({ deviation }) => deviation ?? 0);
  for (const [number, verdicts] of [...byNumber].sort(([a], [b]) => a - b)) {
    console.log(`deviation ${number}: ${reasons.get(number) ?? "unknown"}`);
    for (const [id, { length, 0: first }] of Map.groupBy(verdicts, idOf)) {
      const only = length > 1 ? "" : ` (on ${first?.order} only)`;
      console.log(`  ${id}${only}`);
    }
  }
  console.log();
}

function idOf({ id }: Verdict): string {
  return id;
}

function summaryOf(what: string, verdicts: readonly Verdict[]): string {
  const count = (wanted: Verdict["result"]) =>
    verdicts.filter(({ result }) => result === wanted).length;
  const { length } = verdicts;
  return `${what}: ${count("pass")} of ${length} pass, ${
    count("deviation")
  } deviations`;
}
