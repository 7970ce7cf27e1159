import { checkChoice, checkFunction, show, toMs } from "../_internal/check.ts";
import { Event } from "../primitives/event.ts";
import type { ServicePlan, ServiceRun } from "./_service_run.ts";
import type { Service, ServiceState } from "./_service_types.ts";

/** What a supervisor is about to do when it finds wrong services or options. */
export const DOING = "create a supervisor";
const READINESS = ["started", "told"];
const RESTARTS = ["permanent", "transient", "temporary"];

/** A service and its runs. */
export interface Child {
  readonly plan: ServicePlan;
  readonly dependsOn: readonly Child[];
  readonly dependents: Child[];
  /** How many services stand below it, one upon the other. */
  level: number;
  run: ServiceRun | undefined;
  state: ServiceState;
  /** Set while those that depend on it can be started. */
  readonly usable: Event;
  attempts: number;
  /** How often in a row it has failed before it was stable. */
  failures: number;
}

/** Checks services, and finds out who depends on whom. */
export function childrenOf(services: readonly Service[]): Child[] {
  const byName = new Map<string, Child & { dependsOn: Child[] }>();
  for (const service of services) {
    const plan = planOf(service);
    if (byName.has(plan.name)) {
      throw new TypeError(
        `Cannot ${DOING} as each service must have a name of its own: "${plan.name}" is there twice`,
      );
    }
    byName.set(plan.name, {
      plan,
      dependsOn: [],
      dependents: [],
      level: 0,
      run: undefined,
      state: "waiting",
      usable: new Event(),
      attempts: 0,
      failures: 0,
    });
  }
  for (const child of byName.values()) {
    for (const name of child.plan.service.dependsOn ?? []) {
      const other = byName.get(name);
      if (other === undefined) {
        throw new TypeError(
          `Cannot ${DOING}: service "${child.plan.name}" depends on "${name}", which is not there`,
        );
      }
      child.dependsOn.push(other);
      other.dependents.push(child);
    }
  }
  const children = [...byName.values()];
  checkCircles(children);
  return children;
}

function checkCircles(children: readonly Child[]): void {
  const done = new Set<Child>();
  const visit = (child: Child, trail: readonly Child[]): void => {
    if (trail.includes(child)) {
      const names = [...trail.slice(trail.indexOf(child)), child]
        .map(({ plan }) => `"${plan.name}"`);
      throw new TypeError(
        `Cannot ${DOING}: services depend on each other: ${names.join(" > ")}`,
      );
    }
    if (done.has(child)) return;
    for (const other of child.dependsOn) {
      visit(other, [...trail, child]);
      child.level = Math.max(child.level, other.level + 1);
    }
    done.add(child);
  };
  for (const child of children) visit(child, []);
}

function planOf(service: Service): ServicePlan {
  const { name, run, readiness = "started", restart = "permanent" } = service ??
    {};
  const { startMs = 30_000, shutdownMs = 5000, heartbeatMs = Infinity } =
    service ?? {};
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `Cannot ${DOING} as "name" of a service must be a string: current value is ${
        show(name)
      }`,
    );
  }
  checkFunction(run, DOING, "run");
  checkChoice(readiness, DOING, "readiness", READINESS);
  checkChoice(restart, DOING, "restart", RESTARTS);
  return {
    name,
    service,
    readiness,
    startMs: toMs(startMs, DOING, "startMs"),
    shutdownMs: toMs(shutdownMs, DOING, "shutdownMs"),
    heartbeatMs: toMs(heartbeatMs, DOING, "heartbeatMs"),
  };
}
