/**
 * What a line costs: of bytes in memory, and of a file.
 *
 * @module
 */
import { lines } from "@ilmek/async/lines";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Case, type Question, registerBenches } from "../question.ts";
import { stdCases, type StdTextLineStream } from "../std_async.ts";

/** What TypeScript does not see in the class of the platform. */
type TextDecoding = ReadableWritablePair<string, Uint8Array>;

const LINES = 100_000;
const CHUNK_BYTES = 64 * 1024;
/** A file of many lines, which is there anyway. */
const FILE = new URL("../../tests/oracle/scenarios.json", import.meta.url);

const FILE_LINES = Deno.readTextFileSync(FILE).split("\n").length;

/** Lines of 1 to 120 characters, in chunks that do not care for them. */
function chunksOf(items: number): Uint8Array[] {
  const texts: string[] = [];
  for (let i = 0; i < items; i++) texts.push("x".repeat(1 + i * 37 % 120));
  const bytes = new TextEncoder().encode(`${texts.join("\n")}\n`);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    chunks.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  return chunks;
}

const prepared = new Map<number, Uint8Array[]>();

function chunksFor(items: number): Uint8Array[] {
  let chunks = prepared.get(items);
  if (chunks === undefined) {
    chunks = chunksOf(items);
    prepared.set(items, chunks);
  }
  return chunks;
}

async function count(source: AsyncIterable<string>): Promise<number> {
  let seen = 0;
  for await (const _line of source) seen++;
  return seen;
}

/** The limit: decoding and splitting, with one step for each chunk. */
async function split(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const decoder = new TextDecoder();
  let seen = 0;
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const _line of parts) seen++;
  }
  return seen;
}

/** Lines of bytes: with the classes of the platform, and `TextLineStream`. */
function stdCase(
  open: (items: number) => ReadableStream<Uint8Array>,
): Promise<Case[]> {
  return stdCases<StdTextLineStream, Case>(
    "@std/streams/text-line-stream",
    ({ TextLineStream }) => [{
      name: "@std/streams",
      kind: "peer",
      run: (items) =>
        count(
          open(items)
            .pipeThrough(new TextDecoderStream() as TextDecoding)
            .pipeThrough(new TextLineStream()),
        ),
    }],
  );
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  memory: {
    kind: "speed",
    group: "lines of bytes in memory",
    items: LINES,
    cases: [
      {
        name: "decode and split",
        kind: "limit",
        run: (items) => split(chunksFor(items)),
      },
      {
        name: "lines()",
        kind: "ours",
        run: (items) => count(lines(chunksFor(items))),
      },
      {
        name: "node:readline",
        kind: "peer",
        run: (items) =>
          count(createInterface({
            input: Readable.from(chunksFor(items)),
            crlfDelay: Infinity,
          })),
      },
      ...await stdCase((items) => ReadableStream.from(chunksFor(items))),
    ],
  },

  file: {
    kind: "speed",
    group: "lines of a file",
    items: FILE_LINES,
    cases: [
      {
        name: "decode and split",
        kind: "limit",
        run: async () => {
          using file = await Deno.open(FILE);
          return await split(readAll(file));
        },
      },
      { name: "lines()", kind: "ours", run: () => count(lines(FILE)) },
      {
        name: "node:readline",
        kind: "peer",
        run: () =>
          count(createInterface({
            input: createReadStream(fileURLToPath(FILE)),
            crlfDelay: Infinity,
          })),
      },
      ...await stdCase(() => fileStream()),
    ],
  },
};

registerBenches(questions);

/** Reads a file into one buffer, again and again. */
async function* readAll(
  file: Deno.FsFile,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const size = await file.read(buffer);
    if (size === null) return;
    yield buffer.subarray(0, size);
  }
}

/** A file as a stream, which is opened when it is read. */
function fileStream(): ReadableStream<Uint8Array> {
  return ReadableStream.from((async function* () {
    const file = await Deno.open(FILE);
    yield* file.readable;
  })());
}
