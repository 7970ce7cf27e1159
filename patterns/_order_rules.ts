import type { LayerFacts } from "./_layers.ts";

/** Two policies of which one is somewhere inside of the other. */
interface Pair {
  readonly outer: LayerFacts;
  readonly inner: LayerFacts;
  /** What stands between them. */
  readonly between: readonly LayerFacts[];
}

/** Tells what is wrong with a pair, without naming where they stand. */
type Rule = (pair: Pair) => string | undefined;

const named = ({ name }: LayerFacts) => `"${name}"`;

/** The rules by what is outside and what is inside of it. */
const RULES: Readonly<Record<string, Rule>> = {
  "retry > retry": ({ outer, inner }) =>
    `attempts multiply: let ${named(outer)} or ${
      named(inner)
    } try again, not both`,
  "retry > fallback": ({ outer, inner }) =>
    `${named(outer)} sees no failure, since ${
      named(inner)
    } gives something in its place`,
  "retry > stale-if-error": ({ outer, inner }) =>
    `${named(outer)} sees no failure, since ${
      named(inner)
    } gives something in its place`,
  "hedge > retry": ({ outer, inner }) =>
    `${named(outer)} begins all attempts of ${
      named(inner)
    } twice: put it inside`,
  "hedge > fallback": ({ outer, inner }) =>
    `${named(outer)} sees no failure, since ${
      named(inner)
    } gives something in its place`,
  "circuit-breaker > retry": ({ outer, inner }) =>
    `${named(outer)} counts one call for all attempts of ${
      named(inner)
    }: put it inside`,
  "circuit-breaker > fallback": ({ outer, inner }) =>
    `${named(outer)} sees no failure, since ${
      named(inner)
    } gives something in its place`,
  "bulkhead > retry": ({ outer, inner }) =>
    `a slot of ${named(outer)} is held while ${
      named(inner)
    } waits: put it inside`,
  "bulkhead > hedge": ({ outer, inner }) =>
    `one slot of ${named(outer)} is used twice at a time by ${
      named(inner)
    }: put it inside`,
  "rate-limiter > retry": ({ outer, inner }) =>
    `the attempts of ${named(inner)} after the first are not limited by ${
      named(outer)
    }: put it inside`,
  "rate-limiter > hedge": ({ outer, inner }) =>
    `what ${named(inner)} begins besides is not limited by ${
      named(outer)
    }: put it inside`,
  "bulkhead > rate-limiter": ({ outer, inner }) =>
    `a slot of ${named(outer)} is held while ${
      named(inner)
    } waits: put it inside`,
  "timeout > timeout": ({ outer, inner, between }) => {
    const repeats = between.some(({ policy }) => policy === "retry");
    if ((inner.limitMs ?? 0) < (outer.limitMs ?? Infinity)) return undefined;
    return repeats
      ? `one attempt may use all of the time: ${
        named(inner)
      } never ends one before ${named(outer)} ends all`
      : `${named(inner)} never comes before ${named(outer)}`;
  },
};

/** What is wrong with one policy, given all that is inside of it. */
const ALONE: Readonly<
  Record<
    string,
    (it: LayerFacts, inside: readonly LayerFacts[]) => string | undefined
  >
> = {
  "timeout": (it, inside) => {
    const retry = inside.findIndex(({ policy }) => policy === "retry");
    if (retry < 0) return undefined;
    const limits = inside.slice(retry).some(({ policy }) =>
      policy === "timeout"
    );
    return limits
      ? undefined
      : `timeout outside of retry: one attempt that hangs uses all of the time of ${
        named(it)
      }; put a second timeout inside`;
  },
  "chaos": (it, inside) =>
    inside.length === 0
      ? undefined
      : `chaos outside of others: ${
        named(it)
      } tests nothing that is inside of it; put it next to the work`,
};

/** What makes no sense in a stack, the first policy of which is outermost. */
export function orderWarnings(stack: readonly LayerFacts[]): string[] {
  const warnings: string[] = [];
  for (const [i, outer] of stack.entries()) {
    const inside = stack.slice(i + 1);
    const alone = ALONE[outer.policy]?.(outer, inside);
    if (alone !== undefined) warnings.push(alone);
    for (const [j, inner] of inside.entries()) {
      const rule = RULES[`${outer.policy} > ${inner.policy}`];
      const problem = rule?.({ outer, inner, between: inside.slice(0, j) });
      if (problem === undefined) continue;
      warnings.push(`${inner.policy} inside of ${outer.policy}: ${problem}`);
    }
  }
  return warnings;
}
