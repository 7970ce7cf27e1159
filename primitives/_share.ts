import { Claim, ClaimList } from "../_internal/claim.ts";
import {
  callbackFrame,
  currentFrame,
  type Frame,
  runIn,
} from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { Crew } from "./_crew.ts";
import {
  discard,
  DONE,
  type Opener,
  type Pull,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";
import { Puller } from "./_puller.ts";

/**
 * One source for several consumers: each gets all items from the moment at which
 * it came.
 *
 * The source is pulled for all of them, in the root scope: the end of one consumer
 * is nothing to the others. It is ended when the last has left.
 */
export class Shared {
  readonly #open: Opener;
  readonly #capacity: number;
  readonly #settings: PullSettings;
  readonly #branches = new Set<Branch>();
  #pass: Pass | undefined = undefined;

  constructor(open: Opener, capacity: number, settings: PullSettings) {
    this.#open = open;
    this.#capacity = capacity;
    this.#settings = settings;
  }

  /** Adds a consumer. */
  branch(): Branch {
    const branch = new Branch(this);
    this.#branches.add(branch);
    return branch;
  }

  /** Asks for an item if somebody waits for one, and all have room for it. */
  feed(): void {
    let somebodyWaits = false;
    for (const { size, waits } of this.#branches) {
      if (size >= this.#capacity) return;
      if (waits) somebodyWaits = true;
    }
    if (!somebodyWaits) return;
    this.#pass ??= runIn(callbackFrame(), () => this.#begin());
    this.#pass.puller.ask();
  }

  /** Whether nothing more comes. */
  get over(): boolean {
    return this.#pass?.crew.over ?? false;
  }

  /** How it ended: throws what the source has thrown. */
  async finish(): Promise<void> {
    const pass = this.#pass;
    if (pass !== undefined) await (pass.finished ??= pass.crew.finish());
  }

  /** A consumer leaves; the last one waits until the source was ended. */
  async leave(branch: Branch): Promise<void> {
    if (!this.#branches.delete(branch)) return;
    if (this.#branches.size > 0) return this.feed();
    const pass = this.#pass;
    // Whoever comes later begins anew.
    this.#pass = undefined;
    if (pass === undefined) await discard(this.#open, this.#settings);
    else await pass.crew.close();
  }

  #begin(): Pass {
    const frame: Frame = currentFrame();
    const crew = new Crew(frame, this.#settings, "share()");
    const puller = new Puller({
      crew,
      name: "source of share()",
      settings: this.#settings,
      open: this.#open,
      onItem: (item) => {
        for (const branch of this.#branches) branch.push(item);
      },
    });
    crew.onChange = () => {
      for (const branch of this.#branches) branch.wake();
    };
    return { crew, puller, finished: undefined };
  }
}

/** One pass over the source. */
interface Pass {
  readonly crew: Crew;
  readonly puller: Puller;
  /** How it ended, for all consumers. */
  finished: Promise<void> | undefined;
}

/** What one consumer gets. */
export class Branch implements Pull {
  readonly isGuarded = true;
  readonly #shared: Shared;
  readonly #items = new Ring<unknown>();
  readonly #waiting = new ClaimList();
  /** Whether the consumer waits no more. */
  #left = false;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** How many items wait for the consumer. */
  get size(): number {
    return this.#items.size;
  }

  /** Whether the consumer waits for an item. */
  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  push(item: unknown): void {
    this.#items.push(item);
    this.wake();
  }

  wake(): void {
    this.#waiting.shift()?.grant(undefined);
  }

  next(): Pulled | Promise<Pulled> {
    if (this.#items.size === 0) return this.#wait();
    const value = this.#items.shift();
    this.#shared.feed();
    return { done: false, value };
  }

  return(): Promise<void> {
    return this.#shared.leave(this);
  }

  interrupt(): void {
    this.#left = true;
    this.wake();
  }

  async #wait(): Promise<Pulled> {
    try {
      while (this.#items.size === 0) {
        if (this.#left || this.#shared.over) {
          if (!this.#left) await this.#shared.finish();
          await this.return();
          return DONE;
        }
        await this.#turn();
      }
    } catch (error) {
      await this.return().catch(() => {});
      throw error;
    }
    return { done: false, value: this.#items.shift() };
  }

  #turn(): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "take an item");
    if (refused !== undefined) return refused;
    const claim = new Claim<void>(frame, "an item of share()");
    this.#waiting.push(claim as Claim);
    const parked = claim.wait();
    this.#shared.feed();
    return parked;
  }
}
