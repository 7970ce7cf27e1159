import type { Actor } from "../_internal/actor.ts";
import { DoneCallback } from "../_internal/outcome.ts";

/** Watches a task for its end, as long as somebody depends on it. */
export class Vigil {
  readonly #onEnd: () => void;
  #callback: DoneCallback | undefined = undefined;
  #watched: Actor | undefined = undefined;

  /** `onEnd` may also be called for a task that was watched before. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** Watches this task, and no other. */
  watch(actor: Actor | undefined): void {
    if (this.#watched === actor) return;
    this.stop();
    if (actor === undefined) return;
    this.#callback ??= new DoneCallback(actor.loop, this.#onEnd);
    this.#watched = actor;
    actor.outcome.watch(this.#callback);
  }

  stop(): void {
    if (this.#watched === undefined || this.#callback === undefined) return;
    this.#watched.outcome.unwatch(this.#callback);
    this.#watched = undefined;
  }
}
