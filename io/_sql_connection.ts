import { checkChoice, checkFunction, show } from "../_internal/check.ts";
import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { InvalidStateError } from "../primitives/errors.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import {
  type Database,
  DatabaseError,
  type SqlChanges,
  type SqlDriver,
  type SqlExecutor,
  type SqlKind,
  type SqlResult,
  type SqlRow,
  type TransactionOptions,
} from "./_database_types.ts";
import { SqlStatement } from "./_sql.ts";
import { Turns } from "./_turns.ts";

/**
 * A connection: statements run one at a time, and a transaction has it for itself.
 */
export class SqlConnection implements Database {
  readonly #driver: SqlDriver;
  readonly #turns: Turns;
  #closed = false;

  constructor(driver: SqlDriver) {
    this.#driver = driver;
    this.#turns = new Turns(driver.name);
  }

  get broken(): boolean {
    return this.#closed || this.#driver.broken;
  }

  async query<T = SqlRow>(statement: SqlStatement): Promise<T[]> {
    return [...(await this.#run(statement, "query")).rows] as T[];
  }

  async execute(statement: SqlStatement): Promise<SqlChanges> {
    const { changes } = await this.#run(statement, "execute");
    return { changes };
  }

  async transaction<R>(
    fn: (transaction: SqlExecutor) => R | PromiseLike<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    checkFunction(fn, "run a transaction");
    checkIsolation(options);
    this.#checkOpen("run a transaction");
    const begin = this.#driver.begin(options);
    const after = this.#driver.after?.(options) ?? [];
    await this.#turns.take("kept");
    try {
      this.#checkOpen("run a transaction");
      return await new Transaction(this.#driver).run(fn, {
        begin,
        commit: ["commit", ...after],
        rollback: ["rollback", ...after],
      });
    } finally {
      this.#turns.give();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await uncancellable(async () => {
      await this.#turns.take("last");
      try {
        await this.#driver.close();
      } finally {
        this.#turns.give();
      }
    }, { name: `the end of ${this.#driver.name}`, graceMs: Infinity });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(statement: SqlStatement, kind: SqlKind): Promise<SqlResult> {
    const render = prepare(this.#driver, statement, kind);
    this.#checkOpen("run a statement");
    await this.#turns.take("step");
    try {
      this.#checkOpen("run a statement");
      return await render();
    } finally {
      this.#turns.give();
    }
  }

  #checkOpen(doing: string): void {
    if (!this.#closed) return;
    throw new InvalidStateError(
      `Cannot ${doing}: ${this.#driver.name} was closed`,
    );
  }
}

const ISOLATIONS = ["read-committed", "repeatable-read", "serializable"];

/** How a transaction, or a part of one, begins and ends. */
interface Bounds {
  readonly begin: readonly string[];
  /** The first of them decides. */
  readonly commit: readonly [string, ...string[]];
  readonly rollback: readonly string[];
}

/** What a transaction's function receives. */
class Transaction implements SqlExecutor {
  readonly #driver: SqlDriver;
  readonly #depth: number;
  readonly #turns: Turns;
  #isOver = false;

  constructor(driver: SqlDriver, depth = 0) {
    this.#driver = driver;
    this.#depth = depth;
    this.#turns = new Turns(`a transaction of ${driver.name}`);
  }

  async query<T = SqlRow>(statement: SqlStatement): Promise<T[]> {
    return [...(await this.#runInTurn(statement, "query")).rows] as T[];
  }

  async execute(statement: SqlStatement): Promise<SqlChanges> {
    const { changes } = await this.#runInTurn(statement, "execute");
    return { changes };
  }

  async transaction<R>(
    fn: (transaction: SqlExecutor) => R | PromiseLike<R>,
  ): Promise<R> {
    checkFunction(fn, "run a transaction");
    await this.#turns.take("kept");
    try {
      this.#checkOpen();
      const depth = this.#depth + 1;
      const name = `ilmek_${depth}`;
      return await new Transaction(this.#driver, depth).run(fn, {
        begin: [`savepoint ${name}`],
        commit: [`release savepoint ${name}`],
        rollback: [
          `rollback to savepoint ${name}`,
          `release savepoint ${name}`,
        ],
      });
    } finally {
      this.#turns.give();
    }
  }

  /** The whole of it: begin, `fn`, and commit or roll back. */
  async run<R>(
    fn: (transaction: SqlExecutor) => R | PromiseLike<R>,
    bounds: Bounds,
  ): Promise<R> {
    const driver = this.#driver;
    try {
      for (const text of bounds.begin) await driver.run(text, [], "execute");
      const result = await fn(this);
      // What waited and was cancelled may have been swallowed.
      throwIfCancelled();
      await this.#end(() => this.#commit(bounds.commit));
      return result;
    } catch (error) {
      // The beginning may have come through, too, when it was cancelled.
      await this.#end(() => this.#rollBack(bounds.rollback));
      throw error;
    }
  }

  /** What was begun in here has ended before the transaction does. */
  async #end(fn: () => Promise<void>): Promise<void> {
    await uncancellable(async () => {
      await this.#turns.take("last");
      this.#isOver = true;
      try {
        await fn();
      } finally {
        this.#turns.give();
      }
    }, {
      name: `the end of a transaction of ${this.#driver.name}`,
      graceMs: Infinity,
    });
  }

  async #commit([text, ...after]: Bounds["commit"]): Promise<void> {
    const { command } = await this.#driver.run(text, [], "execute");
    // PostgreSQL takes it for a rollback, silently, if a statement has failed.
    if (command?.toLowerCase() === "rollback") {
      throw new DatabaseError(text, {
        cause: new InvalidStateError(
          "a statement of the transaction has failed, and it was rolled back",
        ),
      });
    }
    for (const more of after) await this.#driver.run(more, [], "execute");
  }

  async #rollBack(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      try {
        await this.#driver.run(text, [], "execute");
      } catch (error) {
        // What ended the transaction is what the caller has to know. If the
        // connection is lost, the database rolls back by itself.
        if (!(error instanceof DatabaseError)) throw error;
      }
    }
  }

  async #runInTurn(statement: SqlStatement, kind: SqlKind): Promise<SqlResult> {
    const render = prepare(this.#driver, statement, kind);
    await this.#turns.take("step");
    try {
      this.#checkOpen();
      return await render();
    } finally {
      this.#turns.give();
    }
  }

  #checkOpen(): void {
    if (!this.#isOver) return;
    throw new InvalidStateError(
      `Cannot run a statement: its transaction of ${this.#driver.name} has ended`,
    );
  }
}

/** It becomes a part of the text: nothing else may. */
function checkIsolation({ isolation }: TransactionOptions): void {
  if (isolation === undefined) return;
  checkChoice(isolation, "run a transaction", "isolation", ISOLATIONS);
}

/** Checks a statement, which is run later. */
function prepare(
  driver: SqlDriver,
  statement: SqlStatement,
  kind: SqlKind,
): () => Promise<SqlResult> {
  if (!(statement instanceof SqlStatement)) {
    throw new TypeError(
      `Cannot run a statement as "statement" must be made by sql\`...\`: current value is ${
        show(statement)
      }`,
    );
  }
  const { text, values } = statement.render((i) => driver.placeholder(i));
  return () => driver.run(text, values, kind);
}
