/**
 * What goes on after a response was handed over, such as a WebSocket: until then the
 * request counts as one at work.
 */
export const workAfterAnswer: WeakMap<Response, PromiseLike<void>> =
  new WeakMap();
