/** An item of a list of RFC 9651, with its parameters as they were written. */
export interface SfItem {
  readonly value: string;
  readonly params: ReadonlyMap<string, string>;
}

const STRING = /^"((?:[^"\\]|\\["\\])*)"/;
const TOKEN = /^[A-Za-z*][\w:/!#$%&'*+.^`|~-]*/;
const PARAMETER =
  /^ *; *([a-z*][a-z0-9_\-.*]*)(?:=("(?:[^"\\]|\\["\\])*"|:[^:]*:|[^\s;,"]+))?/;

/**
 * Reads a list of strings or tokens with parameters. What is not one is left out,
 * with all that follows.
 */
export function parseItems(text: string): SfItem[] {
  const items: SfItem[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const string = STRING.exec(rest);
    const found = string ?? TOKEN.exec(rest);
    if (found === null) return items;
    const value = string?.[1]?.replace(/\\(.)/g, "$1") ?? found[0];
    rest = rest.slice(found[0].length);
    const params = new Map<string, string>();
    for (let p = PARAMETER.exec(rest); p !== null; p = PARAMETER.exec(rest)) {
      params.set(p[1] ?? "", p[2] ?? "?1");
      rest = rest.slice(p[0].length);
    }
    items.push({ value, params });
    const comma = /^[ \t]*,[ \t]*/.exec(rest);
    if (comma === null) return items;
    rest = rest.slice(comma[0].length);
  }
  return items;
}

/** A string of RFC 9651. What it cannot hold is left out. */
export function quoteString(text: string): string {
  const plain = text.replace(/[^ -~]/g, "");
  return `"${plain.replace(/[\\"]/g, "\\$&")}"`;
}
