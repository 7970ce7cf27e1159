import { show } from "../_internal/check.ts";
import {
  CancelledError,
  DeadlockError,
  InvalidStateError,
  ScopeClosedError,
  TimeoutError,
} from "../primitives/errors.ts";
import { TaskGroupError } from "../primitives/task_group_error.ts";

/** A value on its way between threads, with the errors in it kept whole. */
export type WireValue =
  | { readonly kind: "plain"; readonly value: unknown }
  | { readonly kind: "list"; readonly values: readonly WireValue[] }
  | { readonly kind: "error"; readonly error: WireError };

/**
 * An error on its way between threads: a structured clone loses its class, its
 * name and its fields.
 */
export interface WireError {
  /** The closest class that both sides know. */
  readonly type: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly fields: { readonly [name: string]: WireValue };
}

type ErrorClass = new (...args: never[]) => Error;

let known: ReadonlyMap<string, ErrorClass> | undefined;

/** The classes of errors that both sides know. Importing alone needs no Deno. */
function classes(): ReadonlyMap<string, ErrorClass> {
  return known ??= new Map<string, ErrorClass>(Object.entries({
    ...Deno.errors,
    AggregateError,
    CancelledError,
    DeadlockError,
    DOMException,
    Error,
    EvalError,
    InvalidStateError,
    RangeError,
    ReferenceError,
    ScopeClosedError,
    SyntaxError,
    TaskGroupError,
    TimeoutError,
    TypeError,
    URIError,
  }));
}

/** What is packed and set apart from the other fields. */
const APART = ["message", "name", "stack"];

/** What an error has that does not show when its keys are listed. */
const HIDDEN = ["cause", "errors"];

/** Packs what was thrown: an error, or anything else. */
export function packThrown(
  thrown: unknown,
  seen: Map<Error, WireError> = new Map(),
): WireValue {
  if (!(thrown instanceof Error)) {
    return { kind: "plain", value: cloneable(thrown) };
  }
  return { kind: "error", error: seen.get(thrown) ?? packError(thrown, seen) };
}

/** Unpacks what {@linkcode packThrown} has made. */
export function unpackThrown(
  wire: WireValue,
  seen: Map<WireError, Error> = new Map(),
): unknown {
  if (wire.kind === "plain") return wire.value;
  if (wire.kind === "list") {
    return wire.values.map((value) => unpackThrown(value, seen));
  }
  return seen.get(wire.error) ?? unpackError(wire.error, seen);
}

function packError(error: Error, seen: Map<Error, WireError>): WireError {
  const { name, message, stack } = error;
  const fields: { [name: string]: WireValue } = {};
  const wire = { type: typeOf(error), name, message, stack, fields };
  // An error can be among its own causes.
  seen.set(error, wire);
  for (const key of Object.getOwnPropertyNames(error)) {
    const value = (error as unknown as Record<string, unknown>)[key];
    if (APART.includes(key) || typeof value === "function") continue;
    fields[key] = Array.isArray(value) && value.some(isError)
      ? { kind: "list", values: value.map((one) => packThrown(one, seen)) }
      : packThrown(value, seen);
  }
  return wire;
}

function unpackError(wire: WireError, seen: Map<WireError, Error>): Error {
  const { name, message, stack, fields } = wire;
  const error = create(wire);
  seen.set(wire, error);
  const define = (key: string, value: unknown, enumerable: boolean): void => {
    const how = { value, enumerable, writable: true, configurable: true };
    Object.defineProperty(error, key, how);
  };
  if (error.message !== message) define("message", message, false);
  if (error.name !== name) define("name", name, false);
  if (stack !== undefined) define("stack", stack, false);
  for (const [key, value] of Object.entries(fields)) {
    define(key, unpackThrown(value, seen), !HIDDEN.includes(key));
  }
  return error;
}

function create({ type, name, message }: WireError): Error {
  if (type === "DOMException") return new DOMException(message, name);
  if (type === "CancelledError") return new CancelledError();
  // Makes an error of the class without calling its constructor, whose
  // arguments are not known.
  return Reflect.construct(Error, [message], classes().get(type) ?? Error);
}

function typeOf(error: Error): string {
  let prototype: object | null = Object.getPrototypeOf(error);
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
    const { constructor } = prototype;
    if (classes().get(constructor.name) === constructor) {
      return constructor.name;
    }
  }
  return "Error";
}

function isError(value: unknown): boolean {
  return value instanceof Error;
}

/** The value, or what stands for it if it cannot be sent to another thread. */
function cloneable(value: unknown): unknown {
  try {
    structuredClone(value);
    return value;
  } catch {
    return show(value);
  }
}
