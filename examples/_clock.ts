/**
 * The time of day, driven by the loop: in virtual time it jumps with it.
 */
import { getRunningLoop, type Loop } from "@ilmek/async/loop";

/** What the time of day was when a loop's time was 0, in milliseconds. */
const origins = new WeakMap<Loop, number>();

/** The time of day as `HH:MM:SS`. */
export function clockText(): string {
  return now().toTimeString().slice(0, 8);
}

/** Day and time as `YYYY-MM-DD HH:MM:SS,mmm`. */
export function timestampText(): string {
  const date = now();
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const time = date.toTimeString().slice(0, 8);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${day.map(two).join("-")} ${time},${ms}`;
}

function now(): Date {
  const loop = getRunningLoop();
  let origin = origins.get(loop);
  if (origin === undefined) {
    origin = Date.now() - loop.time();
    origins.set(loop, origin);
  }
  return new Date(origin + loop.time());
}
