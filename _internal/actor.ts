import { isThenable } from "./check.ts";
import type { Context } from "./context.ts";
import type { CancelledError } from "./errors.ts";
import type { EventLoop } from "./event_loop.ts";
import { type Frame, runIn } from "./frame.ts";
import type { Job, JobKind } from "./job.ts";
import { Outcome } from "./outcome.ts";
import { ScopeNode } from "./scope_node.ts";
import { watchFailure } from "./unobserved.ts";

let lastId = 0;

let begin: (actor: Actor) => void;

/** What a new actor is told. */
export interface ActorOptions {
  readonly name?: string | undefined;
  /** Called when the actor has ended, before its waiters are. */
  readonly onEnd?: ((actor: Actor) => void) | undefined;
}

/**
 * A task at work: a function that runs in a scope and a context of its own.
 *
 * The actor itself is the frame that travels with its code.
 */
export class Actor<T = unknown> implements Frame, Job {
  readonly id: number = ++lastId;
  readonly loop: EventLoop;
  readonly scope: ScopeNode;
  readonly context: Context;
  readonly outcome: Outcome<T>;
  /** How many claims of this actor are parked; kept by the loop's observer. */
  parked = 0;
  /** Where it was created, in debug mode. */
  createdAt: string | undefined = undefined;
  /** The public object, made when somebody asks for it. */
  handle: object | undefined = undefined;
  state: "created" | "running" | "ended" = "created";
  #name: string | undefined;
  #fn: (() => T | PromiseLike<T>) | undefined;
  readonly #onEnd: ((actor: Actor) => void) | undefined;

  constructor(
    loop: EventLoop,
    parent: ScopeNode,
    context: Context,
    fn: () => T | PromiseLike<T>,
    options: ActorOptions = {},
  ) {
    this.loop = loop;
    this.context = context;
    this.#name = options.name;
    this.#onEnd = options.onEnd;
    this.#fn = fn;
    this.scope = new ScopeNode(loop, parent, options);
    this.scope.owner = this;
    this.outcome = new Outcome<T>(this);
  }

  get actor(): Actor {
    return this as Actor;
  }

  get name(): string {
    return this.#name ?? `Task-${this.id}`;
  }

  set name(name: string) {
    this.#name = name;
  }

  get kind(): JobKind {
    return "deferred";
  }

  get label(): string {
    return `task "${this.name}"`;
  }

  /** Cancels the scope of the actor, for its outcome. */
  cancelWith(error: CancelledError): boolean {
    return this.scope.cancel(error);
  }

  /** The first step. A cancellation that came before it keeps it from beginning. */
  run(): void {
    if (this.state !== "created") return;
    const { struck } = this.scope;
    if (struck !== undefined) return this.#end(false, struck);
    this.state = "running";
    this.loop.observer?.started(this as Actor);
    try {
      runIn(this, begin, this as Actor);
    } catch (error) {
      this.#end(false, error);
    }
  }

  static {
    begin = (actor) => {
      const fn = actor.#fn as () => unknown;
      actor.#fn = undefined;
      const result = fn();
      if (isThenable(result)) {
        // A task that is returned is awaited in here: it is joined.
        result.then(
          (value) => actor.#end(true, value),
          (error) => actor.#end(false, error),
        );
      } else actor.#end(true, result);
    };
  }

  #end(succeeded: boolean, value: unknown): void {
    const hasBegun = this.state === "running";
    this.state = "ended";
    this.#fn = undefined;
    this.scope.exit();
    if (hasBegun) this.loop.observer?.ended(this as Actor);
    if (succeeded) this.outcome.resolve(value as T);
    else this.outcome.reject(value);
    this.#onEnd?.(this as Actor);
    if (this.outcome.state === "failed") {
      watchFailure(this.outcome, this.loop, this.label, this.createdAt);
    }
  }
}
