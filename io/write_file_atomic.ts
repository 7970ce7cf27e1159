/**
 * Writing a file so that others find either the old one or the new one.
 *
 * It needs the permissions `read` and `write` for the folder of the file.
 *
 * ```ts ignore
 * import { writeFileAtomic } from "@ilmek/async/write-file-atomic";
 *
 * await writeFileAtomic("settings.json", JSON.stringify({ theme: "dark" }));
 * ```
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { fileErrorOf, FileExistsError } from "./_file_errors.ts";
import { type AsyncFile, openFile } from "./file.ts";

export {
  DiskFullError,
  FileAccessError,
  FileError,
  type FileErrorOptions,
  FileExistsError,
  FileKindError,
  FileNotFoundError,
} from "./_file_errors.ts";

/** What can be written: text, bytes, or one after the other. */
export type FileContent =
  | string
  | Uint8Array
  | AsyncIterable<string | Uint8Array>
  | Iterable<string | Uint8Array>;

/** Options of {@linkcode writeFileAtomic}. */
export interface WriteFileAtomicOptions {
  /**
   * The permission bits; without it those of the old file, or for a new one 0o666
   * less those of the umask.
   */
  permissions?: number;
  /**
   * Whether it waits until all is on the disk, so that it outlives a power cut.
   *
   * @default {true}
   */
  sync?: boolean;
  /** Ends the writing when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** How much is written before it looks whether it was cancelled. */
const CHUNK_BYTES = 1024 * 1024;
/** How much of the name the temporary file takes over: names have a limit. */
const MAX_NAME = 32;

let count = 0;

/**
 * Replaces a file, or makes it, at one blow.
 *
 * The content goes to a temporary file in the same folder, which then takes the
 * name: whoever reads finds all of the old or all of the new, even if the process is
 * killed. If it fails or is cancelled, the old file is as it was, and the temporary
 * one is removed; a process that is killed leaves it behind, as
 * `.<name>.<process>-<number>.tmp`. Permission bits are kept, and so is the owner, as
 * far as the system allows. A link stays a link: what it leads to is replaced.
 *
 * @param path The path, or a URL of a file.
 * @param content What to write.
 * @param options Additional options.
 * @returns How many bytes were written.
 * @throws {TypeError} If `content` is nothing that can be written.
 * @throws {FileNotFoundError} If the folder is not there.
 * @throws {FileAccessError} If the system does not allow it.
 * @throws {DiskFullError} If there is no room.
 * @throws {CancelledError} If the ambient scope is cancelled before the new file has
 * the name.
 *
 * @example Keep the old file when writing fails
 * ```ts
 * import { makeTempDir } from "@ilmek/async/temp";
 * import { writeFileAtomic } from "@ilmek/async/write-file-atomic";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using folder = await makeTempDir();
 * const path = `${folder.path}/settings.json`;
 * await writeFileAtomic(path, "old");
 * await assertRejects(() =>
 *   writeFileAtomic(
 *     path,
 *     (function* () {
 *       yield "half of the n";
 *       throw new RangeError("no more");
 *     })(),
 *   ), RangeError);
 *
 * assertEquals(await Deno.readTextFile(path), "old");
 * ```
 */
export async function writeFileAtomic(
  path: string | URL,
  content: FileContent,
  options: WriteFileAtomicOptions = {},
): Promise<number> {
  const { permissions, sync = true, signal } = options;
  checkContent(content);
  await refusal(currentFrame(), "write a file", signal);
  const wait = signal === undefined ? {} : { signal };
  const target = await step(abortable(targetOf(path), wait), path);
  const old = await step(abortable(statOf(target), wait), path);
  const bits = permissions ?? (old?.mode ?? undefined);
  // A file that came into being too late would be left behind.
  const { file, temporary } = await uncancellable(() =>
    openBeside(target, bits)
  );
  let isInPlace = false;
  try {
    await refusal(currentFrame(), "write a file", signal);
    let size = 0;
    for await (const chunk of chunksOf(content)) {
      size += await file.write(chunk, wait);
    }
    if (sync) await file.sync(wait);
    await uncancellable(() => file.close());
    await refusal(currentFrame(), "write a file", signal);
    // From here on it is done, or not: nothing lies between.
    await uncancellable(async () => {
      await step(abortable(dress(temporary, bits, old)), path);
      await step(abortable(Deno.rename(temporary, target)), path);
      isInPlace = true;
      if (sync) await abortable(syncFolder(dirname(target)));
    });
    return size;
  } finally {
    await uncancellable(async () => {
      await file.close();
      if (!isInPlace) await abortable(Deno.remove(temporary)).catch(() => {});
    });
  }
}

async function openBeside(
  target: string,
  bits: number | undefined,
): Promise<{ file: AsyncFile; temporary: string }> {
  const name = `.${[...basename(target)].slice(0, MAX_NAME).join("")}`;
  for (;;) {
    // No other process has this number, and what was left behind is passed over.
    const temporary = join(
      dirname(target),
      `${name}.${Deno.pid}-${++count}.tmp`,
    );
    try {
      // Until it is in place nobody else needs to read it.
      const options = bits === undefined ? {} : { permissions: 0o600 };
      return { file: await openFile(temporary, "x", options), temporary };
    } catch (error) {
      if (!(error instanceof FileExistsError)) throw error;
    }
  }
}

/** Gives the new file the bits and the owner that it is to have. */
async function dress(
  path: string,
  bits: number | undefined,
  old: Deno.FileInfo | undefined,
): Promise<void> {
  if (Deno.build.os === "windows") return;
  if (old !== undefined) {
    const { uid, gid } = await Deno.stat(path);
    if (uid !== old.uid || gid !== old.gid) {
      // Only root may give a file away.
      await Deno.chown(path, old.uid, old.gid).catch(() => {});
    }
  }
  if (bits !== undefined) await Deno.chmod(path, bits & 0o7777);
}

/** The new name is an entry of the folder, which has to be on the disk as well. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}

/** Where a link leads to, or the path itself if there is nothing yet. */
async function targetOf(path: string | URL): Promise<string> {
  const text = path instanceof URL ? fileURLToPath(path) : path;
  try {
    return await Deno.realPath(text);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return join(await Deno.realPath(dirname(text)), basename(text));
  }
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function* chunksOf(
  content: FileContent,
): AsyncGenerator<Uint8Array, void, void> {
  const parts = typeof content === "string" || content instanceof Uint8Array
    ? [content]
    : content;
  const encoder = new TextEncoder();
  for await (const part of parts) {
    checkPart(part);
    const bytes = typeof part === "string" ? encoder.encode(part) : part;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      yield bytes.subarray(at, at + CHUNK_BYTES);
    }
  }
}

async function step<T>(work: Promise<T>, path: string | URL): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fileErrorOf(error, "write", String(path));
  }
}

function checkContent(content: FileContent): void {
  if (typeof content === "string" || content instanceof Uint8Array) return;
  const isIterable = typeof content === "object" && content !== null &&
    (Symbol.asyncIterator in content || Symbol.iterator in content) &&
    !ArrayBuffer.isView(content);
  if (isIterable) return;
  throw new TypeError(
    `Cannot write a file as "content" must be text, bytes or an iterable of them: current value is ${
      show(content)
    }`,
  );
}

function checkPart(part: unknown): void {
  if (typeof part === "string" || part instanceof Uint8Array) return;
  throw new TypeError(
    `Cannot write a part as it must be text or bytes: current value is ${
      show(part)
    }`,
  );
}
