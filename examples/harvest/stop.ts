/**
 * How a harvest ends early: the first signal lets it finish what is under way, the
 * second one does not, and the third ends the process.
 */
import { isCancelled } from "@ilmek/async/errors";
import { getRunningLoop, type Handle } from "@ilmek/async/loop";
import { withScope } from "@ilmek/async/scope";
import { onSignal, UnsupportedSignalError } from "@ilmek/async/signals";

/** How long documents that are under way may take after the first signal. */
const DRAIN_MS = 2000;

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 };

/** Listens to SIGINT and SIGTERM until it is disposed of. */
export class Stop implements Disposable {
  readonly #drain = new AbortController();
  readonly #abandon = new AbortController();
  readonly #listeners: Disposable[] = [];
  #timer: Handle | undefined = undefined;
  #exitCode = 0;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      try {
        this.#listeners.push(
          onSignal(name, () => this.ask(EXIT_CODES[name])),
        );
      } catch (error) {
        // Some platforms have only one of them.
        if (!(error instanceof UnsupportedSignalError)) throw error;
      }
    }
  }

  /** Aborts when no more documents are to be begun. */
  get drain(): AbortSignal {
    return this.#drain.signal;
  }

  /** Aborts when no document is to be waited for any more. */
  get abandon(): AbortSignal {
    return this.#abandon.signal;
  }

  /** What the process exits with; 0 if nobody has asked it to end. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Asks the harvest to end; asking again is more urgent. */
  ask(exitCode: number): void {
    if (this.#abandon.signal.aborted) Deno.exit(this.#exitCode);
    if (this.#drain.signal.aborted) return this.#abandon.abort();
    this.#exitCode = exitCode;
    this.#drain.abort();
    this.#timer = getRunningLoop().callLater(
      DRAIN_MS,
      () => this.#abandon.abort(),
    );
  }

  /** Runs `fn`, and gives `undefined` if it is asked to end meanwhile. */
  async unlessAsked<T>(fn: () => Promise<T>): Promise<T | undefined> {
    try {
      return await withScope(fn, { signal: this.drain });
    } catch (error) {
      if (this.drain.aborted && isCancelled(error)) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
  }
}
