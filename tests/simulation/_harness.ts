/**
 * Simulations: seeded crowds of clients on a virtual loop, over many seeds.
 *
 * `ILMEK_SEEDS` says how many seeds each runs with (200 by default), and
 * `ILMEK_SEED` runs that one alone, to look at a failure again.
 *
 * @module
 */

import type { ExceptionContext } from "@ilmek/async/loop";
import { runVirtual } from "@ilmek/async/virtual";
import { seededRandom } from "../../_internal/random.ts";

/** How often the seeds of one simulation stop for the rest of the process. */
const SEEDS_PER_TURN = 50;

/** What a simulation receives: where all of its chances come from. */
export class Simulation {
  readonly seed: number;
  /** A number >= 0 and below 1. */
  readonly random: () => number;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed);
  }

  /** An integer from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  /** A number from `min` up to `max`. */
  between(min: number, max: number): number {
    return min + this.random() * (max - min);
  }

  /** Whether something happens that does so with this probability. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[Math.floor(this.random() * items.length)] ?? items[0];
  }

  /** A wait as it lies between independent arrivals, with this mean. */
  gap(mean: number): number {
    return -Math.log(1 - this.random()) * mean;
  }
}

/**
 * Registers a test that runs `fn` once for each seed, in virtual time. A failure
 * tells its seed, and so does whatever goes to the exception handler.
 */
export function simulate(
  name: string,
  fn: (simulation: Simulation) => unknown,
): void {
  Deno.test(name, async () => {
    for (const seed of seeds()) {
      const reports: ExceptionContext[] = [];
      const exceptionHandler = (context: ExceptionContext): void => {
        reports.push(context);
      };
      try {
        await runVirtual(() => fn(new Simulation(seed)), { exceptionHandler });
        const [report] = reports;
        if (report !== undefined) {
          throw new RangeError(report.message, { cause: report.exception });
        }
      } catch (error) {
        throw new AggregateError(
          [error],
          `"${name}" fails with ILMEK_SEED=${seed}: ${
            error instanceof Error ? error.message : error
          }`,
          { cause: error },
        );
      }
      if (seed % SEEDS_PER_TURN === 0) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
  });
}

function seeds(): number[] {
  const one = Deno.env.get("ILMEK_SEED");
  if (one !== undefined) return [numberOf("ILMEK_SEED", one)];
  const count = numberOf("ILMEK_SEEDS", Deno.env.get("ILMEK_SEEDS") ?? "200");
  return Array.from({ length: count }, (_, i) => i + 1);
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new RangeError(
    `Cannot simulate as "${name}" must be an integer >= 0: current value is "${text}"`,
  );
}
