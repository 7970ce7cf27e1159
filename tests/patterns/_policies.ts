/**
 * Policies that the tests of policies put around work, to see what comes through.
 *
 * @module
 */

import type { PolicyCall } from "../../patterns/_call.ts";
import {
  defineLayers,
  type GuardLayer,
  type Layer,
  runStep,
} from "../../patterns/_layers.ts";
import type { Policy } from "@ilmek/async/policy";

/** A policy made of layers as they stand. */
export function policyOf(...layers: Layer[]): Policy {
  const policy: Policy = {
    run: (fn, options = {}) => runStep(step, fn, options),
  };
  const step = defineLayers(policy, layers);
  return policy;
}

/** A guard that lets all in, and writes down what passes. */
export function logging(
  log: string[],
  name: string,
  overrides: Partial<Pick<GuardLayer, "enter" | "exit">> = {},
): GuardLayer {
  return {
    kind: "guard",
    enter(call) {
      log.push(`${name} in ${call.attempt}`);
      return overrides.enter?.(call);
    },
    exit(call, state, outcome) {
      log.push(`${name} out ${outcome.ok ? "ok" : "failed"}`);
      return overrides.exit?.(call, state, outcome);
    },
    facts: () => ({ policy: "log", name, text: "" }),
  };
}

/** What a guard makes of a failed outcome until the attempt is `max`. */
export function againUntil(max: number): GuardLayer["exit"] {
  return (call: PolicyCall, _state, outcome) => {
    if (outcome.ok || call.attempt >= max) return undefined;
    return call.again(outcome.error);
  };
}
