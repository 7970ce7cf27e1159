import { DatabaseSync, type StatementSync } from "node:sqlite";
import { checkpoint } from "../primitives/checkpoint.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { sleep } from "../primitives/sleep.ts";
import {
  DatabaseError,
  type SqlDriver,
  type SqlKind,
  type SqlResult,
  type TransactionOptions,
} from "./_database_types.ts";
import type { SqlValue } from "./_sql.ts";

/** How many statements are kept prepared. */
const MAX_PREPARED = 64;
/** How long the pauses are while another connection writes. */
const BUSY_PAUSE_MS = 5;

const TOTAL_CHANGES = "select total_changes() as total";

/** SQLite within this process: it holds the thread while it works on a statement. */
export class SqliteDriver implements SqlDriver {
  readonly name: string;
  readonly broken: boolean = false;
  readonly #native: DatabaseSync;
  readonly #busyMs: number;
  /** Invariant: the one that was used last stands last. */
  readonly #prepared = new Map<string, StatementSync>();

  constructor(
    path: string,
    options: { readonly busyMs: number; readonly readOnly: boolean },
  ) {
    this.name = `the database "${path}"`;
    this.#busyMs = options.busyMs;
    this.#native = new DatabaseSync(path, { readOnly: options.readOnly });
  }

  placeholder(): string {
    return "?";
  }

  begin({ readOnly = false }: TransactionOptions): string[] {
    // One that begins to write later could not wait for others.
    return readOnly ? ["begin", "pragma query_only = on"] : ["begin immediate"];
  }

  after({ readOnly = false }: TransactionOptions): string[] {
    return readOnly ? ["pragma query_only = off"] : [];
  }

  async run(
    text: string,
    values: readonly SqlValue[],
    kind: SqlKind,
  ): Promise<SqlResult> {
    await checkpoint();
    const limit = getRunningLoop().time() + this.#busyMs;
    for (;;) {
      try {
        return this.#run(text, values.map(toNative), kind);
      } catch (cause) {
        const isBusy = cause instanceof Error &&
          cause.message.includes("is locked");
        if (!isBusy || getRunningLoop().time() >= limit) {
          throw new DatabaseError(text, { cause, code: codeOf(cause) });
        }
      }
      await sleep(BUSY_PAUSE_MS);
    }
  }

  close(): Promise<void> {
    this.#prepared.clear();
    this.#native.close();
    return Promise.resolve();
  }

  #run(text: string, values: readonly Native[], kind: SqlKind): SqlResult {
    const statement = this.#prepare(text);
    if (kind === "query") {
      const rows = statement.all(...values);
      // Theirs have no prototype, which few expect.
      return { rows: rows.map((row) => ({ ...row })), changes: 0 };
    }
    const before = this.#totalChanges();
    const { changes } = statement.run(...values);
    // SQLite tells of the last statement that could change anything.
    const isNone = this.#totalChanges() === before;
    return { rows: [], changes: isNone ? 0 : Number(changes) };
  }

  #totalChanges(): unknown {
    return this.#prepare(TOTAL_CHANGES).get()?.["total"];
  }

  #prepare(text: string): StatementSync {
    const statement = this.#prepared.get(text) ?? this.#native.prepare(text);
    this.#prepared.delete(text);
    this.#prepared.set(text, statement);
    if (this.#prepared.size > MAX_PREPARED) {
      const [oldest] = this.#prepared.keys();
      if (oldest !== undefined) this.#prepared.delete(oldest);
    }
    return statement;
  }
}

type Native = null | string | number | bigint | Uint8Array;

function toNative(value: SqlValue): Native {
  if (typeof value === "boolean") return value ? 1 : 0;
  return value instanceof Date ? value.toISOString() : value;
}

function codeOf(error: unknown): string | undefined {
  const { errcode } = Object(error) as { readonly errcode?: unknown };
  return errcode === undefined ? undefined : String(errcode);
}
