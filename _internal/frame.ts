import { AsyncLocalStorage } from "node:async_hooks";
import type { Actor } from "./actor.ts";
import { Context } from "./context.ts";
import { EventLoop } from "./event_loop.ts";
import type { ScopeNode } from "./scope_node.ts";
import { SystemClock } from "./system_clock.ts";

/** What travels with the code that runs: all of the ambient state. */
export interface Frame {
  readonly loop: EventLoop;
  readonly scope: ScopeNode;
  /** The task that runs, if it is one. */
  readonly actor: Actor | undefined;
  readonly context: Context;
}

const storage = new AsyncLocalStorage<Frame>();

/** Where code finds itself that runs in no frame: the root of a default loop. */
let defaultFrame: Frame | undefined;

/** The frame at the root of a loop. */
export function rootFrame(
  loop: EventLoop,
  context: Context = new Context(),
): Frame {
  return { loop, scope: loop.root, actor: undefined, context };
}

/** The frame of the code that runs now. */
export function currentFrame(): Frame {
  return storage.getStore() ??
    (defaultFrame ??= rootFrame(new EventLoop(new SystemClock())));
}

/** The frame of the code that runs now, or `undefined` outside of every run. */
export function enclosingFrame(): Frame | undefined {
  return storage.getStore();
}

/** The frame of a callback: the present context, and nothing else of the caller. */
export function callbackFrame(): Frame {
  const { loop, context } = currentFrame();
  return rootFrame(loop, context.copy());
}

/**
 * Remembers `frame`, and what else the present async context holds: the function
 * that comes back calls another in there.
 */
export function snapshotIn(frame: Frame): (fn: () => void) => void {
  return storage.run(frame, () => AsyncLocalStorage.snapshot());
}

/** Calls `fn` in `frame`. */
export function runIn<A extends unknown[], R>(
  frame: Frame,
  fn: (...args: A) => R,
  ...args: A
): R {
  return storage.run(frame, fn, ...args);
}
