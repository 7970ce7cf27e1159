/**
 * What a loop can run.
 *
 * - `wake`: a caller resumes; a loop that explores may choose any of them next.
 * - `deferred`: starts of tasks and done callbacks, first come, first served.
 * - `turn`: `callSoon`, `sleep(0)` and due timers, first come, first served.
 */
export type JobKind = "wake" | "deferred" | "turn";

/** One step of the machinery. It never throws. */
export interface Job {
  readonly kind: JobKind;
  /** What runs, for reports. */
  readonly label: string;
  run(): void;
}
