/**
 * A clock that a test moves by hand.
 *
 * @module
 */

import type { Clock, ClockClient } from "../../_internal/event_loop.ts";
import { EventLoop } from "../../_internal/event_loop.ts";

/** A clock that stands until it is moved, and counts what is asked of it. */
export class ManualClock implements Clock {
  readonly loop: EventLoop;
  time = 0;
  /** How many turns were asked for and have not come. */
  turns = 0;
  /** How often another timer has become the next one. */
  changes = 0;
  #client: ClockClient | undefined;

  constructor() {
    this.loop = new EventLoop(this);
  }

  attach(client: ClockClient): void {
    this.#client = client;
  }

  now(): number {
    return this.time;
  }

  requestTurn(): void {
    this.turns++;
  }

  requestFence(fn: () => void): void {
    setTimeout(fn, 0);
  }

  turnIsDue(): boolean {
    return true;
  }

  timersChanged(): void {
    this.changes++;
  }

  keepAlive(): () => void {
    return () => {};
  }

  beforeExit(): () => void {
    return () => {};
  }

  /** Lets a turn come. */
  turn(): void {
    this.turns--;
    this.#client?.runTurn();
  }

  /** Moves the time on, and runs the timers that are due then. */
  advance(ms: number): void {
    this.time += ms;
    this.#client?.runTimers();
  }
}
