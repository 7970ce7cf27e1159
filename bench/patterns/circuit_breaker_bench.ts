/**
 * What a circuit breaker costs while all is well.
 *
 * @module
 */
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { circuitBreaker, ConsecutiveBreaker, handleAll } from "cockatiel";
import Opossum from "opossum";
import { type Question, registerBenches } from "../question.ts";

const CALLS = 1000;

const quick = (): Promise<number> => Promise.resolve(1);

const breaker = new CircuitBreaker();
const cockatiel = circuitBreaker(handleAll, {
  halfOpenAfter: 1000,
  breaker: new ConsecutiveBreaker(5),
});
/** Its timers would keep the process: it is made for the calls that are measured. */
const withOpossum = async (items: number): Promise<void> => {
  const opossum = new Opossum(quick, { timeout: false });
  for (let i = 0; i < items; i++) await opossum.fire();
  opossum.shutdown();
};

/** The questions, by name. */
export const questions: Record<string, Question> = {
  closed: {
    kind: "speed",
    group: "closed",
    items: CALLS,
    cases: [
      {
        name: "await fn()",
        kind: "limit",
        run: async (items) => {
          for (let i = 0; i < items; i++) await awaited(quick);
        },
      },
      {
        name: "CircuitBreaker.run()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await breaker.run(quick);
        },
      },
      {
        name: "cockatiel",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await cockatiel.execute(quick);
        },
      },
      { name: "opossum", kind: "peer", run: withOpossum },
    ],
  },
};

/** The least that calls a function and may look at how it ends. */
async function awaited<T>(fn: () => Promise<T>): Promise<T> {
  return await fn();
}

registerBenches(questions);
