/** Gives what `receive` gives, until it fails in a way that means the end. */
export async function* itemsUntil<T>(
  receive: () => Promise<T>,
  isEnd: (error: unknown) => boolean,
): AsyncGenerator<T, void, void> {
  for (;;) {
    let item: T;
    try {
      item = await receive();
    } catch (error) {
      if (isEnd(error)) return;
      throw error;
    }
    yield item;
  }
}
