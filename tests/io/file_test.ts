import {
  AsyncFile,
  FileClosedError,
  FileError,
  FileExistsError,
  FileKindError,
  type FileMode,
  FileNotFoundError,
  InvalidTextError,
  LineTooLongError,
  openFile,
} from "@ilmek/async/file";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";
import { inFolder } from "./_folder.ts";

testClean("openFile() opens as Python's open does", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/f`;
    const outcomes: Record<string, string> = {};
    for (
      const mode of ["r", "r+", "w", "w+", "a", "a+", "x", "x+"] as FileMode[]
    ) {
      for (const exists of [true, false]) {
        await Deno.remove(path).catch(() => {});
        if (exists) await Deno.writeTextFile(path, "old");
        try {
          await using file = await openFile(path, mode);
          if (mode !== "r") await file.write("N");
          outcomes[`${mode} ${exists}`] = await Deno.readTextFile(path);
        } catch (error) {
          outcomes[`${mode} ${exists}`] = (error as Error).name;
        }
      }
    }

    assertEquals(outcomes, {
      "r true": "old",
      "r false": "FileNotFoundError",
      "r+ true": "Nld",
      "r+ false": "FileNotFoundError",
      "w true": "N",
      "w false": "N",
      "w+ true": "N",
      "w+ false": "N",
      "a true": "oldN",
      "a false": "N",
      "a+ true": "oldN",
      "a+ false": "N",
      "x true": "FileExistsError",
      "x false": "N",
      "x+ true": "FileExistsError",
      "x+ false": "N",
    });
  });
});

testClean("openFile() tells what is wrong with a path", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");

    const missing = await assertRejects(
      () => openFile(`${folder}/none`),
      FileNotFoundError,
      `Cannot open "${folder}/none": it is not there`,
    );
    assertEquals(missing.path, `${folder}/none`);
    assertEquals(missing.code, "ENOENT");
    assert(missing.cause instanceof Deno.errors.NotFound);
    await assertRejects(
      () => openFile(`${folder}/file`, "x"),
      FileExistsError,
      "it is there already",
    );
    await assertRejects(
      () => openFile(folder, "w"),
      FileKindError,
      "it is a folder",
    );
    await assertRejects(
      () => openFile(`${folder}/file/below`),
      FileKindError,
      "a part of its path is no folder",
    );
    await assertRejects(
      () => openFile("/proc/not-permitted", "w"),
      Deno.errors.NotCapable,
    );
  });
});

testClean("openFile() takes a URL, and permission bits", async () => {
  await inFolder(async (folder) => {
    const url = new URL(`file://${folder}/f`);
    {
      await using file = await openFile(url, "w", { permissions: 0o600 });
      await file.write("x");
    }

    const { mode } = await Deno.stat(url);
    if (mode !== null) assertEquals(mode & 0o777, 0o600);
  });
});

testClean("openFile() rejects bad arguments", async () => {
  await assertRejects(
    () => openFile("f", "rb" as never),
    RangeError,
    'Cannot open a file as "mode" must be one of "r", "r+"',
  );
  await assertRejects(
    () => openFile("f", "r", { maxLineBytes: 0 }),
    RangeError,
    '"maxLineBytes" must be an integer >= 1',
  );
  const reason = new TypeError("enough");
  await assertRejects(
    () => openFile("f", "r", { signal: AbortSignal.abort(reason) }),
    TypeError,
    "enough",
  );
});

testClean("openFile() opens nothing in a cancelled scope", async () => {
  await inFolder(async (folder) => {
    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => openFile(`${folder}/f`, "w"), CancelledError);
    });

    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

testClean("openFile() that is cancelled leaves no file open", async () => {
  await inFolder(async (folder) => {
    const task = createTask(() => openFile(`${folder}/f`, "w"), {
      eager: true,
    });
    task.cancel();

    await assertRejects(() => task, CancelledError);
  });
});

testClean(
  "virtual time stands still while a file is read",
  async ({ virtual }) => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/f`, "text");

      const text = await timeout(1, async () => {
        await using file = await openFile(`${folder}/f`);
        return await file.read();
      });

      assertEquals(text, "text");
      assertEquals(virtual.now, 0);
    });
  },
);

testClean(
  "AsyncFile reads text, bytes and lines one after the other",
  async () => {
    await withFile("one\ntwo\r\n\nlast\nrest", async (file) => {
      assertEquals(await file.readLine(), "one");
      assertEquals(await file.readBytes(2), new TextEncoder().encode("tw"));
      assertEquals(await file.readLine(), "o");
      assertEquals(await file.readLine(), "");
      assertEquals(await file.readLine(), "last");
      assertEquals(await file.read(), "rest");
      assertEquals(await file.readLine(), undefined);
      assertEquals(await file.read(), "");
      assertEquals((await file.readBytes()).length, 0);
    });
  },
);

testClean("AsyncFile gives its lines", async () => {
  await withFile("a\n\nb\r\nc", async (file) => {
    assertEquals(await Array.fromAsync(file), ["a", "", "b", "c"]);
  });
});

testClean(
  "AsyncFile reads on after a loop over its lines was left",
  async () => {
    await withFile("a\nb\nc", async (file) => {
      for await (const line of file) {
        assertEquals(line, "a");
        break;
      }

      assertEquals(await file.read(), "b\nc");
    });
  },
);

testClean(
  "AsyncFile.read() and readLine() leave out a mark of the byte order",
  async () => {
    await withFile("\uFEFFa\n\uFEFFb", async (file) => {
      assertEquals(await file.readLine(), "a");
      assertEquals(await file.readLine(), "\uFEFFb");
      await file.seek(0);
      assertEquals(await file.read(), "a\n\uFEFFb");
    });
  },
);

testClean("AsyncFile writes where it has read to", async () => {
  await withFile("one\ntwo\nthree\n", async (file) => {
    assertEquals(await file.readLine(), "one");
    assertEquals(await file.write("TWO"), 3);
    assertEquals(await file.readLine(), "");
    assertEquals(await file.readLine(), "three");
    await file.seek(0);

    assertEquals(await file.read(), "one\nTWO\nthree\n");
  });
});

testClean(
  "AsyncFile.seek() counts from the start, from here, or from the end",
  async () => {
    await withFile("0123456789\n", async (file) => {
      assertEquals(await file.readBytes(3), new TextEncoder().encode("012"));
      assertEquals(await file.seek(2, { from: "current" }), 5);
      assertEquals(await file.readLine(), "56789");
      assertEquals(await file.seek(-3, { from: "end" }), 8);
      assertEquals(await file.read(), "89\n");
      assertEquals(await file.seek(0, { from: "current" }), 11);

      await assertRejects(() => file.seek(1.5), RangeError, '"offset" must be');
      await assertRejects(
        () => file.seek(0, { from: "middle" as never }),
        RangeError,
        '"from" must be "start", "current" or "end"',
      );
      await assertRejects(() => file.seek(-1), FileError, "Cannot seek in");
    });
  },
);

testClean("AsyncFile.truncate() cuts here, or at a size", async () => {
  await withFile("one\ntwo\nthree\n", async (file) => {
    await file.readLine();
    await file.truncate();
    assertEquals((await file.stat()).size, 4);
    await file.truncate(6);
    await file.seek(0);
    assertEquals(await file.read(), "one\n\0\0");

    await assertRejects(() => file.truncate(-1), RangeError, '"size" must be');
  });
});

testClean(
  "AsyncFile does what it is asked in the order of the calls",
  async () => {
    await withFile("", async (file) => {
      const words = Array.from({ length: 50 }, (_, i) => `word ${i}\n`);

      await Promise.all(words.map((word) => file.write(word)));
      const [, first, second, rest] = await Promise.all([
        file.seek(0),
        file.readLine(),
        file.readLine(),
        file.read(),
      ]);

      assertEquals([first, second], ["word 0", "word 1"]);
      assertEquals(rest, words.slice(2).join(""));
    });
  },
);

testClean("AsyncFile.write() of much writes all", async () => {
  await withFile("", async (file) => {
    const bytes = new Uint8Array(5_000_000).fill(7);

    assertEquals(await file.write(bytes), bytes.length);
    await file.sync();
    await file.seek(0);

    assertEquals(await file.readBytes(), bytes);
  });
});

testClean("AsyncFile refuses what it cannot write", async () => {
  await withFile("", async (file) => {
    for (const data of [1, null, {}, [1]]) {
      await assertRejects(
        () => file.write(data as never),
        TypeError,
        'Cannot write as "data" must be a string or a Uint8Array',
      );
    }
    await assertRejects(() => file.readBytes(-1), RangeError, '"maxBytes"');
  });
});

testClean("AsyncFile refuses to write what was opened to be read", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "text");
    await using file = await openFile(`${folder}/f`);

    await assertRejects(() => file.write("x"), FileError, "Cannot write");
    assertEquals(await file.read(), "text");
  });
});

testClean(
  "AsyncFile refuses text that is no UTF-8, and names the line",
  async () => {
    const bytes = [97, 10, 0xff, 10, 98];

    await withFile(new Uint8Array(bytes), async (file) => {
      assertEquals(await file.readLine(), "a");
      const error = await assertRejects(
        () => file.readLine(),
        InvalidTextError,
        "Cannot read line 2: it is no valid UTF-8",
      );
      assertEquals(error.lineNumber, 2);
      assertEquals(await file.readLine(), "b");
      await file.seek(0);
      await assertRejects(() => file.read(), InvalidTextError);
      await file.seek(0);
      assertEquals([...await file.readBytes()], bytes);
    });
  },
);

testClean(
  "AsyncFile without fatal puts a sign for what is no UTF-8",
  async () => {
    await inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/f`, new Uint8Array([97, 0xff, 10]));
      await using file = await openFile(`${folder}/f`, "r", { fatal: false });

      assertEquals(await file.readLine(), "a\uFFFD");
    });
  },
);

testClean(
  "AsyncFile.readLine() refuses a line that is longer than its limit",
  async () => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/f`, "12345\r\n123456\n1");
      await using file = await openFile(`${folder}/f`, "r", {
        maxLineBytes: 5,
      });

      assertEquals(await file.readLine(), "12345");
      const error = await assertRejects(
        () => file.readLine(),
        LineTooLongError,
        "Cannot read line 2: it has more than 5 bytes",
      );
      assertEquals([error.lineNumber, error.maxLineBytes], [2, 5]);
    });
  },
);

testClean(
  "AsyncFile is closed when the scope that opened it is cancelled",
  async () => {
    await inFolder(async (folder) => {
      let file: AsyncFile | undefined;
      await withScope(async (scope) => {
        file = await openFile(`${folder}/f`, "w");
        scope.cancel();
      });

      assert(file?.closed);
      await assertRejects(
        () => file?.write("x") ?? Promise.resolve(0),
        FileClosedError,
        `Cannot write "${folder}/f": it was closed`,
      );
    });
  },
);

testClean("AsyncFile stays open when its scope ends as it should", async () => {
  await inFolder(async (folder) => {
    const { file } = await withScope(async () => ({
      file: await openFile(`${folder}/f`, "w"),
    }));

    assertFalse(file.closed);
    await file.write("x");
    await file.close();
  });
});

testClean(
  "AsyncFile that is created in a cancelled scope is closed at once",
  async () => {
    await inFolder(async (folder) => {
      const native = await Deno.open(`${folder}/f`, {
        write: true,
        create: true,
      });
      await withScope((scope) => {
        scope.cancel();
        assert(new AsyncFile(native).closed);
      });
    });
  },
);

testClean(
  "AsyncFile.close() lets a write end, refuses the rest, and may be called twice",
  async () => {
    await inFolder(async (folder) => {
      const file = await openFile(`${folder}/f`, "w");
      const bytes = new Uint8Array(3_000_000);
      const writing = file.write(bytes);
      // The first step of the write is taken.
      await sleep(0);
      const late = file.write("late");
      late.catch(() => {});

      await file.close();
      await file.close();

      assertEquals(await writing, bytes.length);
      await assertRejects(() => late, FileClosedError);
      assertEquals((await Deno.stat(`${folder}/f`)).size, bytes.length);
      await assertRejects(() => file.readLine(), FileClosedError);
      await assertRejects(() => file.lock(), FileClosedError);
    });
  },
);

testClean(
  "a wait that is cancelled before its turn has no effect",
  async () => {
    await withFile("", async (file) => {
      const first = file.write(new Uint8Array(3_000_000));
      const second = createTask(() => file.write("second"), { eager: true });
      second.cancel();
      await assertRejects(() => second, CancelledError);
      await first;

      assertEquals((await file.stat()).size, 3_000_000);
    });
  },
);

testClean("a read that is cancelled loses no line", async () => {
  const count = 2000;
  const text = Array.from({ length: count }, (_, i) => `line ${i}`).join("\n");
  await withFile(text, async (file) => {
    const read: string[] = [];
    for (let i = 0;; i++) {
      const reading = createTask(() => file.readLine(), { eager: true });
      if (i % 7 === 0) reading.cancel();
      const line = await reading.catch((error) => {
        assert(error instanceof CancelledError);
        return "cancelled";
      });
      if (line === undefined) break;
      if (line !== "cancelled") read.push(line);
    }

    assertEquals(read.join("\n"), text);
  });
});

testClean(
  "a wait ends with its own signal, and leaves the file open",
  async () => {
    await withFile("a\nb", async (file) => {
      const controller = new AbortController();
      const reading = file.readLine({ signal: controller.signal });
      controller.abort(new RangeError("enough"));

      await assertRejects(() => reading, RangeError, "enough");
      assertEquals(await file.readLine(), "a");
    });
  },
);

testClean(
  "AsyncFile.lock() keeps others out until it is given back",
  async ({ virtual }) => {
    await inFolder(async (folder) => {
      await using first = await openFile(`${folder}/f`, "a");
      await using second = await openFile(`${folder}/f`, "a");
      const lock = await first.lock();
      assertEquals(await second.tryLock(), undefined);
      createTask(async () => {
        await sleep(100);
        await lock.unlock();
        await lock.unlock();
      });

      await using _later = await second.lock({ pollMs: 10 });

      assertEquals(virtual.now, 100);
    });
  },
);

testClean(
  "AsyncFile.lock() may be shared, and goes with the file",
  async () => {
    await inFolder(async (folder) => {
      await using third = await openFile(`${folder}/f`, "a+");
      {
        await using first = await openFile(`${folder}/f`, "a+");
        await using second = await openFile(`${folder}/f`, "a+");
        const one = await first.lock({ exclusive: false });
        assert(await second.tryLock({ exclusive: false }));
        assertEquals(await third.tryLock(), undefined);
        await first.close();
        await one.unlock();
      }

      assert(await third.tryLock());
    });
  },
);

testClean("AsyncFile.lock() that is cancelled takes no lock", async () => {
  await inFolder(async (folder) => {
    await using first = await openFile(`${folder}/f`, "a");
    await using second = await openFile(`${folder}/f`, "a");
    const lock = await first.lock();
    await assertRejects(
      () => timeout(50, () => second.lock()),
      TimeoutError,
    );
    await lock.unlock();

    const cancelled = createTask(() => second.tryLock(), { eager: true });
    cancelled.cancel();
    await assertRejects(() => cancelled, CancelledError);

    assert(await first.tryLock());
    await assertRejects(
      () => first.lock({ pollMs: -1 }),
      RangeError,
      '"pollMs" must be a number >= 0',
    );
  });
});

testClean("AsyncFile takes over a file of the platform", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "text");
    const native = await Deno.open(`${folder}/f`);
    await using file = new AsyncFile(native, { path: "given" });

    assertEquals(file.path, "given");
    assertEquals(await file.read(), "text");
    assertThrows(() => new AsyncFile(native, { maxLineBytes: 0 }), RangeError);
  });
});

testClean(
  "a file that vanishes can still be read, and is not found again",
  async () => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/f`, "text");
      await using file = await openFile(`${folder}/f`);

      await Deno.remove(`${folder}/f`);

      assertEquals(await file.read(), "text");
      await assertRejects(() => openFile(`${folder}/f`), FileNotFoundError);
    });
  },
);

testClean("close() is the same promise for all who ask", async () => {
  await inFolder(async (folder) => {
    const file = await openFile(`${folder}/f`, "w");

    assertStrictEquals(file.close(), file.close());
    await file.close();
  });
});

testClean(
  "AsyncFile.lock() keeps out others who use the same file",
  async () => {
    await inFolder(async (folder) => {
      await using file = await openFile(`${folder}/f`, "a");
      await using other = await openFile(`${folder}/f`, "a");
      const lock = await file.lock();
      assertEquals(await file.tryLock(), undefined);
      assertEquals(await file.tryLock({ exclusive: false }), undefined);
      const later = createTask(() => file.lock({ pollMs: 10 }), {
        eager: true,
      });
      await sleep(50);
      assert(!later.done);
      await lock.unlock();

      const second = await later;
      await lock.unlock();
      assertEquals(await other.tryLock(), undefined);
      await second.unlock();
      await using _last = await other.lock();
    });
  },
);

testClean("locks that share a file are given back one by one", async () => {
  await inFolder(async (folder) => {
    await using file = await openFile(`${folder}/f`, "a+");
    await using other = await openFile(`${folder}/f`, "a+");
    const one = await file.lock({ exclusive: false });
    const two = await file.lock({ exclusive: false });
    assertEquals(await file.tryLock(), undefined);
    await one.unlock();
    assertEquals(await other.tryLock(), undefined);
    await two.unlock();

    assert(await other.tryLock());
  });
});

Deno.test("wherever it is cancelled, no file stays open, and no line is lost", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "a\nb\nc\n");
    await cancelSweep(async (sweep) => {
      await using shared = await openFile(`${folder}/f`);
      const read: string[] = [];
      await sweep.target(async () => {
        await using own = await openFile(`${folder}/own`, "w");
        await own.write("text");
        await using _lock = await own.lock();
        for await (const line of shared) read.push(line);
      });
      for await (const line of shared) read.push(line);

      // A grant is final: what was taken, and not looked at, is one line at most.
      assert(["abc", "bc", "ac", "ab"].includes(read.join("")), read.join(""));
    });
  });
});

testClean(
  "a write that never ends does not keep a file from closing with its scope",
  async ({ reports }) => {
    // In virtual time, what is asynchronous must not come from outside.
    const path = Deno.makeTempFileSync();
    const native = Deno.openSync(path, { write: true });
    Deno.removeSync(path);
    native.write = () => new Promise(() => {});
    const task = createTask(async () => {
      await new AsyncFile(native).write("text");
    });
    await sleep(1);

    task.cancel();
    await task.outcome();
    await sleep(10_000);

    assertThrows(() => native.close(), Deno.errors.BadResource);
    assertEquals(takeMessages(reports), [
      'Cannot wait longer for the cleanup "a write to a file": its grace of 5000 ms is over',
    ]);
  },
  { promises: "inside" },
);

/** Runs a test with a file that can be read and written. */
async function withFile(
  content: string | Uint8Array,
  fn: (file: AsyncFile) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(`${folder}/f`, bytes);
    await using file = await openFile(`${folder}/f`, "r+");
    await fn(file);
  });
}
