import { assertEquals } from "@std/assert";
import { PriorityLine } from "../../_internal/priority_line.ts";

class Node {
  prev: Node | undefined = undefined;
  next: Node | undefined = undefined;
  readonly id: number;
  readonly priority: number;

  constructor(id: number, priority: number) {
    this.id = id;
    this.priority = priority;
  }
}

Deno.test("PriorityLine gives the highest priority first, and the first of equals", () => {
  const line = new PriorityLine<Node>();
  const nodes = [0, 2, 1, 2, -1, 0].map((priority, id) =>
    new Node(id, priority)
  );
  for (const node of nodes) line.push(node);

  assertEquals([...line].map(({ id }) => id), [1, 3, 2, 0, 5, 4]);
  assertEquals(line.size, 6);
  assertEquals(line.shift()?.id, 1);
});

Deno.test("PriorityLine.unshift() puts back in front of equals only", () => {
  const line = new PriorityLine<Node>();
  line.push(new Node(1, 0));
  line.push(new Node(2, 1));

  line.unshift(new Node(3, 0));

  assertEquals([...line].map(({ id }) => id), [2, 3, 1]);
});

Deno.test("PriorityLine agrees with a sorted array", () => {
  const seed = 20261125;
  let state = seed;
  const draw = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % limit;
  };
  const line = new PriorityLine<Node>();
  let model: Node[] = [];

  for (let id = 0; id < 3000; id++) {
    const move = draw(4);
    if (move < 2) {
      const node = new Node(id, draw(5));
      line.push(node);
      model.push(node);
      model.sort((a, b) => b.priority - a.priority);
    } else if (move === 2) {
      assertEquals(line.shift(), model.shift(), `seed ${seed}, step ${id}`);
    } else if (model.length > 0) {
      const node = model[draw(model.length)] as Node;
      line.remove(node);
      model = model.filter((other) => other !== node);
    }
    assertEquals(line.size, model.length, `seed ${seed}, step ${id}`);
  }
  assertEquals([...line].map(({ id }) => id), model.map(({ id }) => id));
});
