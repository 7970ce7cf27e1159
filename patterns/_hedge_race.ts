import { cancelScope } from "../_internal/cancellation.ts";
import { Claim } from "../_internal/claim.ts";
import type { Frame } from "../_internal/frame.ts";
import { callJoined } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { withScopeOf } from "../_internal/spawn.ts";
import type { PolicyCall } from "./_call.ts";
import { discard } from "./_discard.ts";
import type { Step, Work } from "./_layers.ts";
import type { PolicyOutcome } from "./policy.ts";

/** One of those who do the same work. */
export interface Contender {
  readonly call: PolicyCall;
  readonly node: ScopeNode;
  readonly startedAt: number;
  /** Settles with the work, and never rejects. */
  readonly ended: Promise<void>;
  outcome: PolicyOutcome | undefined;
}

/** The same work, begun several times: who ends is told in order. */
export class HedgeRace<T> {
  readonly contenders: Contender[] = [];
  readonly #frame: Frame;
  readonly #next: Step;
  readonly #call: PolicyCall;
  readonly #work: Work<T>;
  readonly #ended: Contender[] = [];
  #waiter: Claim<void> | undefined = undefined;
  #over = false;

  constructor(next: Step, call: PolicyCall, work: Work<T>) {
    this.#frame = call.frame;
    this.#next = next;
    this.#call = call;
    this.#work = work;
  }

  /** How many have not ended. */
  get running(): number {
    return this.contenders.filter(({ outcome }) => outcome === undefined)
      .length;
  }

  /** Begins the work once more, in a scope of its own. */
  start(): void {
    const { loop, scope } = this.#frame;
    const index = this.contenders.length;
    const node = new ScopeNode(loop, scope, { name: `contender ${index + 1}` });
    const call = this.#call.within(withScopeOf(this.#frame, node), {
      hedge: index,
    });
    const result = this.#begin(call);
    const contender: Contender = {
      call,
      node,
      startedAt: loop.time(),
      outcome: undefined,
      ended: result.then(
        (value) => this.#end(contender, { ok: true, value }),
        (error) => this.#end(contender, { ok: false, error }),
      ),
    };
    this.contenders.push(contender);
  }

  /** Waits for the next to end, or until the time has passed. */
  async next(ms: number): Promise<Contender | undefined> {
    if (this.#ended.length === 0) {
      const claim = new Claim<void>(this.#frame, "the end of a hedged call");
      this.#waiter = claim;
      if (ms !== Infinity) {
        const timer = this.#frame.loop.timers.after(ms, {
          label: "a hedge",
          expire: () => void claim.grant(),
        });
        claim.cleanup = () => timer.cancel();
      }
      try {
        await claim.wait();
      } finally {
        this.#waiter = undefined;
      }
    }
    return this.#ended.shift();
  }

  /** Ends the race: all but the winner are cancelled, and what they give dropped. */
  close(winner: Contender | undefined, reason: string): void {
    this.#over = true;
    for (const contender of this.contenders) {
      const { call, ended, node, outcome } = contender;
      if (contender === winner) continue;
      if (outcome === undefined) {
        cancelScope(node, reason, { kind: "given-up" });
        call.end(false);
        this.#call.linger(ended);
      } else if (outcome.ok) discard(outcome.value, this.#frame.loop);
    }
  }

  #begin(call: PolicyCall): Promise<T> {
    try {
      const begin = (it: PolicyCall) => this.#next(it, this.#work);
      return Promise.resolve(callJoined(call.frame, begin, call));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #end(contender: Contender, outcome: PolicyOutcome): void {
    contender.outcome = outcome;
    contender.call.end(outcome.ok);
    contender.node.exit();
    if (this.#over) {
      if (outcome.ok) discard(outcome.value, this.#frame.loop);
      return;
    }
    this.#ended.push(contender);
    this.#waiter?.grant();
  }
}
