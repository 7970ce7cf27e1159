import { abortable } from "@ilmek/async/checkpoint";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import {
  FileKindError,
  FileNotFoundError,
  writeFileAtomic,
} from "@ilmek/async/write-file-atomic";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { testClean } from "../_leaks.ts";
import { inFolder } from "./_folder.ts";
import { Program } from "./_program.ts";

const isWindows = Deno.build.os === "windows";

/** The names in a folder. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

testClean("writeFileAtomic() makes a file, and replaces one", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/f`;

    assertEquals(await writeFileAtomic(path, "ilk"), 3);
    assertEquals(await Deno.readTextFile(path), "ilk");
    assertEquals(await writeFileAtomic(path, new Uint8Array([97, 98])), 2);
    assertEquals(await Deno.readTextFile(path), "ab");
    assertEquals(await writeFileAtomic(new URL(`file://${path}`), ""), 0);
    assertEquals(await Deno.readTextFile(path), "");
    assertEquals(namesIn(folder), ["f"]);
  });
});

testClean(
  "writeFileAtomic() writes parts, as they come",
  async ({ virtual }) => {
    const parts = async function* () {
      yield "a";
      await sleep(10);
      yield new Uint8Array(3_000_000).fill(98);
      yield "c";
    };
    await inFolder(async (folder) => {
      const path = `${folder}/f`;

      assertEquals(await writeFileAtomic(path, parts()), 3_000_002);

      const text = await Deno.readTextFile(path);
      assertMatch(text, /^ab+c$/);
      assertEquals(await writeFileAtomic(path, ["x", "y"]), 2);
      assertEquals(virtual.now, 10);
    });
  },
);

testClean(
  "writeFileAtomic() keeps the old file if its content fails",
  async () => {
    const error = new RangeError("no more");
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      await writeFileAtomic(path, "old");

      const thrown = await assertRejects(() =>
        writeFileAtomic(
          path,
          (async function* () {
            yield "new".repeat(100_000);
            await Promise.reject(error);
          })(),
        )
      );

      assertStrictEquals(thrown, error);
      assertEquals(await Deno.readTextFile(path), "old");
      assertEquals(namesIn(folder), ["f"]);
    });
  },
);

testClean(
  "writeFileAtomic() that is cancelled keeps the old file, and leaves none",
  async () => {
    let closed = false;
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      await writeFileAtomic(path, "old");
      const task = createTask(() =>
        writeFileAtomic(
          path,
          (async function* () {
            try {
              yield "new";
              await sleep(60_000);
            } finally {
              closed = true;
            }
          })(),
        )
      );
      await sleep(5);
      assertEquals(namesIn(folder).length, 2);

      task.cancel();
      await assertRejects(() => task, CancelledError);

      assertEquals(await Deno.readTextFile(path), "old");
      assertEquals(namesIn(folder), ["f"]);
      assert(closed);
    });
  },
);

Deno.test("writeFileAtomic() that is cancelled anywhere is all old or all new", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/f`;
    const outcomes = new Set<string>();
    for (let ms = 0; ms < 8; ms += 0.25) {
      await writeFileAtomic(path, "old", { sync: false });
      const task = createTask(() => writeFileAtomic(path, "new"));
      await sleep(ms);
      task.cancel();
      const { state } = await task.outcome();
      const text = await Deno.readTextFile(path);
      outcomes.add(`${state} ${text}`);
      assertEquals(namesIn(folder), ["f"]);
    }

    const allowed = ["cancelled old", "done new"];
    assertEquals([...outcomes].filter((it) => !allowed.includes(it)), []);
  });
});

Deno.test("at whatever point it is cancelled, the file is all old or all new", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/f`;
    await cancelSweep(async (sweep) => {
      await abortable(Deno.writeTextFile(path, "old"));
      const { state } = await sweep.target(() =>
        writeFileAtomic(path, ["n", "ew"], { sync: false })
      );

      const text = Deno.readTextFileSync(path);
      assertEquals(text, state === "done" ? "new" : "old");
      assertEquals(namesIn(folder), ["f"]);
    });
  });
});

testClean("writeFileAtomic() ends with its signal", async () => {
  await inFolder(async (folder) => {
    const reason = new RangeError("enough");
    const signal = AbortSignal.abort(reason);

    await assertRejects(
      () => writeFileAtomic(`${folder}/f`, "new", { signal }),
      RangeError,
      "enough",
    );
    assertEquals(namesIn(folder), []);
  });
});

Deno.test({
  name:
    "writeFileAtomic() keeps permission bits, or sets those that it is given",
  ignore: isWindows,
  async fn() {
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      const bits = async (of = path) =>
        ((await Deno.stat(of)).mode ?? 0) & 0o7777;
      await Deno.writeTextFile(`${folder}/plain`, "x");
      await writeFileAtomic(path, "x");
      assertEquals(await bits(), await bits(`${folder}/plain`));

      await Deno.chmod(path, 0o640);
      await writeFileAtomic(path, "y");
      assertEquals(await bits(), 0o640);

      await writeFileAtomic(path, "z", { permissions: 0o755 });
      assertEquals(await bits(), 0o755);
    });
  },
});

Deno.test({
  name: "writeFileAtomic() keeps the owner, if the system allows it",
  ignore: isWindows,
  async fn(t) {
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      await writeFileAtomic(path, "x");
      const { uid } = await Deno.stat(path);
      await t.step({
        name: "as root shows",
        ignore: uid !== 0,
        async fn() {
          await Deno.chown(path, 1234, 4321);
          await Deno.chmod(path, 0o4711);

          await writeFileAtomic(path, "y");

          const { uid, gid, mode } = await Deno.stat(path);
          assertEquals([uid, gid], [1234, 4321]);
          assertEquals((mode ?? 0) & 0o7777, 0o4711);
        },
      });
    });
  },
});

Deno.test({
  name: "writeFileAtomic() leaves a link a link",
  ignore: isWindows,
  async fn() {
    await inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/real`);
      await writeFileAtomic(`${folder}/real/f`, "old");
      await link("real/f", `${folder}/link`);

      await writeFileAtomic(`${folder}/link`, "new");

      assertEquals(await Deno.readTextFile(`${folder}/real/f`), "new");
      assert((await Deno.lstat(`${folder}/link`)).isSymlink);
      assertEquals(namesIn(`${folder}/real`), ["f"]);
    });
  },
});

testClean(
  "writeFileAtomic() passes over what another has left behind",
  async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      const marks = Array.from({ length: 3 }, () => "x");
      await writeFileAtomic(path, marks);
      const next = await numberOfNext(folder);
      for (let i = 0; i < 3; i++) {
        await Deno.writeTextFile(
          `${folder}/.f.${Deno.pid}-${next + i}.tmp`,
          "",
        );
      }

      await writeFileAtomic(path, "new");

      assertEquals(await Deno.readTextFile(path), "new");
      assertEquals(namesIn(folder).length, 4);
    });
  },
);

testClean(
  "writeFileAtomic() takes a name as long as the system allows",
  async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/${"ığ".repeat(60)}`;

      await writeFileAtomic(path, "new");

      assertEquals(await Deno.readTextFile(path), "new");
    });
  },
);

testClean("writeFileAtomic() tells what is wrong with a path", async () => {
  await inFolder(async (folder) => {
    await assertRejects(
      () => writeFileAtomic(`${folder}/none/f`, "x"),
      FileNotFoundError,
      `Cannot write "${folder}/none/f": it is not there`,
    );
    await Deno.mkdir(`${folder}/d`);
    await assertRejects(
      () => writeFileAtomic(`${folder}/d`, "x"),
      FileKindError,
      "it is a folder",
    );
    assertEquals(namesIn(folder), ["d"]);
  });
});

testClean(
  "writeFileAtomic() of a folder that vanishes meanwhile leaves nothing open",
  async () => {
    await inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/d`);

      await assertRejects(
        () =>
          writeFileAtomic(
            `${folder}/d/f`,
            (async function* () {
              yield "x";
              await Deno.remove(`${folder}/d`, { recursive: true });
            })(),
          ),
        FileNotFoundError,
      );
    });
  },
);

testClean("writeFileAtomic() refuses what it cannot write", async () => {
  await inFolder(async (folder) => {
    for (const content of [1, null, {}, new DataView(new ArrayBuffer(1))]) {
      await assertRejects(
        () => writeFileAtomic(`${folder}/f`, content as never),
        TypeError,
        'Cannot write a file as "content" must be text, bytes or an iterable',
      );
    }
    await assertRejects(
      () => writeFileAtomic(`${folder}/f`, [1] as never),
      TypeError,
      "Cannot write a part as it must be text or bytes: current value is 1",
    );
    assertEquals(namesIn(folder), []);
  });
});

Deno.test("whoever reads while files are replaced finds one of them whole", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/f`;
    const contents = ["a", "b", "c", "d"].map((it) => it.repeat(200_000));
    await writeFileAtomic(path, contents);
    let isOver = false;
    const writing = Promise.all(
      contents.map(async (content) => {
        for (let i = 0; i < 5; i++) {
          await writeFileAtomic(path, content, { sync: false });
        }
      }),
    ).finally(() => isOver = true);

    await sleep(5);
    for (let i = 0; !isOver || i === 0; i++) {
      const text = await Deno.readTextFile(path);
      assert([...contents, contents.join("")].includes(text));
    }
    await writing;

    assertEquals(namesIn(folder), ["f"]);
  });
});

Deno.test({
  name: "a writer that is killed leaves the old file or the new one, whole",
  ignore: isWindows,
  async fn() {
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      for (let round = 0; round < 6; round++) {
        await using program = new Program("atomic_writer.ts", [path], ["-A"]);
        await program.wrote("ready");
        await sleep(Math.random() * 60);

        program.kill("SIGKILL");
        await program.end();

        const text = await Deno.readTextFile(path);
        assertMatch(text, /^((.)\2{98}\n)(\1){2999}$/);
        for (const name of namesIn(folder)) {
          if (name !== "f") assertMatch(name, /^\.f\.\d+-\d+\.tmp$/);
        }
      }
    });
  },
});

Deno.test({
  name: "a full disk, a limit and a folder to be read only lose no byte",
  ignore: Deno.build.os !== "linux",
  async fn(t) {
    await inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/small`);
      await Deno.mkdir(`${folder}/fixed`);
      await Deno.writeTextFile(`${folder}/fixed/f`, "old");
      const args = ["start", folder];
      await using program = new Program("full_disk.ts", args, ["-A"]);

      const { stdout, stderr } = await program.end();

      const ignore = stdout === "skipped\n";
      await t.step({
        name: "as a space of its own shows",
        ignore,
        fn() {
          assertEquals(stderr, "");
          assertEquals(stdout.split("\n"), [
            "small: DiskFullError",
            "small: old, 0 left",
            "append: DiskFullError",
            "fixed: FileAccessError",
            "fixed open: FileAccessError",
            "device: DiskFullError",
            "limit: DiskFullError",
            "limit: old, 0 left",
            "",
          ]);
        },
      });
      assertEquals(await Deno.readTextFile(`${folder}/fixed/f`), "old");
    });
  },
});

/** Makes a link, for which Deno asks for all permissions. */
async function link(target: string, path: string): Promise<void> {
  const code = `Deno.symlinkSync(${JSON.stringify(target)}, ${
    JSON.stringify(path)
  })`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
  }).output();
  assert(success);
}

/** The number that the next temporary file gets. */
async function numberOfNext(folder: string): Promise<number> {
  let name = "";
  await writeFileAtomic(
    `${folder}/g`,
    (function* () {
      name = namesIn(folder).find((it) => it.endsWith(".tmp")) ?? "";
      yield "x";
    })(),
  );
  await Deno.remove(`${folder}/g`);
  return Number(/-(\d+)\.tmp$/.exec(name)?.[1]) + 1;
}
