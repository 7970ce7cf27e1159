import { currentFrame } from "../_internal/frame.ts";
import {
  closeAll,
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

/** Gives the items of one source after the other. */
export class FlatPull implements Pull {
  readonly isGuarded = true;
  readonly #outer: Pull;
  readonly #openInner: (item: unknown) => Pull | PromiseLike<Pull>;
  readonly #settings: PullSettings;
  /** Whether the outer source has to be ended. */
  #live = true;
  #inner: Pull | undefined = undefined;
  /** Whether the inner source has to be ended. */
  #innerLive = false;

  constructor(
    outer: Pull,
    openInner: (item: unknown) => Pull | PromiseLike<Pull>,
    settings: PullSettings,
  ) {
    this.#outer = outer;
    this.#openInner = openInner;
    this.#settings = settings;
  }

  next(): Pulled | Promise<Pulled> {
    const inner = this.#inner;
    if (inner === undefined) return this.#wait(undefined);
    this.#innerLive = false;
    let answer: Pulled | PromiseLike<Pulled>;
    try {
      answer = inner.next();
    } catch (error) {
      return this.#fail(error);
    }
    if (isLater(answer) || answer.done) return this.#wait(answer);
    this.#innerLive = true;
    return answer;
  }

  async return(): Promise<void> {
    await closeAll([() => this.#closeInner(), () => this.#closeOuter()]);
  }

  interrupt(): void {
    if (this.#inner === undefined) this.#outer.interrupt?.();
    else this.#inner.interrupt?.();
  }

  async #wait(
    pending: Pulled | PromiseLike<Pulled> | undefined,
  ): Promise<Pulled> {
    const { scope } = currentFrame();
    try {
      let answer = pending;
      for (;;) {
        if (answer !== undefined) {
          const inner = isLater(answer) ? await answer : answer;
          if (!inner.done) {
            this.#innerLive = true;
            return inner;
          }
          this.#inner = undefined;
        }
        const { struck } = scope.live();
        if (struck !== undefined) throw struck;
        this.#live = false;
        const asked = this.#outer.next();
        const outer = isLater(asked) ? await asked : asked;
        if (outer.done) return DONE;
        this.#live = true;
        const { value } = outer;
        const opened = this.#openInner(
          isLater(value) ? await value : value,
        );
        this.#inner = isLater(opened) ? await opened : opened;
        answer = this.#inner.next();
      }
    } catch (error) {
      return await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<never> {
    await closeQuietly(() => this.#closeOuter());
    throw error;
  }

  #closeInner(): Promise<void> | undefined {
    if (!this.#innerLive || this.#inner === undefined) return undefined;
    this.#innerLive = false;
    return closePull(this.#inner, this.#settings);
  }

  #closeOuter(): Promise<void> | undefined {
    if (!this.#live) return undefined;
    this.#live = false;
    return closePull(this.#outer, this.#settings);
  }
}

/** Gives sources one after the other; those that were not reached are ended. */
export class Openers implements Pull<Opener> {
  readonly isGuarded = true;
  readonly #left: Opener[];
  readonly #settings: PullSettings;

  constructor(openers: readonly Opener[], settings: PullSettings) {
    this.#left = [...openers];
    this.#settings = settings;
  }

  next(): Pulled<Opener> {
    const value = this.#left.shift();
    return value === undefined ? DONE : { done: false, value };
  }

  return(): Promise<void> {
    const left = this.#left.splice(0);
    return closeAll(left.map((open) => () => discard(open, this.#settings)));
  }
}
