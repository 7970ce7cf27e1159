import { seededRandom } from "../_internal/random.ts";

/**
 * What is chosen: who is next, how far the others get meanwhile, who must wait, or
 * what the test itself leaves open.
 */
export type ChoiceKind = "next" | "width" | "pass" | "test";

/** Gives an integer from 0 to `count` - 1. With 0 all stays in the plain order. */
export type Draw = (count: number, kind: ChoiceKind) => number;

/** Draws choices, and remembers them: with the same ones a run is the same. */
export class Choices {
  readonly values: number[] = [];
  /** Out of how many each was drawn. */
  readonly counts: number[] = [];
  readonly kinds: ChoiceKind[] = [];
  readonly #next: Draw;

  constructor(next: Draw) {
    this.#next = next;
  }

  /** Choices that were made before, and the plain order after them. */
  static again(values: readonly number[]): Choices {
    const choices: Choices = new Choices((count) => {
      const value = values[choices.values.length] ?? 0;
      return value < count ? value : 0;
    });
    return choices;
  }

  draw(count: number, kind: ChoiceKind): number {
    // There is nothing to choose, and nothing to remember.
    if (count < 2) return 0;
    const value = this.#next(count, kind);
    this.values.push(value);
    this.counts.push(count);
    this.kinds.push(kind);
    return value;
  }

  /** What was drawn, without the plain end. */
  get trimmed(): number[] {
    const last = this.values.findLastIndex((value) => value > 0);
    return this.values.slice(0, last + 1);
  }
}

/** Random integers from a seed. */
export function drawer(seed: number): (count: number) => number {
  const random = seededRandom(seed * 0x9e3779b9);
  return (count) => Math.floor(random() * count);
}
