import { isCancelled } from "../primitives/errors.ts";

/** What was tried with which file. */
export interface FileErrorOptions extends ErrorOptions {
  /** The path. */
  readonly path: string;
  /** The code of the system, such as `"ENOENT"`. */
  readonly code?: string | undefined;
}

/** Thrown if something cannot be done with a file; the system's error is its cause. */
export class FileError extends Error {
  static {
    this.prototype.name = "FileError";
  }
  /** The path. */
  readonly path: string;
  /** The code of the system, such as `"EIO"`, if there is one. */
  readonly code: string | undefined;

  /** Creates the error with a message. */
  constructor(message: string, options: FileErrorOptions) {
    const { path, code, ...rest } = options;
    super(message, rest);
    this.path = path;
    this.code = code;
  }
}

/** Thrown if there is no such file, or a folder on its path is missing. */
export class FileNotFoundError extends FileError {
  static {
    this.prototype.name = "FileNotFoundError";
  }
}

/** Thrown if a file must be new, and is there. */
export class FileExistsError extends FileError {
  static {
    this.prototype.name = "FileExistsError";
  }
}

/**
 * Thrown if the system does not allow it. A permission that Deno itself was not
 * given comes as `Deno.errors.NotCapable`, as everywhere.
 */
export class FileAccessError extends FileError {
  static {
    this.prototype.name = "FileAccessError";
  }
}

/** Thrown if the disk is full, or a quota or a limit of size is reached. */
export class DiskFullError extends FileError {
  static {
    this.prototype.name = "DiskFullError";
  }
}

/** Thrown if a file is a folder, or a folder is a file. */
export class FileKindError extends FileError {
  static {
    this.prototype.name = "FileKindError";
  }
}

/** Thrown if a file was closed: by a call, or with the scope that opened it. */
export class FileClosedError extends FileError {
  static {
    this.prototype.name = "FileClosedError";
  }
}

type ErrorOf = new (message: string, options: FileErrorOptions) => FileError;

/** The errors of the system: as Deno calls them, or by number if it does not. */
const KINDS: readonly (readonly [string, string, string, ErrorOf])[] = [
  ["NotFound", "", "it is not there", FileNotFoundError],
  ["AlreadyExists", "", "it is there already", FileExistsError],
  ["PermissionDenied", "", "the system does not allow it", FileAccessError],
  [
    "ReadOnlyFilesystem",
    "30",
    "its file system can only be read",
    FileAccessError,
  ],
  ["StorageFull", "28", "the disk is full", DiskFullError],
  ["QuotaExceeded", "122", "a quota is used up", DiskFullError],
  ["FileTooLarge", "27", "a limit of size is reached", DiskFullError],
  ["IsADirectory", "", "it is a folder", FileKindError],
  ["NotADirectory", "", "a part of its path is no folder", FileKindError],
];

/**
 * What the library throws for an error of the system. What is none stays as it is.
 *
 * @param doing What was tried, as in "Cannot read".
 */
export function fileErrorOf(
  error: unknown,
  doing: string,
  path: string,
): unknown {
  if (!(error instanceof Error) || error instanceof FileError) return error;
  if (isCancelled(error) || error instanceof Deno.errors.NotCapable) {
    return error;
  }
  const [, number = ""] = /\(os error (\d+)\)/.exec(error.message) ?? [];
  const found = KINDS.find(([name, known]) =>
    error.name === name || (known !== "" && known === number)
  );
  if (found === undefined && number === "") return error;
  const [, , why, Kind] = found ?? ["", "", error.message, FileError];
  return new Kind(`Cannot ${doing} ${JSON.stringify(path)}: ${why}`, {
    path,
    code: codeOf(error),
    cause: error,
  });
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}
