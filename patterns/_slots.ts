import { Claim } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { refusal } from "../_internal/refuse.ts";
import { BulkheadFullError, LoadShedError } from "./_bulkhead_errors.ts";
import type { BulkheadPlan } from "./_bulkhead_options.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import { callClassOf, type CallPriority } from "./_call_class.ts";
import { type ServiceOrder, type Tenant, TenantLine } from "./_tenant_line.ts";
import type { PolicyError } from "./policy.ts";

/** The slots of a bulkhead, and the calls that wait for one. */
export class Slots {
  readonly plan: BulkheadPlan;
  readonly #line = new TenantLine();
  #limit: number;
  active = 0;
  /** How many slots are held by work whose caller has gone. */
  zombies = 0;
  begun = 0;
  refused = 0;
  shed = 0;

  constructor(plan: BulkheadPlan, limit: number) {
    this.plan = plan;
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** Whether calls have waited too long for some time, as of the last look. */
  get stressed(): boolean {
    return this.plan.sojourn?.stressed === true;
  }

  /** Changes how many slots there are. */
  resize(limit: number, loop: EventLoop): void {
    this.#limit = limit;
    this.#serve(loop);
  }

  /** Takes a slot for the call's tenant, at once or when it is the call's turn. */
  enter(call: PolicyCall): Tenant | Promise<Tenant> {
    const { priority, tenant } = callClassOf(call.frame);
    const who = this.#line.tenantOf(tenant);
    // Invariant: nobody waits while a slot is free.
    if (this.active >= this.#limit) return this.#wait(call, who, priority);
    this.active++;
    this.begun++;
    this.#line.count(who, 1);
    return who;
  }

  /** The call is over; its slot is free when its work has ended, too. */
  exit(call: PolicyCall, who: Tenant): void {
    const { lingering, frame } = call;
    if (lingering === undefined) return this.#leave(who, frame.loop);
    this.zombies++;
    lingering.then(() => {
      this.zombies--;
      this.#leave(who, frame.loop);
    });
  }

  #leave(who: Tenant, loop: EventLoop): void {
    this.active--;
    this.#line.count(who, -1);
    if (this.#line.size > 0) this.#serve(loop);
  }

  /** Hands free slots over to those who come next. */
  #serve(loop: EventLoop): void {
    const given = this.#relieve(loop);
    while (this.active < this.#limit) {
      const next = this.#line.shift(this.#order);
      if (next === undefined) break;
      this.active++;
      this.begun++;
      const [claim, who] = next;
      claim.grant(who);
    }
    this.#tell(loop, given);
  }

  #wait(
    call: PolicyCall,
    who: Tenant,
    priority: CallPriority,
  ): Promise<Tenant> {
    const { frame } = call;
    const { loop } = frame;
    const refused = refusal(frame, "wait for a slot");
    if (refused !== undefined) {
      this.#line.forget(who);
      return refused;
    }
    const given = this.#relieve(loop);
    const isFull = this.waiting >= this.plan.maxQueue;
    const victim = isFull
      ? this.#line.victim(who, priority, this.#order)
      : undefined;
    if (isFull && victim === undefined) {
      this.#line.forget(who);
      const error = this.#fullError(0);
      this.#tell(loop, [...given, error]);
      throw error;
    }
    if (victim !== undefined) {
      given.push(this.#shed(victim, "its place in line went to another call"));
    }
    const claim = new Claim<Tenant>(frame, `a slot of "${this.plan.name}"`);
    claim.value = loop.time();
    this.#line.push(claim as Claim, who, priority);
    this.#limitWait(loop, claim as Claim);
    const slot = claim.wait();
    this.#tell(loop, given);
    return slot;
  }

  #limitWait(loop: EventLoop, claim: Claim): void {
    const { maxWaitMs } = this.plan;
    if (maxWaitMs === Infinity) return;
    const timer = loop.timers.after(maxWaitMs, {
      label: claim.label,
      expire: () => {
        const error = this.#fullError(maxWaitMs);
        claim.fail(error);
        this.#tell(loop, [error]);
      },
    });
    claim.cleanup = () => timer.cancel();
  }

  get #order(): ServiceOrder {
    const { order } = this.plan;
    const isNewest = order === "lifo" ||
      order === "adaptive-lifo" && this.stressed;
    return isNewest ? "newest-first" : "oldest-first";
  }

  /** Looks how long calls have waited, and gives up those that wait in vain. */
  #relieve(loop: EventLoop): PolicyError[] {
    const { sojourn, sheds } = this.plan;
    const given: PolicyError[] = [];
    if (sojourn === undefined) return given;
    const now = loop.time();
    sojourn.look(now, this.#line.oldestAt);
    if (!sheds || !sojourn.stressed) return given;
    for (const waiter of this.#line.before(now - sojourn.targetMs)) {
      if (this.waiting === 1) break;
      given.push(this.#shed(waiter, "calls wait too long for a slot"));
    }
    return given;
  }

  #shed([claim, priority]: [Claim, CallPriority], why: string): LoadShedError {
    this.shed++;
    const error = new LoadShedError(this.plan.name, { priority, why });
    claim.fail(error);
    return error;
  }

  #fullError(waitedMs: number): BulkheadFullError {
    const { active, waiting } = this;
    this.refused++;
    return new BulkheadFullError(this.plan.name, { active, waiting, waitedMs });
  }

  /** Hooks come last: they may call anything. */
  #tell(loop: EventLoop, errors: readonly PolicyError[]): void {
    const { name, onReject } = this.plan;
    for (const error of errors) callHook(loop, name, onReject, { name, error });
  }
}
