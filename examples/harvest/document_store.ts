/**
 * Where documents are kept: the table `documents` of a database of SQLite.
 */
import { ConnectionPool } from "@ilmek/async/connection-pool";
import { type Database, openSqlite, sql } from "@ilmek/async/database";

/** A document as it came, with the digest of its text. */
export interface HarvestedDocument {
  readonly id: string;
  readonly body: string;
  readonly sha256: string;
}

/** The documents that there are. */
export class DocumentStore implements AsyncDisposable {
  readonly #pool: ConnectionPool;

  constructor(path: string) {
    this.#pool = new ConnectionPool(() => connect(path), { max: 2 });
  }

  /** Opens the database, and makes the table if there is none. */
  static async open(path: string): Promise<DocumentStore> {
    const store = new DocumentStore(path);
    try {
      await store.#pool.execute(
        sql`create table if not exists documents (
          id text primary key, body text not null, sha256 text not null
        ) strict`,
      );
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The ids of all documents. */
  async ids(): Promise<Set<string>> {
    const rows = await this.#pool.query<{ id: string }>(
      sql`select id from documents`,
    );
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Stores all of these documents, or none. One that is there already is an error:
   * nothing is stored twice.
   */
  async save(documents: readonly HarvestedDocument[]): Promise<void> {
    await this.#pool.transaction(async (transaction) => {
      for (const { id, body, sha256 } of documents) {
        await transaction.execute(
          sql`insert into documents values (${id}, ${body}, ${sha256})`,
        );
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
  }
}

async function connect(path: string): Promise<Database> {
  const database = openSqlite(path);
  // Who reads need not wait for who writes, and what is committed stays.
  await database.query(sql`pragma journal_mode = wal`);
  return database;
}
