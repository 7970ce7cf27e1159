/**
 * Stand-in for the part of `@std/fs` that tests and tools use, for machines
 * that cannot reach jsr.io.
 *
 * @module
 */

import { basename, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** Options of {@linkcode exists}. */
export interface ExistsOptions {
  /** The path must be readable. */
  isReadable?: boolean;
  /** The path must be a directory. */
  isDirectory?: boolean;
  /** The path must be a file. */
  isFile?: boolean;
}

/** What {@linkcode walk} yields. */
export interface WalkEntry extends Deno.DirEntry {
  /** The full path. */
  path: string;
}

/** Options of {@linkcode walk}. */
export interface WalkOptions {
  /** How many levels to go down. */
  maxDepth?: number;
  /** Whether files are yielded. */
  includeFiles?: boolean;
  /** Whether directories are yielded. */
  includeDirs?: boolean;
  /** Whether symbolic links are yielded, if they are not followed. */
  includeSymlinks?: boolean;
  /** Whether symbolic links are followed. */
  followSymlinks?: boolean;
  /** Whether the path of a followed link is that of its target. */
  canonicalize?: boolean;
  /** Extensions, of which a path must have one. */
  exts?: string[];
  /** Patterns, of which a path must match one. */
  match?: RegExp[];
  /** Patterns, of which a path must match none. */
  skip?: RegExp[];
}

/** Makes sure that a directory exists, with all above it. */
export async function ensureDir(dir: string | URL): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const { isFile } = await Deno.stat(dir);
    throw new Error(
      `Failed to ensure directory exists: expected 'dir', got '${
        isFile ? "file" : "unknown"
      }'`,
    );
  }
}

/** Tells whether a path exists, and is what the options ask for. */
export async function exists(
  path: string | URL,
  options: ExistsOptions = {},
): Promise<boolean> {
  const { isReadable = false, isDirectory = false, isFile = false } = options;
  if (isDirectory && isFile) {
    throw new TypeError(
      "ExistsOptions.options.isDirectory and ExistsOptions.options.isFile must not be true together",
    );
  }
  try {
    const info = await Deno.stat(path);
    if (isDirectory && !info.isDirectory) return false;
    if (isFile && !info.isFile) return false;
    return !isReadable || mayRead(info);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (error instanceof Deno.errors.PermissionDenied) return !isReadable;
    throw error;
  }
}

/** Yields what is in a directory and below, the directory itself first. */
export async function* walk(
  root: string | URL,
  options: WalkOptions = {},
): AsyncIterableIterator<WalkEntry> {
  const {
    maxDepth = Infinity,
    includeFiles = true,
    includeDirs = true,
    includeSymlinks = true,
    followSymlinks = false,
    canonicalize = true,
    skip,
  } = options;
  if (maxDepth < 0) return;
  const top = root instanceof URL ? fileURLToPath(root) : root;
  if (includeDirs && isWanted(top, options)) yield await entryOf(top);
  if (maxDepth < 1 || skip?.some((pattern) => top.match(pattern))) return;

  for await (const entry of Deno.readDir(top)) {
    let path = join(top, entry.name);
    let { isDirectory } = entry;
    if (entry.isSymlink) {
      if (!followSymlinks) {
        if (includeSymlinks && isWanted(path, options)) {
          yield { path, ...entry };
        }
        continue;
      }
      const target = await Deno.realPath(path);
      if (canonicalize) path = target;
      ({ isDirectory } = await Deno.lstat(target));
    }
    if (isDirectory) {
      yield* walk(path, { ...options, maxDepth: maxDepth - 1 });
    } else if (includeFiles && isWanted(path, options)) {
      yield { path, ...entry };
    }
  }
}

function isWanted(path: string, { exts, match, skip }: WalkOptions): boolean {
  const hasExt = (ext: string) =>
    path.endsWith(ext.startsWith(".") ? ext : `.${ext}`);
  return (exts?.some(hasExt) ?? true) &&
    (match?.some((pattern) => path.match(pattern)) ?? true) &&
    !skip?.some((pattern) => path.match(pattern));
}

async function entryOf(dir: string): Promise<WalkEntry> {
  const path = normalize(dir);
  const { isFile, isDirectory, isSymlink } = await Deno.stat(path);
  return { path, name: basename(path), isFile, isDirectory, isSymlink };
}

function mayRead({ mode, uid, gid }: Deno.FileInfo): boolean {
  if (mode === null) return true;
  const bit = Deno.uid() === uid ? 0o400 : Deno.gid() === gid ? 0o040 : 0o004;
  return (mode & bit) === bit;
}
