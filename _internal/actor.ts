import { isThenable } from "./check.ts";
import { Context, type ContextValues } from "./context.ts";
import type { Claim } from "./claim.ts";
import type { CancelledError } from "./errors.ts";
import type { EventLoop } from "./event_loop.ts";
import { currentFrame, type Frame } from "./frame.ts";
import type { Job, JobKind } from "./job.ts";
import { Outcome, type Producer } from "./outcome.ts";
import { ScopeNode } from "./scope_node.ts";
import { watchFailure } from "./unobserved.ts";

let lastId = 0;
/** A promise whose `then` is this one calls back in the context of the call. */
const nativeThen = Promise.prototype.then;

/** What a new actor is told. */
export interface ActorOptions {
  readonly name?: string | undefined;
  /** Called when the actor has ended, before its waiters are. */
  readonly onEnd?: ((actor: Actor) => void) | undefined;
}

const NO_OPTIONS: ActorOptions = {};

/**
 * Runs the function of an actor, once the gate is open, or at once if there is
 * none. It is called in the actor's own frame: promises keep that, and the rest of the creator's async context.
 *
 * It is no method: an error keeps the receivers of its stack alive, and a failed
 * task could never be collected, and reported.
 */
export let drive: (actor: Actor, gate: Promise<void> | undefined) => void;

/**
 * A task at work: a function that runs in a scope and a context of its own.
 *
 * The actor itself is the frame that travels with its code.
 */
export class Actor<T = unknown> implements Frame, Job {
  readonly id: number = ++lastId;
  readonly loop: EventLoop;
  readonly scope: ScopeNode;
  readonly outcome: Outcome<T>;
  /** How many claims of this actor are parked; kept by the loop's observer. */
  parked = 0;
  /** Where it was created, in debug mode. */
  createdAt: string | undefined = undefined;
  /** The public object, made when somebody asks for it. */
  handle: object | undefined = undefined;
  state: "created" | "running" | "ended" = "created";
  #name: string | undefined;
  /** The values to begin with, until somebody asks for the context. */
  #context: Context | ContextValues;
  #fn: (() => T | PromiseLike<T>) | undefined;
  /** Set while the actor is held. */
  #open: (() => void) | undefined = undefined;
  readonly #onEnd: ((actor: Actor) => void) | undefined;

  constructor(
    loop: EventLoop,
    parent: ScopeNode,
    context: Context | ContextValues,
    fn: () => T | PromiseLike<T>,
    options: ActorOptions = NO_OPTIONS,
  ) {
    this.loop = loop;
    this.#context = context;
    this.#name = options.name;
    this.#onEnd = options.onEnd;
    this.#fn = fn;
    this.scope = new ScopeNode(loop, parent);
    this.scope.owner = this;
    this.outcome = new Outcome<T>(this);
  }

  get actor(): Actor {
    return this as Actor;
  }

  get context(): Context {
    if (!(this.#context instanceof Context)) {
      this.#context = new Context(this.#context);
    }
    return this.#context;
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

  /** The claims of the actor's own code. */
  *waits(): Generator<Claim> {
    for (const scope of [this.scope, ...this.scope.descendants()]) {
      for (const claim of scope.claims()) {
        if (claim.frame.actor === this as Actor) yield claim;
      }
    }
  }

  /** The producers of what the actor's code awaits. */
  *awaited(): Generator<Producer> {
    for (const scope of [this.scope, ...this.scope.descendants()]) {
      for (const { target } of scope.claims()) {
        if (target instanceof Outcome) yield target.producer;
      }
    }
  }

  /** Lets the actor begin, if it was held: called by the loop, in its turn. */
  run(): void {
    this.#open?.();
  }

  /** A gate that keeps the actor from beginning until it is run. */
  gate(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open = resolve;
    return promise;
  }

  static {
    // They run in the actor's own frame, and find it there: no closures.
    const callHere = (): void => call(currentFrame() as Actor);
    const endHere = (value: unknown): void =>
      (currentFrame() as Actor).#end(true, value);
    const failHere = (error: unknown): void =>
      (currentFrame() as Actor).#end(false, error);

    const beginHere = (): void => {
      const actor = currentFrame() as Actor;
      const gate = actor.loop.startGate();
      if (gate === undefined) call(actor);
      else gate.then(callHere);
    };

    const call = (actor: Actor): void => {
      const fn = actor.#fn;
      if (fn === undefined) return;
      actor.#fn = undefined;
      // A cancellation that came before the first step keeps it from beginning.
      const { struck } = actor.scope;
      if (struck !== undefined) return actor.#end(false, struck);
      actor.state = "running";
      actor.loop.observer?.started(actor);
      try {
        const result = fn();
        if (result instanceof Promise && result.then === nativeThen) {
          result.then(endHere, failHere);
        } else if (isThenable(result)) {
          // A task that is returned is awaited in here: it is joined.
          result.then(
            (value) => actor.#end(true, value),
            (error) => actor.#end(false, error),
          );
        } else actor.#end(true, result);
      } catch (error) {
        actor.#end(false, error);
      }
    };

    drive = (actor, gate) => {
      if (gate === undefined) call(actor);
      else gate.then(beginHere);
    };
  }

  #end(succeeded: boolean, value: unknown): void {
    const hasBegun = this.state === "running";
    this.state = "ended";
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
