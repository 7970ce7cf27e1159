import {
  acceptedBy,
  allReferences,
  type Comparison,
  matches,
  type Reference,
  referenceOf,
} from "./comparator.ts";
import {
  allScenarios,
  type Order,
  type Scenario,
  type TraceEvent,
  traceOf,
} from "./harness.ts";

/** What came of a scenario on one order. */
export interface Verdict {
  readonly id: string;
  readonly order: Order;
  readonly comparison: Comparison;
  /** `error`: it differs undeclared, or has passed although it must differ. */
  readonly result: "pass" | "deviation" | "error";
  /** The number that the scenario declares for this order. */
  readonly deviation: number | undefined;
  readonly expected: readonly TraceEvent[];
  readonly actual: readonly TraceEvent[];
}

/** Runs a scenario, and compares. */
export async function judge(port: Scenario, order: Order): Promise<Verdict> {
  const reference = referenceOf(port.id);
  const deviation = port.deviation[order];
  const comparison = comparisonOf(reference, order);
  const actual = await traceOf(port, order);
  const same = matches(reference, actual, comparison);
  return {
    id: port.id,
    order,
    comparison,
    result: resultOf(same, deviation),
    deviation,
    expected: acceptedBy(reference)[0] ?? [],
    actual,
  };
}

/** The order of asyncio is compared as the scenario says, any other by time. */
export function comparisonOf({ order }: Reference, runOn: Order): Comparison {
  return runOn === "fifo" && order === "strict" ? "strict" : "time";
}

/** The traces of a verdict side by side; lines that differ have a mark. */
export function describe(verdict: Verdict): string {
  const { id, order, comparison, result, deviation, expected, actual } =
    verdict;
  const head = `${id} (${order}, ${comparison})`;
  if (result === "error" && deviation !== undefined) {
    return `${head} declares deviation ${deviation}, but does not differ`;
  }
  const left = ["expected", ...expected.map(lineOf)];
  const right = ["actual", ...actual.map(lineOf)];
  const width = Math.max(...left.map((line) => line.length));
  const rows = Array.from(
    { length: Math.max(left.length, right.length) },
    (_, i) => {
      const want = left[i] ?? "";
      const have = right[i] ?? "";
      const mark = i > 0 && want !== have ? "!" : " ";
      return `  ${mark} ${want.padEnd(width)} | ${have}`.trimEnd();
    },
  );
  return [head, ...rows].join("\n");
}

/** The scenarios that have no port. */
export function missingPorts(): string[] {
  const ported = new Set(allScenarios().map(({ id }) => id));
  return allReferences()
    .map(({ id }) => id)
    .filter((id) => !ported.has(id));
}

/** The reasons of all deviations, by number, as docs/asyncio.md gives them. */
export async function readReasons(): Promise<Map<number, string>> {
  const page = new URL("../../docs/asyncio.md", import.meta.url);
  const text = await Deno.readTextFile(page);
  const [, list = ""] = text.split("## Deviations");
  const reasons = list.matchAll(/^(\d+)\. \*\*([^]*?)\*\*/gm);
  return new Map(
    Array.from(reasons, ([, number, reason = ""]) => [
      Number(number),
      reason.replaceAll(/\s+/g, " ").replace(/[.:]$/, ""),
    ]),
  );
}

function lineOf([time, label, ...values]: TraceEvent): string {
  return [time, label, ...values.map((value) => JSON.stringify(value))]
    .join(" ");
}

function resultOf(
  same: boolean,
  deviation: number | undefined,
): Verdict["result"] {
  if (deviation === undefined) return same ? "pass" : "error";
  return same ? "error" : "deviation";
}
