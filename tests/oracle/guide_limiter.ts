/**
 * The limiter of the guide's example 10, as the guide has it; see guide.ts.
 *
 * @module
 */
import { gather } from "@ilmek/async/gather";
import { Lock } from "@ilmek/async/lock";
import { sleep } from "@ilmek/async/sleep";
import { CLOCK, Example } from "./guide.ts";
import type { Tracer } from "./harness.ts";

/** Where a limiter takes the time of day from, in seconds. */
export type TimeOfDay = () => number;

/** What the time of day is when a scenario begins. */
const ORIGIN_S = 1000;

/** Example 10: a limiter that sleeps with its lock held, and looks once. */
export class Example10 extends Example {
  /** By how much the clock creeps on whenever it is read. */
  readonly #skewS: number;
  #readings = 0;
  time: TimeOfDay = () => {
    const skewS = this.#skewS * this.#readings++;
    return ORIGIN_S + this.t.virtual.now / 1000 + skewS;
  };

  constructor(t: Tracer, skewS = 0) {
    super(t);
    this.#skewS = skewS;
  }

  async rateLimiterExample(): Promise<void> {
    const limiter = new Example10Limiter(this, 3, 1);

    const apiCall = async (callId: number): Promise<void> => {
      await limiter.enter();
      this.print(`[${CLOCK}] API call ${callId}`);
      await sleep(100);
    };

    await gather(Array.from({ length: 10 }, (_, i) => () => apiCall(i)));
  }
}

/** The limiter, which is entered and never left. */
export class Example10Limiter {
  readonly lock: Lock = new Lock();
  readonly #example: Example10;
  readonly #maxCalls: number;
  readonly #timeWindow: number;
  readonly #calls: number[] = [];

  constructor(example: Example10, maxCalls: number, timeWindow: number) {
    this.#example = example;
    this.#maxCalls = maxCalls;
    this.#timeWindow = timeWindow;
  }

  async enter(): Promise<void> {
    using _permit = await this.lock.acquire();
    const now = this.#example.time();
    this.#clean(now);

    if (this.#calls.length >= this.#maxCalls) {
      const sleepTime = (this.#calls[0] ?? 0) + this.#timeWindow - now;
      this.#example.print(`Rate limit! ${sleepTime.toFixed(2)}s bekleniyor...`);
      await sleep(sleepTime * 1000);

      this.#clean(this.#example.time());
    }

    this.#calls.push(this.#example.time());
  }

  #clean(now: number): void {
    while ((this.#calls[0] ?? Infinity) < now - this.#timeWindow) {
      this.#calls.shift();
    }
  }
}
