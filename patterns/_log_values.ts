import { show } from "../_internal/check.ts";

/** How deep values are followed, causes of errors included. */
const MAX_DEPTH = 8;

/** How many items of a list, and fields of an object, are kept. */
const MAX_ITEMS = 100;

/** What stands in the way of JSON becomes text; it never throws. */
export function plainValue(value: unknown): unknown {
  return isFlat(value) ? value : plain(value, []);
}

/** Most fields are text, numbers and the like: they can be written as they are. */
function isFlat(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  let count = 0;
  for (const name of Object.keys(value)) {
    const { value: field } = Object.getOwnPropertyDescriptor(value, name) ?? {};
    const isBare = typeof field === "string" || typeof field === "boolean" ||
      typeof field === "number" && Number.isFinite(field) || field === null;
    if (!isBare || ++count > MAX_ITEMS) return false;
  }
  return true;
}

function plain(value: unknown, around: readonly object[]): unknown {
  if (typeof value === "number") {
    return Number.isFinite(value) ? value : String(value);
  }
  if (typeof value === "bigint") return String(value);
  if (typeof value === "symbol") return String(value);
  if (typeof value === "function") return `[${show(value)}]`;
  if (typeof value !== "object" || value === null) return value;
  if (around.includes(value)) return "[circular]";
  if (around.length >= MAX_DEPTH) return "[deeper]";
  try {
    return plainObject(value, [...around, value]);
  } catch {
    return "[unreadable]";
  }
}

function plainObject(value: object, around: readonly object[]): unknown {
  if (value instanceof Error) return plainError(value, around);
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return plain(value.toJSON(), around);
  }
  if (ArrayBuffer.isView(value)) {
    return `[${value.constructor.name} of ${value.byteLength} bytes]`;
  }
  if (Array.isArray(value) || value instanceof Set) {
    return plainList([...value], around);
  }
  const entries = value instanceof Map
    ? [...value].map(([key, item]): [string, unknown] => [String(key), item])
    : Object.entries(value);
  return plainRecord(entries, around);
}

function plainList(list: unknown[], around: readonly object[]): unknown[] {
  const items = list.slice(0, MAX_ITEMS).map((item) => plain(item, around));
  const left = list.length - items.length;
  return left > 0 ? [...items, `[${left} more]`] : items;
}

function plainRecord(
  entries: readonly [string, unknown][],
  around: readonly object[],
): Record<string, unknown> {
  return Object.fromEntries(
    entries.slice(0, MAX_ITEMS).map(([name, it]) => [name, plain(it, around)]),
  );
}

/** An error: what it is, what it carries, and what has led to it. */
function plainError(error: Error, around: readonly object[]): unknown {
  const { name, message, stack } = error;
  const fields: [string, unknown][] = [["name", name], ["message", message]];
  // Causes are told by what they are; one stack says where.
  const isInner = around.some((it) => it !== error && it instanceof Error);
  if (!isInner && stack !== undefined) fields.push(["stack", stack]);
  if ("cause" in error) fields.push(["cause", error.cause]);
  if (error instanceof AggregateError) fields.push(["errors", error.errors]);
  const told = new Set(["stack", ...fields.map(([name]) => name)]);
  const own = Object.entries(error).filter(([name]) => !told.has(name));
  return plainRecord([...fields, ...own], around);
}
