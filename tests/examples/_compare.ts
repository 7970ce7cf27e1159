import type { Captured, Line } from "./_capture.ts";
import type { TraceEvent, TraceSection } from "./_trace.ts";

/** How far a number that is marked with `~` may be off: its last digit shown. */
const NUMBER_TOLERANCE = 0.005;

const HEADING_REGEXP = /^(\n?)=== (.+) ===$/;
const PLACEHOLDER_REGEXP =
  /<clock>|<loop_time>|<base>|<loop type>|<culprit>|<place>|~\d+\.\d+/;

/** How strictly a program is compared. */
export interface CompareOptions {
  /** Also compares the order of different actors at one instant. */
  readonly total?: boolean;
  /** Sections with real input and output, whose times mean nothing. */
  readonly untimed?: readonly string[];
  /**
   * How far times may be off, in seconds. Recorded times are rounded to 4 digits;
   * sums of them may be off by more.
   *
   * @default {0.0005}
   */
  readonly tolerance?: number;
}

/**
 * Compares what a program has printed with what it must print.
 *
 * What happens at different times must come in order; what one actor does must
 * come in order; what several actors do at one instant may interleave.
 *
 * @returns What differs, a line each; nothing if all is well.
 */
export function compare(
  sections: readonly TraceSection[],
  { lines, total }: Captured,
  options: CompareOptions = {},
): string[] {
  const { untimed = [], tolerance: usual = 0.0005 } = options;
  const wanted = sections.map(({ name }) => name);
  const inner = sections.flatMap(({ events }) => events.map((it) => it.text));
  const parts = split(lines, inner);
  const names = parts.map(({ name }) => name ?? "(main)");
  if (names.join() !== wanted.join()) {
    return [`sections: "${names.join()}" instead of "${wanted.join()}"`];
  }
  const clock = new ClockCheck();
  const problems = parts.flatMap((part, index) => {
    const section = sections[index] as TraceSection;
    const tolerance = untimed.includes(section.name) ? Infinity : usual;
    const end = parts[index + 1]?.t ?? total;
    return [
      ...headingProblems(part, index),
      ...durationProblems(section, end - part.t, tolerance),
      ...linesProblems(section, part, {
        clock,
        tolerance,
        total: options.total ?? false,
      }),
    ];
  });
  return problems;
}

/** The lines under one heading. */
interface Part {
  readonly name: string | undefined;
  readonly isApart: boolean;
  readonly t: number;
  readonly lines: readonly Line[];
}

interface LineRules {
  readonly clock: ClockCheck;
  readonly tolerance: number;
  readonly total: boolean;
}

/** Splits at headings, but for those that stand inside of a section. */
function split(lines: readonly Line[], inner: readonly string[]): Part[] {
  const parts: (Part & { lines: Line[] })[] = [];
  for (const printed of lines) {
    const text = printed.text.trimStart();
    const isInner = HEADING_REGEXP.test(text) && inner.includes(text);
    const line = isInner ? { ...printed, text } : printed;
    const heading = isInner ? null : HEADING_REGEXP.exec(line.text);
    if (heading !== null) {
      const [, blank = "", name = ""] = heading;
      parts.push({ name, isApart: blank !== "", t: line.t, lines: [] });
    } else {
      if (parts.length === 0) {
        parts.push({ name: undefined, isApart: false, t: 0, lines: [] });
      }
      // The recordings have no blank lines.
      const text = line.text.replace(/^\n/, "");
      parts.at(-1)?.lines.push({ ...line, text });
    }
  }
  return parts;
}

function headingProblems(part: Part, index: number): string[] {
  if (part.isApart === index > 0) return [];
  return [`${part.name}: wrong space above the heading`];
}

function durationProblems(
  section: TraceSection,
  duration: number,
  tolerance: number,
): string[] {
  if (isNear(duration, section.duration_s, tolerance)) return [];
  return [
    `${section.name}: takes ${duration} s instead of ${section.duration_s} s`,
  ];
}

function linesProblems(
  section: TraceSection,
  part: Part,
  rules: LineRules,
): string[] {
  const { events } = section;
  const problems: string[] = [];
  const groups = rules.total ? [] : section.same_time_groups;
  for (let i = 0; i < Math.max(events.length, part.lines.length);) {
    const size = groups.find(([first]) => first === i)?.length ?? 1;
    const wanted = events.slice(i, i + size);
    const printed = part.lines.slice(i, i + Math.max(size, 1));
    problems.push(...blockProblems(section, wanted, printed, part.t, rules));
    i += size;
  }
  return problems;
}

/** Compares lines of one instant: each actor's must come in order. */
function blockProblems(
  section: TraceSection,
  wanted: readonly TraceEvent[],
  printed: readonly Line[],
  start: number,
  rules: LineRules,
): string[] {
  const open = [...wanted];
  const problems: string[] = [];
  for (const line of printed) {
    const t = line.t - start;
    const found = open.findIndex((event, index) =>
      line.stream === "out" &&
      isNear(t, event.t, rules.tolerance) &&
      matches(event.text, line, rules.clock) &&
      !open.slice(0, index).some(({ actor }) => actor === event.actor)
    );
    if (found === -1) {
      problems.push(`${section.name}: + ${t} ${line.stream} ${line.text}`);
    } else open.splice(found, 1);
  }
  for (const event of open) {
    problems.push(`${section.name}: - ${event.t} ${event.actor} ${event.text}`);
  }
  return problems;
}

/** Whether times are the same; one that is not known is the same as any. */
function isNear(t: number, wanted: number, tolerance: number): boolean {
  return Number.isNaN(t) || Math.abs(t - wanted) <= tolerance;
}

/** Compares a text with one that holds placeholders. */
export function matches(
  wanted: string,
  line: Line,
  clock: ClockCheck = new ClockCheck(),
): boolean {
  const placeholder = PLACEHOLDER_REGEXP.exec(wanted);
  if (placeholder === null) return wanted === line.text;
  const [mark] = placeholder;
  const before = wanted.slice(0, placeholder.index);
  const after = wanted.slice(placeholder.index + mark.length);
  if (!line.text.startsWith(before) || !line.text.endsWith(after)) return false;
  const value = line.text.slice(
    before.length,
    line.text.length - after.length,
  );
  if (mark === "<clock>") return clock.fits(value, line.t);
  if (mark === "<loop_time>") {
    return Number.isNaN(line.t)
      ? /^\d+\.\d\d$/.test(value)
      : value === line.t.toFixed(2);
  }
  if (mark === "<base>") return /^http:\/\/127\.0\.0\.1:\d+$/.test(value);
  if (mark === "<loop type>") return /^<class '\w+'>$/.test(value);
  if (mark === "<place>") return /^"\w+\.ts", line \d+$/.test(value);
  if (mark === "<culprit>") return /"slow_task"/.test(value);
  return /^\d+\.\d+$/.test(value) &&
    Math.abs(Number(value) - Number(mark.slice(1))) <= NUMBER_TOLERANCE;
}

/** Sees that times of day go on as virtual time does. */
export class ClockCheck {
  #origin: number | undefined;

  /** Whether `HH:MM:SS`, or `YYYY-MM-DD HH:MM:SS,mmm`, fits to the virtual time `t`, if that is known. */
  fits(text: string, t: number): boolean {
    // A log tells the day, and the milliseconds, too.
    const parts = /^(?:\d{4}-\d\d-\d\d )?(\d\d):(\d\d):(\d\d)(?:,\d{3})?$/.exec(
      text,
    );
    if (parts === null) return false;
    const [hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map(Number);
    if (Number.isNaN(t)) return true;
    const ofDay = hours * 3600 + minutes * 60 + seconds;
    this.#origin ??= ofDay - t;
    const day = 24 * 3600;
    const off = (((ofDay - t - this.#origin) % day) + day) % day;
    // Both are cut to whole seconds.
    return Math.min(off, day - off) <= 1;
  }
}
