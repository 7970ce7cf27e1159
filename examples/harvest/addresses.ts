/**
 * Where the addresses of documents come from: a file, or the API itself.
 */
import { FileError } from "@ilmek/async/file";
import { lines } from "@ilmek/async/lines";
import { timeout } from "@ilmek/async/timeout";
import type { DocumentClient } from "./document_client.ts";
import { type HarvestOptions, UsageError } from "./options.ts";

/** How long a page of the list may take: without it there is nothing to do. */
const PAGE_MS = 15_000;

/** Collects the addresses of all documents, each once. */
export async function collectAddresses(
  { urls, baseUrl }: Pick<HarvestOptions, "urls" | "baseUrl">,
  client: DocumentClient,
): Promise<string[]> {
  const found = new Set<string>();
  const source = urls === undefined ? listed(client) : written(urls, baseUrl);
  for await (const address of source) found.add(address);
  return [...found];
}

/** The lines of a file, without blank ones and comments. */
async function* written(
  file: string,
  baseUrl: string | undefined,
): AsyncGenerator<string> {
  let number = 0;
  for await (const line of linesOf(file)) {
    number++;
    const address = line.trim();
    if (address === "" || address.startsWith("#")) continue;
    if (URL.parse(address, baseUrl) === null) {
      throw new UsageError(
        `Cannot use line ${number} of ${file} as it is not a URL, and there is no --base-url: current value is "${address}"`,
      );
    }
    yield address;
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    yield* lines(file);
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw new UsageError(`Cannot use --urls: ${cause.message}`, { cause });
  }
}

/** The pages of the API, as long as each names a next one. */
async function* listed(client: DocumentClient): AsyncGenerator<string> {
  let next: string | null = "";
  while (next !== null) {
    const path: string = next;
    const text = await timeout(PAGE_MS, () => client.text(path));
    const page = pageOf(JSON.parse(text), path);
    yield* page.documents;
    next = page.next;
  }
}

interface Page {
  readonly documents: readonly string[];
  readonly next: string | null;
}

function pageOf(value: unknown, path: string): Page {
  const { documents, next = null } = Object(value) as Partial<Page>;
  const isPage = Array.isArray(documents) &&
    documents.every((it) => typeof it === "string") &&
    (next === null || typeof next === "string");
  if (isPage) return { documents, next };
  throw new UsageError(
    `Cannot read the list of documents as "${path}" below --base-url is no page of it: name them by --urls`,
  );
}
