import { show } from "../_internal/check.ts";
import { type Opener, openPull, type PullSource } from "./_pull.ts";

type Reader = (source: unknown) => Opener | undefined;
const readers: Reader[] = [];

/** Tells {@linkcode openerOf} how to pull from one more class. */
export function registerOpener(reader: Reader): void {
  readers.push(reader);
}

/** How to pull from a source, which is checked at once. */
export function openerOf(source: unknown, doing: string): Opener {
  for (const reader of readers) {
    const open = reader(source);
    if (open !== undefined) return open;
  }
  if (typeof source === "function") {
    return () => openerOf(source(), doing)();
  }
  if (isIterable(source)) return () => openPull(Object(source));
  throw new TypeError(
    `Cannot ${doing} as "source" must be iterable: current value is ${
      show(source)
    }`,
  );
}

function isIterable(source: unknown): source is PullSource {
  if (source === undefined || source === null) return false;
  if (source instanceof ReadableStream) return true;
  const iterable = source as Partial<AsyncIterable<unknown>>;
  if (typeof iterable[Symbol.asyncIterator] === "function") return true;
  const { [Symbol.iterator]: open } = source as Partial<Iterable<unknown>>;
  return typeof open === "function";
}
