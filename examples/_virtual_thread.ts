/**
 * What runs in the thread of `06_event_loop.ts`, on a loop in virtual time.
 */
import { setLoopPolicy } from "@ilmek/async/loop";
import { VirtualLoop } from "@ilmek/async/virtual";

export { asyncTaskInThread } from "./06_event_loop.ts";

// The thread makes its loop when it has imported this.
setLoopPolicy(() => new VirtualLoop().loop);
