import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import type { Crew, Member } from "./_crew.ts";
import { closePull, isLater, type Pull, type PullSettings } from "./_pull.ts";

/** How many items are pulled in a row before others get to run. */
const ITEMS_AT_ONCE = 256;
const READY: Promise<void> = Promise.resolve();

/** What a puller does for whom. */
export interface PullerJob {
  readonly crew: Crew;
  readonly name: string;
  readonly settings: PullSettings;
  /** Begins, in the puller's own task. */
  open(): Pull | PromiseLike<Pull>;
  /** Takes an item. */
  onItem(item: unknown): void;
}

/**
 * A source that is pulled in a task of its own, an item whenever it is asked for
 * one. Cancelling the task ends even a `next` that is under way.
 */
export class Puller implements Member {
  readonly #job: PullerJob;
  readonly #asks = new ClaimList();
  readonly #actor: Actor;
  #pull: Pull | undefined = undefined;
  #asked = false;
  #ended = false;

  constructor(job: PullerJob) {
    this.#job = job;
    this.#actor = job.crew.start(this);
  }

  get name(): string {
    return this.#job.name;
  }

  /** Whether the source has no more items. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Asks for one more item, if none is asked for already. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#asks.shift()?.grant(undefined);
  }

  /** Ends the source before its time. */
  cancel(): void {
    if (!this.#ended) {
      cancelScope(this.#actor.scope, undefined, { kind: "given-up" });
    }
  }

  /** Waits until the source was ended, however that went. */
  async gone(): Promise<void> {
    if (!this.#ended) await this.#actor.outcome.join(currentFrame());
  }

  async work(): Promise<void> {
    const { settings, onItem } = this.#job;
    const frame = currentFrame();
    let live = false;
    let pull: Pull | undefined;
    try {
      if (!this.#asked) await this.#turn(frame);
      const opened = this.#job.open();
      pull = this.#pull = isLater(opened) ? await opened : opened;
      live = true;
      for (let n = 1;; n++) {
        const { struck } = frame.scope;
        if (struck !== undefined) throw struck;
        live = false;
        const answer = pull.next();
        const { done, value } = isLater(answer) ? await answer : answer;
        if (done) {
          this.#ended = true;
          break;
        }
        live = true;
        const item = isLater(value) ? await value : value;
        this.#asked = false;
        onItem(item);
        if (!this.#asked) await this.#turn(frame);
        else if (n % ITEMS_AT_ONCE === 0) await frame.loop.pass(READY, frame);
      }
    } finally {
      if (live && pull !== undefined) await closePull(pull, settings);
    }
  }

  abandon(): unknown {
    return this.#pull?.return?.();
  }

  /** Waits until an item is asked for. */
  #turn(frame: Frame): Promise<void> {
    const refused = refusal(frame, "pull an item");
    if (refused !== undefined) return refused;
    const claim = new Claim<void>(frame, "the next to ask for an item");
    this.#asks.push(claim as Claim);
    return claim.wait();
  }
}
