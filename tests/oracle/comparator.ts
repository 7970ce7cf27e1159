import type { TraceEvent } from "./harness.ts";
import scenarios from "./scenarios.json" with { type: "json" };

/** How traces are compared; see `equal`. */
export type Comparison = "strict" | "time";

/** What CPython has done in a scenario. */
export interface Reference {
  readonly id: string;
  readonly category: string;
  readonly description: string;
  /** How a port on the order of asyncio is compared. */
  readonly order: string;
  /** The scenario in Python. */
  readonly reference: string;
  readonly trace: readonly TraceEvent[];
  /** Other traces that CPython has given, since it iterates over sets. */
  readonly also_seen?: readonly TraceEvent[][];
  /** Traces of later versions, where they are others. */
  readonly differs?: { readonly [version: string]: readonly TraceEvent[] };
  /** Which of these counts. */
  readonly prefer?: string;
}

const references = new Map(
  // The type of a file of this size is of no use.
  (scenarios.scenarios as unknown as Reference[]).map((r) => [r.id, r]),
);

/** The reference of a scenario. */
export function referenceOf(id: string): Reference {
  const found = references.get(id);
  if (found === undefined) {
    throw new RangeError(
      `Cannot compare "${id}": there is no reference for it`,
    );
  }
  return found;
}

/** All references. */
export function allReferences(): Reference[] {
  return [...references.values()];
}

/** The traces that count as those of asyncio. */
export function acceptedBy(reference: Reference): (readonly TraceEvent[])[] {
  const { trace, also_seen = [], differs, prefer } = reference;
  if (prefer === undefined) return [trace, ...also_seen];
  const preferred = differs?.[prefer];
  if (preferred === undefined) {
    throw new RangeError(
      `Cannot compare "${reference.id}": version ${prefer} has no trace`,
    );
  }
  return [preferred];
}

/** Whether a trace is one that the reference accepts, compared in that way. */
export function matches(
  reference: Reference,
  actual: readonly TraceEvent[],
  comparison: Comparison,
): boolean {
  return acceptedBy(reference).some((expected) =>
    equal(comparison, expected, actual)
  );
}

/**
 * Whether two traces are equal: `strict`, as lists; `time`, as sets of events
 * for each moment, while the order inside of each actor holds. It follows
 * `meta.comparator` of scenarios.json.
 */
export function equal(
  comparison: Comparison,
  expected: readonly TraceEvent[],
  actual: readonly TraceEvent[],
): boolean {
  if (comparison === "strict") return sameList("strict", expected, actual);
  const [before, after] = cut(expected);
  const [haveBefore, haveAfter] = cut(actual);
  if (!sameSet(before, haveBefore) || !sameSet(after, haveAfter)) return false;
  const wanted = byActor(expected);
  const had = byActor(actual);
  return wanted.size === had.size &&
    [...wanted].every(([actor, events]) =>
      sameList("time", events, had.get(actor) ?? [])
    );
}

/** Which of our errors stand for an error that CPython itself raises. */
const COUNTERPARTS: { readonly [kind: string]: readonly string[] } = {
  InvalidStateError: ["InvalidStateError"],
  RuntimeError: [
    "InvalidStateError",
    "ScopeClosedError",
    "DeadlockError",
    "SessionClosedError",
  ],
  ValueError: [
    "RangeError",
    "TypeError",
    "InvalidStateError",
    "SemaphoreReleaseError",
  ],
  TypeError: ["TypeError"],
  LookupError: ["MissingValueError"],
  TimeoutError: ["TimeoutError"],
  CancelledError: ["CancelledError"],
  QueueEmpty: ["QueueEmptyError"],
  QueueFull: ["QueueFullError"],
  QueueShutDown: ["QueueShutDownError"],
};

/** A record in a trace: an error, if it has a kind. */
interface TracedRecord {
  /** The kind of an error. */
  readonly error?: unknown;
  /** Its text, if the scenario itself has raised it. */
  readonly msg?: unknown;
  /** The wording of CPython, or of the guide. */
  readonly pymsg?: unknown;
  /** The members of a group. */
  readonly errors?: unknown;
  readonly [key: string]: unknown;
}

function valueMatches(
  comparison: Comparison,
  expected: unknown,
  actual: unknown,
): boolean {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && sameList(comparison, expected, actual);
  }
  if (typeof expected !== "object" || expected === null) {
    return Object.is(expected, actual);
  }
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) {
    return false;
  }
  const want = expected as TracedRecord;
  const have = actual as TracedRecord;
  if (want.error === "ExceptionGroup") {
    return groupMatches(comparison, want, have);
  }
  if (typeof want.error === "string" && !("msg" in want)) {
    return errorMatches(want.error, want, have);
  }
  const keys = Object.keys(want);
  return keys.length === Object.keys(have).length &&
    keys.every((key) =>
      key in have && valueMatches(comparison, want[key], have[key])
    );
}

/** By time, members that fail at one moment come in any order. */
function groupMatches(
  comparison: Comparison,
  want: TracedRecord,
  have: TracedRecord,
): boolean {
  if (have.error !== want.error) return false;
  if (!Array.isArray(want.errors) || !Array.isArray(have.errors)) return false;
  return comparison === "strict"
    ? sameList(comparison, want.errors, have.errors)
    : sameSet(want.errors, have.errors);
}

/** An error that is not a scenario's own: our wording is another. */
function errorMatches(
  kind: string,
  want: TracedRecord,
  have: TracedRecord,
): boolean {
  if (!("msg" in have)) {
    return have.error === kind ||
      (COUNTERPARTS[kind] ?? []).includes(String(have.error));
  }
  // What the guide's own programs raise has its text in `pymsg`, where a number
  // that may be that of any task is written N.
  if (have.error !== kind || !("pymsg" in want)) return false;
  return have.msg === want.pymsg ||
    String(have.msg).replace(/^Task-\d+/, "Task-N") === want.pymsg;
}

function sameList(
  comparison: Comparison,
  expected: readonly unknown[],
  actual: readonly unknown[],
): boolean {
  return expected.length === actual.length &&
    expected.every((entry, i) => valueMatches(comparison, entry, actual[i]));
}

/** Equal as multisets, by time. */
function sameSet(
  expected: readonly unknown[],
  actual: readonly unknown[],
): boolean {
  if (expected.length !== actual.length) return false;
  const left = [...actual];
  return expected.every((entry) => {
    const index = left.findIndex((other) => valueMatches("time", entry, other));
    if (index >= 0) left.splice(index, 1);
    return index >= 0;
  });
}

function cut(trace: readonly TraceEvent[]): [TraceEvent[], TraceEvent[]] {
  const end = trace.findIndex(([, label]) => label === "end");
  return [trace.slice(0, end), trace.slice(end)];
}

/** Labels that stand for no actor: the order of their lines means nothing. */
const SHARED_LABELS = ["out", "log", "loop"];

function byActor(trace: readonly TraceEvent[]): Map<string, TraceEvent[]> {
  const actors = new Map<string, TraceEvent[]>();
  for (const event of trace) {
    const [actor = ""] = event[1].split(":");
    if (SHARED_LABELS.includes(actor)) continue;
    const events = actors.get(actor);
    if (events === undefined) actors.set(actor, [event]);
    else events.push(event);
  }
  return actors;
}
