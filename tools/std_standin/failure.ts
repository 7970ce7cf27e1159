/** What failed assertions throw and say. */

/** Any class. */
// `unknown[]` would refuse those whose constructors ask for something else.
// deno-lint-ignore no-explicit-any
export type Class<T> = abstract new (...args: any[]) => T;

/** What every failed assertion throws. */
export class AssertionError extends Error {
  static {
    this.prototype.name = "AssertionError";
  }
}

/** Shows two values with the lines that differ. */
export function diff(actual: unknown, expected: unknown): string {
  const before = show(actual).split("\n");
  const after = show(expected).split("\n");
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)
  ) tail++;
  const lines = [
    ...before.slice(0, head).map((line) => `    ${line}`),
    ...before.slice(head, before.length - tail).map((line) => `-   ${line}`),
    ...after.slice(head, after.length - tail).map((line) => `+   ${line}`),
    ...before.slice(before.length - tail).map((line) => `    ${line}`),
  ];
  return `\n\n    [Diff] Actual / Expected\n\n\n${lines.join("\n")}\n\n`;
}

/** Shows a value over as many lines as it takes. */
export function show(value: unknown): string {
  return Deno.inspect(value, {
    compact: false,
    depth: Infinity,
    getters: true,
    iterableLimit: Infinity,
    sorted: true,
    strAbbreviateSize: Infinity,
    trailingComma: true,
  });
}

/** Ends a sentence, with what the caller has to say. */
export function ending(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}
