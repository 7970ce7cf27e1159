import type { CallPriority } from "./_call_class.ts";
import { PolicyError } from "./policy.ts";

/** What is known about a call for which there was no room. */
export interface BulkheadFullErrorOptions {
  /** How many calls are under way. */
  active: number;
  /** How many calls wait. */
  waiting: number;
  /** How long the call has waited in vain, if it has. */
  waitedMs?: number;
}

/** Thrown for a call that has found no slot, and no room to wait for one. */
export class BulkheadFullError extends PolicyError {
  static {
    this.prototype.name = "BulkheadFullError";
  }
  /** How many calls were under way. */
  readonly active: number;
  /** How many calls waited. */
  readonly waiting: number;
  /** How long the call has waited; 0 if it was refused at once. */
  readonly waitedMs: number;

  /** Creates the refusal of one call. */
  constructor(policy: string, options: BulkheadFullErrorOptions) {
    const { active, waiting, waitedMs = 0 } = options;
    const why = waitedMs > 0
      ? `it has waited ${Math.round(waitedMs)} ms for a slot`
      : `${active} are under way, and ${waiting} wait`;
    super(`Cannot run the call under "${policy}": ${why}`, { policy });
    this.active = active;
    this.waiting = waiting;
    this.waitedMs = waitedMs;
  }
}

/** What is known about a call that was given up. */
export interface LoadShedErrorOptions {
  /** Its priority. */
  priority: CallPriority;
  /**
   * How likely it was to be given up.
   *
   * @default {1}
   */
  probability?: number;
  /** Why, as the end of a sentence. */
  why: string;
}

/** Thrown for a call that was given up since there was too much to do. */
export class LoadShedError extends PolicyError {
  static {
    this.prototype.name = "LoadShedError";
  }
  /** The priority of the call. */
  readonly priority: CallPriority;
  /** How likely the call was to be given up. */
  readonly probability: number;

  /** Creates the refusal of one call. */
  constructor(policy: string, options: LoadShedErrorOptions) {
    const { priority, probability = 1, why } = options;
    super(`Cannot run the call under "${policy}": ${why}`, { policy });
    this.priority = priority;
    this.probability = probability;
  }
}
