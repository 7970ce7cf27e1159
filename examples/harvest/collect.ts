/**
 * The heart of the harvest: from addresses to rows, with every stage at work at the
 * same time, and none ahead of the next by more than it can hold.
 */
import { isCancelled } from "@ilmek/async/errors";
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

/** Gets documents and stores them, until all are there or it is asked to stop. */
export async function collect(
  addresses: Iterable<string>,
  options: CollectOptions,
): Promise<void> {
  const { client, store, record, concurrency, stop } = options;
  await pipeline(until(stop.drain, addresses))
    .map(
      (id) => withScope(() => client.load(id), { signal: stop.abandon }),
      {
        concurrency,
        ordered: false,
        onError: (error, id) => {
          // Nothing is wrong with a document that was under way at the end.
          if (isCancelled(error)) record.addAbandoned();
          else record.addLoss(id, error);
        },
      },
    )
    .batch(BATCH_SIZE, { maxWaitMs: BATCH_MS })
    .to(async (documents) => {
      await store.save(documents);
      record.addStored(documents.length);
    });
}

function* until<T>(signal: AbortSignal, items: Iterable<T>): Generator<T> {
  for (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}
