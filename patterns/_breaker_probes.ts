import { type Linked, LinkedList } from "../_internal/linked_list.ts";
import type { BreakerPlan } from "./_breaker_options.ts";

/** One call that was let through, in the state period in which it was. */
export class Admission implements Linked<Admission> {
  prev: Admission | undefined = undefined;
  next: Admission | undefined = undefined;
  readonly generation: number;
  readonly startedAt: number;
  /** Whether it is one of the calls that decide whether the circuit closes. */
  readonly isProbe: boolean;
  /** Whether it has counted already, as one that takes too long. */
  counted = false;

  constructor(generation: number, startedAt: number, isProbe: boolean) {
    this.generation = generation;
    this.startedAt = startedAt;
    this.isProbe = isProbe;
  }
}

/** The probes of one half-open period: their places, and what came of them. */
export class Probes {
  readonly #plan: BreakerPlan;
  /** Probes under way, oldest first. */
  readonly #running = new LinkedList<Admission>();
  #succeeded = 0;
  #failed = 0;

  constructor(plan: BreakerPlan) {
    this.#plan = plan;
  }

  /** Whether one more may begin. */
  get hasPlace(): boolean {
    const { probes, probeConcurrency } = this.#plan;
    const { size } = this.#running;
    return size < probeConcurrency &&
      size + this.#succeeded + this.#failed < probes;
  }

  /** What they say, as soon as no further probe could change it. */
  get verdict(): "failed" | "succeeded" | undefined {
    const { probes, failureRate } = this.#plan;
    const tooMany = Math.ceil(failureRate * probes);
    if (this.#failed >= tooMany) return "failed";
    return this.#succeeded > probes - tooMany ? "succeeded" : undefined;
  }

  begin(admission: Admission): void {
    this.#running.push(admission);
  }

  /** A probe is over; one that says nothing gives its place back. */
  end(admission: Admission, told: "success" | "failure" | "ignore"): void {
    if (admission.counted) return;
    this.#running.remove(admission);
    if (told === "success") this.#succeeded++;
    if (told === "failure") this.#failed++;
  }

  /** Probes that take too long have failed: what comes of them is late. */
  expire(now: number): void {
    while (this.remainingMs(now) <= 0) {
      const oldest = this.#running.shift();
      if (oldest === undefined) return;
      oldest.counted = true;
      this.#failed++;
    }
  }

  /** How long the oldest probe may still take. */
  remainingMs(now: number): number {
    const startedAt = this.#running.head?.startedAt ?? now;
    return startedAt + this.#plan.probeTimeoutMs - now;
  }
}
