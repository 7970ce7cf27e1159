/**
 * A picture of a harvest: how fast documents came, how long each attempt took and
 * what became of it, and when the circuit and the limiter held requests back.
 */
import { count, counted, duration } from "./paint.ts";
import type { Fate, Interruption, RunRecord } from "./run_record.ts";
import {
  type Box,
  element,
  escapeText,
  number,
  type Scale,
  scaleOf,
  ticksOf,
} from "./svg.ts";

/** Options of {@linkcode timelineSvg}. */
export interface TimelineOptions {
  readonly title: string;
  readonly retries: number;
}

const WIDTH = 1120;
const HEIGHT = 760;
const LEFT = 76;
const RIGHT = WIDTH - 40;
const THROUGHPUT: Box = { left: LEFT, right: RIGHT, top: 212, bottom: 366 };
const ATTEMPTS: Box = { left: LEFT, right: RIGHT, top: 428, bottom: 622 };
const CIRCUIT_Y = 656;
const LIMITER_Y = 684;
const AXIS_Y = 716;
const STRIP_HEIGHT = 12;
/** More dots than these would hide each other, and make the file large. */
const MAX_DOTS = 6000;

const FATES: readonly (readonly [Fate, readonly [string, string]])[] = [
  ["ok", ["document", "documents"]],
  ["status", ["server error", "server errors"]],
  ["limited", ["told to slow down", "told to slow down"]],
  ["network", ["broken connection", "broken connections"]],
  ["garbled", ["not JSON", "not JSON"]],
  ["timeout", ["too late", "too late"]],
];

/** Each rule stands twice: for a light page, and for a dark one. */
const STYLE = `
text { font-family: ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #47525f; font-size: 12px }
.page { fill: #ffffff } .tile { fill: #f4f6f8 }
.title { font-size: 21px; font-weight: 600; fill: #16202b }
.value { font-size: 23px; font-weight: 600; fill: #16202b }
.panel { font-size: 13px; font-weight: 600; fill: #16202b }
.quiet { fill: #74808d } .end { text-anchor: end } .middle { text-anchor: middle }
.grid { stroke: #e6eaee; stroke-width: 1 }
.area { fill: #1fa187; fill-opacity: 0.16 } .line { fill: none; stroke: #14806b; stroke-width: 1.75; stroke-linejoin: round }
.ok { fill: #1fa187 } .status { fill: #d5403b } .limited { fill: #e08a00 } .network { fill: #7b4fd0 } .garbled { fill: #c2469b } .timeout { fill: #2f6fd6 }
.dots .ok { fill-opacity: 0.3 } .dots :not(.ok) { fill-opacity: 0.9 }
.strip { fill: #e6eaee } .open { fill: #d5403b } .half-open { fill: #f0b43c } .paused { fill: #e08a00 }
.shade { fill-opacity: 0.09 }
@media (prefers-color-scheme: dark) {
  text { fill: #a9b4c0 } .page { fill: #12171d } .tile { fill: #1b222a }
  .title, .value, .panel { fill: #eef2f6 } .quiet { fill: #8793a0 }
  .grid { stroke: #262e37 } .strip { fill: #262e37 } .line { stroke: #35c4a6 }
}`;

/** Draws the picture. */
export function timelineSvg(
  record: RunRecord,
  options: TimelineOptions,
): string {
  const totalMs = Math.max(1, record.elapsedMs);
  const time = scaleOf([0, totalMs], [LEFT, RIGHT]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>${escapeText(options.title)}</title>`,
    `<style>${STYLE}</style>`,
    element("rect", { class: "page", width: WIDTH, height: HEIGHT, rx: 12 }),
    text(options.title, { class: "title", x: 40, y: 50 }),
    text(subtitle(record), { class: "quiet", x: 40, y: 73 }),
    ...tiles(record, options),
    ...shades(record, time),
    ...timeGrid(time, totalMs),
    ...throughput(record, time, totalMs),
    ...attempts(record, time),
    ...strips(record, time),
    "</svg>",
    "",
  ].join("\n");
}

function subtitle({ complete, wanted, before }: RunRecord): string {
  const part = complete === wanted
    ? `all ${counted(wanted, "document")} are there`
    : `${count(complete)} of ${counted(wanted, "document")} are there`;
  return before > 0 ? `${part}, ${count(before)} from before` : part;
}

function* tiles(
  record: RunRecord,
  { retries }: TimelineOptions,
): Generator<string> {
  const { stored, elapsedMs, openings } = record;
  const { p50, p99 } = record.quantiles();
  const facts: readonly (readonly [string, string])[] = [
    [count(stored), stored === 1 ? "document" : "documents"],
    [duration(elapsedMs), "duration"],
    [count(stored / Math.max(1, elapsedMs) * 1000), "per second"],
    [duration(p50), "median latency"],
    [duration(p99), "p99 latency"],
    [count(retries), retries === 1 ? "retry" : "retries"],
    [count(openings), openings === 1 ? "circuit opening" : "circuit openings"],
  ];
  const gap = 10;
  const width = (WIDTH - 80 + gap) / facts.length - gap;
  for (const [i, [value, name]] of facts.entries()) {
    const x = 40 + i * (width + gap);
    yield element("rect", {
      class: "tile",
      x,
      y: 94,
      width,
      height: 66,
      rx: 8,
    });
    yield text(value, { class: "value", x: x + 14, y: 124 });
    yield text(name, { class: "quiet", x: x + 14, y: 146 });
  }
}

/** Where requests were held back: behind both panels. */
function* shades(record: RunRecord, time: Scale): Generator<string> {
  for (const { from, to, kind } of record.interruptions()) {
    for (const { top, bottom } of [THROUGHPUT, ATTEMPTS]) {
      const box = { x: time(from), y: top, height: bottom - top };
      const width = time(to) - time(from);
      yield element("rect", { class: `shade ${kind}`, ...box, width });
    }
  }
}

function* timeGrid(time: Scale, totalMs: number): Generator<string> {
  for (const ms of ticksOf(totalMs, 10)) {
    const x = time(ms);
    for (const { top, bottom } of [THROUGHPUT, ATTEMPTS]) {
      yield element("line", {
        class: "grid",
        x1: x,
        x2: x,
        y1: top,
        y2: bottom,
      });
    }
    const label = ms === 0 ? "0" : `${number(ms / 1000)} s`;
    yield text(label, { class: "quiet middle", x, y: AXIS_Y });
  }
}

function* throughput(
  record: RunRecord,
  time: Scale,
  totalMs: number,
): Generator<string> {
  const bins = Math.min(120, Math.max(10, Math.ceil(totalMs / 100)));
  const perSecond = record.rates(bins);
  const ticks = ticksOf(Math.max(1, ...perSecond), 4, { isUpTo: true });
  const { left, right, top, bottom } = THROUGHPUT;
  const height = scaleOf([0, ticks.at(-1) ?? 1], [bottom, top]);
  yield text("Documents a second", { class: "panel", x: 40, y: top - 20 });
  for (const tick of ticks) {
    const y = height(tick);
    yield element("line", { class: "grid", x1: left, x2: right, y1: y, y2: y });
    yield text(count(tick), { class: "quiet end", x: left - 10, y: y + 4 });
  }
  const points = perSecond.map((value, bin) => {
    const x = time((bin + 0.5) / bins * totalMs);
    return `${number(x)} ${number(height(value))}`;
  });
  const path = `M${left} ${number(height(perSecond[0] ?? 0))} L` +
    `${points.join(" ")} L${right} ${number(height(perSecond.at(-1) ?? 0))}`;
  const area = `${path} L${right} ${bottom} L${left} ${bottom} Z`;
  yield element("path", { class: "area", d: area });
  yield element("path", { class: "line", d: path });
}

function* attempts(record: RunRecord, time: Scale): Generator<string> {
  const { left, right, top, bottom } = ATTEMPTS;
  yield text("How long each attempt took", {
    class: "panel",
    x: 40,
    y: top - 20,
  });
  yield legend(record, top - 20);
  const longest = Math.max(
    10,
    ...record.attempts.map(({ durationMs }) => durationMs),
  );
  const decades = Math.ceil(Math.log10(longest) - 1e-9);
  const log = scaleOf([0, decades], [bottom, top]);
  const height = (ms: number): number => log(Math.log10(Math.max(1, ms)));
  for (let decade = 0; decade <= decades; decade++) {
    const y = log(decade);
    yield element("line", { class: "grid", x1: left, x2: right, y1: y, y2: y });
    const label = decade < 3 ? `${10 ** decade} ms` : `${10 ** (decade - 3)} s`;
    yield text(label, { class: "quiet end", x: left - 10, y: y + 4 });
  }
  const step = Math.ceil(record.attempts.length / MAX_DOTS);
  yield '<g class="dots">';
  // What went wrong is rare, and lies above the rest.
  for (const isFailure of [false, true]) {
    for (
      const [i, { endedAt, durationMs, fate }] of record.attempts.entries()
    ) {
      if (
        (fate !== "ok") !== isFailure || (!isFailure && i % step > 0)
      ) continue;
      yield element("circle", {
        class: fate,
        cx: time(endedAt),
        cy: height(durationMs),
        r: isFailure ? 2.6 : 1.9,
      });
    }
  }
  yield "</g>";
}

/** The fates that there were: one line of text, so that any font fits. */
function legend(record: RunRecord, y: number): string {
  const entries = FATES.map(([fate, words]) => {
    const times = record.countOf(fate);
    if (times === 0) return "";
    const dot = element("tspan", { class: fate }, "●");
    // Plain spaces would become one.
    return `\u00a0\u00a0\u00a0\u00a0${dot} ${counted(times, ...words)}`;
  });
  return element("text", { class: "quiet end", x: RIGHT, y }, entries.join(""));
}

function* strips(record: RunRecord, time: Scale): Generator<string> {
  const all = record.interruptions();
  const ofLimiter = all.filter(({ kind }) => kind === "paused");
  const ofCircuit = all.filter(({ kind }) => kind !== "paused");
  yield* strip("circuit", CIRCUIT_Y, ofCircuit, time);
  yield* strip("limiter", LIMITER_Y, ofLimiter, time);
}

/** A bar over the whole time, and what was not as usual in it. */
function* strip(
  name: string,
  y: number,
  spans: readonly Interruption[],
  time: Scale,
): Generator<string> {
  const bar = { y, height: STRIP_HEIGHT, rx: 3 };
  yield text(name, { class: "quiet end", x: LEFT - 10, y: y + 10 });
  yield element("rect", {
    class: "strip",
    x: LEFT,
    width: RIGHT - LEFT,
    ...bar,
  });
  for (const { from, to, kind } of spans) {
    const width = Math.max(2, time(to) - time(from));
    const title = element(
      "title",
      {},
      `${name} ${kind} for ${duration(to - from)}`,
    );
    yield element("rect", { class: kind, x: time(from), width, ...bar }, title);
  }
}

function text(
  content: string,
  attributes: Readonly<Record<string, string | number>>,
): string {
  return element("text", attributes, escapeText(content));
}
