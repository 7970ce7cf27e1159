import type { VirtualLoop } from "@ilmek/async/virtual";

/** A line that a program has printed. */
export interface Line {
  /** The virtual time, in seconds; `NaN` if it is not known. */
  readonly t: number;
  readonly stream: "out" | "err";
  /** The text; a blank line before a heading stays with the heading. */
  readonly text: string;
}

/** What a program has printed, and how long it took in virtual time. */
export interface Captured {
  readonly lines: readonly Line[];
  readonly total: number;
}

/** Runs a program, and takes down what it prints. */
export async function capture(
  virtual: VirtualLoop,
  start: (virtual: VirtualLoop) => Promise<unknown>,
): Promise<Captured> {
  const lines: Line[] = [];
  const { log, error, warn } = console;
  const record = (stream: Line["stream"]) => (...args: unknown[]) => {
    const t = virtual.now / 1000;
    const [first = "", ...more] = linesOf(args.join(" "));
    for (const text of [first, ...more]) lines.push({ t, stream, text });
  };
  console.log = record("out");
  console.error = console.warn = record("err");
  try {
    await start(virtual);
  } finally {
    Object.assign(console, { log, error, warn });
  }
  return { lines, total: virtual.now / 1000 };
}

/** The lines of a text: blank ones mean nothing, but above a heading. */
function linesOf(text: string): string[] {
  if (/^\n?[^\n]*$/.test(text)) return [text];
  return text.split("\n").filter((line) => line !== "");
}
