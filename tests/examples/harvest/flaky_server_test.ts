import { sleep } from "@ilmek/async/sleep";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { documentText } from "../../../examples/harvest/flaky_documents.ts";
import {
  type Fault,
  type Faults,
  FlakyServer,
} from "../../../examples/harvest/flaky_server.ts";

const NONE: Faults = { error: 0, reset: 0, half: 0, garbled: 0, hang: 0 };
const FAST = { latencyMs: 0.1, perSecond: 1000 };

Deno.test("FlakyServer lists its documents in pages, and serves them", async () => {
  await using server = new FlakyServer({
    documents: 501,
    ...FAST,
    faults: NONE,
  });

  const first = await (await fetch(server.url)).json();
  const second = await (await fetch(`${server.url}/${first.next}`)).json();
  const document = await fetch(`${server.url}/documents/501`);
  const text = await document.text();
  const missing = await fetch(`${server.url}/documents/502`);
  await missing.body?.cancel();

  assertEquals(first.documents.length, 500);
  assertEquals(second, { documents: ["documents/501"], next: null });
  assertEquals(text, documentText(501));
  assertEquals(missing.status, 404);
  assertEquals([...server.served], [["documents/501", 1]]);
});

Deno.test("FlakyServer asks for patience above its rate", async () => {
  await using server = new FlakyServer({
    documents: 1,
    latencyMs: 0.1,
    perSecond: 1,
    faults: NONE,
  });
  await (await fetch(`${server.url}/documents/1`)).text();

  const refused = await fetch(`${server.url}/documents/1`);
  await refused.text();

  assertEquals(refused.status, 429);
  assertEquals(refused.headers.get("Retry-After"), "1");
});

Deno.test("FlakyServer is down during an outage", async () => {
  const outages = [{ fromMs: 0, toMs: 60_000 }];
  await using server = new FlakyServer({ documents: 1, ...FAST, outages });

  const response = await fetch(server.url);
  await response.text();

  assertEquals(response.status, 503);
});

Deno.test('FlakyServer does not answer at all by the fault "reset"', async () => {
  await using server = only("reset");

  await assertRejects(() => fetch(`${server.url}/documents/1`), TypeError);

  assertEquals([server.requests, server.served.size], [0, 0]);
});

Deno.test('FlakyServer breaks off by the fault "half"', async () => {
  await using server = only("half");

  const response = await fetch(`${server.url}/documents/1`);

  assert(response.ok);
  await assertRejects(() => response.text(), TypeError);
  assertEquals(server.served.size, 0);
});

Deno.test('FlakyServer sends no JSON by the fault "garbled"', async () => {
  await using server = only("garbled");

  const response = await fetch(`${server.url}/documents/1`);

  await assertRejects(() => response.json(), SyntaxError);
});

Deno.test('FlakyServer does not answer by the fault "hang", until it is closed', async () => {
  let answer: Promise<Response>;
  {
    await using server = only("hang");
    answer = fetch(`${server.url}/documents/1`);
    while (server.requests === 0) await sleep(1);
  }

  const response = await answer;
  await response.body?.cancel();
  assertEquals(response.status, 503);
});

function only(fault: Fault): FlakyServer {
  const faults = { ...NONE, [fault]: 1 };
  return new FlakyServer({ documents: 1, ...FAST, faults });
}
