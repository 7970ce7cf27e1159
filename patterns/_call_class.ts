import { ContextVar } from "../primitives/context_var.ts";
import type { Frame } from "../_internal/frame.ts";

/** How much it matters that a call is made. */
export type CallPriority =
  | "critical+"
  | "critical"
  | "sheddable+"
  | "sheddable";

/** All priorities of calls, the most important first. */
export const PRIORITIES: readonly CallPriority[] = [
  "critical+",
  "critical",
  "sheddable+",
  "sheddable",
];

/** What the code that runs says of the calls that it makes. */
export interface CallClass {
  readonly priority: CallPriority;
  readonly tenant: unknown;
}

const UNSAID: CallClass = { priority: "critical", tenant: undefined };

/** It travels with the context, so that no layer in between passes it along. */
export const callClass: ContextVar<CallClass> = new ContextVar("call class", {
  defaultValue: UNSAID,
});

/** What was said where a call was made. */
export function callClassOf({ context }: Frame): CallClass {
  return (context.get(callClass) as CallClass | undefined) ?? UNSAID;
}
