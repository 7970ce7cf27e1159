/**
 * Lines for a log, as Python's `logging` writes them.
 */
import { timestampText } from "./_clock.ts";

const LEVELS = ["DEBUG", "INFO", "ERROR"] as const;

/** How much a line matters. */
export type Level = typeof LEVELS[number];

/** Writes lines that matter as much as `least`, or more. */
export class Logger {
  readonly #name: string;
  readonly #least: Level;

  constructor(name: string, least: Level = "INFO") {
    this.#name = name;
    this.#least = least;
  }

  debug(line: string): void {
    this.#write("DEBUG", line);
  }

  info(line: string): void {
    this.#write("INFO", line);
  }

  error(line: string): void {
    this.#write("ERROR", line);
  }

  #write(level: Level, line: string): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.#least)) return;
    console.log(`${timestampText()} - ${this.#name} - ${level} - ${line}`);
  }
}
