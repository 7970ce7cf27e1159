import { Actor, type ActorOptions, drive } from "./actor.ts";
import type { Context } from "./context.ts";
import { ScopeClosedError } from "./errors.ts";
import { currentFrame, type Frame, runIn } from "./frame.ts";
import type { ScopeNode } from "./scope_node.ts";

/** How an actor begins. */
export interface SpawnOptions extends ActorOptions {
  /** Runs in this context, instead of a copy of the creator's. */
  readonly context?: Context | undefined;
  /** Runs to its first wait before `spawn` returns. */
  readonly eager?: boolean | undefined;
  /** Does not begin: whoever holds it gives it to the loop. */
  readonly held?: boolean | undefined;
}

const OPEN: Promise<void> = Promise.resolve();
const NO_OPTIONS: SpawnOptions = {};

/** Starts `fn` as an actor in a scope of its own below `parent`. */
export function spawn<T>(
  parent: ScopeNode,
  fn: () => T | PromiseLike<T>,
  options: SpawnOptions = NO_OPTIONS,
): Actor<T> {
  const { loop } = parent;
  const context = options.context ?? currentFrame().context.values;
  if (loop.closed) {
    throw new ScopeClosedError(
      "Cannot start a task: the run that it belongs to has ended",
    );
  }
  const actor = new Actor<T>(loop, parent, context, fn, options);
  if (loop.debug) actor.createdAt = creationSite();
  // It begins in its own frame, and in what else its creator's context holds.
  runIn(actor, start, actor as Actor, options);
  return actor;
}

function start(actor: Actor, options: SpawnOptions): void {
  const { loop } = actor;
  if (options.eager) drive(actor, undefined);
  else if (options.held) drive(actor, actor.gate());
  else if (loop.door === undefined) drive(actor, OPEN);
  else {
    drive(actor, actor.gate());
    loop.defer(actor);
  }
}

/** The frame of `frame`, in another scope. */
export function withScopeOf(frame: Frame, scope: ScopeNode): Frame {
  return {
    loop: frame.loop,
    scope,
    actor: frame.actor,
    context: frame.context,
  };
}

function creationSite(): string {
  const stack = new TypeError("created").stack ?? "";
  return stack.split("\n").slice(4).join("\n");
}
