import { openFile } from "@ilmek/async/file";
import { FileNotFoundError } from "@ilmek/async/file";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import {
  type Bytes,
  InvalidTextError,
  lines,
  type LinesOptions,
  LineTooLongError,
} from "@ilmek/async/lines";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
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

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Reads all lines. */
async function read(source: Bytes, options?: LinesOptions): Promise<string[]> {
  return await Array.fromAsync(lines(source, options));
}

testClean("lines() keeps blank lines, and takes both ends", async () => {
  const cases: [string, string[]][] = [
    ["", []],
    ["\n", [""]],
    ["\r\n", [""]],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\n\n", ["a", ""]],
    ["\n\na\r\n\r\nb", ["", "", "a", "", "b"]],
    ["a\rb\n", ["a\rb"]],
    ["a\r", ["a\r"]],
    ["a\r\r\nb", ["a\r", "b"]],
  ];
  for (const [text, wanted] of cases) {
    assertEquals(await read([bytesOf(text)]), wanted, JSON.stringify(text));
  }
});

testClean("lines() gives the same however the bytes are cut", async () => {
  const text = "ilk satır\r\n\n日本語 🎉\nson\r\n\r\nbitti 🧵";
  const wanted = ["ilk satır", "", "日本語 🎉", "son", "", "bitti 🧵"];
  const bytes = bytesOf(text);

  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      chunks.push(bytes.slice(at, at + size), new Uint8Array());
    }
    assertEquals(await read(chunks), wanted, `chunks of ${size}`);
  }
});

testClean("lines() does what splitting the whole text does", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomOf(seed);
  const pieces = ["\n", "\r\n", "a", "ığ", "🎉", " ", "\r", "long ".repeat(9)];
  for (let round = 0; round < 200; round++) {
    const text = Array.from(
      { length: Math.floor(random() * 40) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join("");
    const bytes = bytesOf(text);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(random() * 20);
      chunks.push(bytes.slice(at, at + size));
      at += size;
    }
    const wanted = text.split("\n");
    const last = wanted.pop() ?? "";

    assertEquals(await read(chunks, { maxLineBytes: 10_000 }), [
      ...wanted.map((line) => line.replace(/\r$/, "")),
      ...(last === "" ? [] : [last]),
    ], JSON.stringify(text));
  }
});

testClean(
  "lines() reads a path, a URL, a file, a stream and iterables",
  async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/f`;
      await Deno.writeTextFile(path, "a\nb");
      await using file = await openFile(path);
      const wanted = ["a", "b"];

      assertEquals(await read(path), wanted);
      assertEquals(await read(new URL(`file://${path}`)), wanted);
      assertEquals(await read(file), wanted);
      assertFalse(file.closed);
      assertEquals(await read(new Response("a\nb").body ?? []), wanted);
      assertEquals(await read([bytesOf("a\n"), bytesOf("b")]), wanted);
      assertEquals(await read(chunks("a\n", "b")), wanted);
    });
  },
);

testClean(
  "lines() leaves out a mark of the byte order, at the start only",
  async () => {
    const text = "\uFEFFa\n\uFEFFb";

    assertEquals(await read([bytesOf(text)]), ["a", "\uFEFFb"]);
    assertEquals(await read([bytesOf("\uFEFF"), bytesOf("a")]), ["a"]);
  },
);

testClean(
  "lines() refuses a line that is longer than its limit, after those before",
  async () => {
    const options = { maxLineBytes: 5 };
    const source = lines([bytesOf("12345\r\n\n123456\n1")], options);

    assertEquals((await source.next()).value, "12345");
    assertEquals((await source.next()).value, "");
    assertEquals(source.lineNumber, 2);
    const error = await assertRejects(
      () => source.next(),
      LineTooLongError,
      "Cannot read line 3: it has more than 5 bytes",
    );
    assertEquals([error.lineNumber, error.maxLineBytes], [3, 5]);
    assertEquals((await source.next()).done, true);
  },
);

testClean("lines() does not gather a line without an end", async () => {
  let given = 0;
  const endless = async function* () {
    for (;;) {
      given++;
      yield bytesOf("x".repeat(100));
      await sleep(1);
    }
  };

  await assertRejects(
    () => read(endless(), { maxLineBytes: 1000 }),
    LineTooLongError,
  );

  assertEquals(given, 11);
});

testClean(
  "lines() counts the bytes of a line, not its characters",
  async () => {
    const source = [bytesOf("ığü\n")];

    assertEquals(await read(source, { maxLineBytes: 6 }), ["ığü"]);
    await assertRejects(
      () => read(source, { maxLineBytes: 5 }),
      LineTooLongError,
    );
  },
);

testClean(
  "lines() refuses what is no UTF-8, after the lines before",
  async () => {
    const source = lines([bytesOf("a\nb\n"), new Uint8Array([0xff, 10, 97])]);

    assertEquals((await source.next()).value, "a");
    assertEquals((await source.next()).value, "b");
    await assertRejects(
      () => source.next(),
      InvalidTextError,
      "Cannot read line 3: it is no valid UTF-8",
    );
  },
);

testClean(
  "lines() takes the sign for what is no UTF-8, if it is written itself",
  async () => {
    assertEquals(await read([bytesOf("a\uFFFDb\r\n\n\uFFFD\n")]), [
      "a\uFFFDb",
      "",
      "\uFFFD",
    ]);
  },
);

testClean("lines() refuses half a character at the end", async () => {
  const half = bytesOf("ı").subarray(0, 1);

  await assertRejects(() => read([bytesOf("a\n"), half]), InvalidTextError);
  assertEquals(await read([half], { fatal: false }), ["\uFFFD"]);
});

testClean(
  "lines() throws what the source throws, after the lines before",
  async () => {
    const error = new RangeError("broken");
    const breaking = async function* () {
      yield bytesOf("a\nb");
      await Promise.reject(error);
    };
    const source = lines(breaking());

    assertEquals((await source.next()).value, "a");
    assertStrictEquals(await assertRejects(() => source.next()), error);
    assertEquals((await source.next()).done, true);
  },
);

testClean("lines() takes undefined for an error, too", async () => {
  const breaking = async function* () {
    yield bytesOf("a\n");
    await Promise.reject(undefined);
  };
  const source = lines(breaking());
  await source.next();

  let caught: unknown = "nothing";
  await source.next().catch((error) => caught = error);

  assertEquals(caught, undefined);
});

testClean("lines() tells that a file is not there", async () => {
  await inFolder(async (folder) => {
    await assertRejects(
      () => read(`${folder}/none`),
      FileNotFoundError,
      `Cannot read "${folder}/none": it is not there`,
    );
  });
});

testClean("lines() closes its file when the loop is left", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "a\nb\nc");

    for await (const line of lines(`${folder}/f`)) {
      assertEquals(line, "a");
      break;
    }
  });
});

testClean("lines() cancels a stream when the loop is left", async () => {
  let reason: unknown = "not cancelled";
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytesOf("a\n")),
    cancel: (given) => {
      reason = given;
    },
  });

  for await (const _line of lines(stream)) break;

  assertEquals(reason, undefined);
  assertFalse(stream.locked);
});

testClean(
  "lines() returns an iterator when the loop is left, which may wait",
  async ({ virtual }) => {
    let returned = false;
    const source = async function* () {
      try {
        for (;;) yield bytesOf("a\n");
      } finally {
        await sleep(10);
        returned = true;
      }
    };

    for await (const _line of lines(source())) break;

    assert(returned);
    assertEquals(virtual.now, 10);
  },
);

testClean("lines() closes all when it is cancelled", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytesOf("a\n")),
    cancel: () => {
      cancelled = true;
    },
  });
  const source = lines(stream);
  await source.next();

  await withScope(async (scope) => {
    const waiting = source.next();
    scope.cancel();
    await assertRejects(() => waiting, CancelledError);
  });

  assert(cancelled);
  assertEquals((await source.next()).done, true);
});

testClean(
  "lines() closes its file when it is cancelled between two lines",
  async () => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/f`, "a\nb\nc");

      await assertRejects(
        () =>
          timeout(5, async () => {
            for await (const _line of lines(`${folder}/f`)) await sleep(4);
          }),
        TimeoutError,
      );
    });
  },
);

testClean(
  "lines() closes its file with the scope in which it began, though nobody asks",
  async () => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/f`, "a\nb\nc");
      const source = lines(`${folder}/f`);

      await withScope(async (scope) => {
        await source.next();
        scope.cancel();
      });

      assertEquals((await source.next()).done, true);
    });
  },
);

testClean("lines() ends with its signal", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const source = lines(chunks("a\nb\n"), { signal });
  await source.next();
  controller.abort(new RangeError("enough"));

  await assertRejects(() => source.next(), RangeError, "enough");
  assertEquals((await source.return()).done, true);
});

Deno.test("wherever it is cancelled, the source is closed", async () => {
  await cancelSweep(async (sweep) => {
    let open = 0;
    const source = async function* () {
      open++;
      try {
        for (const text of ["a\nb", "\nc\n"]) {
          await sleep(1);
          yield bytesOf(text);
        }
      } finally {
        await uncancellable(() => sleep(1));
        open--;
      }
    };
    await sweep.target(async () => {
      for await (const _line of lines(source())) await sleep(1);
    });

    sweep.check(() => assertEquals(open, 0));
  });
});

testClean(
  "return() does not hang behind a source that does, but tells of it",
  async ({ reports, virtual }) => {
    const never = Promise.withResolvers<void>();
    const source = lines((async function* () {
      yield bytesOf("a\n");
      await never.promise;
    })());
    await source.next();
    const waiting = source.next();

    await source.return();

    assertEquals((await waiting).done, true);
    assertEquals(virtual.now, 5000);
    assertEquals(takeMessages(reports), [
      "Cannot close the source of lines: its step has not ended for 5000 ms",
    ]);
    never.resolve();
  },
);

testClean(
  "another task may wait until the source is closed",
  async ({ virtual }) => {
    const source = lines((async function* () {
      try {
        for (;;) yield bytesOf("a\n");
      } finally {
        await sleep(10);
      }
    })());
    await source.next();
    const closing = createTask(() => source.return());
    await sleep(5);

    await source.return();
    await closing;

    assertEquals(virtual.now, 10);
  },
);

testClean("return() tells what the source says of its end", async () => {
  const source = lines((async function* () {
    try {
      for (;;) yield bytesOf("a\n");
    } finally {
      await Promise.reject(new RangeError("stuck"));
    }
  })());
  await source.next();

  await assertRejects(() => source.return(), RangeError, "stuck");
  assertEquals((await source.return()).done, true);
});

testClean("several calls of next() are answered in their order", async () => {
  const source = lines(chunks("a\n", "b\nc", "\n"));

  const results = await Promise.all(
    Array.from({ length: 5 }, () => source.next()),
  );

  assertEquals(results.map(({ value }) => value), [
    "a",
    "b",
    "c",
    undefined,
    undefined,
  ]);
});

testClean("await using ends the reading", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "a\nb\nc");
    await using source = lines(`${folder}/f`);

    assertEquals((await source.next()).value, "a");
  });
});

testClean("lines() refuses bad arguments", async () => {
  for (const source of [1, null, undefined, {}, new Uint8Array(1)]) {
    assertThrows(
      () => lines(source as never),
      TypeError,
      'Cannot read lines as "source" must be a path, a file, a stream or an iterable of bytes',
    );
  }
  assertThrows(
    () => lines("f", { maxLineBytes: 0 }),
    RangeError,
    '"maxLineBytes" must be an integer >= 1',
  );
  await assertRejects(
    () => read(["text"] as never),
    TypeError,
    'Cannot read a chunk as it must be a Uint8Array: current value is "text"',
  );
});

testClean("lines() holds little in memory, however much it reads", async () => {
  const chunk = bytesOf(`${"x".repeat(999)}\n`.repeat(1000));
  const source = (function* () {
    for (let i = 0; i < 300; i++) yield chunk;
  })();
  let count = 0;
  const before = Deno.memoryUsage().rss;

  for await (const _line of lines(source)) count++;

  assertEquals(count, 300_000);
  assert(Deno.memoryUsage().rss - before < 150_000_000);
});

async function* chunks(
  ...texts: string[]
): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) {
    await Promise.resolve();
    yield bytesOf(text);
  }
}

/** Mulberry32, by Tommy Ettinger. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
