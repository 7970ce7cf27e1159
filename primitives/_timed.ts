import { TimeoutError } from "../_internal/errors.ts";
import { Ring } from "../_internal/ring.ts";
import type { Crew } from "./_crew.ts";
import type { Work } from "./_crew_pull.ts";
import { DONE, type Opener, type Pulled, type PullSettings } from "./_pull.ts";
import { Puller } from "./_puller.ts";

/** One source, pulled in a task of its own: what the works below share. */
class Feed {
  readonly crew: Crew;
  readonly puller: Puller;

  constructor(
    crew: Crew,
    work: Work,
    settings: PullSettings,
    onItem: (item: unknown) => void,
  ) {
    this.crew = crew;
    this.puller = new Puller({
      crew,
      name: `source of ${work.name}`,
      settings,
      open: work.sources[0] as Opener,
      onItem(item) {
        onItem(item);
        crew.onChange();
      },
    });
  }
}

/** Reads ahead, up to so many items. */
export class BufferWork implements Work {
  readonly name = "buffered()";
  readonly label = "an item of buffered()";
  readonly sources: readonly Opener[];
  readonly #capacity: number;
  readonly #settings: PullSettings;
  readonly #ready = new Ring<unknown>();
  #feed: Feed | undefined = undefined;

  constructor(
    source: Opener,
    capacity: number,
    settings: PullSettings,
  ) {
    this.sources = [source];
    this.#capacity = capacity;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#feed = new Feed(crew, this, this.#settings, (item) => {
      this.#ready.push(item);
      this.#fill();
    });
  }

  take(): Pulled | undefined {
    if (this.#ready.size === 0) return undefined;
    const value = this.#ready.shift();
    this.#fill();
    return { done: false, value };
  }

  ask(): void {
    this.#feed?.puller.ask();
  }

  #fill(): void {
    if (this.#ready.size < this.#capacity) this.ask();
  }
}

/** Gives lists: when so many items are there, or so much time has passed. */
export class BatchWork implements Work {
  readonly name = "batch()";
  readonly label = "an item of batch()";
  readonly sources: readonly Opener[];
  dueAt: number | undefined = undefined;
  readonly #size: number;
  readonly #withinMs: number;
  readonly #settings: PullSettings;
  #items: unknown[] = [];
  #feed: Feed | undefined = undefined;

  constructor(
    source: Opener,
    size: number,
    withinMs: number,
    settings: PullSettings,
  ) {
    this.sources = [source];
    this.#size = size;
    this.#withinMs = withinMs;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#feed = new Feed(crew, this, this.#settings, (item) => {
      if (this.#items.length === 0) this.dueAt = crew.now + this.#withinMs;
      this.#items.push(item);
    });
  }

  take(): Pulled | undefined {
    const items = this.#items;
    if (items.length === 0) return undefined;
    const { crew, puller } = this.#feed as Feed;
    const isDue = puller.ended || crew.now >= (this.dueAt ?? Infinity);
    if (items.length < this.#size && !isDue) return undefined;
    this.#items = [];
    this.dueAt = undefined;
    return { done: false, value: items };
  }

  ask(): void {
    this.#feed?.puller.ask();
  }
}

/** Gives an item when no other has come for a while: the last of a burst. */
export class DebounceWork implements Work {
  readonly name = "debounce()";
  readonly label = "an item of debounce()";
  readonly sources: readonly Opener[];
  dueAt: number | undefined = undefined;
  readonly #ms: number;
  readonly #settings: PullSettings;
  #latest: unknown = undefined;
  #feed: Feed | undefined = undefined;

  constructor(source: Opener, ms: number, settings: PullSettings) {
    this.sources = [source];
    this.#ms = ms;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#feed = new Feed(crew, this, this.#settings, (item) => {
      this.#latest = item;
      this.dueAt = crew.now + this.#ms;
      this.ask();
    });
  }

  take(): Pulled | undefined {
    if (this.dueAt === undefined) return undefined;
    const { crew, puller } = this.#feed as Feed;
    if (!puller.ended && crew.now < this.dueAt) return undefined;
    this.dueAt = undefined;
    return { done: false, value: this.#latest };
  }

  ask(): void {
    this.#feed?.puller.ask();
  }
}

/** Gives an item, then none for a while, then the latest that has come. */
export class ThrottleWork implements Work {
  readonly name = "throttle()";
  readonly label = "an item of throttle()";
  readonly sources: readonly Opener[];
  readonly #ms: number;
  readonly #settings: PullSettings;
  #latest: unknown = undefined;
  #hasLatest = false;
  #openAt = -Infinity;
  #feed: Feed | undefined = undefined;

  constructor(source: Opener, ms: number, settings: PullSettings) {
    this.sources = [source];
    this.#ms = ms;
    this.#settings = settings;
  }

  get dueAt(): number | undefined {
    return this.#hasLatest ? this.#openAt : undefined;
  }

  begin(crew: Crew): void {
    this.#feed = new Feed(crew, this, this.#settings, (item) => {
      this.#latest = item;
      this.#hasLatest = true;
      this.ask();
    });
  }

  take(): Pulled | undefined {
    if (!this.#hasLatest) return undefined;
    const { crew, puller } = this.#feed as Feed;
    if (!puller.ended && crew.now < this.#openAt) return undefined;
    this.#hasLatest = false;
    this.#openAt = crew.now + this.#ms;
    return { done: false, value: this.#latest };
  }

  ask(): void {
    this.#feed?.puller.ask();
  }
}

/** Fails if an item takes too long. */
export class TimeoutWork implements Work {
  readonly name = "timeoutEach()";
  readonly label = "an item of timeoutEach()";
  readonly sources: readonly Opener[];
  dueAt: number | undefined = undefined;
  readonly #ms: number;
  readonly #settings: PullSettings;
  readonly #ready = new Ring<unknown>();
  #feed: Feed | undefined = undefined;

  constructor(source: Opener, ms: number, settings: PullSettings) {
    this.sources = [source];
    this.#ms = ms;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#feed = new Feed(
      crew,
      this,
      this.#settings,
      (item) => this.#ready.push(item),
    );
  }

  take(): Pulled | undefined {
    if (this.#ready.size > 0) {
      this.dueAt = undefined;
      return { done: false, value: this.#ready.shift() };
    }
    const { crew, puller } = this.#feed as Feed;
    if (puller.ended) return DONE;
    if (this.dueAt !== undefined && crew.now >= this.dueAt) {
      throw new TimeoutError(this.#ms, { label: "the next item" });
    }
    return undefined;
  }

  ask(): void {
    const { crew, puller } = this.#feed as Feed;
    this.dueAt ??= crew.now + this.#ms;
    puller.ask();
  }
}
