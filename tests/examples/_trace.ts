/**
 * What the programs of the guide print, and when: recorded from CPython, and
 * corrected where the guide's program is wrong.
 *
 * `traces/` holds the recordings, unchanged; `corrections/` what differs and why,
 * each hunk with the id of a bug in `bugs.json`.
 */

/** One line, and who prints it when. */
export interface TraceEvent {
  /** Seconds from the start of the section. */
  readonly t: number;
  readonly actor: string;
  readonly text: string;
}

/** A part of a program: what follows a heading. */
export interface TraceSection {
  readonly name: string;
  /** Seconds from the start of the program. */
  readonly start: number;
  readonly duration_s: number;
  /** Indices of events at one instant of which several actors are the source. */
  readonly same_time_groups: readonly (readonly number[])[];
  readonly events: readonly TraceEvent[];
}

/** A random number that the recorded program has drawn. */
export type Draw = readonly [
  kind: string,
  min: number,
  max: number,
  value: number,
  at: number,
];

/** Another recording of the same program. */
export interface TraceVariant {
  readonly file: string;
  readonly draws: readonly Draw[] | null;
  readonly lines: readonly (readonly [at: number, text: string])[];
}

/** The recording of one program. */
export interface Trace {
  readonly example: number;
  readonly virtual: {
    readonly total_s: number;
    readonly random_draws: readonly Draw[];
  };
  readonly sections: readonly TraceSection[];
  readonly variants: readonly TraceVariant[];
}

/** A difference between the recording and the corrected program. */
export interface Hunk {
  /** The id of the bug of the guide's program that it corrects. */
  readonly bug: string;
  readonly why: string;
  /** The section, or the file of the variant, that is corrected. */
  readonly in: string;
  /** What the guide's program prints wrongly; it must be there. */
  readonly remove?: readonly TraceEvent[];
  /** What the corrected program prints instead. */
  readonly add?: readonly TraceEvent[];
  /** How long the corrected section takes. */
  readonly duration_s?: number;
  /** Says that the guide's program lacks the section. */
  readonly isNew?: true;
}

/** All hunks for one program. */
export interface Correction {
  readonly example: number;
  readonly hunks: readonly Hunk[];
}

/** A bug of the guide's programs. */
export interface Bug {
  readonly id: string;
  readonly title: string;
}

/** Whether there is a recording of a program. */
export function hasTrace(example: number): boolean {
  const folder = new URL("traces/", import.meta.url);
  return [...Deno.readDirSync(folder)].some(({ name }) =>
    name === fileName(example)
  );
}

/** Reads the recording of a program. */
export function readTrace(example: number): Trace {
  return readJson(`traces/${fileName(example)}`, drawBetween) as Trace;
}

/** Reads the correction of a program; most have none. */
export function readCorrection(example: number): Correction {
  const name = fileName(example);
  const folder = new URL("corrections/", import.meta.url);
  const exists = [...Deno.readDirSync(folder)].some((file) =>
    file.name === name
  );
  if (!exists) return { example, hunks: [] };
  return readJson(`corrections/${name}`) as Correction;
}

/** Reads the bugs that corrections may name. */
export function readBugs(): readonly Bug[] {
  return readJson("bugs.json") as Bug[];
}

/** What a program must print: its recording, corrected. */
export function expectedSections(example: number): readonly TraceSection[] {
  const { sections, variants } = readTrace(example);
  const { hunks } = readCorrection(example);
  const files = variants.map(({ file }) => file);
  return correct(
    sections,
    { example, hunks: hunks.filter((hunk) => !files.includes(hunk.in)) },
    readBugs(),
  ).map(withoutPlaces);
}

/** What a variant of a program must print: its recording, corrected. */
export function expectedVariant(example: number, file: string): TraceSection {
  const found = readTrace(example).variants.find((v) => v.file === file);
  if (found === undefined) throw new RangeError(`Cannot find "${file}"`);
  const hunks = readCorrection(example).hunks.filter((h) => h.in === file);
  const corrected = correct(
    [sectionOfVariant(found)],
    { example, hunks },
    readBugs(),
  );
  return withoutPlaces(corrected[0] as TraceSection);
}

/**
 * A section whose tracebacks tell functions, named as here, but no places in a
 * Python program: a file and a line stand in for each other's, and what is written
 * there is left out.
 */
function withoutPlaces(section: TraceSection): TraceSection {
  const events = section.events
    .filter(({ text }, i) =>
      !(text.startsWith("    ") &&
        PLACE_REGEXP.test(section.events[i - 1]?.text ?? ""))
    )
    .map((event) => ({
      ...event,
      text: event.text.replace(
        PLACE_REGEXP,
        (_, name: string) => `  File <place>, in ${camelCase(name)}`,
      ),
    }));
  if (events.length === section.events.length) return section;
  return { ...section, events, same_time_groups: sameTimeGroups(events) };
}

const PLACE_REGEXP = /^ {2}File ".+", line \d+, in (\w+)$/;

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Applies a correction; refuses hunks without a known bug, or that do not fit. */
export function correct(
  sections: readonly TraceSection[],
  correction: Correction,
  bugs: readonly Bug[],
): readonly TraceSection[] {
  let corrected = [...sections];
  for (const hunk of correction.hunks) {
    checkHunk(hunk, bugs);
    corrected = applyHunk(corrected, hunk);
  }
  return corrected;
}

/** The lines of a variant as the events of one section. */
export function sectionOfVariant(variant: TraceVariant): TraceSection {
  const events = variant.lines.map(([t, text]) => ({ t, actor: "any", text }));
  return {
    name: variant.file,
    start: 0,
    duration_s: events.at(-1)?.t ?? 0,
    same_time_groups: [],
    events,
  };
}

/** Where events of several actors share an instant, as indices. */
export function sameTimeGroups(events: readonly TraceEvent[]): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < events.length;) {
    const indices: number[] = [];
    const start = events[i]?.t;
    for (; i < events.length && events[i]?.t === start; i++) indices.push(i);
    const actors = new Set(indices.map((index) => events[index]?.actor));
    if (actors.size > 1) groups.push(indices);
  }
  return groups;
}

function checkHunk(hunk: Hunk, bugs: readonly Bug[]): void {
  if (!bugs.some(({ id }) => id === hunk.bug)) {
    throw new TypeError(
      `Cannot correct "${hunk.in}": "${hunk.bug}" is no bug of the list`,
    );
  }
  if (!hunk.why) {
    throw new TypeError(`Cannot correct "${hunk.in}": a hunk has no reason`);
  }
}

function applyHunk(sections: TraceSection[], hunk: Hunk): TraceSection[] {
  const { remove = [], add = [] } = hunk;
  const index = sections.findIndex(({ name }) => name === hunk.in);
  if ((index === -1) !== (hunk.isNew ?? false)) {
    throw new RangeError(
      `Cannot correct "${hunk.in}": the section is ${
        index === -1 ? "not" : "already"
      } there`,
    );
  }
  const end = sections.reduce((sum, { duration_s }) => sum + duration_s, 0);
  const section = sections[index] ?? emptySection(hunk.in, end);
  const events = [...section.events];
  for (const event of remove) {
    const at = events.findIndex((e) =>
      e.t === event.t && e.actor === event.actor && e.text === event.text
    );
    if (at === -1) {
      throw new RangeError(
        `Cannot correct "${hunk.in}": "${event.text}" is not there at ${event.t}`,
      );
    }
    events.splice(at, 1);
  }
  for (const event of add) {
    const later = events.findIndex(({ t }) => t > event.t);
    events.splice(later === -1 ? events.length : later, 0, event);
  }
  const corrected: TraceSection = {
    ...section,
    duration_s: hunk.duration_s ?? section.duration_s,
    same_time_groups: sameTimeGroups(events),
    events,
  };
  return index === -1
    ? [...sections, corrected]
    : sections.with(index, corrected);
}

function emptySection(name: string, start: number): TraceSection {
  return { name, start, duration_s: 0, same_time_groups: [], events: [] };
}

function fileName(example: number): string {
  return `${String(example).padStart(2, "0")}.json`;
}

/** What `random.random()` has drawn is written without its bounds. */
function drawBetween(key: string, value: unknown): unknown {
  if (key !== "random_draws" && key !== "draws") return value;
  if (!Array.isArray(value)) return value;
  return value.map((draw) =>
    draw.length === 3 ? [draw[0], 0, 1, ...draw.slice(1)] : draw
  );
}

function readJson(
  path: string,
  revive?: (key: string, value: unknown) => unknown,
): unknown {
  const text = Deno.readTextFileSync(new URL(path, import.meta.url));
  return JSON.parse(text, revive);
}
