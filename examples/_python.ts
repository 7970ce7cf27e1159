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
