import { makeTempDir } from "@ilmek/async/temp";
import { DatabaseError } from "@ilmek/async/database";
import { assertEquals, assertRejects } from "@std/assert";
import { DocumentStore } from "../../../examples/harvest/document_store.ts";

const document = (id: string) => ({ id, body: "{}", sha256: "0" });

Deno.test("DocumentStore keeps its documents when it is opened again", async () => {
  await using folder = await makeTempDir();
  const path = `${folder.path}/documents.db`;
  {
    await using store = await DocumentStore.open(path);
    await store.save([document("a"), document("b")]);
  }

  await using store = await DocumentStore.open(path);

  assertEquals(await store.ids(), new Set(["a", "b"]));
});

Deno.test("DocumentStore.save() stores all, or nothing if one is there already", async () => {
  await using folder = await makeTempDir();
  await using store = await DocumentStore.open(`${folder.path}/documents.db`);
  await store.save([document("a")]);

  await assertRejects(
    () => store.save([document("b"), document("a")]),
    DatabaseError,
    "UNIQUE",
  );

  assertEquals(await store.ids(), new Set(["a"]));
});
