import { Actor, type ActorOptions } from "./actor.ts";
import type { Context } from "./context.ts";
import { ScopeClosedError } from "./errors.ts";
import { currentFrame, type Frame } from "./frame.ts";
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

/** Starts `fn` as an actor in a scope of its own below `parent`. */
export function spawn<T>(
  parent: ScopeNode,
  fn: () => T | PromiseLike<T>,
  options: SpawnOptions = {},
): Actor<T> {
  const { loop } = parent;
  const context = options.context ?? currentFrame().context.copy();
  if (loop.closed) {
    throw new ScopeClosedError(
      "Cannot start a task: the run that it belongs to has ended",
    );
  }
  const actor = new Actor<T>(loop, parent, context, fn, options);
  if (loop.debug) actor.createdAt = creationSite();
  if (options.eager) actor.run();
  else if (!options.held) loop.defer(actor as Actor);
  return actor;
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
