/**
 * The locks that are held by way of one file.
 *
 * For the system they are one lock, which it gives to the same file as often as it
 * is asked to, and takes back at once.
 */
export class FileLocks {
  #count = 0;
  #isExclusive = false;

  /** Takes a lock; `false` if another stands in the way. */
  async take(native: Deno.FsFile, exclusive: boolean): Promise<boolean> {
    if (this.#count > 0 && (exclusive || this.#isExclusive)) return false;
    if (this.#count === 0 && !await native.tryLock(exclusive)) return false;
    this.#isExclusive = exclusive;
    this.#count++;
    return true;
  }

  /** Gives one back. */
  async give(native: Deno.FsFile): Promise<void> {
    if (--this.#count === 0) await native.unlock();
  }
}
