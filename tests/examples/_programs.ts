import { currentTask } from "@ilmek/async/task";
import { VirtualLoop, type VirtualLoopOptions } from "@ilmek/async/virtual";
import { type Program, PROGRAMS } from "../../examples/_programs.ts";
import { capture, type Captured } from "./_capture.ts";
import { compare, type CompareOptions } from "./_compare.ts";
import { turnOf } from "./_turn.ts";
import { type Draw, expectedSections, hasTrace, readTrace } from "./_trace.ts";

/** The programs whose traces are compared. */
export const TRACED: readonly Program[] = PROGRAMS.filter((program) =>
  hasTrace(numberOf(program))
);

/** Programs whose delays are drawn anew each time. */
export const DRAWN: readonly number[] = [5, 12, 13];

/** Sections with real input and output: the clock stands meanwhile. */
const UNTIMED = ["Parallel HTTP Requests", "Threading Example"];

/** Options of {@linkcode perform}. */
export interface PerformOptions {
  readonly order?: VirtualLoopOptions["order"];
  /** A changed copy of the program's module. */
  readonly changed?: object;
}

/** Which number a program has in the guide. */
export function numberOf({ file }: Program): number {
  return Number.parseInt(file);
}

/** Runs a program in virtual time, with the recorded random numbers. */
export async function perform(
  program: Program,
  options: PerformOptions = {},
): Promise<Captured> {
  const { order = "fifo", changed } = options;
  const { random_draws: draws } = readTrace(numberOf(program)).virtual;
  const random = order === "fifo" || draws.length === 0
    ? replay(draws)
    : replayByTask(await drawsByTask(program, draws));
  return await performWith(program, { order, changed, random });
}

/** What differs between what a program has printed and its trace. */
export function problemsOf(
  program: Program,
  captured: Captured,
  options: CompareOptions = {},
): string[] {
  return compare(expectedSections(numberOf(program)), captured, {
    untimed: UNTIMED,
    ...options,
  });
}

/** Gives recorded random numbers again, as numbers from 0 to 1. */
export function replay(draws: readonly Draw[]): () => number {
  const left = draws.map(([, min, max, value]) => (value - min) / (max - min));
  return () => take(left);
}

/**
 * Tells which task draws which numbers in asyncio's order: in another order tasks
 * that draw at one instant would get each other's.
 */
async function drawsByTask(
  program: Program,
  draws: readonly Draw[],
): Promise<Map<string, number[]>> {
  const drawn = new Map<string, number[]>();
  const next = replay(draws);
  const random = (): number => {
    const value = next();
    const name = currentTask()?.name ?? "";
    drawn.set(name, [...drawn.get(name) ?? [], value]);
    return value;
  };
  await performWith(program, { order: "fifo", random });
  return drawn;
}

function replayByTask(drawn: Map<string, number[]>): () => number {
  return () => take(drawn.get(currentTask()?.name ?? "") ?? []);
}

function take(left: number[]): number {
  const value = left.shift();
  if (value === undefined) throw new RangeError("Cannot draw once more");
  return value;
}

async function performWith(
  program: Program,
  options: {
    order: "fifo" | "system";
    random: () => number;
    changed?: object | undefined;
  },
): Promise<Captured> {
  const { order, random, changed } = options;
  const virtual = new VirtualLoop({ order });
  using _turn = await turnOf(program.file);
  return await capture(
    virtual,
    () => program.start({ virtual, random }, changed),
  );
}
