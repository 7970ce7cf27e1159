/**
 * The circuit breaker of the guide's example 11, as the guide has it; see guide.ts.
 *
 * @module
 */
import { CancelledError } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { Example } from "./guide.ts";
import type { Tracer } from "./harness.ts";

/** What the time of day is when a scenario begins. */
const ORIGIN_S = 1000;

/** What the guide throws where it says `Exception`. */
export class PlainError extends Error {
  static {
    this.prototype.name = "Exception";
  }
}

/** Example 11: a breaker that forgets no failure, and counts no probes. */
export class Example11 extends Example {
  /** By how much the clock creeps on whenever it is read. */
  readonly #skewS: number;
  #readings = 0;

  constructor(t: Tracer, skewS = 0) {
    super(t);
    this.#skewS = skewS;
  }

  time(): number {
    const skewS = this.#skewS * this.#readings++;
    return ORIGIN_S + this.t.virtual.now / 1000 + skewS;
  }

  async circuitBreakerExample(): Promise<void> {
    const circuit = new Example11Breaker(this, 3, 5);
    let failureMode = true;
    const unreliableService = () =>
      failureMode
        ? Promise.reject(new PlainError("Servis hatası!"))
        : Promise.resolve("Başarılı");

    for (let i = 0; i < 10; i++) {
      try {
        const result = await circuit.call(unreliableService);
        this.print(`Çağrı ${i + 1}: ${result}`);
      } catch (error) {
        const { message } = error as Error;
        this.print(`Çağrı ${i + 1} başarısız: ${message}`);
      }

      await sleep(1000);

      if (i === 5) {
        failureMode = false;
        this.print(">>> Servis düzeltildi <<<");
      }
    }
  }
}

/** The breaker. */
export class Example11Breaker {
  failureCount = 0;
  state: "closed" | "open" | "half_open" = "closed";
  readonly #example: Example11;
  readonly #failureThreshold: number;
  readonly #recoveryTimeout: number;
  #lastFailureTime = 0;

  constructor(
    example: Example11,
    failureThreshold: number,
    recoveryTimeout: number,
  ) {
    this.#example = example;
    this.#failureThreshold = failureThreshold;
    this.#recoveryTimeout = recoveryTimeout;
  }

  async call<T>(fn: () => Promise<T>): Promise<T> {
    if (this.state === "open") {
      const elapsed = this.#example.time() - this.#lastFailureTime;
      if (elapsed < this.#recoveryTimeout) {
        throw new PlainError("Circuit OPEN! İstekler engelleniyor.");
      }
      this.#example.print("Circuit HALF_OPEN durumuna geçti (test)");
      this.state = "half_open";
    }

    try {
      const result = await fn();
      if (this.state === "half_open") {
        this.#example.print("Circuit CLOSED durumuna döndü (başarılı test)");
        this.state = "closed";
        this.failureCount = 0;
      }
      return result;
    } catch (error) {
      // A cancellation is no `Exception` in Python.
      if (!(error instanceof CancelledError)) this.#fail(error as Error);
      throw error;
    }
  }

  #fail({ message }: Error): void {
    this.failureCount++;
    this.#lastFailureTime = this.#example.time();
    this.#example.print(`Hata #${this.failureCount}: ${message}`);
    if (this.failureCount < this.#failureThreshold) return;
    this.#example.print(
      `Circuit OPEN oldu! (threshold: ${this.#failureThreshold})`,
    );
    this.state = "open";
  }
}
