/**
 * Runs commands one after another, or some at once, and prints a line for each.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";

/** How many lines of the output of a failure are shown, at each end. */
const SHOWN_LINES = 100;

const SUMMARY_REGEXP = /^(?:ok|FAILED) \| (\d+ passed .*) \(.*\)$/gm;

/** A command to run. */
export interface Step {
  /** What the line says. */
  readonly name: string;
  /**
   * The program.
   *
   * @default {Deno.execPath()}
   */
  readonly command?: string;
  /** Its arguments; `undefined` if there is nothing to do yet. */
  readonly args: readonly string[] | undefined;
}

/** Options of {@linkcode runSteps}. */
export interface RunStepsOptions {
  /** Where the commands run. */
  readonly cwd: URL;
  /** Variables that they see besides those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs the steps until one fails, whose output is then printed. Steps in a list of
 * their own run at the same time.
 *
 * @returns Whether all succeeded.
 */
export async function runSteps(
  steps: readonly (Step | readonly Step[])[],
  options: RunStepsOptions,
): Promise<boolean> {
  const width = Math.max(...steps.flat().map(({ name }) => name.length));
  const start = performance.now();
  for (const step of steps) {
    const results = await Promise.all(
      [step].flat().map((one) => runStep(one, width, options)),
    );
    if (results.includes("failed")) return false;
  }
  console.log(`\nAll is well (${seconds(performance.now() - start).trim()})`);
  return true;
}

async function runStep(
  { name, command = Deno.execPath(), args }: Step,
  width: number,
  options: RunStepsOptions,
): Promise<"done" | "failed"> {
  const label = name.padEnd(width);
  if (args === undefined) {
    console.log(`-  ${label}  nothing to do`);
    return "done";
  }
  const start = performance.now();
  const { success, output } = await capture(command, args, options);
  const duration = seconds(performance.now() - start);
  if (!success) {
    console.error(`✗  ${label}  ${duration}\n\n${shorten(output)}\n`);
    return "failed";
  }
  console.log(`✓  ${label}  ${duration}  ${summaryOf(output)}`.trimEnd());
  return "done";
}

async function capture(
  command: string,
  args: readonly string[],
  { cwd, env }: RunStepsOptions,
): Promise<{ success: boolean; output: string }> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { ...env },
  }).output();
  const decoder = new TextDecoder();
  // What failed stands at the end of stdout, and is to be seen last.
  return { success, output: decoder.decode(stderr) + decoder.decode(stdout) };
}

function shorten(output: string): string {
  const lines = output.trim().split("\n");
  const hidden = lines.length - 2 * SHOWN_LINES;
  if (hidden > 0) lines.splice(SHOWN_LINES, hidden, `... ${hidden} lines ...`);
  return lines.join("\n");
}

/** The counts of `deno test`, if that is what ran. */
function summaryOf(output: string): string {
  const [summary] = stripVTControlCharacters(output).matchAll(SUMMARY_REGEXP);
  return summary?.[1] ?? "";
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(5)} s`;
}
