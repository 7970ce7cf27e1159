/**
 * Numbers, durations and colors for people to read.
 */

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Colors a text, if lines are colored. */
export type Paint = (style: keyof typeof STYLES, text: string) => string;

/** Makes what colors texts, or leaves them as they are. */
export function paintWith({ color }: { color: boolean }): Paint {
  return (style, text) => color ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** A count with its thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A count with its noun. */
export function counted(value: number, one: string, many?: string): string {
  return `${count(value)} ${value === 1 ? one : many ?? `${one}s`}`;
}

/** A length of time, as exact as it matters. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  return `${Math.floor(seconds / 3600)} h ${
    Math.floor(seconds % 3600 / 60)
  } min`;
}
