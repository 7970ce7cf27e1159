/**
 * OpenTelemetry as tests see it: it keeps what it is told.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type {
  OtelApi,
  OtelAttributes,
  OtelBatchResult,
  OtelContext,
  OtelMeter,
  OtelObservable,
  OtelSpan,
} from "@ilmek/async/telemetry";

const SPAN = Symbol("span");

class FakeContext implements OtelContext {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown> = new Map()) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): OtelContext {
    return new FakeContext(new Map(this.#values).set(key, value));
  }

  deleteValue(key: symbol): OtelContext {
    return this.setValue(key, undefined);
  }
}

/** A span that keeps what it is told. */
export class FakeSpan implements OtelSpan {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Record<string, string | number | boolean>;
  readonly errors: unknown[] = [];
  status: { code: number; message?: string } | undefined = undefined;
  ends = 0;

  constructor(name: string, parent: OtelSpan | undefined, of: OtelAttributes) {
    this.name = name;
    this.parent = parent instanceof FakeSpan ? parent.name : undefined;
    this.attributes = { ...of };
  }

  spanContext() {
    return { traceId: "trace", spanId: `id of ${this.name}` };
  }

  setAttribute(name: string, value: string | number | boolean): void {
    this.attributes[name] = value;
  }

  setStatus(status: { code: number; message?: string }): void {
    this.status = status;
  }

  recordException(error: Error | string): void {
    this.errors.push(error);
  }

  end(): void {
    this.ends++;
  }
}

/** What {@linkcode fakeOtel} gives. */
export interface FakeOtel {
  readonly api: OtelApi;
  readonly spans: FakeSpan[];
  /** What was recorded: "name outcome". */
  readonly durations: string[];
  readonly meter: OtelMeter;
  /** Asks all instruments, and gives "metric name attributes value" lines. */
  collect(): string[];
}

/** Makes an API that keeps track of what is active, or does not. */
export function fakeOtel(options: { tracks?: boolean } = {}): FakeOtel {
  const { tracks = true } = options;
  const spans: FakeSpan[] = [];
  const durations: string[] = [];
  const names = new Map<OtelObservable, string>();
  const callbacks = new Set<(result: OtelBatchResult) => void>();
  const storage = new AsyncLocalStorage<OtelContext>();
  const root = new FakeContext();
  const getSpan = (context: OtelContext) =>
    context.getValue(SPAN) as OtelSpan | undefined;
  const observable = (name: string): OtelObservable => {
    const instrument = { addCallback() {} };
    names.set(instrument, name);
    return instrument;
  };
  const meter: OtelMeter = {
    createHistogram: () => ({
      record: (_value, { name, outcome } = {}) =>
        void durations.push(`${name} ${outcome}`),
    }),
    createObservableCounter: observable,
    createObservableGauge: observable,
    addBatchObservableCallback: (callback) => void callbacks.add(callback),
    removeBatchObservableCallback: (callback) =>
      void callbacks.delete(callback),
  };
  const api: OtelApi = {
    trace: {
      getTracer: () => ({
        startSpan(name, options = {}, context = root) {
          const { attributes = {} } = options;
          const span = new FakeSpan(name, getSpan(context), attributes);
          spans.push(span);
          return span;
        },
      }),
      getSpan,
      setSpan: (context, span) => context.setValue(SPAN, span),
    },
    context: {
      active: () => storage.getStore() ?? root,
      with: (context, fn) => tracks ? storage.run(context, fn) : fn(),
    },
    metrics: { getMeter: () => meter },
  };
  const collect = (): string[] => {
    const lines: string[] = [];
    for (const callback of callbacks) {
      callback({
        observe(instrument, value, attributes = {}) {
          const told = Object.values(attributes).join(" ");
          lines.push(`${names.get(instrument)} ${told} ${value}`);
        },
      });
    }
    return lines;
  };
  return { api, spans, durations, meter, collect };
}
