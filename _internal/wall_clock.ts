/** Milliseconds since 1970, for what is written down; never for waits. */
// deno-lint-ignore ilmek/no-raw-time -- The one default of all `now` options.
export const wallClock: () => number = Date.now;
