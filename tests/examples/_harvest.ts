/**
 * Harvests in processes of their own, and what they leave behind.
 */
import { DatabaseSync } from "node:sqlite";
import { documentText } from "../../examples/harvest/flaky_documents.ts";
import type { FlakyServer } from "../../examples/harvest/flaky_server.ts";
import { type Ended, runProgram } from "./_processes.ts";

/** What {@linkcode runHarvest} harvests. */
export interface Harvest {
  readonly server: FlakyServer;
  /** The folder of the database. */
  readonly folder: string;
  readonly args?: readonly string[];
  readonly onStart?: (child: Deno.ChildProcess) => void;
}

/** Runs the program against a server, fast. */
export function runHarvest(
  { server, folder, args = [], onStart = () => {} }: Harvest,
): Promise<Ended> {
  return runProgram("harvest.ts", {
    flags: [
      "--allow-net=127.0.0.1",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
    ],
    args: [
      ...["--base-url", server.url, "--db", `${folder}/documents.db`],
      ...["--concurrency", "64", "--timeout", "500", "--rate", "20000"],
      ...args,
    ],
    onStart,
  });
}

/** The ids of all documents in the database, each row of which is checked. */
export async function storedIds(folder: string): Promise<string[]> {
  const database = new DatabaseSync(`${folder}/documents.db`);
  try {
    const rows = database.prepare("select * from documents order by rowid")
      .all();
    for (const { id, body, sha256 } of rows) {
      const text = documentText(Number(String(id).split("/").at(-1)));
      if (body !== text || sha256 !== await sha256Of(text)) {
        throw new RangeError(`The document ${id} is not what was served`);
      }
    }
    return rows.map(({ id }) => String(id));
  } finally {
    database.close();
  }
}

async function sha256Of(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
