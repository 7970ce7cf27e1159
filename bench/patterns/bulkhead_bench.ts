/**
 * What a bulkhead costs: with a slot free, and with calls that wait for one.
 *
 * @module
 */
import { AdaptiveBulkhead } from "@ilmek/async/adaptive-bulkhead";
import { Bulkhead } from "@ilmek/async/bulkhead";
import { withTenant } from "@ilmek/async/call-priority";
import { bulkhead } from "cockatiel";
import { type Case, type Question, registerBenches } from "../question.ts";

const CALLS = 1000;
const SLOTS = 10;
const TENANTS = 10;

const quick = (): Promise<number> => Promise.resolve(1);

const fixed = new Bulkhead({ slots: SLOTS });
const adaptive = new AdaptiveBulkhead({ initial: SLOTS });
const cockatiel = bulkhead(SLOTS, 0);

/** Makes calls one after another. */
function sequence(
  name: string,
  kind: Case["kind"],
  call: () => Promise<number>,
): Case {
  return {
    name,
    kind,
    run: async (items) => {
      for (let i = 0; i < items; i++) await call();
    },
  };
}

/** Makes calls all at once: all but a few wait. */
async function crowd(
  items: number,
  call: (i: number) => Promise<number>,
): Promise<void> {
  await Promise.all(Array.from({ length: items }, (_, i) => call(i)));
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  free: {
    kind: "speed",
    group: "with a slot free",
    items: CALLS,
    cases: [
      sequence("await fn()", "limit", async () => await quick()),
      sequence("Bulkhead.run()", "ours", () => fixed.run(quick)),
      sequence("cockatiel", "peer", () => cockatiel.execute(quick)),
    ],
  },

  adaptive: {
    kind: "speed",
    group: "adaptive, with a slot free",
    items: CALLS,
    cases: [
      sequence("await fn()", "limit", async () => await quick()),
      sequence("AdaptiveBulkhead.run()", "ours", () => adaptive.run(quick)),
    ],
  },

  waitersGrowth: {
    kind: "growth",
    group: "calls that wait for a slot",
    cases: [{
      name: "Bulkhead",
      kind: "ours",
      run: (items) => {
        const door = new Bulkhead({ slots: SLOTS, maxQueue: Infinity });
        return crowd(items, () => door.run(quick));
      },
    }],
  },

  tenantsGrowth: {
    kind: "growth",
    group: "calls of several tenants that wait for a slot",
    cases: [{
      name: "Bulkhead",
      kind: "ours",
      run: (items) => {
        const door = new Bulkhead({ slots: SLOTS, maxQueue: Infinity });
        return crowd(
          items,
          (i) => withTenant(i % TENANTS, () => door.run(quick)),
        );
      },
    }],
  },
};

registerBenches(questions);
