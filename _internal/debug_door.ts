import type { Door, EventLoop } from "./event_loop.ts";
import type { Job } from "./job.ts";
import { Ring } from "./ring.ts";

/**
 * The door of debug mode: one job at a time, each until all that it set going has
 * come to rest, so that what holds the loop can be told by name.
 */
class DebugDoor implements Door {
  readonly #loop: EventLoop;
  readonly #ready = new Ring<Job>();
  #busy = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  push(job: Job): void {
    this.#ready.push(job);
    if (this.#busy) return;
    this.#busy = true;
    this.#loop.clock.requestFence(() => this.#step());
  }

  pass<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  #step(): void {
    const job = this.#ready.shift();
    if (job === undefined) {
      this.#busy = false;
      return;
    }
    const { clock } = this.#loop;
    const start = clock.now();
    job.run();
    clock.requestFence(() => {
      const ms = Math.round(clock.now() - start);
      if (ms >= this.#loop.slowCallbackMs) {
        this.#loop.report({
          message: `Held the loop for ${ms} ms: ${job.label}`,
        });
      }
      this.#step();
    });
  }
}

/** Switches debug mode. Jobs that the door has taken are still run by it. */
export function setDebug(loop: EventLoop, state: "on" | "off"): void {
  loop.debug = state === "on";
  // Virtual time moves inside of a step only if the step says so.
  if (loop.observer !== undefined) return;
  if (loop.debug) loop.door ??= new DebugDoor(loop);
  else if (loop.door instanceof DebugDoor) loop.door = undefined;
}
