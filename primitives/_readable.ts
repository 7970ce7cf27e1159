import { currentFrame, runIn } from "../_internal/frame.ts";

/** A stream of what an iterator gives, for a reader who asks item by item. */
export function toReadable<T>(
  run: AsyncIteratorObject<T, undefined>,
): ReadableStream<T> {
  // A stream calls back in the context of whoever reads, or in none.
  const frame = currentFrame();
  return new ReadableStream<T>({
    pull: (controller) =>
      runIn(frame, async () => {
        const { done, value } = await run.next();
        if (done) controller.close();
        else controller.enqueue(value);
      }),
    cancel: () =>
      runIn(frame, async () => {
        await run.return?.();
      }),
  }, { highWaterMark: 0 });
}
