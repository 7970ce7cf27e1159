/** What an attribute can be. */
export interface OtelAttributes {
  /** A value. */
  readonly [name: string]: string | number | boolean;
}

/** A context of OpenTelemetry. */
export interface OtelContext {
  /** Reads a value. */
  getValue(key: symbol): unknown;
  /** Makes a context with another value. */
  setValue(key: symbol, value: unknown): OtelContext;
  /** Makes a context without a value. */
  deleteValue(key: symbol): OtelContext;
}

/** A span of OpenTelemetry. */
export interface OtelSpan {
  /** Which span it is. */
  spanContext(): { traceId: string; spanId: string };
  /** Sets an attribute. */
  setAttribute(name: string, value: string | number | boolean): unknown;
  /** Sets how it has ended: 1 for well, 2 for an error. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Adds an error. */
  recordException(error: Error | string): void;
  /** Ends the span. */
  end(): void;
}

/** What makes spans. */
export interface OtelTracer {
  /** Begins a span as a child of what `context` holds. */
  startSpan(
    name: string,
    options?: { attributes?: OtelAttributes; kind?: number },
    context?: OtelContext,
  ): OtelSpan;
}

/** What describes an instrument. */
export interface OtelInstrumentOptions {
  /** What it measures. */
  description?: string;
  /** In which unit. */
  unit?: string;
}

/** What a single instrument is told when it is asked. */
export interface OtelResult {
  /** Tells a value. */
  observe(value: number, attributes?: OtelAttributes): void;
}

/** An instrument that is asked. */
export interface OtelObservable {
  /** Adds a function that is asked. */
  addCallback(callback: (result: OtelResult) => void): void;
}

/** What several instruments are told when they are asked. */
export interface OtelBatchResult {
  /** Tells a value. */
  observe(
    instrument: OtelObservable,
    value: number,
    attributes?: OtelAttributes,
  ): void;
}

/** What makes instruments. */
export interface OtelMeter {
  /** Makes an instrument for how long things take. */
  createHistogram(
    name: string,
    options?: OtelInstrumentOptions,
  ): { record(value: number, attributes?: OtelAttributes): void };
  /** Makes an instrument for what only grows. */
  createObservableCounter(
    name: string,
    options?: OtelInstrumentOptions,
  ): OtelObservable;
  /** Makes an instrument for what goes up and down. */
  createObservableGauge(
    name: string,
    options?: OtelInstrumentOptions,
  ): OtelObservable;
  /** Calls a function when the instruments are asked. */
  addBatchObservableCallback(
    callback: (result: OtelBatchResult) => void,
    observables: OtelObservable[],
  ): void;
  /** Calls it no more. */
  removeBatchObservableCallback(
    callback: (result: OtelBatchResult) => void,
    observables: OtelObservable[],
  ): void;
}

/** The package `@opentelemetry/api`, as far as it is used. */
export interface OtelApi {
  /** Spans. */
  readonly trace: {
    /** Gives what makes spans. */
    getTracer(name: string, version?: string): OtelTracer;
    /** The span of a context. */
    getSpan(context: OtelContext): OtelSpan | undefined;
    /** Makes a context with another span. */
    setSpan(context: OtelContext, span: OtelSpan): OtelContext;
  };
  /** What is current. */
  readonly context: {
    /** The active context. */
    active(): OtelContext;
    /** Calls a function in a context. */
    with<R>(context: OtelContext, fn: () => R): R;
  };
  /** Instruments. */
  readonly metrics: {
    /** Gives what makes instruments. */
    getMeter(name: string, version?: string): OtelMeter;
  };
}
