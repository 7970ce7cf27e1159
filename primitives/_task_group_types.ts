import type { Duration } from "../_internal/check.ts";
import type { Task, TaskOutcome } from "./task.ts";

/** Options of `TaskGroup`. */
export interface TaskGroupOptions {
  /** How reports and cancellations call the group. */
  name?: string;
  /**
   * How many members run at once; more wait for their turn.
   *
   * @default {Infinity}
   */
  limit?: number;
  /**
   * Makes the group a supervisor: a member that fails is told to this function,
   * and to nobody else.
   */
  onChildError?: (error: unknown, task: Task<unknown> | undefined) => void;
  /**
   * Forgets members as they end, for groups that live long: `waitAll` and
   * `results` give nothing.
   *
   * @default {false}
   */
  discard?: boolean;
}

/** Options of `TaskGroup.waitAll`. */
export interface WaitAllOptions {
  /**
   * How long to wait; after that all members are cancelled.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
}

/** A member that has ended, and how; see `TaskGroup.results`. */
export type GroupResult = TaskOutcome<unknown> & {
  /** The member. */
  readonly task: Task<unknown>;
};

/** What a function that is started with `TaskGroup.start` receives. */
export interface StartStatus<S> {
  /** Says that the start is done, and hands over what the starter waits for. */
  started(value: S): void;
}

/** Several functions: a list, or a record whose names the results keep. */
export type GroupEntries =
  | readonly (() => unknown)[]
  | { readonly [name: string]: () => unknown };

/** The results of functions, in their shape. */
export type GroupValues<E extends GroupEntries> = {
  -readonly [K in keyof E]: E[K] extends () => infer R ? Awaited<R> : never;
};

/** How functions ended, in their shape. */
export type GroupOutcomes<E extends GroupEntries> = {
  -readonly [K in keyof E]: E[K] extends () => infer R ? TaskOutcome<Awaited<R>>
    : never;
};

/** Options of `TaskGroup.all`. */
export interface TaskGroupAllOptions {
  /**
   * Waits for all, and gives how each has ended, instead of the values.
   *
   * @default {false}
   */
  settle?: boolean;
}
