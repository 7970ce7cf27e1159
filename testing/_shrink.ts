/** Runs choices again: what was chosen if it fails in the same way, or `undefined`. */
export type FailsWith = (
  values: readonly number[],
) => Promise<readonly number[] | undefined>;

/**
 * Looks for the fewest choices off the plain order that still fail, by putting ever
 * smaller parts of them back (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input").
 *
 * It ends when no single choice can be put back, or `mayGoOn` says no.
 */
export async function shrink(
  values: readonly number[],
  failsWith: FailsWith,
  mayGoOn: () => boolean,
): Promise<readonly number[]> {
  let best = values;
  for (let size = switchesOf(best).length; size > 0;) {
    let shrunk = false;
    for (let end = switchesOf(best).length; end > 0; end -= size) {
      if (!mayGoOn()) return best;
      // What comes last is put back first: it depends on what comes before.
      const part = switchesOf(best).slice(Math.max(0, end - size), end);
      if (part.length === 0) continue;
      const failed = await failsWith(withZeros(best, part));
      if (failed === undefined || !isSimpler(failed, best)) continue;
      best = failed;
      shrunk = true;
    }
    if (size === 1 && !shrunk) break;
    if (size > 1) size = Math.ceil(size / 2);
  }
  return best;
}

/** How many choices are off the plain order. */
export function countSwitches(values: readonly number[]): number {
  return switchesOf(values).length;
}

function switchesOf(values: readonly number[]): number[] {
  return [...values.keys()].filter((place) => values[place] !== 0);
}

function withZeros(
  values: readonly number[],
  places: readonly number[],
): number[] {
  const copy = [...values];
  for (const place of places) copy[place] = 0;
  return copy;
}

function isSimpler(a: readonly number[], b: readonly number[]): boolean {
  return countSwitches(a) < countSwitches(b);
}
