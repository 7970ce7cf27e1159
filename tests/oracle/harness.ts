import { DeadlockError, isCancelled } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroupError } from "@ilmek/async/task-group-error";
import { TimeoutError } from "@ilmek/async/timeout";
import { VirtualLoop } from "@ilmek/async/virtual";

/** One line of a trace: the time in seconds, the label, and what was told. */
export type TraceEvent = readonly [time: number, label: string, ...unknown[]];

/** Who runs next when several could. */
export type Order = "fifo" | "system";

/** An error of the scenarios themselves, named as in Python. */
export class ScenarioError extends Error {
  constructor(kind: string, message: string) {
    super(message);
    this.name = kind;
  }
}

/** A timeout of a scenario's own: of the class that the library throws. */
class ScenarioTimeoutError extends TimeoutError {
  constructor(message: string) {
    super(undefined);
    this.message = message;
  }
}

export const valueError = (message: string): ScenarioError =>
  new ScenarioError("ValueError", message);
export const keyError = (message: string): ScenarioError =>
  new ScenarioError("KeyError", message);
export const timeoutError = (message: string): TimeoutError =>
  new ScenarioTimeoutError(message);

/** What a scenario writes its trace with. */
export interface Tracer {
  (label: string, ...values: unknown[]): void;
  /** An actor: tells its start, sleeps, then tells its end, or throws. */
  act<T = null>(
    name: string,
    seconds: number,
    value?: T,
    error?: Error,
  ): Promise<T>;
  /** Awaits, and tells the value or the error. */
  attempt(label: string, work: PromiseLike<unknown>): Promise<unknown>;
  /** Calls, and tells the value or the error. */
  tryIt(label: string, fn: () => unknown): unknown;
  readonly virtual: VirtualLoop;
}

/**
 * The number of a deviation in docs/asyncio.md: one for both orders, or for that
 * order only in which the trace differs.
 */
export type Deviation = number | { readonly [O in Order]?: number };

/** Options of {@linkcode scenario}. */
export interface ScenarioOptions {
  /** Set where the trace must differ from that of asyncio. */
  deviation?: Deviation;
  /** Calls the scenario outside of the loop, as a plain function. */
  outside?: boolean;
}

/** A port of one reference scenario. */
export interface Scenario {
  readonly id: string;
  readonly run: (t: Tracer) => unknown;
  readonly outside: boolean;
  readonly deviation: { readonly [O in Order]?: number };
}

const scenarios = new Map<string, Scenario>();

/** All scenarios that were ported so far. */
export function allScenarios(): readonly Scenario[] {
  return [...scenarios.values()];
}

/** Ports a scenario. */
export function scenario(
  id: string,
  run: (t: Tracer) => unknown,
  options: ScenarioOptions = {},
): void {
  const { deviation = {}, outside = false } = options;
  if (scenarios.has(id)) {
    throw new RangeError(`Cannot port "${id}": it was ported before`);
  }
  scenarios.set(id, {
    id,
    run,
    outside,
    deviation: typeof deviation === "number"
      ? { fifo: deviation, system: deviation }
      : deviation,
  });
}

/**
 * Runs a scenario on a virtual loop, and gives its trace.
 *
 * An error that leaves the scenario is told in the last event, where no reference
 * has one.
 */
export async function traceOf(
  { run, outside }: Pick<Scenario, "run" | "outside">,
  order: Order,
): Promise<TraceEvent[]> {
  const trace: TraceEvent[] = [];
  const virtual = new VirtualLoop({
    order,
    exceptionHandler: ({ exception }) => tell("loop:exception", exception),
  });
  const tell = (label: string, ...values: unknown[]): void => {
    const seconds = Math.round(virtual.now * 1000) / 1e6;
    trace.push([seconds, label, ...values.map(plain)]);
  };
  const t: Tracer = Object.assign(tell, {
    virtual,
    async act<T>(name: string, seconds: number, value?: T, error?: Error) {
      tell(`${name}:start`);
      try {
        await sleep(seconds * 1000);
      } catch (caught) {
        if (isCancelled(caught)) tell(`${name}:cancelled`);
        throw caught;
      }
      if (error !== undefined) {
        tell(`${name}:raise`);
        throw error;
      }
      tell(`${name}:end`);
      return (value ?? null) as T;
    },
    async attempt(label: string, work: PromiseLike<unknown>) {
      try {
        const value = await work;
        tell(label, value);
        return value;
      } catch (error) {
        tell(label, error);
        return error;
      }
    },
    tryIt(label: string, fn: () => unknown) {
      try {
        const value = fn();
        tell(label, value);
        return value;
      } catch (error) {
        tell(label, error);
        return error;
      }
    },
  });
  let status: unknown = "ok";
  try {
    if (outside) await run(t);
    else {
      await virtual.run(async () => {
        await run(t);
        tell("end", "ok");
      });
    }
  } catch (error) {
    status = error instanceof DeadlockError ? "deadlock" : error;
  }
  const ended = trace.some(([, label]) => label === "end");
  if (!ended || status !== "ok") tell("end", status);
  return trace;
}

/** A value as the traces write it. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof TaskGroupError) {
    return { error: "ExceptionGroup", errors: value.errors.map(plain) };
  }
  if (value instanceof ScenarioError) {
    return { error: value.name, msg: value.message };
  }
  if (value instanceof ScenarioTimeoutError) {
    return { error: "TimeoutError", msg: value.message };
  }
  if (value instanceof TimeoutError) return { error: "TimeoutError" };
  if (isCancelled(value)) return { error: "CancelledError" };
  if (value instanceof Error) return { error: value.name };
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, plain(entry)]),
    );
  }
  return value;
}
