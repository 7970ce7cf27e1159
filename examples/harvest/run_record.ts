/**
 * What has happened during a harvest: the facts for its progress, its report and its
 * picture.
 */
import type { CircuitState } from "@ilmek/async/circuit-breaker";
import { getRunningLoop } from "@ilmek/async/loop";

/** What became of an attempt to get a document. */
export type Fate =
  | "ok"
  | "limited"
  | "status"
  | "network"
  | "garbled"
  | "timeout";

/** An attempt that has reached the network; times are since the begin of the run. */
export interface Attempt {
  readonly endedAt: number;
  readonly durationMs: number;
  readonly fate: Fate;
}

/** The state of the circuit of a host from some time on. */
export interface CircuitChange {
  readonly at: number;
  readonly host: string;
  readonly state: CircuitState;
}

/** A time in which the limiter of a host lets nothing through. */
export interface Freeze {
  readonly host: string;
  readonly from: number;
  readonly to: number;
}

/** A time in which requests were held back, and by what. */
export interface Interruption {
  readonly from: number;
  readonly to: number;
  readonly kind: "open" | "half-open" | "paused";
}

/** A document that could not be had. */
export interface Loss {
  readonly id: string;
  readonly why: string;
}

/** How long attempts took. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The record of one run. */
export class RunRecord {
  readonly attempts: Attempt[] = [];
  readonly circuit: CircuitChange[] = [];
  readonly freezes: Freeze[] = [];
  readonly losses: Loss[] = [];
  /** How many documents are wanted, those of former runs included. */
  readonly wanted: number;
  /** How many of them a former run has stored. */
  readonly before: number;
  readonly #startedAt = getRunningLoop().time();
  #stored = 0;
  #abandoned = 0;
  #endedAt: number | undefined = undefined;

  constructor({ wanted, before }: { wanted: number; before: number }) {
    this.wanted = wanted;
    this.before = before;
  }

  /** How long the run has taken so far. */
  get elapsedMs(): number {
    return this.#endedAt ?? this.#now();
  }

  /** How many documents this run has stored. */
  get stored(): number {
    return this.#stored;
  }

  /** How many documents were left under way when time was over. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** How many documents are there. */
  get complete(): number {
    return this.before + this.#stored;
  }

  /** How many attempts have failed. */
  get failed(): number {
    return this.attempts.length - this.countOf("ok");
  }

  /** How often a circuit has opened. */
  get openings(): number {
    return this.circuit.filter(({ state }) => state === "open").length;
  }

  /** The state of the circuit that is worst off. */
  get circuitState(): CircuitState {
    const states = new Map<string, CircuitState>();
    for (const { host, state } of this.circuit) states.set(host, state);
    const present = [...states.values()];
    if (present.includes("open")) return "open";
    return present.includes("half-open") ? "half-open" : "closed";
  }

  /** How many attempts had this fate. */
  countOf(fate: Fate): number {
    return this.attempts.filter((attempt) => attempt.fate === fate).length;
  }

  /** How many documents a second came, in the last `windowMs` milliseconds. */
  rate(windowMs: number): number {
    const now = this.elapsedMs;
    const length = Math.min(windowMs, now);
    const from = this.attempts.findLastIndex(({ endedAt }) =>
      endedAt <= now - length
    );
    const recent = this.attempts.slice(from + 1);
    const count = recent.filter(({ fate }) => fate === "ok").length;
    return length === 0 ? 0 : count / length * 1000;
  }

  /** How many documents a second came, in each of `bins` equal parts of the run. */
  rates(bins: number): number[] {
    const rates = new Array<number>(bins).fill(0);
    const binMs = Math.max(1, this.elapsedMs) / bins;
    for (const { endedAt, fate } of this.attempts) {
      if (fate !== "ok") continue;
      const bin = Math.min(bins - 1, Math.floor(endedAt / binMs));
      rates[bin] = (rates[bin] ?? 0) + 1000 / binMs;
    }
    return rates;
  }

  /** When a circuit was not closed, or a limiter had to pause. */
  interruptions(): Interruption[] {
    const { elapsedMs } = this;
    const spans: Interruption[] = this.freezes.map(({ from, to }) => ({
      from,
      to: Math.min(to, elapsedMs),
      kind: "paused",
    }));
    for (const host of new Set(this.circuit.map((change) => change.host))) {
      const changes = this.circuit.filter((change) => change.host === host);
      for (const [i, { at, state }] of changes.entries()) {
        const to = changes[i + 1]?.at ?? elapsedMs;
        if (state !== "closed") spans.push({ from: at, to, kind: state });
      }
    }
    return spans;
  }

  /** How long the attempts took that succeeded. */
  quantiles(): Quantiles {
    const sorted = this.attempts
      .filter(({ fate }) => fate === "ok")
      .map(({ durationMs }) => durationMs)
      .sort((a, b) => a - b);
    const at = (part: number): number =>
      sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? NaN;
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }

  addAttempt(fate: Fate, sentAt: number): void {
    const endedAt = this.#now();
    const durationMs = endedAt - (sentAt - this.#startedAt);
    this.attempts.push({ endedAt, durationMs, fate });
  }

  addCircuit(host: string, state: CircuitState): void {
    this.circuit.push({ at: this.#now(), host, state });
  }

  addFreeze(host: string, ms: number): void {
    const now = this.#now();
    const to = now + ms;
    const last = this.freezes.findLastIndex((freeze) => freeze.host === host);
    const { from, to: until } = this.freezes[last] ?? { from: 0, to: -1 };
    // What comes while it lasts makes it longer.
    if (until >= now) this.freezes[last] = { host, from, to };
    else this.freezes.push({ host, from: now, to });
  }

  addLoss(id: string, error: unknown): void {
    this.losses.push({ id, why: String(error) });
  }

  addAbandoned(): void {
    this.#abandoned++;
  }

  addStored(count: number): void {
    this.#stored += count;
  }

  /** Stops the clock. */
  end(): void {
    this.#endedAt ??= this.#now();
  }

  #now(): number {
    return getRunningLoop().time() - this.#startedAt;
  }
}
