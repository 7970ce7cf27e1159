/**
 * A length of time: a number of milliseconds, or a `Temporal.Duration`.
 *
 * Everything that has `total("milliseconds")` counts as a duration.
 */
export type Duration = number | { total(unit: "milliseconds"): number };

/** The milliseconds of a duration that must be a number >= 0 or `Infinity`. */
export function toMs(value: Duration, doing: string, name = "ms"): number {
  const ms = typeof value === "object" && value !== null
    ? value.total("milliseconds")
    : value;
  if (typeof ms === "number" && ms >= 0) return ms;
  throw fault(ms, doing, name, "a number >= 0");
}

/** Like {@linkcode toMs}, with `null` for no limit. */
export function toLimitMs(
  value: Duration | null,
  doing: string,
  name = "ms",
): number {
  return value === null ? Infinity : toMs(value, doing, name);
}

/**
 * Throws unless `value` is a moment of a loop's time: any number. `subject` is what
 * the message calls it, and `must` what it has to be.
 */
export function checkMoment(
  value: number,
  doing: string,
  subject: string,
  must = "a number",
): number {
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new RangeError(
    `Cannot ${doing} as ${subject} must be ${must}: current value is ${value}`,
  );
}

/** Throws unless `value` is an integer >= `least` (or `Infinity`). */
export function checkCount(
  value: number,
  doing: string,
  name: string,
  least = 1,
): number {
  const whole = Number.isInteger(value) || value === Infinity;
  if (whole && value >= least) return value;
  throw fault(value, doing, name, `an integer >= ${least}`);
}

/** Throws a `TypeError` unless `fn` is a function. */
export function checkFunction(fn: unknown, doing: string, name = "fn"): void {
  if (typeof fn === "function") return;
  const hint = isThenable(fn)
    ? ": pass the function, not what it returned"
    : "";
  throw new TypeError(
    `Cannot ${doing} as "${name}" must be a function: current value is ${
      show(fn)
    }${hint}`,
  );
}

/** Throws a `TypeError` unless `value` is one of `choices`. */
export function checkChoice(
  value: unknown,
  doing: string,
  name: string,
  choices: readonly unknown[],
): void {
  if (choices.includes(value)) return;
  throw new TypeError(
    `Cannot ${doing} as "${name}" must be one of ${
      choices.map(show).join(", ")
    }: current value is ${show(value)}`,
  );
}

/** Like {@linkcode checkFunction}, for those of some options that are given. */
export function checkFunctions<K extends string>(
  options: { readonly [N in K]?: unknown },
  doing: string,
  names: readonly K[],
): void {
  for (const name of names) {
    if (options[name] !== undefined) checkFunction(options[name], doing, name);
  }
}

/** Whether `await value` would wait for something else. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") &&
    value !== null && "then" in value && typeof value.then === "function";
}

/** A value in a message: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `function ${value.name}`.trimEnd();
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  return `an object of class ${value.constructor?.name ?? "null"}`;
}

function fault(
  value: unknown,
  doing: string,
  name: string,
  must: string,
): TypeError | RangeError {
  const message =
    `Cannot ${doing} as "${name}" must be ${must}: current value is ${
      show(value)
    }`;
  return typeof value === "number"
    ? new RangeError(message)
    : new TypeError(message);
}
