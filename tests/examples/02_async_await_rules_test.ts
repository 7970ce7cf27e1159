import { InvalidStateError } from "@ilmek/async/errors";
import { Runner } from "@ilmek/async/runner";
import { runVirtual } from "@ilmek/async/virtual";
import { assertEquals, assertRejects } from "@std/assert";
import {
  canCallSync,
  cannotCallAsync,
  fetchMultipleUsers,
} from "../../examples/02_async_await_rules.ts";

Deno.test("fetchMultipleUsers() takes 0.5 s for any number, and keeps their order", async () => {
  for (const count of [1, 2, 7]) {
    await runVirtual(async (virtual) => {
      const ids = Array.from({ length: count }, (_, i) => count - i);

      const users = await fetchMultipleUsers(ids);

      assertEquals(users.map(({ id }) => id), ids);
      assertEquals(virtual.now, 500);
    });
  }
});

Deno.test("fetchMultipleUsers() takes no time for nobody", async () => {
  await runVirtual(async (virtual) => {
    assertEquals(await fetchMultipleUsers([]), []);
    assertEquals(virtual.now, 0);
  });
});

Deno.test("canCallSync() gives a plain and an awaited result", async () => {
  await runVirtual(async () => {
    assertEquals(await canCallSync(), [4, { id: 1, name: "User-1" }]);
  });
});

Deno.test("cannotCallAsync() is refused on a running loop, before it begins", async () => {
  await runVirtual(async (virtual) => {
    await using runner = new Runner();

    await assertRejects(
      () => cannotCallAsync((fn) => runner.run(fn)),
      InvalidStateError,
    );
    assertEquals(virtual.now, 0);
  });
});
