import type { Actor } from "./actor.ts";
import type { ScopeNode } from "./scope_node.ts";

/**
 * What keeps a scope from its end, in words: what is waited for in it, and the tasks
 * that go on without a wait of the loop.
 */
export function waitsIn(scope: ScopeNode): string[] {
  const lines: string[] = [];
  const actors = new Set<Actor>();
  const parked = new Set<Actor>();
  for (const node of [scope, ...scope.descendants()]) {
    if (node.owner !== undefined) actors.add(node.owner);
    for (const { label, frame } of node.claims()) {
      lines.push(label);
      if (frame.actor !== undefined) parked.add(frame.actor);
    }
  }
  for (const actor of actors) {
    if (parked.has(actor) || actor.state === "ended") continue;
    lines.push(`${actor.label} awaits something that the loop cannot see`);
  }
  return lines;
}
