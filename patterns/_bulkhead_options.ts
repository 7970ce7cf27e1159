import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { type CodelOptions, Sojourn } from "./_sojourn.ts";
import type { PolicyError } from "./policy.ts";

/**
 * Who is served first among calls of one priority and tenant: who came first, who
 * came last, or who came last while there is too much to do.
 */
export type BulkheadOrder = "fifo" | "lifo" | "adaptive-lifo";

/** What a bulkhead tells when it has refused a call, or given it up. */
export interface BulkheadRejection {
  /** The name of the bulkhead. */
  readonly name: string;
  /** What the caller gets thrown. */
  readonly error: PolicyError;
}

/** How calls wait for a slot. */
export interface BulkheadQueueOptions {
  /**
   * How errors and reports call it.
   *
   * @default {"bulkhead"}
   */
  name?: string;
  /**
   * How many calls may wait. One more takes the place of one that matters less,
   * or is refused.
   *
   * @default {0}
   */
  maxQueue?: number;
  /**
   * How long a call waits at most.
   *
   * @default {Infinity}
   */
  maxWaitMs?: Duration;
  /**
   * Who is served first.
   *
   * @default {"fifo"}
   */
  order?: BulkheadOrder;
  /**
   * Gives up calls that have waited longer than `targetMs`, once somebody has done
   * so for `intervalMs`; the last one is kept, so that no slot stays free.
   *
   * @default {false}
   */
  codel?: boolean | CodelOptions;
  /** Told after a call was refused or given up. */
  onReject?: (rejection: BulkheadRejection) => void;
}

/** The options of a bulkhead, checked. */
export interface BulkheadPlan {
  readonly name: string;
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  readonly order: BulkheadOrder;
  /** There if the order or the queue depends on how long calls wait. */
  readonly sojourn: Sojourn | undefined;
  readonly sheds: boolean;
  readonly onReject: BulkheadQueueOptions["onReject"];
}

const ORDERS: readonly unknown[] = ["fifo", "lifo", "adaptive-lifo"];

/** Checks the options of a bulkhead. */
export function planOf(
  options: BulkheadQueueOptions,
  doing: string,
): BulkheadPlan {
  const { name = "bulkhead", maxQueue = 0, maxWaitMs = Infinity } = options;
  const { order = "fifo", codel = false, onReject } = options;
  if (!ORDERS.includes(order)) {
    throw new TypeError(
      `Cannot ${doing} as "order" must be "fifo", "lifo" or "adaptive-lifo": current value is ${
        show(order)
      }`,
    );
  }
  if (onReject !== undefined) checkFunction(onReject, doing, "onReject");
  const watches = codel !== false || order === "adaptive-lifo";
  return {
    name,
    maxQueue: checkCount(maxQueue, doing, "maxQueue", 0),
    maxWaitMs: toMs(maxWaitMs, doing, "maxWaitMs"),
    order,
    sojourn: watches
      ? new Sojourn(typeof codel === "object" ? codel : {}, doing)
      : undefined,
    sheds: codel !== false,
    onReject,
  };
}
