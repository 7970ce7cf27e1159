/**
 * Random tests that can be repeated.
 *
 * @module
 */

/** Draws integers from 0 to `count` - 1. */
export type Draw = (count: number) => number;

/**
 * Calls `fn` with numbers from a fresh seed, and names that seed if it fails. To
 * repeat a failure, give the seed.
 */
export async function randomly(
  fn: (draw: Draw) => unknown,
  seed: number = Math.floor(Math.random() * 2 ** 31),
): Promise<void> {
  try {
    await fn(drawer(seed));
  } catch (error) {
    throw new AggregateError([error], `Fails with seed ${seed}: ${error}`);
  }
}

/** The generator of Lehmer, with the multiplier of Park and Miller. */
function drawer(seed: number): Draw {
  let state = seed % 2147483646 + 1;
  return (count) => {
    state = state * 48271 % 2147483647;
    return state % count;
  };
}
