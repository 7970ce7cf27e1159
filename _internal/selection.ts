import { Claim, type Line } from "./claim.ts";
import type { CancelledError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { OperationSteps } from "./operation.ts";

/** One of several operations, and what it is called. */
export interface Choice {
  readonly key: string;
  readonly steps: OperationSteps<unknown>;
}

/** Which choice it was, and what it gave. */
export interface Chosen {
  readonly key: string;
  readonly value: unknown;
}

/**
 * The line of a claim that is granted by the first of several operations.
 *
 * Each operation has a claim of its own in line, a branch. The first that is
 * granted decides, and the others leave their lines in the same step.
 */
export class Selection implements Line {
  readonly claim: Claim<Chosen>;
  readonly #branches: readonly Branch[];

  constructor(frame: Frame, choices: readonly Choice[]) {
    this.claim = new Claim<Chosen>(frame, {
      get label() {
        return choices.map(({ steps }) => steps.label).join(", or ");
      },
    });
    this.claim.line = this;
    this.#branches = choices.map((choice) => new Branch(this.claim, choice));
  }

  /**
   * Puts all branches in line. A predicate among them is foreign code: it may throw,
   * or decide the claim before the last branch is there.
   */
  park(): void {
    for (const branch of this.#branches) {
      try {
        branch.park();
      } catch (error) {
        this.claim.fail(error);
      }
      if (!this.claim.pending) return branch.leave();
    }
  }

  withdraw(): void {
    for (const branch of this.#branches) branch.leave();
  }
}

/**
 * A claim that stands in line for another: what becomes of it, becomes of that
 * one. It is a claim itself, so that no line need know of `select`.
 */
class Branch extends Claim {
  readonly #claim: Claim<Chosen>;
  readonly #choice: Choice;

  constructor(claim: Claim<Chosen>, choice: Choice) {
    super(claim.frame, choice.steps);
    this.#claim = claim;
    this.#choice = choice;
  }

  /** Invariant: as long as it is pending, all branches of the claim are in line. */
  override get pending(): boolean {
    return this.#claim.pending;
  }

  override get waiter(): Claim {
    return this.#claim as Claim;
  }

  park(): void {
    this.#choice.steps.park(this);
  }

  leave(): void {
    const { line } = this;
    this.line = undefined;
    line?.withdraw(this);
  }

  override grant(value: unknown): boolean {
    return this.#claim.grant({ key: this.#choice.key, value });
  }

  override fail(error: unknown): boolean {
    return this.#claim.fail(error);
  }

  override cancel(error: CancelledError): boolean {
    return this.#claim.cancel(error);
  }
}
