import { assertEquals, assertStrictEquals } from "@std/assert";
import { LinkedList } from "../../_internal/linked_list.ts";

/** A member with a name. */
class Member {
  prev: Member | undefined = undefined;
  next: Member | undefined = undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** The names in a list, forwards; checks that backwards is the same. */
function namesOf(list: LinkedList<Member>): string {
  let forwards = "";
  for (let m = list.head; m !== undefined; m = m.next) forwards += m.name;
  let backwards = "";
  for (let m = list.tail; m !== undefined; m = m.prev) {
    backwards = m.name + backwards;
  }
  assertEquals(backwards, forwards);
  assertEquals(list.size, forwards.length);
  return forwards;
}

/** A list of members with these names. */
function listOf(names: string): [LinkedList<Member>, ...Member[]] {
  const list = new LinkedList<Member>();
  const members = [...names].map((name) => new Member(name));
  for (const member of members) list.push(member);
  return [list, ...members];
}

Deno.test("LinkedList.push() and shift() are first in, first out", () => {
  const [list, a, b] = listOf("ab");

  assertStrictEquals(list.shift(), a);
  assertStrictEquals(list.shift(), b);
  assertEquals([list.shift(), list.head, list.tail], [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("LinkedList.remove() takes out head, middle and tail", () => {
  const [list, a, b, c, d] = listOf("abcd") as [
    LinkedList<Member>,
    Member,
    Member,
    Member,
    Member,
  ];

  list.remove(b);
  assertEquals(namesOf(list), "acd");
  list.remove(a);
  assertEquals(namesOf(list), "cd");
  list.remove(d);
  assertEquals(namesOf(list), "c");
  list.remove(c);
  assertEquals(namesOf(list), "");
  assertEquals([b.prev, b.next], [undefined, undefined]);
});

Deno.test("LinkedList.remove() lets a member be put in again", () => {
  const [list, a] = listOf("ab") as [LinkedList<Member>, Member];

  list.remove(a);
  list.push(a);

  assertEquals(namesOf(list), "ba");
});

Deno.test("LinkedList.insertAfter() puts a member anywhere", () => {
  const [list, a, b] = listOf("ab");

  list.insertAfter(a, new Member("c"));
  list.insertAfter(b, new Member("d"));
  list.insertAfter(undefined, new Member("e"));

  assertEquals(namesOf(list), "eacbd");
});

Deno.test("LinkedList.insertAfter() fills an empty list", () => {
  const list = new LinkedList<Member>();

  list.insertAfter(undefined, new Member("a"));

  assertEquals(namesOf(list), "a");
});
