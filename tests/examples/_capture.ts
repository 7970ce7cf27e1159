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
    lines.push({ t: virtual.now / 1000, stream, text: args.join(" ") });
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
