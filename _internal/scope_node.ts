import type { Actor } from "./actor.ts";
import type { Claim } from "./claim.ts";
import { CancelledError, notePassage } from "./errors.ts";
import type { EventLoop } from "./event_loop.ts";
import { LinkedList } from "./linked_list.ts";
import type { Timer, TimerTarget } from "./timer_queue.ts";

/** What a new scope may be told. */
export interface ScopeNodeOptions {
  readonly name?: string | undefined;
  /** Cancellations from outside stay invisible, until the grace is over. */
  readonly graceMs?: number;
}

let strikeOne: (
  node: ScopeNode,
  error: CancelledError,
  worklist: ScopeNode[],
  aborts: ScopeNode[],
) => void;
let tellStruck: (node: ScopeNode, error: CancelledError) => void;

const NO_OPTIONS: ScopeNodeOptions = {};

/** What most scopes never need: it is made when it is. */
class Rare {
  /** Set for a scope that hides cancellations from outside. */
  readonly graceMs: number | undefined;
  grace: Timer | undefined = undefined;
  deadline = Infinity;
  alarm: Timer | undefined = undefined;
  controller: AbortController | undefined = undefined;
  onStruck: ((error: CancelledError) => void) | undefined = undefined;
  /** How many waits were refused in a row; see `refuse`. */
  refusals = 0;

  constructor(graceMs: number | undefined) {
    this.graceMs = graceMs;
  }
}

/**
 * One scope in the tree of cancellation.
 *
 * `struck` is what a wait entered here throws: the error of the outermost
 * cancelled scope above, short of an uncancellable one. It is pushed down when a
 * scope is cancelled, so that entering a wait reads one field.
 */
export class ScopeNode implements TimerTarget {
  prev: ScopeNode | undefined = undefined;
  next: ScopeNode | undefined = undefined;
  readonly loop: EventLoop;
  parent: ScopeNode | undefined;
  readonly name: string | undefined;
  /** The task whose scope this is, if it is a task's. */
  owner: Actor | undefined = undefined;
  /** The one cancellation of this very scope. */
  cancelledBy: CancelledError | undefined = undefined;
  struck: CancelledError | undefined = undefined;
  exited = false;
  #rare: Rare | undefined = undefined;
  #firstClaim: Claim | undefined = undefined;
  #lastClaim: Claim | undefined = undefined;
  #children: LinkedList<ScopeNode> | undefined = undefined;

  constructor(
    loop: EventLoop,
    parent: ScopeNode | undefined,
    options: ScopeNodeOptions = NO_OPTIONS,
  ) {
    this.loop = loop;
    this.parent = parent?.live();
    this.name = options.name;
    if (options.graceMs !== undefined) this.#rare = new Rare(options.graceMs);
    if (this.parent === undefined) return;
    (this.parent.#children ??= new LinkedList()).push(this);
    const { struck } = this.parent;
    if (struck === undefined) return;
    if (this.uncancellable) this.#startGrace(struck);
    else this.struck = struck;
  }

  /** What reports call the scope. */
  get title(): string {
    return this.name ?? this.owner?.name ?? "unnamed";
  }

  get uncancellable(): boolean {
    return this.#rare !== undefined && this.#rare.graceMs !== undefined;
  }

  /** This scope, or the nearest one above that still stands for its waits. */
  live(): ScopeNode {
    // deno-lint-ignore no-this-alias
    let scope: ScopeNode = this;
    while (scope.exited && scope.struck === undefined) {
      if (scope.parent === undefined) return scope;
      scope = scope.parent;
    }
    return scope;
  }

  adopt(claim: Claim): void {
    claim.scope = this;
    claim.scopePrev = this.#lastClaim;
    if (this.#lastClaim === undefined) this.#firstClaim = claim;
    else this.#lastClaim.scopeNext = claim;
    this.#lastClaim = claim;
  }

  disown(claim: Claim): void {
    if (claim.scopePrev === undefined) this.#firstClaim = claim.scopeNext;
    else claim.scopePrev.scopeNext = claim.scopeNext;
    if (claim.scopeNext === undefined) this.#lastClaim = claim.scopePrev;
    else claim.scopeNext.scopePrev = claim.scopePrev;
    claim.scope = claim.scopePrev = claim.scopeNext = undefined;
  }

  /** Cancels what runs in here; the first cancellation counts. */
  cancel(error: CancelledError): boolean {
    if (this.cancelledBy !== undefined || this.exited) return false;
    this.cancelledBy = error;
    this.#clearAlarm();
    if (this.struck === undefined) strike(this, error);
    return true;
  }

  /** Cancels through uncancellable scopes, too: no grace is left. */
  cancelHard(error: CancelledError): void {
    this.cancelledBy ??= error;
    if (this.struck === undefined) strike(this, error);
    for (const node of this.descendants()) {
      if (node.struck === undefined) strike(node, error);
    }
  }

  /** The loop's time at which the scope cancels itself. */
  get deadline(): number {
    return this.#rare === undefined ? Infinity : this.#rare.deadline;
  }

  set deadline(when: number) {
    this.#clearAlarm();
    const rare = this.#rarely();
    rare.deadline = when;
    const over = this.exited || this.cancelledBy !== undefined;
    if (when === Infinity || over) return;
    rare.alarm = this.loop.timers.at(when, this);
  }

  /** The deadline, given as what is left until then. */
  expireAfter(ms: number): void {
    const rare = this.#rarely();
    rare.alarm = this.loop.timers.after(ms, this);
    rare.deadline = rare.alarm.when;
  }

  /** The deadline has come. */
  expire(): void {
    if (this.#rare !== undefined) this.#rare.alarm = undefined;
    this.cancel(this.deadlineError());
  }

  deadlineError(): CancelledError {
    return new CancelledError(undefined, {
      kind: "deadline",
      scope: this.title,
      at: this.loop.time(),
    });
  }

  get label(): string {
    return `the deadline of ${JSON.stringify(this.title)}`;
  }

  /** Told when the scope is struck, after the state is committed. */
  set onStruck(fn: ((error: CancelledError) => void) | undefined) {
    if (fn !== undefined || this.#rare !== undefined) {
      this.#rarely().onStruck = fn;
    }
  }

  /** Counts waits that were refused since the scope was struck. */
  countRefusal(): number {
    return ++this.#rarely().refusals;
  }

  /** The earliest deadline in force here, short of an uncancellable scope. */
  get effectiveDeadline(): number {
    let earliest = Infinity;
    // deno-lint-ignore no-this-alias
    let scope: ScopeNode | undefined = this;
    while (scope !== undefined) {
      earliest = Math.min(earliest, scope.deadline);
      if (scope.uncancellable) break;
      scope = scope.parent;
    }
    return earliest;
  }

  /** An abort signal that fires when the scope is struck. */
  get signal(): AbortSignal {
    const rare = this.#rarely();
    if (rare.controller === undefined) {
      rare.controller = new AbortController();
      if (this.struck !== undefined) rare.controller.abort(this.struck);
    }
    return rare.controller.signal;
  }

  /**
   * Leaves the scope. What still runs in it belongs to the nearest live
   * ancestor; if the scope was struck, it stays so for all that was begun in it.
   */
  exit(): void {
    if (this.exited) return;
    this.exited = true;
    this.#clearAlarm();
    this.#rare?.grace?.cancel();
    const parent = this.parent?.live();
    if (this.parent !== undefined) this.parent.#children?.remove(this);
    if (parent === undefined) return;
    for (let c = this.#firstClaim; c !== undefined; c = this.#firstClaim) {
      this.disown(c);
      parent.adopt(c);
    }
    if (this.#children === undefined) return;
    for (let n = this.#children.shift(); n; n = this.#children.shift()) {
      n.parent = parent;
      (parent.#children ??= new LinkedList()).push(n);
    }
  }

  /** Hands the scope over to another parent, with all that runs in it. */
  moveTo(parent: ScopeNode): void {
    if (this.exited) return;
    if (this.parent !== undefined) this.parent.#children?.remove(this);
    this.parent = parent.live();
    (this.parent.#children ??= new LinkedList()).push(this);
    const { struck } = this.parent;
    if (struck !== undefined && this.struck === undefined) strike(this, struck);
  }

  /** All scopes below, parents before their children. */
  *descendants(): Generator<ScopeNode> {
    const stack: ScopeNode[] = [this];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node !== this) yield node;
      for (let c = node.#children?.tail; c !== undefined; c = c.prev) {
        stack.push(c);
      }
    }
  }

  /** The claims that wait in this very scope. */
  *claims(): Generator<Claim> {
    for (let c = this.#firstClaim; c !== undefined; c = c.scopeNext) yield c;
  }

  #rarely(): Rare {
    return this.#rare ??= new Rare(undefined);
  }

  #clearAlarm(): void {
    const rare = this.#rare;
    if (rare === undefined || rare.alarm === undefined) return;
    rare.alarm.cancel();
    rare.alarm = undefined;
  }

  #startGrace(error: CancelledError): void {
    const rare = this.#rarely();
    const { graceMs } = rare;
    if (graceMs === undefined || graceMs === Infinity) return;
    rare.grace ??= this.loop.timers.after(graceMs, {
      label: "the grace of a cleanup",
      expire: () => {
        if (this.exited || this.struck !== undefined) return;
        this.loop.report({
          message: `Cannot wait longer for the cleanup ${
            JSON.stringify(this.title)
          }: its grace of ${graceMs} ms is over`,
          exception: error,
        });
        strike(this, error);
      },
    });
  }

  /** One step of a strike: this scope only. Gives the children to go on with. */
  static {
    strikeOne = (node, error, worklist, aborts) => {
      node.struck = error;
      if (node.name !== undefined || node.owner !== undefined) {
        notePassage(error, node.title);
      }
      const rare = node.#rare;
      if (rare?.controller !== undefined || rare?.onStruck !== undefined) {
        aborts.push(node);
      }
      // A claim that gives up may grant others: the list changes underneath.
      for (const claim of [...node.claims()]) {
        if (!claim.pending) continue;
        if (claim.line?.strike === undefined) claim.cancel(error);
        else claim.line.strike(claim, error);
      }
      for (let n = node.#children?.tail; n !== undefined; n = n.prev) {
        if (n.struck === error) continue;
        if (!n.uncancellable) worklist.push(n);
        else if (n.struck === undefined) n.#startGrace(error);
      }
    };
    tellStruck = (node, error) => {
      node.#rare?.onStruck?.(error);
      node.#rare?.controller?.abort(error);
    };
  }
}

/** Strikes that are under way: one walk at a time, so that none ever recurses. */
const pending: { node: ScopeNode; error: CancelledError }[] = [];
let walking = false;

/**
 * Makes every wait in and below `node` throw `error`.
 *
 * Striking may cancel further tasks (those that nobody else awaits); they join
 * the worklist, so that a chain of 5,000 tasks costs no stack. Foreign code (abort
 * listeners) runs when all is decided.
 */
function strike(node: ScopeNode, error: CancelledError): void {
  pending.push({ node, error });
  if (walking) return;
  walking = true;
  const aborts: ScopeNode[] = [];
  try {
    for (let i = 0; i < pending.length; i++) {
      const { node, error } = pending[i] as typeof pending[number];
      const worklist = [node];
      for (let n = worklist.pop(); n !== undefined; n = worklist.pop()) {
        strikeOne(n, error, worklist, aborts);
      }
    }
  } finally {
    pending.length = 0;
    walking = false;
  }
  for (const node of aborts) {
    if (node.struck !== undefined) tellStruck(node, node.struck);
  }
}
