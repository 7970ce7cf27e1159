/**
 * Shows values as Python does, since the programs print what the guide prints.
 */

/** Items that Python would keep in a tuple. */
export class Tuple {
  readonly items: readonly unknown[];

  constructor(...items: unknown[]) {
    this.items = items;
  }
}

/** What Python's `repr()` gives: `{'id': 1, 'name': 'User-1'}`, `True`, `None`. */
export function repr(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === undefined || value === null) return "None";
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof Tuple) {
    return `(${list(value.items)}${value.items.length === 1 ? "," : ""})`;
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, it]) => `${repr(key)}: ${repr(it)}`);
    return `{${entries.join(", ")}}`;
  }
  if (value instanceof Error) return `${value.name}(${quote(value.message)})`;
  if (Object.getPrototypeOf(value) === Object.prototype) {
    const fields = Object.entries(value)
      .map(([name, field]) => `${quote(name)}: ${repr(field)}`);
    return `{${fields.join(", ")}}`;
  }
  return String(value);
}

/** What Python shows for `type(value)`: `<class 'coroutine'>`. */
export function typeText(value: object): string {
  const name = value.constructor.name;
  return `<class '${name === "Coroutine" ? "coroutine" : name}'>`;
}

const FRAME_REGEXP = /^\s*at (?:async )?([\w.]+) \((.+):(\d+):\d+\)$/;

/**
 * What Python's `traceback.format_exc()` gives: the way of an error, from the
 * function that caught it down to the one that has thrown it.
 */
export function formatExc(error: unknown, caughtIn: { name: string }): string {
  if (!(error instanceof Error)) return repr(error);
  const frames: string[] = [];
  for (const line of error.stack?.split("\n") ?? []) {
    const [, name = "", url = "", row] = FRAME_REGEXP.exec(line) ?? [];
    if (name === "" || url.startsWith("ext:")) continue;
    const file = url.split("/").at(-1);
    frames.unshift(`  File "${file}", line ${row}, in ${name}`);
    if (name === caughtIn.name) break;
  }
  return [
    "Traceback (most recent call last):",
    ...frames,
    `${error.name}: ${error.message}`,
  ].join("\n");
}

function list(items: readonly unknown[]): string {
  return items.map(repr).join(", ");
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll(mark, `\\${mark}`);
  return `${mark}${escaped}${mark}`;
}
