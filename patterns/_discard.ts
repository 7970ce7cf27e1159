import type { EventLoop } from "../_internal/event_loop.ts";

/**
 * Gives up a result that nobody will look at: the body of a response holds a
 * connection until it is read or cancelled, and what is disposable is disposed.
 */
export function discard(value: unknown, loop: EventLoop): void {
  if (typeof value !== "object" || value === null) return;
  const report = (exception: unknown): void => {
    loop.report({ message: "Cannot discard a result", exception });
  };
  try {
    const done = discardObject(value);
    if (done instanceof Promise) done.catch(report);
  } catch (error) {
    report(error);
  }
}

function discardObject(value: object): unknown {
  if (Symbol.asyncDispose in value) {
    return (value as AsyncDisposable)[Symbol.asyncDispose]();
  }
  if (Symbol.dispose in value) return (value as Disposable)[Symbol.dispose]();
  if (!(value instanceof Response) || value.bodyUsed) return undefined;
  if (value.body === null || value.body.locked) return undefined;
  return value.body.cancel();
}
