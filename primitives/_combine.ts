import { Ring } from "../_internal/ring.ts";
import type { Crew } from "./_crew.ts";
import type { Work } from "./_crew_pull.ts";
import { DONE, type Opener, type Pulled, type PullSettings } from "./_pull.ts";
import { Puller } from "./_puller.ts";

/** Starts a puller for each source; `onItem` is told which has given the item. */
function startPullers(
  crew: Crew,
  { name, sources }: Work,
  settings: PullSettings,
  onItem: (item: unknown, index: number) => void,
): Puller[] {
  return sources.map((open, index) =>
    new Puller({
      crew,
      name: `source ${index} of ${name}`,
      settings,
      open,
      onItem(item) {
        onItem(item, index);
        crew.onChange();
      },
    })
  );
}

/** Gives the items of several sources as they come. */
export class MergeWork implements Work {
  readonly name = "merge()";
  readonly label = "an item of merge()";
  readonly sources: readonly Opener[];
  readonly #settings: PullSettings;
  readonly #ready = new Ring<unknown>();
  #pullers: readonly Puller[] = [];

  constructor(sources: readonly Opener[], settings: PullSettings) {
    this.sources = sources;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#pullers = startPullers(
      crew,
      this,
      this.#settings,
      (item) => this.#ready.push(item),
    );
  }

  take(): Pulled | undefined {
    if (this.#ready.size === 0) return undefined;
    return { done: false, value: this.#ready.shift() };
  }

  ask(): void {
    for (const puller of this.#pullers) puller.ask();
  }
}

/** One source of {@linkcode ZipWork}, and the item that waits for the others. */
interface Seat {
  item: unknown;
  taken: boolean;
}

/** Gives the first items of all sources, then the second ones, and so on. */
export class ZipWork implements Work {
  readonly name = "zip()";
  readonly label = "an item of zip()";
  readonly sources: readonly Opener[];
  readonly #settings: PullSettings;
  readonly #seats: readonly Seat[];
  #pullers: readonly Puller[] = [];

  constructor(sources: readonly Opener[], settings: PullSettings) {
    this.sources = sources;
    this.#settings = settings;
    this.#seats = sources.map(() => ({ item: undefined, taken: false }));
  }

  begin(crew: Crew): void {
    this.#pullers = startPullers(
      crew,
      this,
      this.#settings,
      (item, index) => {
        Object.assign(this.#seats[index] as Seat, { item, taken: true });
      },
    );
  }

  take(): Pulled | undefined {
    const seats = this.#seats;
    const missesOne = this.#pullers.some(({ ended }, index) =>
      ended && !seats[index]?.taken
    );
    if (missesOne) return DONE;
    if (seats.length === 0 || !seats.every(({ taken }) => taken)) {
      return undefined;
    }
    const value = seats.map(({ item }) => item);
    for (const seat of seats) Object.assign(seat, NOBODY);
    return { done: false, value };
  }

  ask(): void {
    for (const [index, puller] of this.#pullers.entries()) {
      if (!this.#seats[index]?.taken) puller.ask();
    }
  }
}

const NOBODY: Seat = { item: undefined, taken: false };

/** Gives the latest items of all sources whenever one gives a new one. */
export class LatestWork implements Work {
  readonly name = "combineLatest()";
  readonly label = "an item of combineLatest()";
  readonly sources: readonly Opener[];
  readonly #settings: PullSettings;
  readonly #latest: unknown[];
  readonly #ready = new Ring<readonly unknown[]>();
  /** The sources that have given nothing yet. */
  readonly #missing: Set<number>;
  #pullers: readonly Puller[] = [];

  constructor(sources: readonly Opener[], settings: PullSettings) {
    this.sources = sources;
    this.#settings = settings;
    this.#latest = sources.map(() => undefined);
    this.#missing = new Set(sources.keys());
  }

  begin(crew: Crew): void {
    this.#pullers = startPullers(
      crew,
      this,
      this.#settings,
      (item, index) => {
        this.#latest[index] = item;
        this.#missing.delete(index);
        if (this.#missing.size === 0) this.#ready.push([...this.#latest]);
      },
    );
  }

  take(): Pulled | undefined {
    if (this.#ready.size > 0) {
      return { done: false, value: this.#ready.shift() };
    }
    const hopeless = this.#pullers.some(({ ended }, index) =>
      ended && this.#missing.has(index)
    );
    return hopeless ? DONE : undefined;
  }

  ask(): void {
    for (const [index, puller] of this.#pullers.entries()) {
      // Those who have given wait for the others: no item is left out.
      if (this.#missing.size === 0 || this.#missing.has(index)) puller.ask();
    }
  }
}
