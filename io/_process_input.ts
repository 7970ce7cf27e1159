import { abortable } from "../primitives/checkpoint.ts";

/** What a child process can be given to read. */
export type ProcessInput =
  | string
  | Uint8Array
  | AsyncIterable<string | Uint8Array>
  | ReadableStream<string | Uint8Array>;

/**
 * Writes `input` to the child, and closes its stdin.
 *
 * A child that reads no further is no error: the rest is dropped, and the source
 * closed.
 */
export async function feed(
  sink: WritableStream<Uint8Array<ArrayBuffer>>,
  input: ProcessInput,
): Promise<void> {
  const writer = sink.getWriter();
  try {
    for await (const bytes of piecesOf(input)) {
      if (!await isWritten(writer, bytes)) return;
    }
    await writer.close().catch(() => {});
  } catch (error) {
    // It ends with the write under way: with who has inherited stdin, at worst.
    writer.abort(error).catch(() => {});
    throw error;
  }
}

async function isWritten(
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const written = writer.write(bytes).then(() => true, () => false);
  return await abortable(written);
}

async function* piecesOf(
  input: ProcessInput,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const encoder = new TextEncoder();
  if (typeof input === "string") yield encoder.encode(input);
  else if (input instanceof Uint8Array) yield new Uint8Array(input);
  else {
    const iterator = input[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await abortable(iterator.next());
        if (done) return;
        yield typeof value === "string"
          ? encoder.encode(value)
          : new Uint8Array(value);
      }
    } finally {
      // A source that is stuck must not keep anybody waiting.
      iterator.return?.().catch(() => {});
    }
  }
}
