import { Ring } from "../_internal/ring.ts";
import { throwIfCancelled } from "./checkpoint.ts";
import type { Crew } from "./_crew.ts";
import type { Work } from "./_crew_pull.ts";
import {
  DONE,
  type Opener,
  type Pull,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";
import { Puller } from "./_puller.ts";

/** Gives the items of the latest inner source; the one before is ended. */
export class SwitchWork implements Work {
  readonly name = "switchMap()";
  readonly label = "an item of switchMap()";
  readonly sources: readonly Opener[];
  readonly #openInner: (
    item: unknown,
    index: number,
  ) => Pull | PromiseLike<Pull>;
  readonly #settings: PullSettings;
  readonly #ready = new Ring<unknown>();
  #outer: Puller | undefined = undefined;
  #inner: Puller | undefined = undefined;
  #index = 0;

  constructor(
    source: Opener,
    openInner: (item: unknown, index: number) => Pull | PromiseLike<Pull>,
    settings: PullSettings,
  ) {
    this.sources = [source];
    this.#openInner = openInner;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#outer = new Puller({
      crew,
      name: "source of switchMap()",
      settings: this.#settings,
      open: this.sources[0] as Opener,
      onItem: (item) => this.#switch(crew, item),
    });
  }

  take(): Pulled | undefined {
    if (this.#ready.size > 0) {
      return { done: false, value: this.#ready.shift() };
    }
    const over = this.#outer?.ended && (this.#inner?.ended ?? true);
    return over ? DONE : undefined;
  }

  ask(): void {
    this.#outer?.ask();
    this.#inner?.ask();
  }

  #switch(crew: Crew, item: unknown): void {
    let before = this.#inner;
    before?.cancel();
    // What the one before has given, and nobody has taken, is out of date.
    while (this.#ready.size > 0) this.#ready.shift();
    const index = this.#index++;
    const inner: Puller = new Puller({
      crew,
      name: "inner source of switchMap()",
      settings: this.#settings,
      open: async () => {
        // The next begins when the one before is gone.
        await before?.gone().catch(() => {});
        before = undefined;
        throwIfCancelled();
        return await this.#openInner(item, index);
      },
      onItem: (value) => {
        if (this.#inner !== inner) return;
        this.#ready.push(value);
        crew.onChange();
      },
    });
    this.#inner = inner;
    this.ask();
  }
}
