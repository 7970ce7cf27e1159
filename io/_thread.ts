/** What a thread of ours knows of itself; in the main thread nothing is set. */
export const thread: {
  /** One number, which is 1 once the work of the thread is to end. */
  flag: Int32Array | undefined;
  /** What goes along with a result, instead of being copied. */
  readonly transfers: WeakMap<object, readonly Transferable[]>;
} = { flag: undefined, transfers: new WeakMap() };
