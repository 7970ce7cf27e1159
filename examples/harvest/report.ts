/**
 * What a harvest says when it is over.
 */
import { count, counted, duration, type Paint } from "./paint.ts";
import type { Fate, RunRecord } from "./run_record.ts";

/** Options of {@linkcode reportLines}. */
export interface ReportOptions {
  readonly db: string;
  /** Where the picture is, if there is one. */
  readonly picture: string | undefined;
  readonly retries: number;
  readonly isStopped: boolean;
  /** Whether it has ended since nothing came any more. */
  readonly hasGivenUp: boolean;
  /** How the user gets what is missing. */
  readonly command: string;
  readonly paint: Paint;
}

const MAX_LOSSES = 5;
const SPARKS = " ▁▂▃▄▅▆▇█";
const SPARK_WIDTH = 60;
const OPEN_MARK = "×";
const PAUSE_MARK = "‖";

const FAILURES: readonly (readonly [Fate, readonly [string, string]])[] = [
  ["limited", ["asked to slow down", "asked to slow down"]],
  ["status", ["error of the server", "errors of the server"]],
  ["network", ["broken connection", "broken connections"]],
  ["garbled", ["without JSON", "without JSON"]],
  ["timeout", ["too late", "too late"]],
];

/** The report, line by line. */
export function* reportLines(
  record: RunRecord,
  options: ReportOptions,
): Generator<string> {
  const { db, picture, retries, paint, command } = options;
  const row = (name: string, text: string): string =>
    `  ${paint("dim", name.padEnd(10))}${text}`;
  yield headline(record, options);
  yield "";
  if (record.stored > 0) yield* sparkline(record, paint);
  if (record.before > 0) {
    yield row("before", `${count(record.before)} were there already`);
  }
  const { p50, p90, p99, max } = record.quantiles();
  if (!Number.isNaN(max)) {
    yield row(
      "latency",
      `p50 ${duration(p50)}, p90 ${duration(p90)}, p99 ${duration(p99)}, ` +
        `max ${duration(max)}`,
    );
  }
  yield row("attempts", attemptsText(record));
  yield row("retries", count(retries));
  yield row("limiter", limiterText(record));
  yield row("circuit", circuitText(record));
  yield row("database", `${db}, table documents`);
  if (picture !== undefined) yield row("picture", picture);
  const { losses, complete, wanted } = record;
  if (losses.length > 0) yield "";
  for (const { id, why } of losses.slice(0, MAX_LOSSES)) {
    yield paint("red", `  ${id}: ${why}`);
  }
  if (losses.length > MAX_LOSSES) {
    yield paint("red", `  and ${count(losses.length - MAX_LOSSES)} more`);
  }
  if (complete < wanted) {
    yield "";
    yield `Get what is missing: ${paint("bold", command)}`;
  }
}

/** Documents a second over the time; what held requests back stands below. */
function* sparkline(record: RunRecord, paint: Paint): Generator<string> {
  const rates = record.rates(SPARK_WIDTH);
  const most = Math.max(...rates);
  const levels = rates.map((rate) => {
    const level = Math.ceil(rate / most * (SPARKS.length - 1));
    return SPARKS[level] ?? "";
  });
  yield `  ${paint("green", levels.join(""))} ${count(most)}/s`;
  const marks = Array.from({ length: SPARK_WIDTH }, (_, i) => {
    const from = i / SPARK_WIDTH * record.elapsedMs;
    const to = (i + 1) / SPARK_WIDTH * record.elapsedMs;
    const kinds = record.interruptions()
      .filter((it) => it.from < to && it.to > from)
      .map(({ kind }) => kind);
    if (kinds.some((kind) => kind !== "paused")) return paint("red", OPEN_MARK);
    return kinds.length > 0 ? paint("yellow", PAUSE_MARK) : " ";
  });
  yield `  ${marks.join("")} ${paint("red", OPEN_MARK)} circuit open, ${
    paint("yellow", PAUSE_MARK)
  } told to pause`;
  yield "";
}

function headline(
  record: RunRecord,
  { isStopped, hasGivenUp, paint }: ReportOptions,
): string {
  const { stored, complete, wanted, elapsedMs } = record;
  const rate = elapsedMs === 0 ? 0 : stored / elapsedMs * 1000;
  const speed = `${counted(stored, "document")} in ${duration(elapsedMs)}, ` +
    `${count(rate)} a second`;
  if (complete === wanted) {
    return `${paint("green", "Complete")}: ${speed}`;
  }
  const word = hasGivenUp
    ? paint("red", "Given up, as nothing came any more,")
    : isStopped
    ? paint("yellow", "Stopped")
    : paint("red", "Incomplete");
  return `${word} at ${count(complete)} of ${count(wanted)}: ${speed}`;
}

function attemptsText(record: RunRecord): string {
  const all = count(record.attempts.length);
  const kinds = FAILURES
    .map(([fate, words]) => [record.countOf(fate), words] as const)
    .filter(([times]) => times > 0)
    .map(([times, words]) => counted(times, ...words));
  if (kinds.length === 0) return `${all}, none failed`;
  return `${all}, ${count(record.failed)} failed: ${kinds.join(", ")}`;
}

function circuitText({ openings }: RunRecord): string {
  return openings === 0
    ? "never opened"
    : `opened ${counted(openings, "time")}`;
}

function limiterText({ freezes }: RunRecord): string {
  const ms = freezes.reduce((sum, { from, to }) => sum + to - from, 0);
  return freezes.length === 0
    ? "never told to pause"
    : `paused ${counted(freezes.length, "time")} as the server said, ` +
      `${duration(ms)} in all`;
}
