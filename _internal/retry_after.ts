/** Where headers are looked up: `Headers`, or what has its `get`. */
export interface HeaderSource {
  /** The value of a header, or `null` if there is none. */
  get(name: string): string | null;
}

/** The three forms of RFC 9110; without this, `Date.parse` takes "-1" for a date. */
const HTTP_DATE_REGEXP = /^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? /i;

/**
 * How long to wait by "Retry-After", in milliseconds; `undefined` if it is not there,
 * or is neither a number of seconds nor a date.
 *
 * A date is compared with the "Date" of the same response: no clock of ours matters,
 * which may be far from the server's.
 */
export function retryAfterOfHeaders(headers: HeaderSource): number | undefined {
  const text = headers.get("Retry-After") ?? "";
  const ms = secondsToMs(text);
  if (ms !== undefined) return ms;
  const until = parseHttpDate(text);
  const date = parseHttpDate(headers.get("Date") ?? "");
  if (until === undefined || date === undefined) return undefined;
  return Math.max(0, until - date);
}

/** The time of a date in a header, in milliseconds since 1970. */
export function parseHttpDate(text: string): number | undefined {
  const trimmed = text.trim();
  if (!HTTP_DATE_REGEXP.test(trimmed)) return undefined;
  // The oldest form names no zone, and means GMT like the others.
  const ms = Date.parse(/GMT$/i.test(trimmed) ? trimmed : `${trimmed} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A number that is not negative; what is too large for one is none. */
export function parseAmount(text: string): number | undefined {
  if (!/^\s*\d+(\.\d+)?\s*$/.test(text)) return undefined;
  const amount = Number(text);
  return Number.isFinite(amount * 1000) ? amount : undefined;
}

/** A number of seconds as milliseconds. */
export function secondsToMs(text: string): number | undefined {
  const seconds = parseAmount(text);
  return seconds === undefined ? undefined : seconds * 1000;
}
