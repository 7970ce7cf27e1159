import { listen } from "../_internal/signal.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { TimeoutError } from "../primitives/errors.ts";
import { getRunningLoop, Loop } from "../primitives/loop.ts";

/** What a new exchange is told. */
export interface HttpExchangeOptions {
  /** How long it may take in all; `Infinity` for ever. */
  readonly limitMs: number;
  /** How long a pause within the body may be; `Infinity` for ever. */
  readonly idleMs: number;
  /** Whatever aborts it. */
  readonly signals: readonly AbortSignal[];
  /** Called once, when it is over. */
  readonly onEnd: (exchange: HttpExchange) => void;
}

/**
 * A request and its response, from the first step until the body was read or
 * dropped: what may abort it, and what must be taken back at its end.
 */
export class HttpExchange {
  /** The request, without what may be secret, for errors. */
  readonly request: string;
  readonly #controller = new AbortController();
  readonly #onEnd: (exchange: HttpExchange) => void;
  readonly #loop = Loop.coreOf(getRunningLoop());
  readonly #limitMs: number;
  readonly #idleMs: number;
  /** The loop's time at which all must be over. */
  readonly #limit: number;
  readonly #undo: (() => void)[] = [];
  #isOver = false;

  constructor(request: string, options: HttpExchangeOptions) {
    const { limitMs, idleMs, signals, onEnd } = options;
    this.request = request;
    this.#onEnd = onEnd;
    for (const signal of signals) {
      this.#undo.push(listen(signal, (reason) => this.abort(reason)));
    }
    this.#limitMs = limitMs;
    this.#idleMs = idleMs;
    this.#limit = this.#loop.time() + limitMs;
    // A body that nobody reads must not keep the process alive.
    this.#undo.push(this.#startTimer({ idle: true }));
  }

  /** What ends the request, and the body of its response. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for a step of the platform, in the time that is left. */
  wait<T>(step: Promise<T>): Promise<T> {
    return this.within(abortable(step, { signal: this.signal }));
  }

  /** Sees that a step that ends with the signal is over in the time that is left. */
  async within<T>(step: Promise<T>): Promise<T> {
    const stopTimer = this.#startTimer({ idle: false });
    try {
      return await step;
    } finally {
      stopTimer();
    }
  }

  /** Waits for a piece of the body, which must not be long in coming. */
  async waitForPiece<T>(step: Promise<T>): Promise<T> {
    const idleMs = this.#idleMs;
    if (idleMs === Infinity) return await this.wait(step);
    const label = `a piece of the response to ${this.request}`;
    const expire = (): void => this.abort(new TimeoutError(idleMs, { label }));
    const timer = this.#loop.timers.after(idleMs, { label, expire });
    try {
      return await this.wait(step);
    } finally {
      timer.cancel();
    }
  }

  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.end();
    this.#controller.abort(reason);
  }

  /** Takes back all that watched over the exchange. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const undo of this.#undo) undo();
    this.#onEnd(this);
  }

  #startTimer(options: { idle: boolean }): () => void {
    if (this.#limitMs === Infinity) return () => {};
    const expire = () =>
      this.abort(new TimeoutError(this.#limitMs, { label: this.request }));
    const label = `the time limit of ${this.request}`;
    const timer = this.#loop.timers.at(this.#limit, { label, expire }, options);
    return () => timer.cancel();
  }
}
