/**
 * The documents of the flaky server: each is made anew from its number, and is the
 * same every time.
 */

const SUBJECTS = [
  "A queue",
  "A deadline",
  "The event loop",
  "A semaphore",
  "Back-pressure",
  "A circuit breaker",
  "The scheduler",
  "A retry",
];
const VERBS = ["waits for", "protects", "wakes", "outlives", "meets", "trusts"];
const OBJECTS = ["a slow server", "its caller", "the last task", "a full line"];

/** The paths of the first `count` documents, below the address of the server. */
export function documentPaths(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `documents/${i + 1}`);
}

/** The text of a document. */
export function documentText(number: number): string {
  const random = randomOf(number);
  const pick = (words: readonly string[]): string =>
    words[Math.floor(random() * words.length)] ?? "";
  const sentence = (): string =>
    `${pick(SUBJECTS)} ${pick(VERBS)} ${pick(OBJECTS)}.`;
  return JSON.stringify({
    id: number,
    title: sentence().slice(0, -1),
    score: Math.round(random() * 1000) / 10,
    paragraphs: Array.from(
      { length: 1 + Math.floor(random() * 5) },
      () => Array.from({ length: 3 }, sentence).join(" "),
    ),
  });
}

/** Numbers from 0 up to 1 that follow from a seed: the generator "mulberry32". */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
