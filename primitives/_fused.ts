import { currentFrame, type Frame } from "../_internal/frame.ts";
import {
  closePull,
  closeQuietly,
  discard,
  DONE,
  isLater,
  type Opener,
  type Pull,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";
import { SKIP, type Stage } from "./_stages.ts";

/** How many items are taken at once from a source that always has some. */
const ITEMS_AT_ONCE = 256;
const NOTHING: Promise<typeof SKIP> = Promise.resolve(SKIP);

/** What has to be waited for: an answer of the source, or the value of a stage. */
interface Later {
  readonly result: PromiseLike<Pulled> | undefined;
  readonly value: unknown;
  readonly at: number;
}

/** What is pulled from when the source was ended before it was asked. */
const NO_SOURCE: Pull = { next: () => DONE };

/**
 * A source and all that is done to each of its items, as one loop.
 *
 * As long as the source and the stages answer at once, so does this.
 */
export class Fused implements Pull {
  readonly isGuarded = true;
  readonly #open: Opener;
  readonly #stages: readonly Stage[];
  readonly #settings: PullSettings;
  /** Whether there is a stage that may want no more. */
  readonly #mayEnd: boolean;
  #source: Pull | undefined = undefined;
  /** Whether the source has to be ended. It is not asked at this moment then. */
  #live = false;
  /** Whether nobody wants what is under way. */
  #interrupted = false;
  /** What `#pump` has come to, and has not waited for. */
  #later: Later = { result: undefined, value: undefined, at: -1 };
  /** How often the source had to be waited for. */
  #asked = 0;
  /** The stage that is flushed next; -1 as long as items come in. */
  #flushAt: number;

  constructor(
    open: Opener,
    stages: readonly Stage[],
    settings: PullSettings,
  ) {
    this.#open = open;
    this.#stages = stages;
    this.#settings = settings;
    this.#mayEnd = stages.some(({ done }) => done !== undefined);
    this.#flushAt = stages.findLastIndex(({ done }) => done) + 1 || -1;
  }

  /** Whether what is waited for ends by itself, once the scope is cancelled. */
  get endsByItself(): boolean {
    return !this.#live && this.#source?.interrupt !== undefined;
  }

  next(): Pulled | Promise<Pulled> {
    if (this.#flushAt >= 0) return this.#finish();
    const stages = this.#stages;
    const { length } = stages;
    try {
      const source = this.#source ??= this.#open();
      if (source.drain !== undefined && length === 1 && stages[0]?.isSink) {
        return this.#drain();
      }
      this.#live = false;
      const result = source.next();
      if (isLater(result)) return this.#wait(result, undefined, -1);
      return this.#pump(source, result) ?? this.#waitOn();
    } catch (error) {
      return this.#fail(error);
    }
  }

  async return(): Promise<void> {
    const source = this.#source;
    this.#flushAt = Infinity;
    if (source === undefined) {
      this.#source = NO_SOURCE;
      return await discard(this.#open, this.#settings);
    }
    if (!this.#live) return;
    this.#live = false;
    await closePull(source, this.#settings);
  }

  interrupt(): void {
    this.#interrupted = true;
    if (!this.#live) this.#source?.interrupt?.();
  }

  /** Asks the source to end, without an answer to what is under way. */
  abandon(): unknown {
    this.#flushAt = Infinity;
    this.#live = false;
    return this.#source?.return?.();
  }

  /**
   * Goes on from an answer as long as the source and the stages answer at once, up
   * to some items. If it gives nothing, `later` is what has to be waited for.
   */
  #pump(source: Pull, first: Pulled): Pulled | Promise<Pulled> | undefined {
    const stages = this.#stages;
    const { length } = stages;
    const mayEnd = this.#mayEnd;
    let result: Pulled | PromiseLike<Pulled> = first;
    for (let n = 0; n < ITEMS_AT_ONCE; n++) {
      if (isLater(result)) {
        this.#later = { result, value: undefined, at: -1 };
        return undefined;
      }
      if (result.done) {
        if (this.#flushAt < 0) this.#flushAt = 0;
        return this.#finish();
      }
      this.#live = true;
      let value = result.value;
      let at = -1;
      for (;;) {
        if (isLater(value)) {
          this.#later = { result: undefined, value, at };
          return undefined;
        }
        if (mayEnd) this.#look(at);
        if (value === SKIP || ++at === length) break;
        value = (stages[at] as Stage).push(value);
      }
      if (value !== SKIP) return { done: false, value };
      if (this.#flushAt >= 0) return this.#finish();
      this.#live = false;
      result = source.next();
    }
    this.#asked = 0;
    this.#later = isLater(result)
      ? { result, value: undefined, at: -1 }
      : { result: giveWayTo(result), value: undefined, at: -1 };
    return undefined;
  }

  #waitOn(): Promise<Pulled> {
    const { result, value, at } = this.#later;
    return this.#wait(result, value, at);
  }

  /**
   * Goes on as `next`, and waits where it must: for the answer of the source, or
   * for the value that the stage `at` gives (the source itself, if it is -1).
   */
  async #wait(
    pending: PromiseLike<Pulled> | undefined,
    value: unknown,
    at: number,
  ): Promise<Pulled> {
    const frame = currentFrame();
    const source = this.#source as Pull;
    const stages = this.#stages;
    const { length } = stages;
    let result: Pulled | PromiseLike<Pulled> | undefined = pending;
    try {
      for (;;) {
        if (result !== undefined) {
          const answer: Pulled = isLater(result) ? await result : result;
          if (answer.done) {
            if (this.#flushAt < 0) this.#flushAt = 0;
            return await this.#finish();
          }
          this.#live = true;
          value = answer.value;
          at = -1;
        }
        for (;;) {
          if (isLater(value)) value = await value;
          if (this.#mayEnd) this.#look(at);
          if (value === SKIP || ++at === length) break;
          value = (stages[at] as Stage).push(value);
        }
        if (value !== SKIP) return { done: false, value };
        if (this.#flushAt >= 0) return await this.#finish();
        if (++this.#asked % ITEMS_AT_ONCE === 0) await giveWay(frame);
        const { struck } = frame.scope.live();
        if (struck !== undefined) throw struck;
        if (this.#interrupted) {
          this.#flushAt = Infinity;
          return await this.#finish();
        }
        this.#live = false;
        result = source.next();
        if (isLater(result)) continue;
        const answer = this.#pump(source, result);
        if (answer !== undefined) return await answer;
        ({ result, value, at } = this.#later);
      }
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** Lets the source give all items at once to the only stage. */
  async #drain(): Promise<Pulled> {
    const [stage] = this.#stages;
    try {
      await this.#source?.drain?.((item) => stage?.push(item));
      this.#flushAt = 0;
      return this.#finish();
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** Looks whether the stage `at` wants no more: those after it are flushed then. */
  #look(at: number): void {
    if (this.#flushAt <= at && this.#stages[at]?.done) this.#flushAt = at + 1;
  }

  /** Gives what the stages have kept, one at a time. */
  #finish(): Pulled | Promise<Pulled> {
    if (this.#source === undefined) return this.#discardThenFinish();
    if (this.#live) return this.#closeThenFinish();
    while (this.#flushAt < this.#stages.length) {
      let at = this.#flushAt++;
      let value = this.#stages[at]?.flush();
      while (value !== SKIP && !isLater(value)) {
        this.#look(at);
        if (++at === this.#stages.length) break;
        value = this.#stages[at]?.push(value);
      }
      if (isLater(value)) return this.#wait(undefined, value, at);
      if (value !== SKIP) return { done: false, value };
    }
    return DONE;
  }

  /** Nothing was asked for, and nothing will be. */
  async #discardThenFinish(): Promise<Pulled> {
    this.#source = NO_SOURCE;
    await discard(this.#open, this.#settings);
    return this.#finish();
  }

  async #closeThenFinish(): Promise<Pulled> {
    this.#live = false;
    await closePull(this.#source as Pull, this.#settings);
    return this.#finish();
  }

  #fail(error: unknown): Promise<never> {
    this.#flushAt = Infinity;
    // What is interruptible is ended in any case.
    const mustEnd = this.#live || this.#source?.interrupt !== undefined;
    this.#live = false;
    return mustEnd ? this.#closeThenThrow(error) : Promise.reject(error);
  }

  async #closeThenThrow(error: unknown): Promise<never> {
    const source = this.#source as Pull;
    await closeQuietly(() => closePull(source, this.#settings));
    throw error;
  }
}

/** Lets others run before an answer is looked at. */
async function giveWayTo(answer: Pulled): Promise<Pulled> {
  await giveWay(currentFrame());
  return answer;
}

/** Lets others run: a source that always has something must not keep them out. */
function giveWay(frame: Frame): Promise<typeof SKIP> {
  return frame.loop.pass(NOTHING, frame);
}
