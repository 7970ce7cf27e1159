/**
 * Where the addresses of documents come from: a file, or the API itself.
 */
import { lines } from "@ilmek/async/lines";
import type { DocumentClient } from "./document_client.ts";
import { type HarvestOptions, UsageError } from "./options.ts";

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
  for await (const line of lines(file)) {
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

/** The pages of the API, as long as each names a next one. */
async function* listed(client: DocumentClient): AsyncGenerator<string> {
  let next: string | null = "";
  while (next !== null) {
    const page = pageOf(JSON.parse(await client.text(next)), next);
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
