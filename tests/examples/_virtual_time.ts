/**
 * Makes a program run in virtual time, from outside: `deno run --preload=...`.
 */
import { type Loop, setLoopPolicy } from "@ilmek/async/loop";
import { VirtualLoop } from "@ilmek/async/virtual";

let virtual = new VirtualLoop();

setLoopPolicy((): Loop => {
  virtual = new VirtualLoop();
  return virtual.loop;
});

Atomics.wait = (_array: unknown, _index: unknown, _value: unknown, ms = 0) => {
  virtual.advance(ms);
  return "timed-out" as const;
};
