import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import type { Frame } from "../_internal/frame.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { spawn } from "../_internal/spawn.ts";
import { type PullSettings, throwAll } from "./_pull.ts";
import { endsWithin } from "./_run.ts";

/** A member of a crew. */
export interface Member {
  /** How reports call it. */
  readonly name: string;
  work(): Promise<void>;
  /** Called when it should have ended long ago, and has not. */
  abandon?(): unknown;
}

/**
 * Tasks that work for one consumer: the first failure ends all, and the end of
 * the consumer's interest does, too.
 */
export class Crew {
  /** Told whenever something may have changed for the consumer. */
  onChange: () => void = () => {};
  readonly #frame: Frame;
  readonly #node: ScopeNode;
  readonly #settings: PullSettings;
  readonly #members = new Map<Actor, Member>();
  readonly #errors: unknown[] = [];
  #failed = false;
  #closing: Promise<void> | undefined = undefined;
  #gone: (() => void) | undefined = undefined;

  constructor(frame: Frame, settings: PullSettings, name: string) {
    this.#frame = frame;
    this.#settings = settings;
    this.#node = new ScopeNode(frame.loop, frame.scope, { name });
  }

  /** The loop's time. */
  get now(): number {
    return this.#frame.loop.time();
  }

  /** Whether nothing more will come: none is left, or one has failed. */
  get over(): boolean {
    return this.#failed || this.#members.size === 0;
  }

  /** Starts a member in a task of its own. */
  start(member: Member): Actor {
    const actor = spawn(this.#node, () => member.work(), {
      name: member.name,
      onEnd: (ended) => this.#left(ended),
    });
    this.#members.set(actor as Actor, member);
    return actor as Actor;
  }

  /** Calls `fn` at a moment of the loop's time, unless it is taken back. */
  at(when: number, fn: () => void): () => void {
    const timer = this.#frame.loop.timers.at(when, {
      label: `a moment of ${this.#node.title}`,
      expire: fn,
    });
    return () => timer.cancel();
  }

  /**
   * Cancels all and waits until they are gone, then throws what went wrong on the
   * way: once. A member that is stuck is left alone after the grace, and reported.
   */
  async close(): Promise<void> {
    await (this.#closing ??= this.#end());
    throwAll(this.#errors.splice(0));
  }

  /** Ends all, then throws the failure of a member, if there is one. */
  async finish(): Promise<void> {
    if (!this.#failed) return await this.close();
    await (this.#closing ??= this.#end());
    const errors = this.#errors.splice(0);
    if (errors.length === 0) return;
    const [first, ...others] = errors;
    for (const exception of others) {
      this.#frame.loop.report({
        message:
          `Cannot throw an error of ${this.#node.title}: another came first`,
        exception,
      });
    }
    throw first;
  }

  async #end(): Promise<void> {
    cancelScope(this.#node, undefined, { kind: "given-up" });
    const { graceMs } = this.#settings;
    if (this.#members.size > 0) {
      const gone = new Promise<void>((resolve) => this.#gone = resolve);
      if (!await endsWithin(gone, graceMs)) this.#abandon(graceMs);
    }
    this.#node.exit();
  }

  #left(actor: Actor): void {
    const { outcome, scope } = actor;
    outcome.observe();
    this.#members.delete(actor);
    const { state, value } = outcome;
    const isAsked = state === "cancelled" && isCancellationOf(scope, value);
    if (state !== "done" && !isAsked) {
      this.#errors.push(value);
      if (this.#closing === undefined && !this.#failed) {
        this.#failed = true;
        cancelScope(this.#node, undefined, { kind: "sibling-failed" });
      }
    }
    if (this.#members.size === 0) this.#gone?.();
    this.onChange();
  }

  #abandon(graceMs: number): void {
    for (const [actor, member] of this.#members) {
      this.#frame.loop.report({
        message:
          `Cannot end ${actor.label}: it is stuck, and has not ended within ${graceMs} ms`,
      });
      Promise.resolve(member.abandon?.()).catch(() => {});
    }
  }
}

/** Whether an error is the cancellation of a scope, or of one around it. */
function isCancellationOf(scope: ScopeNode, error: unknown): boolean {
  let node: ScopeNode | undefined = scope;
  while (node !== undefined && node.cancelledBy !== error) node = node.parent;
  return node !== undefined;
}
