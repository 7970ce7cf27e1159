import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import { isThenable } from "../_internal/check.ts";
import { TimeoutError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { type Frame, rootFrame, snapshotIn } from "../_internal/frame.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { spawn } from "../_internal/spawn.ts";
import type { Timer } from "../_internal/timer_queue.ts";

/** How a hook has ended. */
export type HookOutcome<R> =
  | { readonly isOk: true; readonly value: R }
  | {
    readonly isOk: false;
    readonly error: unknown;
    /** Whether it goes on: it was given up. */
    readonly isRunning?: boolean;
  };

/** One call of a function of the user. */
export interface Hook<R> {
  readonly name: string;
  readonly fn: () => R | PromiseLike<R>;
  readonly limitMs: number;
  /** Goes on although the run is ending, for as long as the limit. */
  readonly isCleanup?: boolean;
  /** Called once, and at once if `fn` does not wait. It never throws. */
  readonly onEnd: (outcome: HookOutcome<R>) => void;
  /** Called if the hook ends after it was given up. */
  readonly onLate?: (outcome: HookOutcome<R>) => void;
}

/**
 * Calls the hooks of a pool: below the root of the loop, since what they do is for
 * all callers, and in the async context in which the pool was made.
 */
export class HookRunner {
  readonly #loop: EventLoop;
  readonly #enter: (fn: () => void) => void;

  constructor(frame: Frame) {
    const { loop, context } = frame;
    this.#loop = loop;
    this.#enter = snapshotIn(rootFrame(loop, context.copy()));
  }

  /** Starts a hook. The function that comes back gives it up. */
  run<R>(hook: Hook<R>): (error: unknown) => void {
    const { name, limitMs, onEnd, onLate } = hook;
    const loop = this.#loop;
    let isOver = false;
    const end = (outcome: HookOutcome<R>): void => {
      if (isOver) return onLate?.(outcome);
      isOver = true;
      timer?.cancel();
      onEnd(outcome);
    };
    let timer: Timer | undefined = undefined as Timer | undefined;
    let actor: Actor | undefined;
    try {
      this.#enter(() => actor = this.#spawn(hook, end));
    } catch (error) {
      // The run has ended, and nothing can begin in it.
      end({ isOk: false, error });
    }
    const giveUp = (error: unknown): void => {
      if (isOver) return;
      end({ isOk: false, error, isRunning: true });
      if (actor !== undefined) cancelScope(actor.scope, error);
    };
    if (isOver || limitMs === Infinity) return giveUp;
    const expire = (): void =>
      giveUp(new TimeoutError(limitMs, { label: name }));
    timer = loop.timers.after(limitMs, {
      label: `the limit of ${name}`,
      expire,
    });
    return giveUp;
  }

  #spawn<R>(hook: Hook<R>, end: (outcome: HookOutcome<R>) => void): Actor {
    const { name, fn, limitMs, isCleanup = false } = hook;
    const { root } = this.#loop;
    const parent = isCleanup
      ? new ScopeNode(this.#loop, root, { name, graceMs: limitMs })
      : root;
    const work = async (): Promise<void> => {
      let outcome: HookOutcome<R>;
      try {
        const result = fn();
        const value = isThenable(result) ? await result : result;
        outcome = { isOk: true, value };
      } catch (error) {
        outcome = { isOk: false, error };
      }
      if (isCleanup) parent.exit();
      end(outcome);
    };
    return spawn(parent, work, { name, eager: true }) as Actor;
  }
}
