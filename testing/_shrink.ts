/** A run that failed, by its choices. */
export interface FailedRun {
  readonly choices: readonly number[];
}

/** Runs choices again: the run if it fails in the same way, or `undefined`. */
export type Rerun<F extends FailedRun> = (
  choices: readonly number[],
) => Promise<F | undefined>;

/**
 * Looks for the run with the fewest choices off the plain order that still fails, by
 * putting ever smaller parts of them back (Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input"); then for smaller choices.
 *
 * It ends when no single choice can be put back, or `mayGoOn` says no.
 */
export async function shrink<F extends FailedRun>(
  failed: F,
  rerun: Rerun<F>,
  mayGoOn: () => boolean,
): Promise<F> {
  let best = failed;
  /** Whether the run with some choices replaced, by smaller ones, fails as well. */
  const improve = async (
    places: readonly number[],
    value: number,
  ): Promise<boolean> => {
    const again = await rerun(replaced(best.choices, places, value));
    if (again === undefined) return false;
    best = again;
    return true;
  };
  for (let size = countSwitches(best.choices); size > 0;) {
    let improved = false;
    for (let end = countSwitches(best.choices); end > 0; end -= size) {
      // What comes last is put back first: it depends on what comes before.
      const part = switchesOf(best.choices).slice(Math.max(0, end - size), end);
      if (part.length === 0) continue;
      if (!mayGoOn()) return best;
      if (await improve(part, 0)) improved = true;
    }
    if (size === 1 && !improved) break;
    if (size > 1) size = Math.ceil(size / 2);
  }
  for (const place of switchesOf(best.choices)) {
    for (let value = 1; value < (best.choices[place] ?? 0); value *= 2) {
      if (!mayGoOn()) return best;
      if (await improve([place], value)) break;
    }
  }
  return best;
}

/** How many choices are off the plain order. */
export function countSwitches(choices: readonly number[]): number {
  return switchesOf(choices).length;
}

function switchesOf(choices: readonly number[]): number[] {
  return [...choices.keys()].filter((place) => choices[place] !== 0);
}

function replaced(
  choices: readonly number[],
  places: readonly number[],
  value: number,
): number[] {
  const copy = [...choices];
  for (const place of places) copy[place] = value;
  return copy;
}
