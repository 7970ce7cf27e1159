import type { WireValue } from "./_wire_error.ts";
import type { WorkerTarget } from "./_worker_messages.ts";

/** How many calls a thread can hold: the one that runs, and those behind it. */
export const SLOTS = 64;

/**
 * What a slot in shared memory says. Whoever moves it away from `WAITING` decides
 * whether the call runs: the thread to begin it, the pool to take it back.
 */
export const WAITING = 0;
export const RUNNING = 1;
export const TAKEN_BACK = 2;

/**
 * One call on its way to a thread: its slot, the number of its target, the
 * arguments, and what the number means, if the thread has not been told. A list is
 * quicker to send than an object.
 */
export type PoolCallMessage = readonly [
  slot: number,
  target: number,
  args: readonly unknown[],
  define?: WorkerTarget,
];

/** What the pool sends to a thread. */
export type PoolRequest =
  | {
    readonly kind: "boot";
    /** A state for each slot, then a number for each that is 1 once it is to end. */
    readonly flags: SharedArrayBuffer;
    readonly preload: readonly string[];
    readonly tellsHeap: boolean;
    readonly debug: boolean;
  }
  | readonly PoolCallMessage[]
  | { readonly kind: "cancel"; readonly slot: number }
  | { readonly kind: "ping" };

/**
 * What a thread tells of a call that has ended: its slot, how long it took in
 * milliseconds, and the size of the thread's heap, if the pool wants to know.
 */
export type PoolCallEnd = readonly [slot: number, ms: number, heap: number];

/** What a thread sends back. */
export type PoolAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "unready"; readonly error: WireValue }
  | readonly [value: unknown, ...PoolCallEnd]
  | {
    readonly kind: "error";
    readonly error: WireValue;
    readonly end: PoolCallEnd;
  }
  /** The call was taken back before it began. */
  | { readonly kind: "skipped"; readonly slot: number }
  /** The request to end has been seen: the thread does not spin. */
  | { readonly kind: "ending"; readonly slot: number }
  /** The thread is about to end by itself. */
  | { readonly kind: "closing"; readonly by: string }
  | { readonly kind: "pong" };
