import { EventLoop } from "./event_loop.ts";
import { SystemClock } from "./system_clock.ts";

let makeLoop = (): EventLoop => new EventLoop(new SystemClock());

/** A new loop, as the policy in force makes it. */
export function newEventLoop(): EventLoop {
  return makeLoop();
}

/** Replaces how new loops are made; gives back what was in force. */
export function setLoopMaker(make: () => EventLoop): () => EventLoop {
  const before = makeLoop;
  makeLoop = make;
  return before;
}
