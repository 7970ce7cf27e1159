/**
 * The error of a task group, and how to take it apart.
 *
 * ```ts ignore
 * try {
 *   await TaskGroup.run(work);
 * } catch (error) {
 *   const [network, rest] = splitErrors(error, (e) => e instanceof TypeError);
 *   if (rest !== undefined) throw rest;
 * }
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";

/**
 * What the members of a group have thrown: in the order in which they ended, the
 * error of the group's own function last. A group within a group stays nested.
 */
export class TaskGroupError extends AggregateError {
  static {
    this.prototype.name = "TaskGroupError";
  }
  /** The name of the group, if it was given one. */
  readonly group: string | undefined;

  /** Creates the error of a group. */
  constructor(errors: Iterable<unknown>, group?: string) {
    const list = [...errors];
    const which = group === undefined ? "the group" : `group "${group}"`;
    super(
      list,
      `Cannot finish ${which}: ${list.length} of its tasks failed`,
      // The first failure is what ended the others.
      list.length > 0 ? { cause: list[0] } : undefined,
    );
    this.group = group;
  }
}

/**
 * All errors in a {@linkcode TaskGroupError}, those of nested groups included.
 *
 * @param error A group's error, or any other, which then is the only one.
 * @returns The errors that are not group errors, in order.
 *
 * @example Look at every error
 * ```ts
 * import { leafErrors, TaskGroupError } from "@ilmek/async/task-group-error";
 * import { assertEquals } from "@std/assert";
 *
 * const inner = new TaskGroupError([new TypeError("b")]);
 * const outer = new TaskGroupError([new RangeError("a"), inner]);
 *
 * assertEquals(leafErrors(outer).map(String), ["RangeError: a", "TypeError: b"]);
 * ```
 */
export function leafErrors(error: unknown): unknown[] {
  if (!(error instanceof TaskGroupError)) return [error];
  return error.errors.flatMap(leafErrors);
}

/**
 * Splits a group's error in two, by what its errors are; nesting is kept.
 *
 * @param error A group's error, or any other.
 * @param isMeant Tells which errors go into the first part.
 * @returns What is meant, and the rest; `undefined` for a part with nothing in it.
 * @throws {TypeError} If `isMeant` is not a function.
 *
 * @example Handle some errors, and throw the others
 * ```ts
 * import {
 *   leafErrors,
 *   splitErrors,
 *   TaskGroupError,
 * } from "@ilmek/async/task-group-error";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new TaskGroupError([new TypeError("a"), new RangeError("b")]);
 * const [types, rest] = splitErrors(error, (e) => e instanceof TypeError);
 *
 * assertEquals(leafErrors(types).map(String), ["TypeError: a"]);
 * assertEquals(leafErrors(rest).map(String), ["RangeError: b"]);
 * ```
 */
export function splitErrors(
  error: unknown,
  isMeant: (error: unknown) => boolean,
): [meant: unknown, rest: unknown] {
  checkFunction(isMeant, "split an error", "isMeant");
  if (!(error instanceof TaskGroupError)) {
    return isMeant(error) ? [error, undefined] : [undefined, error];
  }
  const meant: unknown[] = [];
  const rest: unknown[] = [];
  for (const child of error.errors) {
    const [a, b] = splitErrors(child, isMeant);
    if (a !== undefined) meant.push(a);
    if (b !== undefined) rest.push(b);
  }
  return [regroup(meant, error), regroup(rest, error)];
}

function regroup(errors: unknown[], from: TaskGroupError): unknown {
  return errors.length === 0
    ? undefined
    : new TaskGroupError(errors, from.group);
}
