/**
 * The house rules that `deno lint` does not know.
 *
 * @module
 */

import { basename, dirname, join, relative } from "node:path/posix";
import { fileURLToPath } from "node:url";
import {
  globalName,
  isGlobal,
  lastName,
  mergeVisitors,
  visitImports,
} from "./lint_ast.ts";

/** The files that may read clocks and set timers. */
const CLOCK_FILES = ["_internal/system_clock.ts"];

/** The files that may write to the console. */
const CONSOLE_FILES = ["_internal/report.ts"];

/** The chapters of the library, and whom each may import. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  _internal: ["_internal"],
  primitives: ["_internal", "primitives"],
  patterns: ["_internal", "primitives", "patterns"],
  io: ["_internal", "primitives", "patterns", "io"],
  testing: ["_internal", "primitives", "testing"],
};

/** The modules of Node that chapters outside of `io/` may import. */
const PORTABLE_MODULES = ["node:async_hooks"];
const TESTING_MODULES = [...PORTABLE_MODULES, "node:process"];

const TIMERS = ["setTimeout", "setInterval", "setImmediate"];
const CLOCKS = [
  "AbortSignal.timeout",
  "Date.now",
  "Math.random",
  "Temporal.Now",
  "performance.now",
];

const ROOT = fileURLToPath(new URL("..", import.meta.url));

type Context = Deno.lint.RuleContext;
type Node = Deno.lint.Node;
type Visitor = Deno.lint.LintVisitor;

const noAwaitCreateTask: Deno.lint.Rule = {
  create: (context) => ({
    AwaitExpression(node) {
      const { argument } = node;
      if (argument.type !== "CallExpression") return;
      if (lastName(argument.callee) !== "createTask") return;
      context.report({
        node,
        message: "A task that is awaited at once is a plain call",
        hint: "Write `await fn()`, or keep the task and await it later",
      });
    },
  }),
};

const noDenoOutsideIo: Deno.lint.Rule = {
  create(context) {
    const chapter = chapterOf(context);
    if (chapter === undefined || chapter === "io") return {};
    const modules = chapter === "testing" ? TESTING_MODULES : PORTABLE_MODULES;
    return {
      Identifier(node) {
        if (node.name !== "Deno" || !isGlobal(node)) return;
        context.report({
          node,
          message: `${chapter}/ must run without the \`Deno\` namespace`,
          hint: "Move what needs it to io/",
        });
      },
      ...visitImports((node, specifier) => {
        if (!specifier.startsWith("node:")) return;
        if (modules.includes(specifier)) return;
        context.report({
          node,
          message: `${chapter}/ may import from Node only ${
            modules.join(" and ")
          }`,
        });
      }),
    };
  },
};

const noRawTime: Deno.lint.Rule = {
  create(context) {
    if (chapterOf(context) === undefined) return {};
    const path = pathOf(context);
    const report = (node: Node, name: string) => {
      context.report({
        node,
        message: `\`${name}\` is out of bounds for library code`,
        hint: name === "console"
          ? "Report through the exception handler of the loop"
          : "Take time and timers from the loop, randomness from an option",
      });
    };
    const consoleOnly: Visitor = {
      Identifier(node) {
        if (node.name === "console" && isGlobal(node)) report(node, "console");
      },
    };
    const timeOnly: Visitor = {
      Identifier(node) {
        if (TIMERS.includes(node.name) && isGlobal(node)) {
          report(node, node.name);
        }
      },
      MemberExpression(node) {
        const name = globalName(node) ?? "";
        if (CLOCKS.includes(name)) report(node, name);
      },
      NewExpression(node) {
        if (globalName(node.callee) === "Date" && node.arguments.length === 0) {
          report(node, "new Date()");
        }
      },
      ...visitImports((node, specifier) => {
        if (/^node:(timers|perf_hooks)/.test(specifier)) {
          report(node, specifier);
        }
      }),
    };
    return mergeVisitors(
      CONSOLE_FILES.includes(path) ? {} : consoleOnly,
      CLOCK_FILES.includes(path) ? {} : timeOnly,
    );
  },
};

const noPlainError: Deno.lint.Rule = {
  create(context) {
    if (chapterOf(context) === undefined) return {};
    const check = (node: Node | null | undefined) => {
      if (node?.type !== "NewExpression" && node?.type !== "CallExpression") {
        return;
      }
      if (globalName(node.callee) !== "Error") return;
      context.report({
        node,
        message: "A plain `Error` cannot be told from others",
        hint: "Throw a built-in subclass, or one of our own with its data",
      });
    };
    return {
      ThrowStatement: (node) => check(node.argument),
      CallExpression(node) {
        if (lastName(node.callee) === "reject") check(node.arguments[0]);
      },
    };
  },
};

const noPrivateKeyword: Deno.lint.Rule = {
  create(context) {
    type Member =
      | Deno.lint.AccessorProperty
      | Deno.lint.MethodDefinition
      | Deno.lint.PropertyDefinition
      | Deno.lint.TSAbstractMethodDefinition
      | Deno.lint.TSAbstractPropertyDefinition;
    const check = (node: Member) => {
      const { accessibility, key } = node;
      const hidden = accessibility === "private" ||
        accessibility === "protected";
      const underscored = key.type === "Identifier" && key.name.startsWith("_");
      if (!hidden && !underscored) return;
      context.report({
        node: key,
        message: "A member that is not contract is `#private`",
        hint: "Write `#name`, which also holds at run time",
      });
    };
    return {
      AccessorProperty: check,
      MethodDefinition: check,
      PropertyDefinition: check,
      TSAbstractMethodDefinition: check,
      TSAbstractPropertyDefinition: check,
    };
  },
};

const noDefaultExport: Deno.lint.Rule = {
  create(context) {
    if (chapterOf(context) === undefined && pathOf(context) !== "mod.ts") {
      return {};
    }
    const report = (node: Node) => {
      context.report({ node, message: "A module has only named exports" });
    };
    return {
      ExportDefaultDeclaration: report,
      ExportSpecifier(node) {
        const { exported } = node;
        if (exported.type === "Identifier" && exported.name === "default") {
          report(node);
        }
      },
    };
  },
};

const importDirection: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    const chapter = chapterOf(context);
    return visitImports((node, specifier) => {
      const problem = importProblem(path, chapter, specifier);
      if (problem !== undefined) context.report({ node, message: problem });
    });
  },
};

const noNonNull: Deno.lint.Rule = {
  create(context) {
    const report = (node: Node) => {
      context.report({
        node,
        message: "`!` hides a case from the compiler",
        hint: "Check for `undefined`, or choose a type that has none",
      });
    };
    return {
      TSNonNullExpression: report,
      VariableDeclarator(node) {
        if (node.definite) report(node);
      },
      PropertyDefinition(node) {
        const text = context.sourceCode.getText(node);
        const rest = text.slice(node.key.range[1] - node.range[0]);
        if (rest.trimStart().startsWith("!")) report(node);
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "ilmek",
  rules: {
    "import-direction": importDirection,
    "no-await-create-task": noAwaitCreateTask,
    "no-default-export": noDefaultExport,
    "no-deno-outside-io": noDenoOutsideIo,
    "no-non-null": noNonNull,
    "no-plain-error": noPlainError,
    "no-private-keyword": noPrivateKeyword,
    "no-raw-time": noRawTime,
  },
};

export default plugin;

function importProblem(
  path: string,
  chapter: string | undefined,
  specifier: string,
): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  if (!specifier.startsWith(".")) {
    return chapter === undefined
      ? undefined
      : "Published code has no dependency, and imports its own files by path";
  }
  const target = join(dirname(path), specifier);
  if (target === "mod.ts") {
    return "Import the module that is needed, not mod.ts";
  }
  if (chapter === undefined) return undefined;

  const allowed = MAY_IMPORT[chapter] ?? [];
  const [targetChapter = ""] = target.split("/");
  if (path !== "mod.ts" && !allowed.includes(targetChapter)) {
    return `${chapter}/ may import only from ${allowed.join(", ")}`;
  }
  if (targetChapter !== chapter && basename(target).startsWith("_")) {
    return `${target} is private to ${targetChapter}/`;
  }
  return undefined;
}

function pathOf(context: Context): string {
  const toPosix = (path: string) => path.replaceAll("\\", "/");
  return relative(toPosix(ROOT), toPosix(context.filename));
}

/** The chapter of the library to which the file belongs, if any. */
function chapterOf(context: Context): string | undefined {
  const [chapter = ""] = pathOf(context).split("/");
  return chapter in MAY_IMPORT ? chapter : undefined;
}
