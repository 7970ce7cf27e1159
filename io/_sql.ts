import { show } from "../_internal/check.ts";

/** What can be bound to a statement. */
export type SqlValue =
  | null
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | Date;

/** A statement as a database takes it. */
export interface SqlText {
  /** The text, with a placeholder for each value. */
  readonly text: string;
  /** The values. */
  readonly values: readonly SqlValue[];
}

let partsOf: (statement: SqlStatement) => readonly (string | Bound)[];
let make: (parts: readonly (string | Bound)[]) => SqlStatement;

/** A value in the place where it is bound. */
interface Bound {
  readonly value: SqlValue;
}

/**
 * A statement whose values are kept apart from its text; see {@linkcode sql}.
 *
 * @example See what a database gets
 * ```ts
 * import { sql } from "@ilmek/async/database";
 * import { assertEquals } from "@std/assert";
 *
 * const { text, values } = sql`select * from t where id = ${7}`.render((i) => `$${i}`);
 *
 * assertEquals(text, "select * from t where id = $1");
 * assertEquals(values, [7]);
 * ```
 */
export class SqlStatement {
  readonly #parts: readonly (string | Bound)[];

  static {
    partsOf = (statement) => statement.#parts;
    make = (parts) => new SqlStatement(parts);
  }

  /**
   * Statements come from `sql`.
   *
   * @internal
   */
  constructor(parts: readonly (string | Bound)[]) {
    this.#parts = parts;
  }

  /**
   * Gives the text and the values.
   *
   * @param placeholder Gives the placeholder of a value by its number, from 1.
   * @returns The statement as a database takes it.
   */
  render(placeholder: (index: number) => string): SqlText {
    const values: SqlValue[] = [];
    let text = "";
    for (const part of this.#parts) {
      text += typeof part === "string"
        ? part
        : placeholder(values.push(part.value));
    }
    return { text, values };
  }
}

/**
 * Makes a statement: each value is bound, and never becomes a part of the text. A
 * statement as a value is put in its place.
 *
 * @param strings The text around the values.
 * @param values The values.
 * @returns The statement.
 * @throws {TypeError} If a value cannot be bound.
 *
 * @example Put a statement together
 * ```ts
 * import { sql, sqlName } from "@ilmek/async/database";
 * import { assertEquals } from "@std/assert";
 *
 * const isYoung = sql`age < ${30}`;
 * const statement = sql`select ${sqlName("name")} from users where ${isYoung}`;
 *
 * assertEquals(statement.render(() => "?"), {
 *   text: 'select "name" from users where age < ?',
 *   values: [30],
 * });
 * ```
 */
export function sql(
  strings: TemplateStringsArray,
  ...values: readonly (SqlValue | SqlStatement)[]
): SqlStatement {
  if (!Array.isArray(strings) || !("raw" in strings)) {
    throw new TypeError(
      `Cannot make a statement from a string: write sql\`...\` without parentheses, so that values are bound`,
    );
  }
  const parts: (string | Bound)[] = [strings[0] ?? ""];
  for (const [i, value] of values.entries()) {
    if (value instanceof SqlStatement) parts.push(...partsOf(value));
    else parts.push({ value: checkValue(value, i) });
    parts.push(strings[i + 1] ?? "");
  }
  return make(parts);
}

/**
 * A name, such as that of a column, to be put into a statement. It is quoted.
 *
 * @param name The name; with a dot in it write two names.
 * @returns What can stand in a statement.
 * @throws {TypeError} If it is not a string, or empty.
 *
 * @example Sort by what the user has chosen
 * ```ts
 * import { sql, sqlName } from "@ilmek/async/database";
 * import { assertEquals } from "@std/assert";
 *
 * const { text } = sql`order by ${sqlName('x"; drop table t')}`.render(() => "?");
 *
 * assertEquals(text, 'order by "x""; drop table t"');
 * ```
 */
export function sqlName(name: string): SqlStatement {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new TypeError(
      `Cannot quote a name as "name" must be a string with characters other than null: current value is ${
        show(name)
      }`,
    );
  }
  return make([`"${name.replaceAll('"', '""')}"`]);
}

function checkValue(value: SqlValue, index: number): SqlValue {
  const isFine = value === null || value instanceof Uint8Array ||
    value instanceof Date ||
    ["string", "number", "bigint", "boolean"].includes(typeof value);
  if (isFine) return value;
  throw new TypeError(
    `Cannot make a statement as value ${
      index + 1
    } must be a string, a number, a boolean, bytes, a date or null: current value is ${
      show(value)
    }`,
  );
}
