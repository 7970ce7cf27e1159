import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame, runIn } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Crew } from "./_crew.ts";
import {
  closeAll,
  discard,
  DONE,
  type Opener,
  type Pull,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";

/** What a crew does: one operator, for one run. */
export interface Work {
  /** How reports call it. */
  readonly name: string;
  /** How reports call what is waited for. */
  readonly label: string;
  /** What it pulls from. */
  readonly sources: readonly Opener[];
  /** Starts the members: the first item was asked for. */
  begin(crew: Crew): void;
  /** What is ready, if anything is. */
  take(): Pulled | undefined;
  /** Nothing was ready: somebody waits. */
  ask(): void;
  /** When `take` has to be asked again at the latest. */
  readonly dueAt?: number | undefined;
}

/**
 * Pulls what a crew gives.
 *
 * A wait that was cancelled, or has failed, leaves the crew at work: whoever pulls
 * calls `return` in any case.
 */
export class CrewPull implements Pull {
  readonly isGuarded = true;
  readonly #work: Work;
  readonly #settings: PullSettings;
  readonly #waiting = new ClaimList();
  #crew: Crew | undefined = undefined;
  /** Set if all items go there, instead of to the one who waits. */
  #sink: ((item: unknown) => void) | undefined = undefined;
  #armedFor: number | undefined = undefined;
  #disarm: (() => void) | undefined = undefined;

  constructor(work: Work, settings: PullSettings) {
    this.#work = work;
    this.#settings = settings;
  }

  next(): Pulled | Promise<Pulled> {
    const crew = this.#crew ?? this.#begin();
    const ready = this.#take();
    if (ready !== undefined && !ready.done) return ready;
    if (ready !== undefined || crew.over) return this.#finish();
    const frame = currentFrame();
    const refused = refusal(frame, "take an item");
    if (refused !== undefined) return refused;
    const claim = new Claim<Pulled>(frame, this.#work);
    this.#waiting.push(claim as Claim);
    this.#goOn();
    return claim.wait();
  }

  drain(sink: (item: unknown) => void): Pulled | Promise<Pulled> {
    this.#sink = sink;
    return this.next();
  }

  async return(): Promise<void> {
    if (this.#crew !== undefined) return await this.#crew.close();
    // Nothing was pulled, and nothing will be.
    const { sources } = this.#work;
    await closeAll(
      sources.map((open) => () => discard(open, this.#settings)),
    );
  }

  interrupt(): void {
    this.#crew?.close().catch(() => {});
  }

  #begin(): Crew {
    const work = this.#work;
    const crew = new Crew(currentFrame(), this.#settings, work.name);
    this.#crew = crew;
    crew.onChange = this.#serve;
    work.begin(crew);
    return crew;
  }

  /** Gives what is ready to the one who waits, if anybody does. */
  readonly #serve = (): void => {
    const claim = this.#waiting.head;
    if (claim === undefined) return;
    let ready: Pulled | undefined;
    try {
      ready = this.#take();
    } catch (error) {
      this.#waiting.shift();
      claim.fail(error);
      return;
    }
    if (ready !== undefined && !ready.done) {
      this.#waiting.shift();
      claim.grant(ready);
    } else if (ready !== undefined || this.#crew?.over) {
      this.#waiting.shift();
      claim.grant(runIn(claim.frame, () => this.#finish()));
    } else this.#goOn();
  };

  /** What is ready, unless somebody takes all that is. */
  #take(): Pulled | undefined {
    const work = this.#work;
    const sink = this.#sink;
    let ready = work.take();
    while (sink !== undefined && ready !== undefined && !ready.done) {
      sink(ready.value);
      ready = work.take();
    }
    return ready;
  }

  /** Nothing was ready. */
  #goOn(): void {
    this.#work.ask();
    const { dueAt } = this.#work;
    if (dueAt === this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = dueAt;
    if (dueAt === undefined) return;
    this.#disarm = this.#crew?.at(dueAt, this.#due);
    const claim = this.#waiting.head;
    if (claim !== undefined) claim.cleanup = this.#stop;
  }

  readonly #due = (): void => {
    this.#armedFor = undefined;
    this.#serve();
  };

  /** Nobody waits any more. */
  readonly #stop = (): void => {
    this.#disarm?.();
    this.#disarm = this.#armedFor = undefined;
  };

  async #finish(): Promise<Pulled> {
    await this.#crew?.finish();
    return DONE;
  }
}
