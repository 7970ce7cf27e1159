/**
 * A guided tour: runs the programs of the guide in virtual time, one after the
 * other. What they wait for takes no time; servers and threads are real.
 *
 * Run it: `deno task guide`
 */
import { VirtualLoop } from "@ilmek/async/virtual";
import { type Program, PROGRAMS } from "./_programs.ts";

/** Options of {@linkcode main}. */
export interface GuideOptions {
  /**
   * What is run.
   *
   * @default {PROGRAMS}
   */
  programs?: readonly Program[];
  /** Where the lines go; the console by default. */
  write?: (line: string) => void;
  /**
   * Whether lines are colored.
   *
   * @default {false}
   */
  color?: boolean;
}

/** What came of a program. */
interface Result {
  readonly title: string;
  readonly virtualMs: number;
  readonly realMs: number;
  readonly lines: number;
  /** What it failed with, if it did. */
  readonly failure: string | undefined;
}

/** Colors a text, if lines are colored. */
type Paint = (style: keyof typeof STYLES, text: string) => string;

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 };
const WIDTH = 72;
const TIME_WIDTH = 9;

/**
 * Runs the tour.
 *
 * @returns Whether all programs have finished.
 */
export async function main(options: GuideOptions = {}): Promise<boolean> {
  const { programs = PROGRAMS, color = false } = options;
  const { write = console.log } = options;
  const paint: Paint = (style, text) =>
    color ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;

  const results: Result[] = [];
  for (const program of programs) {
    write(paint("bold", heading(titleOf(program))));
    write("");
    results.push(await perform(program, write, paint));
    write("");
  }
  for (const line of table(results, paint)) write(line);
  return results.every(({ failure }) => failure === undefined);
}

/** Runs a program; each of its lines gets the virtual time in front. */
async function perform(
  program: Program,
  write: (line: string) => void,
  paint: Paint,
): Promise<Result> {
  const virtual = new VirtualLoop();
  let lines = 0;
  const print = (text: string, style?: keyof typeof STYLES): void => {
    for (const line of text.split("\n")) {
      if (line !== "") lines++;
      const time = seconds(virtual.now, 2).padStart(TIME_WIDTH);
      write(
        line === ""
          ? ""
          : `${paint("dim", time)}  ${style ? paint(style, line) : line}`,
      );
    }
  };
  const { log, error, warn } = console;
  console.log = (...args: unknown[]) => {
    const text = args.join(" ");
    print(text, /^\n?===/.test(text) ? "cyan" : undefined);
  };
  console.error = console.warn = (...args: unknown[]) => {
    print(args.join(" "), "red");
  };

  const start = performance.now();
  let failure: string | undefined;
  try {
    await program.start({ virtual });
  } catch (error) {
    failure = String(error);
  } finally {
    Object.assign(console, { log, error, warn });
  }
  const realMs = performance.now() - start;
  return {
    title: titleOf(program),
    virtualMs: virtual.now,
    realMs,
    lines,
    failure,
  };
}

function* table(results: readonly Result[], paint: Paint): Generator<string> {
  const width = Math.max(...results.map(({ title }) => title.length), 7);
  const row = (cells: [string, string, string, string, string]): string => {
    const [title, virtual, real, lines, verdict] = cells;
    return `  ${title.padEnd(width)}${virtual.padStart(9)}` +
      `${real.padStart(9)}${lines.padStart(7)}  ${verdict}`;
  };
  yield paint("bold", heading("What happened"));
  yield "";
  yield paint("dim", row(["program", "virtual", "real", "lines", "verdict"]));
  for (const { title, virtualMs, realMs, lines, failure } of results) {
    yield row([
      title,
      seconds(virtualMs, 2),
      seconds(realMs, 2),
      String(lines),
      failure === undefined
        ? paint("green", "finished")
        : paint("red", `failed: ${failure}`),
    ]);
  }
  yield "";
  yield closing(results, paint);
}

function closing(results: readonly Result[], paint: Paint): string {
  const virtualMs = sum(results.map((result) => result.virtualMs));
  const realMs = sum(results.map((result) => result.realMs));
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const time = `${seconds(virtualMs, 1)} of waiting in ${seconds(realMs, 2)}`;
  return failed === 0
    ? `  ${paint("green", "All finished")}: ${time}.`
    : `  ${paint("red", `${failed} of ${results.length} failed`)}: ${time}.`;
}

/** The number of the program in the guide, and its title there. */
function titleOf({ file, title }: Program): string {
  return `${String(Number.parseInt(file)).padStart(2)}  ${title}`;
}

function heading(text: string): string {
  return `── ${text} ${"─".repeat(Math.max(0, WIDTH - text.length - 4))}`;
}

function seconds(ms: number, digits: number): string {
  return `${(ms / 1000).toFixed(digits)} s`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

if (import.meta.main) {
  const color = Deno.stdout.isTerminal() && !Deno.noColor;
  if (!await main({ color })) Deno.exitCode = 1;
}
