/**
 * What a stack of policies does at worst, and which of its orders make no sense.
 *
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { explain } from "@ilmek/async/explain";
 * import { Retry } from "@ilmek/async/retry";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 *
 * console.log(`${explain(compose(new Retry(), new Timeout(1000)))}`);
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { type LayerFacts, layersOf, type WorstCase } from "./_layers.ts";
import { orderWarnings } from "./_order_rules.ts";
import type { AnyPolicy } from "./compose.ts";

/** One policy of a stack. */
export interface ExplainedPolicy {
  /** What it is: `"retry"`, `"timeout"`; `"custom"` if it is not of this package. */
  readonly policy: string;
  /** Its name. */
  readonly name: string;
  /** How it is set. */
  readonly text: string;
}

/**
 * What {@linkcode explain} tells: as fields, and printed as a tree.
 *
 * @example See the worst case before it comes
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { explain } from "@ilmek/async/explain";
 * import { Retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 * import { assertEquals } from "@std/assert";
 *
 * const { worstCaseMs, worstCaseAttempts } = explain(compose(
 *   new Retry({ attempts: 3, schedule: spaced(100) }),
 *   new Timeout(1000, { graceMs: 0 }),
 * ));
 *
 * assertEquals([worstCaseMs, worstCaseAttempts], [3200, 3]);
 * ```
 */
export class Explanation {
  /** The policies, the first of them outermost. */
  readonly policies: readonly ExplainedPolicy[];
  /** How long a call may take; `Infinity` if nothing limits it. */
  readonly worstCaseMs: number;
  /** How often the work may be begun for one call. */
  readonly worstCaseAttempts: number;
  /** What makes no sense in the order of the policies, a sentence each. */
  readonly warnings: readonly string[];

  /**
   * It comes from `explain`.
   *
   * @internal
   */
  constructor(
    policies: readonly ExplainedPolicy[],
    worst: WorstCase,
    warnings: readonly string[],
  ) {
    this.policies = policies;
    this.worstCaseMs = worst.ms;
    this.worstCaseAttempts = worst.attempts;
    this.warnings = warnings;
  }

  /**
   * The tree, the worst case and the warnings, a line each.
   *
   * @returns Some lines of text.
   */
  toString(): string {
    const lines = this.policies.map(({ policy, name, text }, depth) => {
      const label = name === policy ? policy : `${policy} "${name}"`;
      return branch(depth) + (text === "" ? label : `${label}: ${text}`);
    });
    return [
      ...lines,
      `${branch(lines.length)}the work`,
      `worst case: ${times(this.worstCaseAttempts)}, ${
        this.worstCaseMs === Infinity
          ? "no limit of time"
          : `${Math.round(this.worstCaseMs)} ms`
      }`,
      ...this.warnings.map((warning) => `warning: ${warning}`),
    ].join("\n");
  }
}

/**
 * Explains a policy, or a stack of them.
 *
 * The worst case takes each policy at its limit: all attempts fail at the very end
 * of their time, and jitter is as long as it can be.
 *
 * @param policy What to explain.
 * @returns What can be told of it; as a string it is a tree.
 * @throws {TypeError} If `policy` is no policy.
 *
 * @example Find an order that makes no sense
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { explain } from "@ilmek/async/explain";
 * import { Fallback } from "@ilmek/async/fallback";
 * import { Retry } from "@ilmek/async/retry";
 * import { assertEquals } from "@std/assert";
 *
 * const policy = compose(new Retry(), new Fallback([() => "cached"]));
 *
 * assertEquals(explain(policy).warnings, [
 *   'fallback inside of retry: "retry" sees no failure, since "fallback" gives something in its place',
 * ]);
 * ```
 */
export function explain(policy: AnyPolicy): Explanation {
  if (typeof policy !== "object" || policy === null) {
    throw new TypeError(
      `Cannot explain a policy as "policy" must have a method "run": current value is ${
        show(policy)
      }`,
    );
  }
  const facts = layersOf(policy)?.map((layer) => layer.facts()) ??
    [{ policy: "custom", name: policy.constructor.name, text: "" }];
  return new Explanation(
    facts.map(({ policy, name, text }) => ({ policy, name, text })),
    worstOf(facts),
    orderWarnings(facts),
  );
}

function worstOf(facts: readonly LayerFacts[]): WorstCase {
  return facts.reduceRight(
    (inner: WorstCase, fact) => fact.worst?.(inner) ?? inner,
    { ms: Infinity, attempts: 1 },
  );
}

function branch(depth: number): string {
  return depth === 0 ? "" : `${"   ".repeat(depth - 1)}└─ `;
}

function times(count: number): string {
  if (count === 1) return "1 attempt";
  return count === Infinity ? "endless attempts" : `${count} attempts`;
}
