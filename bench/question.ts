/**
 * What benchmarks are made of: questions, and several ways to answer each.
 *
 * @module
 */

/** Who answers: the least that the platform can do it for, we, or a peer. */
export type CaseKind = "limit" | "ours" | "peer";

/** One way to do the work of a question. */
export interface Case {
  readonly name: string;
  readonly kind: CaseKind;
  /** Does the work for so many items; what it returns is awaited. */
  run(items: number): unknown;
}

/** Lets go what was held. What it returns is awaited. */
export type Release = () => unknown;

/** One way to have many objects alive. */
export interface HoldCase {
  readonly name: string;
  readonly kind: CaseKind;
  /** Makes so many objects, which live until they are let go. */
  hold(items: number): Release | Promise<Release>;
}

/** How long does an item take? */
export interface SpeedQuestion {
  readonly kind: "speed";
  /** The group of the benchmark. */
  readonly group: string;
  readonly items: number;
  readonly cases: readonly Case[];
}

/** Does an item take longer when there are many? */
export interface GrowthQuestion {
  readonly kind: "growth";
  readonly group: string;
  readonly cases: readonly Case[];
}

/** How much memory does an item hold? */
export interface BytesQuestion {
  readonly kind: "bytes";
  readonly group: string;
  readonly cases: readonly HoldCase[];
}

/** What a module of benchmarks asks. */
export type Question = SpeedQuestion | GrowthQuestion | BytesQuestion;

/** Registers the questions that `deno bench` can answer: those about speed. */
export function registerBenches(questions: Record<string, Question>): void {
  for (const question of Object.values(questions)) {
    if (question.kind !== "speed") continue;
    const { group, items, cases } = question;
    for (const { name, kind, run } of cases) {
      Deno.bench({
        name,
        group: `${group} (${items} at a time)`,
        baseline: kind === "limit",
        fn: async () => {
          await run(items);
        },
      });
    }
  }
}
