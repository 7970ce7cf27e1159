import type { Actor } from "../_internal/actor.ts";
import { cancellationOf, cancelScope } from "../_internal/cancellation.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Nursery } from "../_internal/nursery.ts";
import { Outcome } from "../_internal/outcome.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";
import { withScopeOf } from "../_internal/spawn.ts";
import { TaskGroupError } from "./task_group_error.ts";

/** Who is told of a member that failed, in place of the group. */
export type OnMemberError = (error: unknown, actor: Actor | undefined) => void;

/**
 * The members of a group: who is there, how they ended, and what that means for
 * the others.
 */
export class Members {
  /** What runs in the group's own scope. */
  readonly frame: Frame;
  readonly nursery: Nursery;
  readonly name: string | undefined;
  /** Those with a task, in the order of their creation; not if they are discarded. */
  readonly kept: Actor[] | undefined;
  readonly errors: unknown[] = [];
  ended = false;
  readonly #onError: OnMemberError | undefined;
  /** Those of `kept` that have ended, until `next` gives them. */
  readonly #unread = new Ring<Actor>();
  readonly #readers = new ClaimList();
  #background: Nursery | undefined;

  constructor(
    outer: Frame,
    name: string | undefined,
    options: { onError: OnMemberError | undefined; kept: Actor[] | undefined },
  ) {
    this.name = name;
    this.#onError = options.onError;
    this.kept = options.kept;
    this.nursery = new Nursery(outer, { name });
    this.frame = withScopeOf(outer, this.node);
  }

  get node(): ScopeNode {
    return this.nursery.node;
  }

  get size(): number {
    return this.nursery.live + (this.#background?.live ?? 0);
  }

  /** Where members live that nobody waits for. */
  get background(): Nursery {
    return this.#background ??= new Nursery(this.frame, {
      name: `background of ${this.name ?? "a group"}`,
    });
  }

  /** Takes note of how a member with a task has ended. */
  judge(actor: Actor): void {
    const { outcome } = actor;
    if (outcome.state !== "failed") return;
    outcome.observe();
    this.fail(outcome.value, actor);
  }

  fail(error: unknown, actor: Actor | undefined): void {
    if (this.#onError === undefined) {
      this.errors.push(error);
      return this.cancelFor(error);
    }
    try {
      this.#onError(error, actor);
    } catch (exception) {
      this.nursery.loop.report({
        message: 'The function "onChildError" of a group has thrown',
        exception,
      });
    }
  }

  /** Cancels the members with a task, and leaves the group itself alone. */
  cancelEach(reason: string): void {
    for (const { scope, state } of this.kept ?? []) {
      if (state !== "ended") cancelScope(scope, reason);
    }
  }

  /** Cancels all, since one has failed. */
  cancelFor(error: unknown): void {
    const { node } = this;
    if (node.cancelledBy !== undefined || node.exited) return;
    node.cancel(
      cancellationOf(node, undefined, { kind: "sibling-failed", cause: error }),
    );
  }

  /** A member with a task is gone. */
  leave(actor: Actor): void {
    if (this.kept !== undefined) this.#unread.push(actor);
    this.#readers.shift()?.grant(undefined);
    this.left();
  }

  /** A member is gone. */
  left(): void {
    this.nursery.left();
    if (this.nursery.live > 0) return;
    for (let c = this.#readers.shift(); c; c = this.#readers.shift()) {
      c.grant(undefined);
    }
  }

  /** The next member that has ended, or `undefined` if none is left. */
  async next(): Promise<{ actor: Actor } | undefined> {
    for (;;) {
      const actor = this.#unread.shift();
      if (actor !== undefined) return { actor };
      if (this.nursery.live === 0) return undefined;
      const frame = currentFrame();
      await refusal(frame, "wait for the next result");
      const claim = new Claim<void>(frame, "the next result");
      this.#readers.push(claim as Claim);
      await claim.wait();
    }
  }

  /** Waits for all as one outcome: whoever gives up cancels them. */
  join(frame: Frame): Promise<void> {
    let givenUp: CancelledError | undefined;
    const all = new Outcome<void>({
      label: `group "${this.name ?? ""}"`,
      cancelWith: (error) => {
        givenUp = error;
        return this.node.cancel(error);
      },
    });
    this.nursery.gone(this.frame).then(() => {
      if (givenUp === undefined || this.errors.length > 0) all.resolve();
      else all.reject(givenUp);
    });
    return all.join(frame);
  }

  /** Waits until nothing is left, and ends the group. */
  async end(frame: Frame): Promise<void> {
    await this.nursery.gone(frame);
    if (this.#background !== undefined) {
      cancelScope(this.#background.node, "the group has ended");
      await this.#background.gone(frame);
      this.#background.node.exit();
      await this.nursery.gone(frame);
    }
    this.ended = true;
    this.node.exit();
  }

  throwErrors(): void {
    if (this.errors.length > 0) {
      throw new TaskGroupError(this.errors, this.name);
    }
  }
}
