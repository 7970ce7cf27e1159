/**
 * Folders and files that are gone when they are no longer needed.
 *
 * It needs the permission `write` for the folder in which they are made: that of
 * `dir`, or the system's for temporary files.
 *
 * ```ts ignore
 * import { makeTempDir } from "@ilmek/async/temp";
 *
 * await using folder = await makeTempDir();
 * await Deno.writeTextFile(`${folder.path}/draft.txt`, "text");
 * ```
 *
 * @module
 */
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { fileErrorOf } from "./_file_errors.ts";

/** Options of {@linkcode makeTempDir} and {@linkcode makeTempFile}. */
export interface MakeTempOptions {
  /**
   * The folder in which it is made.
   *
   * @default {that of the system}
   */
  dir?: string;
  /** How the name begins. */
  prefix?: string;
  /** How the name ends. */
  suffix?: string;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** A folder or a file that is removed when it is disposed of. */
export interface TempPath extends AsyncDisposable {
  /** Where it is. */
  readonly path: string;
  /**
   * Removes it, with all that is in it. Doing so twice, or if it is gone already,
   * does nothing.
   *
   * @throws {FileError} If the system fails.
   */
  remove(): Promise<void>;
}

/**
 * Makes a folder that is removed, with all that is in it, when it is disposed of.
 *
 * Only this user may look into it.
 *
 * @param options Additional options.
 * @returns The folder.
 * @throws {FileError} If the system fails.
 * @throws {CancelledError} If the ambient scope is cancelled; then none is left.
 *
 * @example Work in a folder of one's own
 * ```ts
 * import { makeTempDir } from "@ilmek/async/temp";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * let path = "";
 * {
 *   await using folder = await makeTempDir({ prefix: "report-" });
 *   path = `${folder.path}/draft.txt`;
 *   await Deno.writeTextFile(path, "text");
 *   assertEquals(await Deno.readTextFile(path), "text");
 * }
 *
 * await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
 * ```
 */
export async function makeTempDir(
  options: MakeTempOptions = {},
): Promise<TempPath> {
  return await make(Deno.makeTempDir, "make a folder", options);
}

/**
 * Makes an empty file that is removed when it is disposed of.
 *
 * Only this user may read it.
 *
 * @param options Additional options.
 * @returns The file.
 * @throws {FileError} If the system fails.
 * @throws {CancelledError} If the ambient scope is cancelled; then none is left.
 *
 * @example Hand a file to somebody else
 * ```ts
 * import { makeTempFile } from "@ilmek/async/temp";
 * import { assert } from "@std/assert";
 *
 * await using file = await makeTempFile({ suffix: ".csv" });
 * await Deno.writeTextFile(file.path, "a,b\n1,2\n");
 *
 * assert(file.path.endsWith(".csv"));
 * ```
 */
export async function makeTempFile(
  options: MakeTempOptions = {},
): Promise<TempPath> {
  return await make(Deno.makeTempFile, "make a file", options);
}

async function make(
  create: (options: Deno.MakeTempOptions) => Promise<string>,
  doing: string,
  { signal, ...place }: MakeTempOptions,
): Promise<TempPath> {
  await refusal(currentFrame(), doing, signal);
  const creating = create(place);
  try {
    return new RemovedPath(
      await abortable(creating, signal === undefined ? {} : { signal }),
    );
  } catch (error) {
    // Nobody waits any more: what is made late is removed.
    creating.then((path) => Deno.remove(path)).catch(() => {});
    throw fileErrorOf(error, `${doing} in`, place.dir ?? "the system's folder");
  }
}

class RemovedPath implements TempPath {
  readonly path: string;
  #removing: Promise<void> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  remove(): Promise<void> {
    return this.#removing ??= this.#remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }

  async #remove(): Promise<void> {
    const { path } = this;
    try {
      await uncancellable(() =>
        abortable(Deno.remove(path, { recursive: true }))
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw fileErrorOf(error, "remove", path);
    }
  }
}
