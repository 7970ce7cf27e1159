import { makeTempDir } from "@ilmek/async/temp";
import { assert, assertEquals } from "@std/assert";
import { collect } from "../../../examples/harvest/collect.ts";
import { DocumentClient } from "../../../examples/harvest/document_client.ts";
import { DocumentStore } from "../../../examples/harvest/document_store.ts";
import { documentPaths } from "../../../examples/harvest/flaky_documents.ts";
import {
  type Faults,
  FlakyServer,
  type FlakyServerOptions,
} from "../../../examples/harvest/flaky_server.ts";
import { RunRecord } from "../../../examples/harvest/run_record.ts";

const NONE: Faults = { error: 0, reset: 0, half: 0, garbled: 0, hang: 0 };

Deno.test("collect() gives up when as many documents in a row are lost as are under way", async () => {
  const outages = [{ fromMs: 0, toMs: 60_000 }];

  const { hasGivenUp, record } = await collectFrom({ outages });

  assert(hasGivenUp);
  // Those that began meanwhile are left.
  const lost = record.losses.length;
  assert(lost >= 4 && lost <= 8, String(lost));
  assertEquals(record.stored, 0);
});

Deno.test("collect() goes on while a server answers, if only by 404", async () => {
  const addresses = [...documentPaths(20), "documents/100"];

  const { hasGivenUp, record } = await collectFrom({ documents: 1 }, addresses);

  assert(!hasGivenUp);
  assertEquals(record.losses.length, 20);
  assertEquals(record.stored, 1);
});

Deno.test("collect() begins nothing more when it is to stop, and stores what it has", async () => {
  const drain = new AbortController();

  const { hasGivenUp, record } = await collectFrom(
    {},
    function* () {
      for (const [i, path] of documentPaths(50).entries()) {
        if (i === 20) drain.abort();
        yield path;
      }
    }(),
    drain.signal,
  );

  assert(!hasGivenUp);
  assert(record.stored >= 20 && record.stored <= 21, String(record.stored));
});

async function collectFrom(
  server: Partial<FlakyServerOptions>,
  addresses: Iterable<string> = documentPaths(50),
  drain: AbortSignal = new AbortController().signal,
): Promise<{ hasGivenUp: boolean; record: RunRecord }> {
  await using folder = await makeTempDir();
  await using flaky = new FlakyServer({
    ...{ documents: 50, latencyMs: 0.1, perSecond: 10_000, faults: NONE },
    ...server,
  });
  await using store = await DocumentStore.open(`${folder.path}/documents.db`);
  await using client = new DocumentClient({
    baseUrl: flaky.url,
    rate: 10_000,
    timeoutMs: 1000,
    documentMs: 100,
  });
  const record = new RunRecord({ wanted: 50, before: 0 });
  const hasGivenUp = await collect(addresses, {
    ...{ client, store, record, concurrency: 4 },
    stop: { drain, abandon: new AbortController().signal },
  });
  return { hasGivenUp, record };
}
