import { abortable } from "@ilmek/async/checkpoint";
import { CancelledError } from "@ilmek/async/errors";
import { FileNotFoundError } from "@ilmek/async/file";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { makeTempDir, makeTempFile } from "@ilmek/async/temp";
import { withContext } from "@ilmek/async/context-manager";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { testClean } from "../_leaks.ts";
import { inFolder } from "./_folder.ts";

testClean(
  "makeTempDir() makes a folder that goes with all that is in it",
  async () => {
    await inFolder(async (dir) => {
      {
        await using folder = await makeTempDir({
          dir,
          prefix: "p-",
          suffix: "-s",
        });
        assertMatch(folder.path, /p-\w+-s$/);
        await Deno.mkdir(`${folder.path}/a/b`, { recursive: true });
        await Deno.writeTextFile(`${folder.path}/a/b/c`, "text");
      }

      assertEquals([...Deno.readDirSync(dir)], []);
    });
  },
);

testClean("makeTempFile() makes an empty file that goes", async () => {
  await inFolder(async (dir) => {
    {
      await using file = await makeTempFile({ dir });
      assertEquals(await Deno.readTextFile(file.path), "");
    }

    assertEquals([...Deno.readDirSync(dir)], []);
  });
});

testClean("what is temporary is for nobody else to look at", async () => {
  await inFolder(async (dir) => {
    await using folder = await makeTempDir({ dir });
    await using file = await makeTempFile({ dir });

    for (const { path } of [folder, file]) {
      const { mode } = await Deno.stat(path);
      if (mode !== null) assertEquals(mode & 0o077, 0);
    }
  });
});

testClean(
  "what is temporary goes when its body fails, or was cancelled",
  async () => {
    await inFolder(async (dir) => {
      await assertRejects(async () => {
        await withContext(await makeTempDir({ dir }), () => {
          throw new RangeError("body");
        });
      }, RangeError);
      const task = createTask(async () => {
        await using _folder = await makeTempDir({ dir });
        await sleep(60_000);
      });
      await sleep(5);
      assertEquals([...Deno.readDirSync(dir)].length, 1);
      task.cancel();
      await assertRejects(() => task, CancelledError);

      assertEquals([...Deno.readDirSync(dir)], []);
    });
  },
);

testClean("what is temporary may be gone already, and goes once", async () => {
  await inFolder(async (dir) => {
    const folder = await makeTempDir({ dir });
    await Deno.remove(folder.path);

    await folder.remove();
    await Deno.mkdir(folder.path);
    await folder[Symbol.asyncDispose]();

    assert((await Deno.stat(folder.path)).isDirectory);
  });
});

testClean("makeTempDir() makes nothing in a cancelled scope", async () => {
  await inFolder(async (dir) => {
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => makeTempDir({ dir }), CancelledError);
    });

    assertEquals([...Deno.readDirSync(dir)], []);
  });
});

testClean("makeTempDir() that is cancelled leaves none", async () => {
  await inFolder(async (dir) => {
    const task = createTask(() => makeTempDir({ dir }), { eager: true });
    task.cancel();
    await assertRejects(() => task, CancelledError);

    // What is made late is removed, while time stands still.
    for (let i = 0; i < 20; i++) await abortable(Deno.stat(dir));
    assertEquals([...Deno.readDirSync(dir)], []);
  });
});

testClean("makeTempDir() tells that its place is not there", async () => {
  await inFolder(async (dir) => {
    await assertRejects(
      () => makeTempDir({ dir: `${dir}/none` }),
      FileNotFoundError,
      `Cannot make a folder in "${dir}/none": it is not there`,
    );
  });
});
