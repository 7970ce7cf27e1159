import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Queue } from "../primitives/queue.ts";

/** An item on its way, and its place among all. */
export interface Numbered<T> {
  readonly place: number;
  readonly item: T;
}

/** What connects two stages: it numbers the items in the order of the puts. */
export class Pipe<T> {
  readonly #queue: Queue<Numbered<T>>;
  #next = 0;

  constructor(capacity: number) {
    this.#queue = new Queue({ capacity });
  }

  put(item: T): Promise<void> {
    return this.#queue.put({ place: this.#next++, item });
  }

  /** The next item; see `Queue.get`. */
  get(): Promise<Numbered<T>> {
    return this.#queue.get();
  }

  /** Says that no more items come: that is a state, which every reader sees. */
  close(): void {
    this.#queue.shutdown();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Numbered<T>, void, void> {
    return this.#queue[Symbol.asyncIterator]();
  }
}

/** Puts results back into the order of their items, and holds few of them. */
export class Reorder<T> {
  readonly #capacity: number;
  readonly #put: (item: T) => Promise<void>;
  readonly #ready = new Map<number, { readonly item: T } | undefined>();
  readonly #waiting = new ClaimList();
  /** The place of the result that goes next. */
  #next = 0;
  #isFlushing = false;

  constructor(capacity: number, put: (item: T) => Promise<void>) {
    this.#capacity = capacity;
    this.#put = put;
  }

  /**
   * Hands in the result of a place, or that there is none. It waits as long as too
   * many others would have to be kept; whoever has the next place never waits for
   * that.
   */
  async deliver(
    place: number,
    result: { readonly item: T } | undefined,
  ): Promise<void> {
    while (place - this.#next >= this.#capacity) await this.#moved();
    this.#ready.set(place, result);
    // Another worker is on it, and will find this one.
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    while (this.#ready.has(this.#next)) {
      const next = this.#ready.get(this.#next);
      this.#ready.delete(this.#next++);
      if (next !== undefined) await this.#put(next.item);
      for (let c = this.#waiting.shift(); c; c = this.#waiting.shift()) {
        c.grant(undefined);
      }
    }
    this.#isFlushing = false;
  }

  #moved(): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "hand in a result");
    if (refused !== undefined) return refused;
    const claim = new Claim<void>(frame, "the results before its own");
    this.#waiting.push(claim as Claim);
    return claim.wait();
  }
}
