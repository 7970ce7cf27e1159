/**
 * Reads the syntax trees of `deno lint`.
 *
 * @module
 */

type Node = Deno.lint.Node;
type Visitor = Deno.lint.LintVisitor;

/** Visits all that names another module: imports, exports and types. */
export function visitImports(
  visit: (node: Node, specifier: string) => void,
): Visitor {
  const visitSource = (
    node:
      | Deno.lint.ExportAllDeclaration
      | Deno.lint.ExportNamedDeclaration
      | Deno.lint.ImportDeclaration
      | Deno.lint.ImportExpression,
  ) => {
    const { source } = node;
    if (source?.type === "Literal" && typeof source.value === "string") {
      visit(source, source.value);
    }
  };
  return {
    ExportAllDeclaration: visitSource,
    ExportNamedDeclaration: visitSource,
    ImportDeclaration: visitSource,
    ImportExpression: visitSource,
  };
}

/** Makes one visitor of several, which may visit the same nodes. */
export function mergeVisitors(...visitors: Visitor[]): Visitor {
  const merged: Record<string, (node: Node) => void> = {};
  for (const [type, visit] of visitors.flatMap(Object.entries)) {
    const earlier = merged[type];
    merged[type] = (node) => {
      earlier?.(node);
      visit(node);
    };
  }
  return merged;
}

/** `c` of `a.b.c`, and `c` of `c`. */
export function lastName(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type !== "MemberExpression" || node.computed) return undefined;
  return lastName(node.property);
}

/** `a.b` of `a.b` and of `globalThis.a.b`. */
export function globalName(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type !== "MemberExpression" || node.computed) return undefined;
  const member = lastName(node.property);
  return isGlobalThis(node.object)
    ? member
    : `${globalName(node.object)}.${member}`;
}

function isGlobalThis(node: Node): boolean {
  return node.type === "Identifier" && node.name === "globalThis";
}

/** Whether a name stands for a global value, and not for a member or a type. */
export function isGlobal(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "TSTypeQuery" || parent.type === "ImportSpecifier") {
    return false;
  }
  if (parent.type === "MemberExpression") {
    return parent.computed || parent.object === node ||
      isGlobalThis(parent.object);
  }
  const { key, computed } = parent as { key?: Node; computed?: boolean };
  const isKey = key === node && !computed;
  if (parent.type === "Property" && parent.parent.type === "ObjectPattern") {
    const { parent: owner } = parent.parent;
    return isKey && owner.type === "VariableDeclarator" &&
      owner.init !== null && isGlobalThis(owner.init);
  }
  return !isKey;
}
