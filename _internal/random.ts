/**
 * Where randomness comes from, if no other source is given: a number >= 0 and
 * below 1.
 */
// deno-lint-ignore ilmek/no-raw-time -- The one default of all `random` options.
export const defaultRandom: () => number = Math.random;

/** A source of randomness that always gives the same numbers (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A key that nobody else has. */
export function randomKey(): string {
  return crypto.randomUUID();
}
