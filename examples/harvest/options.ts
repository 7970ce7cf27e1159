/**
 * What the command line of the harvest says.
 */
import { parseArgs } from "node:util";

/** What is harvested, from where, and how fast. */
export interface HarvestOptions {
  /** A file with a URL, or a path below `baseUrl`, in each line. */
  readonly urls: string | undefined;
  /** Where paths begin; without `urls` the API there lists its documents. */
  readonly baseUrl: string | undefined;
  /** The file of the database. */
  readonly db: string;
  /** Where the picture of the run goes. */
  readonly report: string | undefined;
  /** How many requests a second there are at most, to each host. */
  readonly rate: number;
  /** How many documents are under way at once. */
  readonly concurrency: number;
  /** How long an attempt may take. */
  readonly timeoutMs: number;
  /** Whether to go on with a database that has documents. */
  readonly resume: boolean;
  /** How many documents the flaky server of this program has. */
  readonly documents: number;
}

/** Thrown if the command line, or what it names, cannot be used. */
export class UsageError extends TypeError {
  static {
    this.prototype.name = "UsageError";
  }
}

/** Where the harvest from the flaky server of this program goes. */
export const LOCAL_FOLDER = "harvest-demo";

const LOCAL_DEFAULTS = {
  db: `${LOCAL_FOLDER}/documents.db`,
  report: `${LOCAL_FOLDER}/timeline.svg`,
  rate: 600,
  concurrency: 32,
  timeoutMs: 1000,
  documents: 2500,
};

const DEFAULTS = {
  db: "harvest.db",
  report: undefined,
  rate: 20,
  concurrency: 8,
  timeoutMs: 10_000,
};

/** What `--help` prints. */
export const HELP: string = `Collects JSON documents from an API into SQLite.

Without --urls and --base-url it starts a server of its own, which is slow,
flaky and limited, and harvests that one into the folder ${LOCAL_FOLDER}.

  --urls FILE        a URL, or a path below --base-url, in each line
  --base-url URL     where paths begin; without --urls the API there is asked
                     for pages {"documents": [path, ...], "next": path | null}
  --db FILE          the database (${DEFAULTS.db})
  --report FILE      writes a picture of the run, as SVG
  --rate N           requests a second at most, to each host (${DEFAULTS.rate})
  --concurrency N    documents under way at once (${DEFAULTS.concurrency})
  --timeout MS       how long an attempt may take (${DEFAULTS.timeoutMs})
  --resume           goes on with a database that has documents
  --documents N      how many documents the server of its own has (${LOCAL_DEFAULTS.documents})
  --help             prints this

Ctrl-C finishes what is under way; --resume goes on from there. The exit code is
0 if all documents are there, 1 if some are not, and 2 if an option is wrong.`;

/**
 * Reads the arguments of the program.
 *
 * @returns The options; `"help"` if that is what is asked for.
 * @throws {UsageError} If an argument is unknown, or has a wrong value.
 */
export function parseOptions(args: readonly string[]): HarvestOptions | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const { urls, resume = false } = values;
  const baseUrl = values["base-url"];
  if (baseUrl !== undefined) checkBaseUrl(baseUrl);
  const isLocal = urls === undefined && baseUrl === undefined;
  const defaults = isLocal ? LOCAL_DEFAULTS : DEFAULTS;
  return {
    urls,
    baseUrl,
    db: values.db ?? defaults.db,
    report: values.report ?? defaults.report,
    rate: numberOf(values.rate, "rate", { or: defaults.rate, max: 100_000 }),
    concurrency: numberOf(values.concurrency, "concurrency", {
      or: defaults.concurrency,
      max: 1000,
    }),
    timeoutMs: numberOf(values.timeout, "timeout", {
      or: defaults.timeoutMs,
      max: 3_600_000,
    }),
    resume,
    documents: numberOf(values.documents, "documents", {
      or: LOCAL_DEFAULTS.documents,
      max: 1_000_000,
    }),
  };
}

/** Whether the program brings its own server. */
export function isLocal({ urls, baseUrl }: HarvestOptions): boolean {
  return urls === undefined && baseUrl === undefined;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        "urls": { type: "string" },
        "base-url": { type: "string" },
        "db": { type: "string" },
        "report": { type: "string" },
        "rate": { type: "string" },
        "concurrency": { type: "string" },
        "timeout": { type: "string" },
        "resume": { type: "boolean" },
        "documents": { type: "string" },
        "help": { type: "boolean", short: "h" },
      },
    }).values;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const [first = ""] = cause.message.split(/\.(?:\s|$)/);
    throw new UsageError(`Cannot read the options: ${first}`, { cause });
  }
}

function numberOf(
  text: string | undefined,
  name: string,
  { or, max }: { or: number; max: number },
): number {
  if (text === undefined) return or;
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= 1 && number <= max) return number;
  throw new UsageError(
    `Cannot use --${name} as it must be an integer from 1 to ${max}: current value is "${text}"`,
  );
}

function checkBaseUrl(text: string): void {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return;
  throw new UsageError(
    `Cannot use --base-url as it must be a URL of HTTP: current value is "${text}"`,
  );
}
