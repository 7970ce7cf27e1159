import { InvalidStateError } from "../_internal/errors.ts";
import { enclosingFrame } from "../_internal/frame.ts";

/** Throws inside of a run: what makes runs of its own is called from a plain test. */
export function checkOutside(doing: string): void {
  const frame = enclosingFrame();
  if (frame === undefined || frame.loop.running === 0) return;
  throw new InvalidStateError(
    `Cannot ${doing} inside of a run: call it from a plain test`,
  );
}
