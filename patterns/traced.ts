/**
 * A policy that opens a span of OpenTelemetry around each attempt.
 *
 * ```ts ignore
 * const policy = compose(
 *   new Traced(telemetry, { name: "load page" }),
 *   new Retry(),
 *   new Traced(telemetry, { name: "attempt" }),
 * );
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { isCancelled } from "../primitives/errors.ts";
import type { PolicyCall } from "./_call.ts";
import {
  defineLayers,
  runStep,
  type Step,
  type Work,
  type WrapLayer,
} from "./_layers.ts";
import type { Policy, PolicyContext, PolicyRunOptions } from "./policy.ts";
import { type OtelAttributes, type OtelMeter, Telemetry } from "./telemetry.ts";

export {
  type OtelApi,
  type OtelAttributes,
  type OtelBatchResult,
  type OtelContext,
  type OtelInstrumentOptions,
  type OtelMeter,
  type OtelObservable,
  type OtelResult,
  type OtelSpan,
  type OtelTracer,
  Telemetry,
  type TelemetryOptions,
  type TelemetrySpanOptions,
} from "./telemetry.ts";
export type {
  Policy,
  PolicyContext,
  PolicyRunOptions,
  PolicyTypes,
} from "./policy.ts";

/** Options of {@linkcode Traced}. */
export interface TracedOptions {
  /**
   * The name of the spans.
   *
   * @default {"attempt"}
   */
  name?: string;
  /** What all spans tell. */
  attributes?: OtelAttributes;
}

/**
 * A policy that opens a span around what is inside of it: around a call, if it is
 * outermost; around each attempt, if it is inside of a retry or a hedge.
 *
 * A span tells which attempt it is (`ilmek.attempt`, `ilmek.hedge`). How long it
 * took goes into the histogram `ilmek.attempt.duration`, in seconds, with the name
 * and the outcome: `success`, `failure` or `cancelled`. It changes no result.
 *
 * @example See each attempt of a call
 * ```ts ignore
 * import * as otel from "npm:@opentelemetry/api@1";
 * import { compose } from "@ilmek/async/compose";
 * import { Retry } from "@ilmek/async/retry";
 * import { Telemetry, Traced } from "@ilmek/async/traced";
 *
 * const telemetry = new Telemetry(otel, { name: "shop" });
 * const policy = compose(
 *   new Traced(telemetry, { name: "load page" }),
 *   new Retry(),
 *   new Traced(telemetry),
 * );
 * await policy.run(({ signal }) => fetch("https://example.com", { signal }));
 * ```
 */
export class Traced implements Policy {
  /** The name of the spans. */
  readonly name: string;
  readonly #telemetry: Telemetry;
  readonly #attributes: OtelAttributes;
  readonly #durations: ReturnType<OtelMeter["createHistogram"]>;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {TypeError} If `telemetry` is no `Telemetry`.
   */
  constructor(telemetry: Telemetry, options: TracedOptions = {}) {
    const { name = "attempt", attributes = {} } = options;
    if (!(telemetry instanceof Telemetry)) {
      throw new TypeError(
        `Cannot trace calls as "telemetry" must be a Telemetry: current value is ${
          show(telemetry)
        }`,
      );
    }
    this.name = name;
    this.#telemetry = telemetry;
    this.#attributes = attributes;
    this.#durations = telemetry.meter.createHistogram(
      "ilmek.attempt.duration",
      { unit: "s", description: "How long attempts under policies took" },
    );
    this.#step = defineLayers(this, [this.#layer()]);
  }

  /** Whether a new instance could stand in for this one: always. */
  get pristine(): boolean {
    return true;
  }

  /**
   * Runs `fn` in a span.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  #layer(): WrapLayer {
    return {
      kind: "wrap",
      wrap: (next) => (call, work) => this.#run(next, call, work),
      facts: () => ({ policy: "traced", name: this.name, text: "" }),
    };
  }

  async #run<T>(next: Step, call: PolicyCall, work: Work<T>): Promise<T> {
    const { loop } = call.frame;
    const begun = loop.time();
    let outcome = "failure";
    const attributes = {
      ...this.#attributes,
      "ilmek.attempt": call.attempt,
      ...(call.hedge > 0 ? { "ilmek.hedge": call.hedge } : {}),
    };
    try {
      return await this.#telemetry.run(async () => {
        const inner = call.within(currentFrame());
        try {
          const value = await next(inner, work);
          outcome = "success";
          return value;
        } catch (error) {
          if (isCancelled(error)) outcome = "cancelled";
          throw error;
        } finally {
          inner.end(outcome === "success");
        }
      }, { name: this.name, attributes });
    } finally {
      const seconds = (loop.time() - begun) / 1000;
      this.#record(seconds, outcome);
    }
  }

  #record(seconds: number, outcome: string): void {
    try {
      this.#durations.record(seconds, { name: this.name, outcome });
    } catch (exception) {
      const message = `Cannot measure "${this.name}": the API has thrown`;
      currentFrame().loop.report({ message, exception });
    }
  }
}
