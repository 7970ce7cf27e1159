import { CancelledError } from "@ilmek/async/errors";
import { FileNotFoundError } from "@ilmek/async/file";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { moveOnAfter } from "@ilmek/async/timeout";
import { type FileWatch, watchFiles } from "@ilmek/async/watch-files";
import { writeFileAtomic } from "@ilmek/async/write-file-atomic";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { testClean } from "../_leaks.ts";
import { inFolder } from "./_folder.ts";

/** Only there changes come one by one, and at once. */
const ignore = Deno.build.os !== "linux";

/** Longer than what belongs together takes on a busy machine. */
const REST_MS = 100;

test("watchFiles() gives what happens, once things have come to rest", async (folder) => {
  await using watch = watchFiles(folder, { debounceMs: REST_MS });

  await Deno.writeTextFile(`${folder}/a`, "1");
  await Deno.writeTextFile(`${folder}/a`, "2");
  assertEquals(await changesOf(watch, folder), ["create /a"]);
  await Deno.writeTextFile(`${folder}/a`, "3");
  await Deno.readTextFile(`${folder}/a`);
  assertEquals(await changesOf(watch, folder), ["modify /a"]);
  await Deno.remove(`${folder}/a`);
  assertEquals(await changesOf(watch, folder), ["remove /a"]);
});

test("watchFiles() misses nothing between two calls", async (folder) => {
  await using watch = watchFiles(folder, { debounceMs: REST_MS });
  await Deno.writeTextFile(`${folder}/a`, "1");
  await sleep(10);
  await Deno.writeTextFile(`${folder}/b`, "1");

  assertEquals(await changesOf(watch, folder), ["create /a", "create /b"]);
});

test("watchFiles() leaves out what comes and goes", async (folder) => {
  await using watch = watchFiles(folder, { debounceMs: REST_MS });
  await Deno.writeTextFile(`${folder}/gone`, "1");
  await Deno.remove(`${folder}/gone`);
  await writeFileAtomic(`${folder}/whole`, "1", { sync: false });

  assertEquals(await changesOf(watch, folder), ["create /whole"]);
});

test("watchFiles() tells of a file that was moved", async (folder) => {
  await Deno.writeTextFile(`${folder}/old`, "1");
  await using watch = watchFiles(folder, { debounceMs: REST_MS });

  await Deno.rename(`${folder}/old`, `${folder}/new`);

  assertEquals(await changesOf(watch, folder), ["create /new", "remove /old"]);
});

test("watchFiles() takes what was removed and made again for modified", async (folder) => {
  await Deno.writeTextFile(`${folder}/a`, "1");
  await using watch = watchFiles(folder, { debounceMs: REST_MS });

  await Deno.remove(`${folder}/a`);
  await Deno.writeTextFile(`${folder}/a`, "2");

  assertEquals(await changesOf(watch, folder), ["modify /a"]);
});

test("watchFiles() looks below folders, or not", async (folder) => {
  await Deno.mkdir(`${folder}/d`);
  await using deep = watchFiles(folder, { debounceMs: REST_MS });
  await using flat = watchFiles([`${folder}/d`], {
    debounceMs: REST_MS,
    recursive: false,
  });
  await Deno.mkdir(`${folder}/d/e`);

  assertEquals(await changesOf(deep, folder), ["create /d/e"]);
  assertEquals(await changesOf(flat, folder), ["create /d/e"]);
});

test("watchFiles() does not hold back changes for ever", async (folder) => {
  await using watch = watchFiles(folder, { debounceMs: 200, maxDelayMs: 300 });
  let isOver = false;
  const writer = createTask(async () => {
    for (let i = 0; !isOver; i++) {
      await Deno.writeTextFile(`${folder}/a`, `${i}`);
      await sleep(10);
    }
  });

  assertEquals(await changesOf(watch, folder), ["create /a"]);
  isOver = true;
  await writer;
});

test("watchFiles() ends with the ambient scope", async (folder) => {
  const result = await moveOnAfter(10, async () => {
    for await (const _changes of watchFiles(folder));
  });

  assert(result.timedOut);
});

test("watchFiles() ends with the scope in which it was begun", async (folder) => {
  const { watch } = await withScope((scope) => {
    const watch = watchFiles(folder);
    scope.cancel();
    return { watch };
  });

  assertEquals((await watch.next()).done, true);
});

test("watchFiles() ends with its signal, or when the loop is left", async (folder) => {
  const controller = new AbortController();
  const watch = watchFiles(folder, { signal: controller.signal });
  const waiting = watch.next();
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  assertEquals((await watch.next().catch(() => ({ done: true }))).done, true);

  const left = watchFiles(folder, { debounceMs: 5 });
  await Deno.writeTextFile(`${folder}/a`, "1");
  for await (const _changes of left) break;
});

test("the signal of watchFiles() ends the wait for a rest, too", async (folder) => {
  const controller = new AbortController();
  const watch = watchFiles(folder, {
    debounceMs: 60_000,
    maxDelayMs: 60_000,
    signal: controller.signal,
  });
  const waiting = watch.next();
  await Deno.writeTextFile(`${folder}/a`, "1");
  await sleep(20);

  controller.abort(new RangeError("enough"));

  await assertRejects(() => waiting, RangeError, "enough");
});

test("return() ends a next() that waits", async (folder) => {
  const watch = watchFiles(folder);
  const waiting = watch.next();
  await sleep(5);

  await watch.return();

  assertEquals((await waiting).done, true);
});

test("watchFiles() refuses bad arguments", async (folder) => {
  assertThrows(
    () => watchFiles([]),
    TypeError,
    'Cannot watch files as "paths" must name one or more',
  );
  assertThrows(
    () => watchFiles(folder, { debounceMs: -1 }),
    RangeError,
    '"debounceMs" must be a number >= 0',
  );
  assertThrows(
    () => watchFiles(folder, { maxDelayMs: NaN }),
    RangeError,
    '"maxDelayMs" must be a number >= 0',
  );
  assertThrows(
    () => watchFiles(`${folder}/none`),
    FileNotFoundError,
    `Cannot watch "${folder}/none": it is not there`,
  );
  await withScope((scope) => {
    scope.cancel();
    assertThrows(() => watchFiles(folder), CancelledError);
  });
});

testClean(
  "virtual time stands while a watch waits, and goes on for its rest",
  async ({ virtual }) => {
    await inFolder(async (folder) => {
      await using watch = watchFiles(folder, { debounceMs: 1000 });
      await Deno.writeTextFile(`${folder}/a`, "1");

      await watch.next();

      assertEquals(virtual.now, 1000);
    });
  },
);

testClean(
  "several calls of next() are answered one after the other",
  async ({ virtual }) => {
    await inFolder(async (folder) => {
      await using watch = watchFiles(folder, { debounceMs: 1000 });
      const first = createTask(() => watch.next());
      const second = createTask(() => watch.next());
      await Deno.writeTextFile(`${folder}/a`, "1");

      assertEquals((await first).value?.length, 1);
      await Deno.writeTextFile(`${folder}/b`, "1");

      assertEquals((await second).value?.length, 1);
      assertEquals(virtual.now, 2000);
    });
  },
);

function test(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({ name, ignore, fn: () => inFolder(fn) });
}

/** The next changes, with paths below the folder. */
async function changesOf(watch: FileWatch, folder: string): Promise<string[]> {
  const { value = [] } = await watch.next();
  return value
    .map(({ kind, path }) => `${kind} ${path.replace(folder, "")}`)
    .toSorted();
}
