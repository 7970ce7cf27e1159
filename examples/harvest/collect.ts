/**
 * The heart of the harvest: from addresses to rows, with every stage at work at the
 * same time, and none ahead of the next by more than it can hold.
 */
import { isCancelled } from "@ilmek/async/errors";
import { HttpStatusError } from "@ilmek/async/http-session";
import { pipeline } from "@ilmek/async/pipeline";
import { withScope } from "@ilmek/async/scope";
import type { DocumentClient } from "./document_client.ts";
import type { DocumentStore } from "./document_store.ts";
import type { RunRecord } from "./run_record.ts";

/** What {@linkcode collect} works with. */
export interface CollectOptions {
  readonly client: DocumentClient;
  readonly store: DocumentStore;
  readonly record: RunRecord;
  readonly concurrency: number;
  readonly stop: { readonly drain: AbortSignal; readonly abandon: AbortSignal };
}

const BATCH_SIZE = 100;
const BATCH_MS = 200;

/**
 * Gets documents and stores them, until all are there or it is asked to stop; or
 * until so many are lost in a row that the rest would be, too.
 *
 * @returns Whether it has given up.
 */
export async function collect(
  addresses: Iterable<string>,
  options: CollectOptions,
): Promise<boolean> {
  const { client, store, record, concurrency, stop } = options;
  const despair = new AbortController();
  const drain = AbortSignal.any([stop.drain, despair.signal]);
  const abandon = AbortSignal.any([stop.abandon, despair.signal]);
  let lostInRow = 0;
  await pipeline(until(drain, addresses))
    .map(async (id) => {
      const document = await withScope(() => client.load(id), {
        signal: abandon,
      });
      lostInRow = 0;
      return document;
    }, {
      concurrency,
      ordered: false,
      onError: (error, id) => {
        // Nothing is wrong with a document that was under way at the end.
        if (isCancelled(error)) return record.addAbandoned();
        record.addLoss(id, error);
        lostInRow = isAnswer(error) ? 0 : lostInRow + 1;
        if (lostInRow >= concurrency) despair.abort();
      },
    })
    .batch(BATCH_SIZE, { maxWaitMs: BATCH_MS })
    .to(async (documents) => {
      await store.save(documents);
      record.addStored(documents.length);
    });
  return despair.signal.aborted;
}

/** Whether a document is lost since its server says so, and not since it is down. */
function isAnswer(error: unknown): boolean {
  return error instanceof HttpStatusError && error.status < 500;
}

function* until<T>(signal: AbortSignal, items: Iterable<T>): Generator<T> {
  for (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}
