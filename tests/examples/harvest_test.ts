import { sleep } from "@ilmek/async/sleep";
import { makeTempDir } from "@ilmek/async/temp";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { type Console, main } from "../../examples/harvest.ts";
import { documentPaths } from "../../examples/harvest/flaky_documents.ts";
import {
  FlakyServer,
  type FlakyServerOptions,
} from "../../examples/harvest/flaky_server.ts";
import { type Draw, randomly } from "../_random.ts";
import { runHarvest, storedIds } from "./_harvest.ts";
import { runProgram } from "./_processes.ts";

const DOCUMENTS = Number(Deno.env.get("ILMEK_DOCUMENTS") ?? 600);
const KILLS = Number(Deno.env.get("ILMEK_KILLS") ?? 3);
const SEED = Number(
  Deno.env.get("ILMEK_SEED") ?? Math.floor(Math.random() * 2 ** 31),
);
/** How many documents there are for each time that a harvest is ended. */
const DOCUMENTS_PER_KILL = 300;
/** How many documents are served before a harvest is ended, at most. */
const MAX_SERVED = 400;

const FAST: Omit<FlakyServerOptions, "documents"> = {
  perSecond: 20_000,
  latencyMs: 5,
  seed: SEED,
};
const RELIABLE = {
  ...FAST,
  latencyMs: 0.1,
  faults: { error: 0, reset: 0, half: 0, garbled: 0, hang: 0 },
};

Deno.test("harvest.ts gets every document of a flaky server, and stores it once", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: DOCUMENTS, ...FAST });

  const { code, out } = await runHarvest({ server, folder: folder.path });

  assertStringIncludes(out, "Complete: ");
  assertEquals(code, 0);
  const stored = await storedIds(folder.path);
  assertEquals(stored.toSorted(), documentPaths(DOCUMENTS).toSorted());
  assertEquals(stored.toSorted(), [...server.served.keys()].toSorted());
});

Deno.test("harvest.ts loses nothing and doubles nothing when SIGTERM ends it again and again", async () => {
  await repeatedly("SIGTERM", async (draw) => {
    await using folder = await makeTempDir();
    const documents = KILLS * DOCUMENTS_PER_KILL;
    await using server = new FlakyServer({ documents, ...FAST });

    for (let i = 0; i < KILLS; i++) {
      const { code, out } = await endAtSomeTime("SIGTERM", draw, {
        server,
        folder: folder.path,
      });

      // It may have come to its end before.
      assertEquals(code, out.includes("\nComplete: ") ? 0 : 143);
      // What was under way when the signal came is stored.
      const stored = await storedIds(folder.path);
      assertEquals(stored.toSorted(), [...server.served.keys()].toSorted());
    }
    await finish(server, folder.path, documents);
  });
});

Deno.test("harvest.ts loses nothing and doubles nothing when SIGKILL ends it again and again", async () => {
  await repeatedly("SIGKILL", async (draw) => {
    await using folder = await makeTempDir();
    const documents = KILLS * DOCUMENTS_PER_KILL;
    await using server = new FlakyServer({ documents, ...FAST });

    for (let i = 0; i < KILLS; i++) {
      const before = i === 0 ? [] : await storedIds(folder.path);
      await endAtSomeTime("SIGKILL", draw, { server, folder: folder.path });

      // What was there is there, and nothing is that was not served.
      const stored = new Set(await storedIds(folder.path));
      assertEquals(before.filter((id) => !stored.has(id)), []);
      assertEquals([...stored].filter((id) => !server.served.has(id)), []);
    }
    await finish(server, folder.path, documents);
  });
});

Deno.test("harvest.ts ends while it asks what there is, if SIGTERM comes", async () => {
  await using folder = await makeTempDir();
  const outages = [{ fromMs: 0, toMs: 60_000 }];
  await using server = new FlakyServer({ documents: 1, ...RELIABLE, outages });
  let ending: Promise<void> | undefined;

  const { code, out, err } = await runHarvest({
    server,
    folder: folder.path,
    onStart: (child) => {
      ending = (async () => {
        while (server.requests === 0) await sleep(5);
        child.kill("SIGTERM");
      })();
    },
  });
  await ending;

  assertStringIncludes(out, "Stopped before it was known which documents");
  assertEquals(err, "");
  assertEquals(code, 143);
});

Deno.test("The task `demo` needs no more than its permissions", async () => {
  await using folder = await makeTempDir();

  const { code, out, err } = await runProgram("harvest.ts", {
    flags: await permissionsOfTask(),
    args: ["--documents", "150"],
    cwd: folder.path,
  });

  assertMatch(out, /\nGetting 150 documents from http:\/\/127\.0\.0\.1:\d+: /);
  assertMatch(out, /\nComplete: 150 documents in .*, \d+ a second\n/);
  assert(!(out + err).includes("\x1b"));
  assertEquals(code, 0);
  const picture = await Deno.readTextFile(
    `${folder.path}/harvest-demo/timeline.svg`,
  );
  assertMatch(picture, /^<svg .*<\/svg>\n$/s);
});

Deno.test("main() of harvest.ts gets what a file names, relative to the base or not", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: 9, ...RELIABLE });
  const urls = `${folder.path}/urls.txt`;
  await Deno.writeTextFile(
    urls,
    `# Two of them\ndocuments/1\n\n${server.url}/documents/2\ndocuments/1\n`,
  );
  const db = `${folder.path}/documents.db`;

  const { code, lines } = await runMain(
    ["--urls", urls, "--base-url", server.url, "--db", db],
  );

  assertEquals(code, 0);
  assertStringIncludes(lines.join("\n"), "\nComplete: 2 documents in ");
  assertEquals(
    (await storedIds(folder.path)).toSorted(),
    ["documents/1", `${server.url}/documents/2`],
  );
});

Deno.test("main() of harvest.ts goes on only if it is told to", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: 20, ...RELIABLE });
  const args = [
    "--base-url",
    server.url,
    "--db",
    `${folder.path}/documents.db`,
  ];
  const fast = [...args, "--rate", "5000"];
  await runMain(fast);

  const again = await runMain(fast);
  const resumed = await runMain([...fast, "--resume"]);

  assertEquals(again.code, 2);
  assertMatch(again.errors.join("\n"), /has 20 documents: go on with --resume/);
  assertEquals(resumed.code, 0);
  assertStringIncludes(resumed.lines.join("\n"), "20 were there already");
  assertEquals([...server.served.values()], Array(20).fill(1));
});

Deno.test("main() of harvest.ts names what it could not get, and tells how to try again", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: 1, ...RELIABLE });
  const urls = `${folder.path}/urls.txt`;
  await Deno.writeTextFile(urls, "documents/1\ndocuments/2\n");

  const { code, lines } = await runMain([
    ...["--urls", urls, "--base-url", server.url],
    ...["--db", `${folder.path}/documents.db`],
  ]);

  assertEquals(code, 1);
  const text = lines.join("\n");
  assertStringIncludes(text, "Incomplete at 1 of 2: ");
  assertStringIncludes(text, "documents/2: HttpStatusError: ");
  assertStringIncludes(
    text,
    "Get what is missing: the same command with --res",
  );
});

Deno.test("main() of harvest.ts says what is wrong with its options, and exits with 2", async () => {
  const { code, lines, errors } = await runMain(["--rate", "fast"]);

  assertEquals(code, 2);
  assertEquals(lines, []);
  assertEquals(errors, [
    'Cannot use --rate as it must be an integer from 1 to 100000: current value is "fast"',
    "See --help",
  ]);
});

Deno.test("main() of harvest.ts says which of its files cannot be used", async () => {
  await using folder = await makeTempDir();
  const missing = `${folder.path}/missing/file`;
  const base = ["--base-url", "http://127.0.0.1"];
  const db = ["--db", `${folder.path}/documents.db`];

  const noDatabase = await runMain([...base, "--db", missing]);
  const noUrls = await runMain([...base, ...db, "--urls", missing]);

  assertEquals([noDatabase.code, noUrls.code], [2, 2]);
  assertMatch(noDatabase.errors[0] ?? "", /^Cannot use --db: .*missing.file/);
  assertMatch(noUrls.errors[0] ?? "", /^Cannot use --urls: .*is not there$/);
});

Deno.test("main() of harvest.ts reports, even if the picture cannot be written", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: 1, ...RELIABLE });

  const { code, lines, errors } = await runMain([
    ...["--base-url", server.url, "--db", `${folder.path}/documents.db`],
    ...["--report", `${folder.path}/missing/x.svg`],
  ]);

  assertEquals(code, 0);
  assertStringIncludes(lines.join("\n"), "\nComplete: 1 document in ");
  assertEquals(lines.filter((line) => line.includes("x.svg")), []);
  assertMatch(errors.join("\n"), /x\.svg/);
});

Deno.test("main() of harvest.ts says that an API does not list its documents", async () => {
  await using folder = await makeTempDir();
  await using server = new FlakyServer({ documents: 1, ...RELIABLE });

  const { code, errors } = await runMain([
    ...["--base-url", `${server.url}/documents/1`],
    ...["--db", `${folder.path}/documents.db`],
  ]);

  assertEquals(code, 1);
  assertMatch(errors.join("\n"), /documents\/1\/: its status is 404/);
});

Deno.test("main() of harvest.ts explains itself", async () => {
  const { code, lines } = await runMain(["--help"]);

  assertEquals(code, 0);
  assertMatch(lines.join("\n"), /^Collects .*--resume .*exit code/s);
});

/** Starts a harvest, or goes on with it, and ends it at a random moment. */
async function endAtSomeTime(
  signal: Deno.Signal,
  draw: Draw,
  { server, folder }: { server: FlakyServer; folder: string },
): Promise<{ code: number; out: string }> {
  const last = server.served.size + draw(MAX_SERVED);
  let isOver = false;
  let ending: Promise<void> | undefined;
  const seen = server.requests;
  const ended = await runHarvest({
    server,
    folder,
    args: ["--resume"],
    onStart: (child) => {
      ending = (async () => {
        // Before the first request it may not know yet what to do with a signal.
        while (server.requests === seen && !isOver) await sleep(5);
        while (server.served.size < last && !isOver) await sleep(1);
        await sleep(draw(5));
        if (!isOver) child.kill(signal);
      })();
    },
  });
  isOver = true;
  await ending;
  return ended;
}

/** Lets the harvest come to its end; then every document is there once. */
async function finish(
  server: FlakyServer,
  folder: string,
  documents: number,
): Promise<void> {
  const { code } = await runHarvest({ server, folder, args: ["--resume"] });

  assertEquals(code, 0);
  const stored = await storedIds(folder);
  assertEquals(stored.toSorted(), documentPaths(documents).toSorted());
  assertEquals(stored.toSorted(), [...server.served.keys()].toSorted());
}

/** Draws from the seed, which is told where many harvests are ended. */
async function repeatedly(
  what: string,
  fn: (draw: Draw) => Promise<void>,
): Promise<void> {
  if (Deno.env.has("ILMEK_KILLS")) {
    console.log(`${what} ${KILLS} times, at moments of ILMEK_SEED=${SEED}`);
  }
  await randomly(fn, SEED);
}

/** Runs the program in this process, and catches what it prints. */
async function runMain(
  args: readonly string[],
): Promise<{ code: number; lines: string[]; errors: string[] }> {
  const lines: string[] = [];
  const errors: string[] = [];
  const console: Console = {
    log: (line) => lines.push(line),
    error: (line) => errors.push(line),
    progress: { write: () => {}, columns: undefined, color: false },
    color: false,
  };
  return { code: await main(args, console), lines, errors };
}

/** The flags of the task in `deno.json`. */
async function permissionsOfTask(): Promise<string[]> {
  const config = new URL("../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(config)) as {
    tasks: { demo: { command: string } };
  };
  return tasks.demo.command.split(" ").filter((word) => word.startsWith("--"));
}
