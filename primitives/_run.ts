import { isThenable } from "../_internal/check.ts";
import { Claim, ClaimList, type Line, UNTIL_GONE } from "../_internal/claim.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import type { Fused } from "./_fused.ts";
import {
  closePull,
  closeQuietly,
  DONE,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";

/**
 * One pass over the items: what `for await` asks.
 *
 * Calls of `next` that come while one is under way are served one after the other.
 * Whatever way a pass ends, the sources are ended before it says so.
 */
export class Run<T> implements AsyncIterableIterator<T, undefined> {
  readonly #pull: Fused;
  readonly #settings: PullSettings;
  #guard: Guard | undefined = undefined;
  #pending: Promise<Pulled> | undefined = undefined;
  readonly #line = new ClaimList();
  /** Whether the one who was first in line is about to ask. */
  #reserved = false;
  #over = false;

  constructor(pull: Fused, settings: PullSettings) {
    this.#pull = pull;
    this.#settings = settings;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const isBusy = this.#pending !== undefined || this.#reserved ||
      this.#line.size > 0;
    if (isBusy) return this.#queue();
    return this.#next() as Promise<IteratorResult<T, undefined>>;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#over) return DONE;
    this.#over = true;
    if (this.#pending === undefined || await this.#endPending()) {
      await closePull(this.#pull, this.#settings);
    }
    return DONE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #next(): Promise<Pulled> {
    if (this.#over) return Promise.resolve(DONE);
    const frame = currentFrame();
    const refused = refusal(frame, "take an item");
    if (refused !== undefined) return this.#refuse(refused);
    const result = this.#pull.next();
    if (isThenable(result)) return this.#wait(frame, result);
    if (result.done) this.#over = true;
    return frame.loop.pass(Promise.resolve(result), frame);
  }

  /** Waits until those before have been served. */
  async #queue(): Promise<IteratorResult<T, undefined>> {
    const frame = currentFrame();
    const refused = refusal(frame, "take an item");
    if (refused !== undefined) return await refused;
    const claim = new Claim<void>(frame, "its turn at an iterator");
    this.#line.push(claim as Claim);
    await claim.wait();
    this.#reserved = false;
    const { struck } = frame.scope.live();
    if (struck !== undefined) {
      // Others go over the items, too: they go on.
      this.#handOn();
      throw struck;
    }
    const answer = this.#next();
    if (this.#pending === undefined) this.#handOn();
    return await answer as IteratorResult<T, undefined>;
  }

  /** Lets the next in line ask. */
  #handOn(): void {
    const claim = this.#line.shift();
    this.#reserved = claim !== undefined;
    claim?.grant(undefined);
  }

  async #refuse(refused: Promise<never>): Promise<never> {
    await closeQuietly(() => this.return());
    return await refused;
  }

  /** Waits for an item, as long as the scope of the one who asks lets it. */
  #wait(frame: Frame, result: PromiseLike<Pulled>): Promise<Pulled> {
    if (this.#guard?.frame !== frame) {
      this.#guard = new Guard(frame, this.#settings, () => this.#abandon());
    }
    const guard = this.#guard;
    return this.#pending = new Promise<Pulled>((resolve, reject) => {
      guard.begin(reject);
      result.then((answer) => {
        if (answer.done) this.#over = true;
        this.#settle(guard);
        resolve(answer);
      }, (error) => {
        this.#over = true;
        this.#settle(guard);
        reject(error);
      });
    });
  }

  #settle(guard: Guard): void {
    this.#pending = undefined;
    guard.end();
    this.#handOn();
  }

  /** Sees to the end of a `next` that is under way; `false` if there is none. */
  async #endPending(): Promise<boolean> {
    const { loop } = currentFrame();
    this.#pull.interrupt();
    const { graceMs } = this.#settings;
    const settled = (this.#pending ?? Promise.resolve()).then(
      () => {},
      () => {},
    );
    if (await endsWithin(settled, graceMs)) return true;
    loop.report({
      message:
        `Cannot end a source: its "next" has not ended within ${graceMs} ms`,
    });
    this.#guard?.end();
    this.#leave();
    return false;
  }

  /** Whether the guard may leave what is stuck; it is left then. */
  #abandon(): boolean {
    if (this.#pull.endsByItself) return false;
    this.#pending = undefined;
    this.#over = true;
    this.#leave();
    this.#handOn();
    return true;
  }

  /** Asks for the end without waiting for it. */
  #leave(): void {
    Promise.resolve(this.#pull.abandon()).catch(() => {});
  }
}

/**
 * Sees that a consumer who is cancelled does not wait for ever.
 *
 * Its claim only stands in the scope, to be struck: it is never decided, and serves
 * for one wait after the other.
 */
class Guard implements Line {
  readonly frame: Frame;
  readonly #claim: Claim;
  readonly #graceMs: number;
  readonly #abandon: () => boolean;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #timer: Timer | undefined = undefined;

  constructor(
    frame: Frame,
    { graceMs }: PullSettings,
    abandon: () => boolean,
  ) {
    this.frame = frame;
    this.#graceMs = graceMs;
    this.#abandon = abandon;
    this.#claim = new Claim(frame, "an item of a source");
    this.#claim.line = this;
  }

  begin(reject: (error: unknown) => void): void {
    this.#reject = reject;
    this.frame.scope.live().adopt(this.#claim);
  }

  end(): void {
    this.#reject = undefined;
    this.#claim.scope?.disown(this.#claim);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  withdraw(): void {}

  strike(_claim: Claim, error: CancelledError): void {
    const { loop } = this.frame;
    this.#timer ??= loop.timers.after(this.#graceMs, {
      label: "the grace of a source",
      expire: () => this.#expire(error),
    });
  }

  #expire(error: CancelledError): void {
    const reject = this.#reject;
    if (reject === undefined || !this.#abandon()) return;
    this.frame.loop.report({
      message:
        `Cannot wait longer for a source: it has not ended within ${this.#graceMs} ms`,
      exception: error,
    });
    this.end();
    reject(error);
  }
}

/** Waits for a promise that never rejects, but not longer than so. */
export async function endsWithin(
  ended: Promise<void>,
  ms: number,
): Promise<boolean> {
  const frame = currentFrame();
  const claim = new Claim<boolean>(frame, "the end of a source");
  claim.line = UNTIL_GONE;
  const timer = frame.loop.timers.after(ms, {
    label: "the grace of a source",
    expire: () => claim.grant(false),
  });
  ended.then(() => claim.grant(true));
  try {
    return await claim.wait();
  } finally {
    timer.cancel();
  }
}
