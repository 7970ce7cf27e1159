import { show } from "../_internal/check.ts";
import { RetryBudget } from "./retry_budget.ts";

/** Throws a `TypeError` for what is given as a budget, and is none. */
export function checkBudget(budget: unknown, doing: string): void {
  if (budget === undefined || budget instanceof RetryBudget) return;
  throw new TypeError(
    `Cannot ${doing} as "budget" must be a RetryBudget: current value is ${
      show(budget)
    }`,
  );
}
