/** The assertions about errors. */

import { stripVTControlCharacters } from "node:util";
import { AssertionError, type Class, ending } from "./failure.ts";

/** Asserts that a function throws, and gives back what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that a function throws an error of a class, with a text in it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  includesOrMsg?: string,
  msg?: string,
): unknown {
  const wanted = expectation(classOrMsg, includesOrMsg, msg);
  try {
    fn();
  } catch (error) {
    checkError(error, wanted, "thrown");
    return error;
  }
  throw new AssertionError(`Expected function to throw${ending(wanted.msg)}`);
}

/** Asserts that a function returns a promise that rejects. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Asserts that a promise rejects with an error of a class, with a text in it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  includesOrMsg?: string,
  msg?: string,
): Promise<unknown> {
  const wanted = expectation(classOrMsg, includesOrMsg, msg);
  let promise: unknown;
  let cause: unknown;
  try {
    promise = fn();
  } catch (error) {
    cause = error;
  }
  if (!isPromiseLike(promise)) {
    throw new AssertionError(
      `Function throws when expected to reject${ending(wanted.msg)}`,
      { cause },
    );
  }
  try {
    await promise;
  } catch (error) {
    checkError(error, wanted, "rejected");
    return error;
  }
  throw new AssertionError(`Expected function to reject${ending(wanted.msg)}`);
}

interface Expectation {
  ErrorClass: Class<Error> | undefined;
  includes: string | undefined;
  msg: string | undefined;
}

function expectation(
  classOrMsg: Class<Error> | string | undefined,
  includes: string | undefined,
  msg: string | undefined,
): Expectation {
  return typeof classOrMsg === "string"
    ? { ErrorClass: undefined, includes: undefined, msg: classOrMsg }
    : { ErrorClass: classOrMsg, includes, msg };
}

function checkError(
  error: unknown,
  { ErrorClass, includes, msg }: Expectation,
  verb: "thrown" | "rejected",
): void {
  if (ErrorClass === undefined) return;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${verb}${ending(msg)}`);
  }
  const { constructor, message } = error;
  if (!(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${constructor?.name}"${
        ending(msg)
      }`,
      { cause: error },
    );
  }
  if (!plain(message).includes(plain(includes ?? ""))) {
    throw new AssertionError(
      `Expected error message to include ${JSON.stringify(includes)}, but got ${
        JSON.stringify(message)
      }${ending(msg)}`,
      { cause: error },
    );
  }
}

function plain(text: string): string {
  return stripVTControlCharacters(text);
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
