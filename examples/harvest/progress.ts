/**
 * How far a harvest is, while it runs: one line that is written over on a terminal,
 * and a plain line now and then anywhere else.
 */
import { interval } from "@ilmek/async/interval";
import { stripVTControlCharacters } from "node:util";
import { count, counted, duration, type Paint, paintWith } from "./paint.ts";
import type { RunRecord } from "./run_record.ts";

/** What a {@linkcode Progress} shows. */
export interface ProgressFacts {
  readonly complete: number;
  readonly wanted: number;
  /** How many documents a second come at present. */
  readonly rate: number;
  /** How long the rest takes, at the pace of the whole run. */
  readonly leftMs: number;
  readonly retries: number;
  readonly circuit: "closed" | "open" | "half-open";
  readonly isStopping: boolean;
}

/** Where progress is shown. */
export interface ProgressOutput {
  /** Writes a text as it is. */
  readonly write: (text: string) => void;
  /** How wide the terminal is; `undefined` if it is none. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** What a {@linkcode Progress} asks. */
export interface ProgressSources {
  readonly record: RunRecord;
  readonly client: { readonly retries: number };
  readonly stop: { readonly drain: AbortSignal };
}

const TERMINAL_MS = 100;
const PIPE_MS = 1000;
/** The rate is that of the latest time, as long as this. */
const RATE_WINDOW_MS = 2000;
const BAR_WIDTH = 20;
const CLEAR_LINE = "\r\x1b[2K";

const CIRCUIT_STYLES = {
  "closed": "green",
  "half-open": "yellow",
  "open": "red",
} as const;

/** The progress of one run. */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #sources: ProgressSources;
  readonly #paint: Paint;

  constructor(output: ProgressOutput, sources: ProgressSources) {
    this.#output = output;
    this.#sources = sources;
    this.#paint = paintWith(output);
  }

  /** Shows progress until it is cancelled. */
  async run(): Promise<void> {
    const isTerminal = this.#output.columns !== undefined;
    for await (const _ of interval(isTerminal ? TERMINAL_MS : PIPE_MS)) {
      this.show();
    }
  }

  /** Shows the present state. */
  show(): void {
    const { write, columns } = this.#output;
    const facts = this.#facts();
    if (columns === undefined) {
      return write(`${progressLine(facts, this.#paint)}\n`);
    }
    const line = `${progressBar(facts)}  ${progressLine(facts, this.#paint)}`;
    const plain = stripVTControlCharacters(line);
    // A line that wraps could not be written over.
    const fits = plain.length < columns;
    write(CLEAR_LINE + (fits ? line : plain.slice(0, columns - 1)));
  }

  /** Takes the line off the terminal. */
  clear(): void {
    if (this.#output.columns !== undefined) this.#output.write(CLEAR_LINE);
  }

  #facts(): ProgressFacts {
    const { record, client, stop } = this.#sources;
    const { complete, wanted, stored, elapsedMs, circuitState } = record;
    return {
      complete,
      wanted,
      rate: record.rate(RATE_WINDOW_MS),
      leftMs: (wanted - complete) * elapsedMs / stored,
      retries: client.retries,
      circuit: circuitState,
      isStopping: stop.drain.aborted,
    };
  }
}

/** The state in words. */
export function progressLine(facts: ProgressFacts, paint: Paint): string {
  const { complete, wanted, rate, retries, circuit, isStopping } = facts;
  const parts = [
    paint("bold", `${percent(facts)} %`.padStart(5)),
    `${count(complete).padStart(count(wanted).length)} of ${count(wanted)}`,
    `${count(rate)}/s`.padStart(6),
    isStopping ? "finishing what is under way" : leftText(facts),
    counted(retries, "retry", "retries"),
    paint(CIRCUIT_STYLES[circuit], `circuit ${circuit}`),
  ];
  return parts.join("  ");
}

/** The state as a bar. */
export function progressBar(facts: ProgressFacts): string {
  const filled = Math.floor(BAR_WIDTH * percent(facts) / 100);
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}

function percent({ complete, wanted }: ProgressFacts): number {
  return wanted === 0 ? 100 : Math.floor(complete / wanted * 100);
}

function leftText({ leftMs }: ProgressFacts): string {
  const text = Number.isFinite(leftMs) ? `${duration(leftMs)} left` : "waiting";
  return text.padStart(11);
}
