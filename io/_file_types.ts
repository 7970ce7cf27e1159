import type { Duration } from "../_internal/check.ts";

/**
 * How a file is opened, as in Python: `r` reads, `w` empties it first, `a` writes at
 * the end, `x` makes a new one; `+` both reads and writes. The modes `w`, `a` and `x`
 * make the file if it is not there.
 */
export type FileMode = "r" | "r+" | "w" | "w+" | "a" | "a+" | "x" | "x+";

/** Options of `openFile`. */
export interface OpenFileOptions {
  /**
   * The permission bits of a file that is made, less those of the umask.
   *
   * @default {0o666}
   */
  permissions?: number;
  /**
   * Whether text that is no valid UTF-8 is an error; otherwise U+FFFD stands for it.
   *
   * @default {true}
   */
  fatal?: boolean;
  /**
   * How many bytes a line may have, without its end.
   *
   * @default {16_777_216, which is 16 MiB}
   */
  maxLineBytes?: number;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of the waits of an `AsyncFile`. */
export interface FileWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `AsyncFile.seek`. */
export interface FileSeekOptions extends FileWaitOptions {
  /**
   * From where it counts.
   *
   * @default {"start"}
   */
  from?: "start" | "current" | "end";
}

/** Options of `AsyncFile.lock`. */
export interface FileLockOptions extends FileWaitOptions {
  /**
   * Whether nobody else may have a lock; otherwise others may share it.
   *
   * @default {true}
   */
  exclusive?: boolean;
  /**
   * How often it asks again while another has the lock.
   *
   * @default {20}
   */
  pollMs?: Duration;
}

/** A lock on a file, to be given back. */
export interface FileLock extends AsyncDisposable {
  /** Gives the lock back. Doing so twice does nothing. */
  unlock(): Promise<void>;
}

/** Options of `AsyncFile`. */
export interface AsyncFileOptions {
  /** What errors call the file. */
  path?: string | URL;
  /**
   * Whether text that is no valid UTF-8 is an error.
   *
   * @default {true}
   */
  fatal?: boolean;
  /**
   * How many bytes a line may have, without its end.
   *
   * @default {16_777_216, which is 16 MiB}
   */
  maxLineBytes?: number;
}
