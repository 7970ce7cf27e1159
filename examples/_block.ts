/**
 * Blocking the thread, which is what the other programs avoid.
 */

/** Holds the whole thread for `ms` milliseconds: nothing else runs. */
export type Block = (ms: number) => void;

/** Blocks the thread in real time. In virtual time pass `VirtualLoop.advance`. */
export function blockThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
