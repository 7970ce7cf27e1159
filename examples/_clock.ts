/**
 * The time of day, driven by the loop: in virtual time it jumps with it.
 */
import { getRunningLoop, type Loop } from "@ilmek/async/loop";

/** What the time of day was when a loop's time was 0, in milliseconds. */
const origins = new WeakMap<Loop, number>();

/** The time of day as `HH:MM:SS`. */
export function clockText(): string {
  const loop = getRunningLoop();
  let origin = origins.get(loop);
  if (origin === undefined) {
    origin = Date.now() - loop.time();
    origins.set(loop, origin);
  }
  return new Date(origin + loop.time()).toTimeString().slice(0, 8);
}
