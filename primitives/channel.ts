/**
 * Channels: a queue with two ends, each of which can be given away and closed.
 *
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { createTask } from "@ilmek/async/task";
 *
 * const [sender, receiver] = channel<number>({ capacity: 8 });
 * createTask(async () => {
 *   using end = sender;
 *   for (const item of [1, 2, 3]) await end.send(item);
 * });
 * for await (const item of receiver) console.log(item);
 * ```
 *
 * @module
 */
import { checkChoice, checkCount, checkFunction } from "../_internal/check.ts";
import { ChannelCore, type ChannelOverflow } from "./_channel_core.ts";
import { ChannelReceiver } from "./_channel_receiver.ts";
import { ChannelSender } from "./_channel_sender.ts";

export type { Operation } from "../_internal/operation.ts";
export type { ChannelOverflow } from "./_channel_core.ts";
export * from "./_channel_errors.ts";
export { ChannelReceiver } from "./_channel_receiver.ts";
export {
  ChannelSender,
  ChannelSlot,
  type ChannelWaitOptions,
} from "./_channel_sender.ts";

/** Options of {@linkcode channel}. */
export interface ChannelOptions<T> {
  /** How many items fit. With 0 a sender waits until its item is taken. */
  capacity: number;
  /**
   * What becomes of an item for which there is no room. A channel that keeps only
   * the latest value has capacity 1 and `"drop-oldest"`.
   *
   * @default {"suspend"}
   */
  overflow?: ChannelOverflow;
  /**
   * Called once with each item that was sent and will never be received: one that
   * was dropped, or is left when the last receiver is closed.
   */
  onUndelivered?: (item: T) => void;
}

const OVERFLOWS: readonly unknown[] = [
  "suspend",
  "drop-oldest",
  "drop-newest",
  "error",
];

/**
 * Makes a channel.
 *
 * @typeParam T The type of the items. Promises and tasks are refused.
 * @param options Additional options; `capacity` is required.
 * @returns The two ends.
 * @throws {RangeError} If `capacity` is not an integer >= 0.
 * @throws {TypeError} If `overflow` is unknown.
 *
 * @example Keep only the latest value
 * ```ts
 * import { channel } from "@ilmek/async/channel";
 * import { assertEquals } from "@std/assert";
 *
 * const [sender, receiver] = channel<number>({
 *   capacity: 1,
 *   overflow: "drop-oldest",
 * });
 * for (const reading of [20, 21, 22]) await sender.send(reading);
 *
 * assertEquals(await receiver.receive(), 22);
 * ```
 */
export function channel<T>(
  options: ChannelOptions<T>,
): [sender: ChannelSender<T>, receiver: ChannelReceiver<T>] {
  const { capacity, overflow = "suspend", onUndelivered } = options;
  checkCount(capacity, "create a channel", "capacity", 0);
  checkChoice(overflow, "create a channel", "overflow", OVERFLOWS);
  if (onUndelivered !== undefined) {
    checkFunction(onUndelivered, "create a channel", "onUndelivered");
  }
  const core = new ChannelCore<T>({ capacity, overflow, onUndelivered });
  return [new ChannelSender(core), new ChannelReceiver(core)];
}
