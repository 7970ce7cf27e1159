/**
 * Collects thousands of JSON documents from an API into SQLite: within the limits of
 * each host, with retries, deadlines and a circuit breaker; Ctrl-C ends it cleanly,
 * and `--resume` goes on. Without options it brings its own server, which is slow,
 * flaky and limited.
 *
 * Run it: `deno task demo`, or with an API of your own:
 *
 * `deno run --allow-net --allow-read --allow-write examples/harvest.ts --help`
 */
import { DatabaseError } from "@ilmek/async/database";
import { FileError } from "@ilmek/async/file";
import { HttpStatusError, NetworkError } from "@ilmek/async/http-session";
import { PolicyError } from "@ilmek/async/policy";
import { PoolUnavailableError } from "@ilmek/async/resource-pool";
import { run } from "@ilmek/async/run";
import { createTask } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import { writeFileAtomic } from "@ilmek/async/write-file-atomic";
import { collectAddresses } from "./harvest/addresses.ts";
import { collect } from "./harvest/collect.ts";
import {
  DocumentClient,
  GarbledDocumentError,
} from "./harvest/document_client.ts";
import { DocumentStore } from "./harvest/document_store.ts";
import { FlakyServer } from "./harvest/flaky_server.ts";
import {
  type HarvestOptions,
  HELP,
  isLocal,
  LOCAL_FOLDER,
  parseOptions,
  UsageError,
} from "./harvest/options.ts";
import { count, counted, paintWith } from "./harvest/paint.ts";
import { Progress, type ProgressOutput } from "./harvest/progress.ts";
import { reportLines } from "./harvest/report.ts";
import { RunRecord } from "./harvest/run_record.ts";
import { Stop } from "./harvest/stop.ts";
import { timelineSvg } from "./harvest/timeline.ts";

/** Where the program writes. */
export interface Console {
  /** Takes the lines of the report. */
  readonly log: (line: string) => void;
  /** Takes the lines of what is wrong. */
  readonly error: (line: string) => void;
  /** Shows the progress. */
  readonly progress: ProgressOutput;
  /** Whether the lines of the report are colored. */
  readonly color: boolean;
}

/**
 * Runs the program.
 *
 * @returns Its exit code.
 */
export async function main(
  args: readonly string[],
  console: Console,
): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options !== "help") return await harvest(options, console);
    console.log(HELP);
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(messageOf(error));
    if (!(error instanceof UsageError)) return 1;
    console.error("See --help");
    return 2;
  }
}

/** Whether the world is at fault, and not this program. */
function isExpected(error: unknown): boolean {
  return [
    UsageError,
    DatabaseError,
    FileError,
    GarbledDocumentError,
    HttpStatusError,
    NetworkError,
    PolicyError,
    TimeoutError,
  ].some((it) => error instanceof it);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Harvests what the options say, and reports. */
async function harvest(
  options: HarvestOptions,
  console: Console,
): Promise<number> {
  using stop = new Stop();
  await using server = isLocal(options)
    ? await startServer(options)
    : undefined;
  const { urls, baseUrl = server?.url, db, resume } = options;
  await using store = await openStore(db);
  const known = await store.ids();
  if (known.size > 0 && !resume) {
    throw new UsageError(
      `Cannot begin with ${db} as it has ${
        counted(known.size, "document")
      }: go on with --resume, or name another --db`,
    );
  }
  await using client = new DocumentClient({ ...options, baseUrl });
  if (urls === undefined) console.log(`Asking ${baseUrl} for its documents`);
  const addresses = await stop.unlessAsked(() =>
    collectAddresses({ urls, baseUrl }, client)
  );
  if (addresses === undefined) {
    console.log("Stopped before it was known which documents there are");
    return stop.exitCode;
  }
  const missing = addresses.filter((address) => !known.has(address));
  const record = new RunRecord({
    wanted: addresses.length,
    before: addresses.length - missing.length,
  });
  client.recordTo(record);
  console.log(greeting(options, { missing: missing.length, baseUrl }));

  const progress = new Progress(console.progress, { record, client, stop });
  let hasGivenUp: boolean;
  try {
    await using _ = createTask(() => progress.run(), { name: "progress" });
    const { concurrency } = options;
    const tools = { client, store, record, concurrency, stop };
    hasGivenUp = await collect(missing, tools);
  } finally {
    record.end();
    progress.clear();
  }
  const facts = { options, baseUrl, client, stop, console, hasGivenUp };
  await report(record, facts);
  if (record.complete === record.wanted) return 0;
  return stop.exitCode === 0 ? 1 : stop.exitCode;
}

/** What {@linkcode report} needs to know besides the record. */
interface Facts {
  readonly options: HarvestOptions;
  readonly baseUrl: string | undefined;
  readonly client: DocumentClient;
  readonly stop: Stop;
  readonly console: Console;
  readonly hasGivenUp: boolean;
}

/** Draws how it went, and tells it. */
async function report(record: RunRecord, facts: Facts): Promise<void> {
  const { options, client: { retries }, stop, console, hasGivenUp } = facts;
  const lines = reportLines(record, {
    db: options.db,
    picture: await draw(record, facts),
    retries,
    isStopped: stop.exitCode !== 0,
    hasGivenUp,
    command: isLocal(options)
      ? "deno task demo --resume"
      : "the same command with --resume",
    paint: paintWith(console),
  });
  for (const line of ["", ...lines]) console.log(line);
}

/** Gives the path of the picture, if there is one. */
async function draw(
  record: RunRecord,
  { options, baseUrl, client: { retries }, console }: Facts,
): Promise<string | undefined> {
  const { urls, report: path } = options;
  if (path === undefined) return undefined;
  const title = `Harvest of ${baseUrl ?? urls}`;
  try {
    await writeFileAtomic(path, timelineSvg(record, { title, retries }));
    return path;
  } catch (error) {
    // The documents are stored: that is to be told all the same.
    if (!(error instanceof FileError)) throw error;
    console.error(error.message);
    return undefined;
  }
}

async function openStore(path: string): Promise<DocumentStore> {
  try {
    return await DocumentStore.open(path);
  } catch (error) {
    if (!(error instanceof PoolUnavailableError)) throw error;
    const { cause } = error;
    throw new UsageError(`Cannot use --db: ${messageOf(cause)}`, { cause });
  }
}

/** Starts the server of this program; its harvest begins afresh, or goes on. */
async function startServer(options: HarvestOptions): Promise<FlakyServer> {
  const { documents, resume, db } = options;
  await Deno.mkdir(LOCAL_FOLDER, { recursive: true });
  if (!resume && db.startsWith(`${LOCAL_FOLDER}/`)) {
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(db + suffix).catch(() => {});
    }
  }
  const outages = [{ fromMs: 3000, toMs: 4200 }];
  return new FlakyServer({ documents, outages });
}

function greeting(
  options: HarvestOptions,
  { missing, baseUrl }: { missing: number; baseUrl: string | undefined },
): string {
  const what = `Getting ${counted(missing, "document")}`;
  const from = baseUrl === undefined ? "" : ` from ${baseUrl}`;
  const how = `at most ${count(options.rate)} requests a second, ` +
    `${count(options.concurrency)} at once`;
  const note = isLocal(options)
    ? ": a server that is slow, flaky, limited, and down for a while"
    : "";
  return `${what}${from}${note}\n(${how}; Ctrl-C finishes what is under way)\n`;
}

function systemConsole(): Console {
  const encoder = new TextEncoder();
  const isTerminal = Deno.stderr.isTerminal();
  return {
    log: (line) => console.log(line),
    error: (line) => console.error(line),
    progress: {
      write: (text) => Deno.stderr.writeSync(encoder.encode(text)),
      columns: isTerminal ? Deno.consoleSize().columns : undefined,
      color: isTerminal && !Deno.noColor,
    },
    color: Deno.stdout.isTerminal() && !Deno.noColor,
  };
}

if (import.meta.main) {
  // Signals are for this program to heed: what is under way is stored.
  Deno.exitCode = await run(() => main(Deno.args, systemConsole()), {
    interrupt: "none",
  });
}
