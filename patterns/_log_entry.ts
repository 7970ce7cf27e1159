import type { Actor } from "../_internal/actor.ts";
import { isThenable } from "../_internal/check.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { ContextVar } from "../primitives/context_var.ts";
import type { LogContext, LogFields, LogSink, LogTask } from "./_log_types.ts";

/** No fields at all. */
export const NO_FIELDS: LogFields = {};

/** Where one value of the context comes from, and its name. */
export type LogSource = readonly [name: string, source: LogContext[string]];

/** The values of the sources, in the frame of the one who writes. */
export function readContext(
  sources: readonly LogSource[],
  { context }: Frame,
): LogFields {
  if (sources.length === 0) return NO_FIELDS;
  const values: Record<string, unknown> = {};
  for (const [name, source] of sources) {
    if (!(source instanceof ContextVar)) values[name] = readSource(source);
    else if (context.has(source)) values[name] = context.get(source);
  }
  return values;
}

/** All fields; a getter of the caller that throws costs those of the call. */
export function mergeFields(before: LogFields, given: LogFields): LogFields {
  try {
    return { ...before, ...given };
  } catch (error) {
    return { ...before, unreadable: error };
  }
}

/** What a function gives: if it throws, the entry tells that, and is written. */
export function readSource(source: () => unknown): unknown {
  try {
    return source();
  } catch (error) {
    return error;
  }
}

/** A task, and the task whose group it is in. */
export function taskOf(actor: Actor): LogTask {
  const { id, name } = actor;
  let { parent: scope } = actor.scope;
  while (scope !== undefined && scope.owner === undefined) scope = scope.parent;
  const owner = scope?.owner;
  if (owner === undefined) return { id, name };
  return { id, name, parent: { id: owner.id, name: owner.name } };
}

/** A sink that never throws, and whose failure is reported once in a row. */
export function guardSink(sink: LogSink, name: string): LogSink {
  let failing = false;
  const worked = (): void => {
    failing = false;
  };
  const failed = (exception: unknown): void => {
    // The report may itself be logged, and fail again.
    if (failing) return;
    failing = true;
    const message =
      `Cannot write a log entry of "${name}": the sink has failed`;
    currentFrame().loop.report({ message, exception });
  };
  return (entry) => {
    try {
      const written = sink(entry);
      if (isThenable(written)) written.then(worked, failed);
      else worked();
    } catch (error) {
      failed(error);
    }
  };
}
