import type { ServiceStop } from "../patterns/supervisor.ts";
import type { InterruptedError } from "./run.ts";

/** Something that held a shutdown up. */
export interface ShutdownBlocker {
  /** The service, or the request. */
  readonly name: string;
  /**
   * `"cut"`: it had no time left to finish, and was cancelled. `"stuck"`: it did not
   * end even then.
   */
  readonly how: "cut" | "stuck";
  /** What it waited for. */
  readonly waitsFor: readonly string[];
}

/** What a report is made of. */
export interface ShutdownFacts {
  readonly reason: string;
  readonly signal: InterruptedError["signal"] | undefined;
  readonly hurried: boolean;
  readonly ms: number;
  readonly deadlineMs: number;
  readonly services: readonly ServiceStop[];
  readonly blocked: readonly ShutdownBlocker[];
  readonly failure: { readonly error: unknown } | undefined;
}

/**
 * What was known when an application had ended.
 *
 * @example Read why, and how
 * ```ts
 * import { Application } from "@ilmek/async/application";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const application = new Application();
 * const running = createTask(() => application.start());
 * await application.untilStarted();
 * application.handleSignal("SIGTERM");
 * const { reason, blocked, exitCode } = await running;
 *
 * assertEquals([reason, blocked, exitCode], ["SIGTERM", [], 0]);
 * ```
 */
export class ShutdownReport {
  /** Why it has ended, in words. */
  readonly reason: string;
  /** The first signal that has come, if one has. */
  readonly signal: "SIGINT" | "SIGTERM" | undefined;
  /** Whether a second signal left nobody time to finish. */
  readonly hurried: boolean;
  /** How long the shutdown took. */
  readonly ms: number;
  /** How long it might have taken. */
  readonly deadlineMs: number;
  /** What has become of the services, workers and HTTP included. */
  readonly services: readonly ServiceStop[];
  /** What held it up: services and requests that did not end when they were asked to. */
  readonly blocked: readonly ShutdownBlocker[];
  /** Whether it has failed; `error` says why. */
  readonly failed: boolean;
  /** What it has failed with. */
  readonly error: unknown;

  /**
   * Reports come from an `Application`.
   *
   * @internal
   */
  constructor(facts: ShutdownFacts) {
    this.reason = facts.reason;
    this.signal = facts.signal;
    this.hurried = facts.hurried;
    this.ms = facts.ms;
    this.deadlineMs = facts.deadlineMs;
    this.services = facts.services;
    this.blocked = facts.blocked;
    this.failed = facts.failure !== undefined;
    this.error = facts.failure?.error;
  }

  /** Whether everything had the time to finish. */
  get complete(): boolean {
    return !this.hurried && this.blocked.length === 0;
  }

  /**
   * What the process is to exit with: 1 after a failure, 0 if everything had the
   * time to finish, else 128 + the number of the signal, or 1 if there was none.
   */
  get exitCode(): number {
    if (this.failed) return 1;
    if (this.complete) return 0;
    return this.signal === undefined ? 1 : exitCodeOf(this.signal);
  }

  /** The report in words: a line, and one for each thing that held it up. */
  get text(): string {
    const lines = [
      `Shutdown took ${
        Math.round(this.ms)
      } of ${this.deadlineMs} ms, after ${this.reason}: ${this.#outcome()}`,
    ];
    for (const { name, how, waitsFor } of this.blocked) {
      lines.push(
        `  ${name} ${how === "cut" ? "was cut off" : "did not end"}`,
        ...waitsFor.map((wait) => `    ${wait}`),
      );
    }
    return lines.join("\n");
  }

  /** The same as `text`. */
  toString(): string {
    return this.text;
  }

  #outcome(): string {
    const code = `exit code ${this.exitCode}`;
    if (this.hurried) return `it was hurried, ${code}`;
    const { length } = this.blocked;
    if (length === 0) return `everything has ended, ${code}`;
    return `${length} ${length === 1 ? "thing" : "things"} held it up, ${code}`;
  }
}

/** What a process exits with that a signal has ended. */
export function exitCodeOf(signal: "SIGINT" | "SIGTERM"): number {
  return 128 + (signal === "SIGINT" ? 2 : 15);
}
