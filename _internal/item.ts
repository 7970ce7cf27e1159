import { isThenable, show } from "./check.ts";

/**
 * Why an item cannot be handed over: a promise would be awaited by whoever
 * returns it, and a task joined. `undefined` if it can.
 */
export function faultOf(item: unknown, doing: string): TypeError | undefined {
  if (!isThenable(item)) return undefined;
  return new TypeError(
    `Cannot ${doing} as "item" must not be awaitable: current value is ${
      show(item)
    }`,
  );
}
