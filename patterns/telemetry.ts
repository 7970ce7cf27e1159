/**
 * Spans of OpenTelemetry for tasks and for the attempts of policies. The API is
 * handed in, so that nobody depends on it who does not use it.
 *
 * ```ts ignore
 * import * as otel from "npm:@opentelemetry/api@1";
 *
 * const telemetry = new Telemetry(otel, { name: "shop" });
 * const task = createTask(telemetry.traced(loadPage, { name: "load page" }));
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { ContextVar } from "../primitives/context_var.ts";
import { isCancelled } from "../primitives/errors.ts";
import type {
  OtelApi,
  OtelAttributes,
  OtelContext,
  OtelMeter,
  OtelSpan,
  OtelTracer,
} from "./_otel_types.ts";

export type {
  OtelApi,
  OtelAttributes,
  OtelBatchResult,
  OtelContext,
  OtelInstrumentOptions,
  OtelMeter,
  OtelObservable,
  OtelResult,
  OtelSpan,
  OtelTracer,
} from "./_otel_types.ts";

/** `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2;

/** Where the innermost span of the library is, also where no SDK keeps track. */
const innermost = new ContextVar<OtelContext | undefined>("telemetry", {
  defaultValue: undefined,
});

/** Options of {@linkcode Telemetry}. */
export interface TelemetryOptions {
  /**
   * How spans and metrics call the part of the program that they are from.
   *
   * @default {"ilmek"}
   */
  name?: string;
  /** Its version. */
  version?: string;
}

/** Options of {@linkcode Telemetry.run} and {@linkcode Telemetry.traced}. */
export interface TelemetrySpanOptions {
  /** The name of the span. The default is that of the function. */
  name?: string;
  /** What is known from the beginning. */
  attributes?: OtelAttributes;
  /** One of `SpanKind`; internal if it is not given. */
  kind?: number;
}

/**
 * Opens spans around functions, and keeps them nested through tasks.
 *
 * The parent of a span is the active span of the API; where nothing keeps track of
 * that, it is the one in whose function, or in a task of it, the code runs. A span
 * ends when what the function returns has settled. It tells the task
 * (`ilmek.task.id`, `ilmek.task.name`) and how it has ended: an error is recorded,
 * a cancellation is none and sets `ilmek.cancelled`.
 *
 * If the API fails to open or to end a span, that is reported to the exception
 * handler of the loop, and the function runs all the same.
 *
 * @example Nest spans through tasks
 * ```ts ignore
 * import * as otel from "npm:@opentelemetry/api@1";
 * import { createTask } from "@ilmek/async/task";
 * import { Telemetry } from "@ilmek/async/telemetry";
 *
 * const telemetry = new Telemetry(otel, { name: "shop" });
 *
 * await telemetry.run(async (span) => {
 *   span?.setAttribute("order", 17);
 *   const pay = createTask(telemetry.traced(() => "paid", { name: "pay" }));
 *   await pay; // The span "pay" is a child of "checkout".
 * }, { name: "checkout" });
 * ```
 */
export class Telemetry {
  /** Makes instruments, under the name of this part of the program. */
  readonly meter: OtelMeter;
  readonly #api: OtelApi;
  readonly #tracer: OtelTracer;

  /**
   * Creates the telemetry of a part of the program.
   *
   * @param api The package `@opentelemetry/api`.
   * @param options Additional options.
   * @throws {TypeError} If `api` is not that package.
   */
  constructor(api: OtelApi, options: TelemetryOptions = {}) {
    const { name = "ilmek", version } = options;
    checkApi(api);
    this.#api = api;
    this.#tracer = api.trace.getTracer(name, version);
    this.meter = api.metrics.getMeter(name, version);
  }

  /** The span in which the code runs, if it runs in one. */
  get activeSpan(): OtelSpan | undefined {
    return this.#api.trace.getSpan(this.#context());
  }

  /** The id of the trace in which the code runs: for entries of logs. */
  get traceId(): string | undefined {
    return this.activeSpan?.spanContext().traceId;
  }

  /** The id of the span in which the code runs: for entries of logs. */
  get spanId(): string | undefined {
    return this.activeSpan?.spanContext().spanId;
  }

  /**
   * Runs `fn` in a span.
   *
   * What `fn` sets in context variables stays in there.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it receives the span, or `undefined` if the API has
   * failed to open one.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   * @throws {TypeError} If `fn` is not a function.
   */
  async run<T>(
    fn: (span: OtelSpan | undefined) => T | PromiseLike<T>,
    options: TelemetrySpanOptions = {},
  ): Promise<T> {
    checkFunction(fn, "run in a span");
    const { name = nameOf(fn) } = options;
    const opened = guard(name, () => this.#open(name, options));
    if (opened === undefined) return await fn(undefined);
    const { span, context } = opened;
    try {
      const value = await innermost.run(
        context,
        () => this.#api.context.with(context, () => fn(span)),
      );
      guard(name, () => span.end());
      return value;
    } catch (error) {
      guard(name, () => endFailed(span, error));
      throw error;
    }
  }

  /**
   * Makes a function that runs `fn` in a span: for `createTask`, groups and pools.
   *
   * The span begins when the function is called, and is a child of what is active
   * there; a task has that from its creator.
   *
   * @typeParam A What `fn` receives.
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The function.
   * @throws {TypeError} If `fn` is not a function.
   */
  traced<A extends unknown[], T>(
    fn: (...args: A) => T | PromiseLike<T>,
    options: TelemetrySpanOptions = {},
  ): (...args: A) => Promise<T> {
    checkFunction(fn, "trace a function");
    const { name = nameOf(fn) } = options;
    return (...args) => this.run(() => fn(...args), { ...options, name });
  }

  /** The context whose span is the parent of a new one. */
  #context(): OtelContext {
    const active = this.#api.context.active();
    if (this.#api.trace.getSpan(active) !== undefined) return active;
    return innermost.get() ?? active;
  }

  #open(name: string, options: TelemetrySpanOptions) {
    const { attributes, kind } = options;
    const { actor } = currentFrame();
    const task = actor === undefined
      ? {}
      : { "ilmek.task.id": actor.id, "ilmek.task.name": actor.name };
    const parent = this.#context();
    const span = this.#tracer.startSpan(name, {
      attributes: { ...task, ...attributes },
      ...(kind === undefined ? {} : { kind }),
    }, parent);
    return { span, context: this.#api.trace.setSpan(parent, span) };
  }
}

function endFailed(span: OtelSpan, error: unknown): void {
  if (isCancelled(error)) span.setAttribute("ilmek.cancelled", true);
  else {
    const { name, message } = error instanceof Error
      ? error
      : { name: typeof error, message: show(error) };
    span.recordException(error instanceof Error ? error : message);
    span.setAttribute("error.type", name);
    span.setStatus({ code: STATUS_ERROR, message });
  }
  span.end();
}

/** Calls the API; what it throws must not break what is traced. */
function guard<T>(name: string, fn: () => T): T | undefined {
  try {
    return fn();
  } catch (exception) {
    const message = `Cannot trace "${name}": the API has thrown`;
    currentFrame().loop.report({ message, exception });
    return undefined;
  }
}

function nameOf(fn: { readonly name: string }): string {
  return fn.name === "" ? "anonymous" : fn.name;
}

function checkApi(api: OtelApi): void {
  const parts = [api?.trace?.getTracer, api?.context?.with];
  const isApi = [...parts, api?.metrics?.getMeter]
    .every((part) => typeof part === "function");
  if (isApi) return;
  throw new TypeError(
    `Cannot create telemetry as "api" must be the package "@opentelemetry/api": current value is ${
      show(api)
    }`,
  );
}
