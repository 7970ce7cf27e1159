/** Identifies a variable within a {@linkcode Context}. */
export type VariableKey = object;

/** The values of all variables at one moment. */
export type ContextValues = ReadonlyMap<VariableKey, unknown>;

/**
 * The values of context variables, as one task sees them.
 *
 * A copy is cheap: the values are shared until one side sets a variable.
 */
export class Context {
  #values: ContextValues;

  constructor(values: ContextValues = new Map()) {
    this.#values = values;
  }

  get size(): number {
    return this.#values.size;
  }

  has(key: VariableKey): boolean {
    return this.#values.has(key);
  }

  get(key: VariableKey): unknown {
    return this.#values.get(key);
  }

  set(key: VariableKey, value: unknown): void {
    this.#values = new Map(this.#values).set(key, value);
  }

  delete(key: VariableKey): void {
    const values = new Map(this.#values);
    values.delete(key);
    this.#values = values;
  }

  /** All values at this moment: what a copy is made of. */
  get values(): ContextValues {
    return this.#values;
  }

  copy(): Context {
    return new Context(this.#values);
  }
}
