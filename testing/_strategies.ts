import { type ChoiceKind, Choices, drawer } from "./_choices.ts";

/** One order to be tried. */
export interface Order {
  /** The seed that brings it back. */
  readonly seed: number;
  readonly choices: Choices;
}

/** Which orders are tried. */
export interface Strategy {
  /** The orders, one after another; each was run when the next is asked for. */
  orders(): Iterator<Order, void>;
  /** Whether no order is left that could be tried. */
  readonly complete: boolean;
}

/** Everything is drawn, everywhere. */
export class UniformStrategy implements Strategy {
  readonly complete = false;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  *orders(): Generator<Order, void> {
    for (let seed = this.#seed;; seed++) {
      yield { seed, choices: new Choices(drawer(seed)) };
    }
  }
}

/**
 * The plain order, but for a few places that are drawn: most races need no more
 * (Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of
 * Finding Bugs"; Emmi and others, "Delay-Bounded Scheduling").
 */
export class PreemptionStrategy implements Strategy {
  readonly complete = false;
  readonly #seed: number;
  readonly #preemptions: number;

  constructor(seed: number, preemptions: number) {
    this.#seed = seed;
    this.#preemptions = preemptions;
  }

  *orders(): Generator<Order, void> {
    // The plain order tells how long a run is.
    const plain = Choices.again([]);
    yield { seed: this.#seed, choices: plain };
    const length = Math.max(1, plain.values.length);
    for (let seed = this.#seed;; seed++) {
      yield { seed, choices: this.#draw(seed, length) };
    }
  }

  #draw(seed: number, length: number): Choices {
    const draw = drawer(seed);
    const places = new Set<number>();
    for (let n = 1 + draw(this.#preemptions); n > 0; n--) {
      places.add(draw(length));
    }
    const choices: Choices = new Choices((count, kind) => {
      if (kind === "test") return draw(count);
      return places.has(choices.values.length) ? 1 + draw(count - 1) : 0;
    });
    return choices;
  }
}

/**
 * All orders of steps, those with the fewest deviations from the plain one first.
 *
 * Each order is a run of choices that ends plain. Its neighbors are those that
 * deviate once more, further back; so each is met once.
 */
export class ExhaustiveStrategy implements Strategy {
  readonly #seed: number;
  readonly #limit: number;
  #dropped = false;
  #left = true;

  /** `limit` is how many orders will be asked for at most. */
  constructor(seed: number, limit: number) {
    this.#seed = seed;
    this.#limit = limit;
  }

  get complete(): boolean {
    return !this.#left && !this.#dropped;
  }

  *orders(): Generator<Order, void> {
    let count = 0;
    for (let level: number[][] = [[]]; level.length > 0;) {
      const next: number[][] = [];
      for (const start of level) {
        const choices = Choices.again(start);
        yield { seed: this.#seed, choices };
        count++;
        for (const neighbor of neighbors(choices, start.length)) {
          if (count + next.length < this.#limit) next.push(neighbor);
          else this.#dropped = true;
        }
      }
      level = next;
    }
    this.#left = false;
  }
}

/** The choices that deviate once more, at `from` or later. */
function* neighbors(choices: Choices, from: number): Generator<number[]> {
  const { values, counts, kinds } = choices;
  for (let place = from; place < values.length; place++) {
    if (!isOrder(kinds[place])) continue;
    const count = counts[place] ?? 0;
    for (let value = 1; value < count; value++) {
      yield [...values.slice(0, place), value];
    }
  }
}

/** How far microtasks get in between makes far too many orders to try them all. */
function isOrder(kind: ChoiceKind | undefined): boolean {
  return kind !== "width";
}
