/**
 * Reads what `deno doc --json` says about modules.
 *
 * @module
 */

/** A doc comment. */
export interface Doc {
  /** The text before the first tag. */
  readonly doc?: string;
  /** The tags. */
  readonly tags?: readonly {
    readonly kind: string;
    readonly doc?: string;
  }[];
}

/** A member of a class or an interface. */
export interface Member {
  /** Its name; the signature of a call has none. */
  readonly name?: string;
  /** `"setter"`, among others. */
  readonly kind?: string;
  /** `"private"`, among others. */
  readonly accessibility?: string;
  /** Its doc comment. */
  readonly jsDoc?: Doc;
}

/** A place in a file. */
export interface Location {
  /** The file, as a URL. */
  readonly filename: string;
  /** The line, counted from 0. */
  readonly line: number;
}

/** A declaration of a symbol: a function with overloads has several. */
export interface Declaration {
  /** Where it stands. */
  readonly location: Location;
  /** `"export"`, or else it is private. */
  readonly declarationKind: string;
  /** `"class"`, or `"reference"` to what another module says in full. */
  readonly kind: string;
  /** Its doc comment. */
  readonly jsDoc?: Doc;
  /** Lists of members, among others. */
  readonly def?: Readonly<Record<string, unknown>>;
}

/** A name that a module exports. */
export interface ExportedSymbol {
  /** The name. */
  readonly name: string;
  /** Its declarations. */
  readonly declarations: readonly Declaration[];
}

/** What a module says about itself, and exports. */
export interface ModuleDoc {
  /** The comment with `@module`. */
  readonly moduleDoc: Doc | undefined;
  /** What it exports. */
  readonly symbols: readonly ExportedSymbol[];
}

/** Reads the documentation of modules, given by their paths. */
export async function readDocs(
  root: URL,
  paths: readonly string[],
): Promise<Map<string, ModuleDoc>> {
  if (paths.length === 0) return new Map();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...paths],
    cwd: root,
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`Cannot read the docs: ${decoder.decode(stderr)}`);
  }

  const { nodes } = JSON.parse(decoder.decode(stdout)) as {
    nodes: Record<string, { module_doc?: Doc; symbols: ExportedSymbol[] }>;
  };
  return new Map(
    Object.entries(nodes).map(([url, { module_doc, symbols }]) => [
      url.slice(root.href.length),
      { moduleDoc: module_doc, symbols: symbols.filter(isExported) },
    ]),
  );
}

/** Where a declaration really stands, if it is only passed on. */
export function originOf({ kind, def, location }: Declaration): Location {
  return kind === "reference" ? def?.["target"] as Location : location;
}

function isExported({ declarations }: ExportedSymbol): boolean {
  return declarations.some(({ declarationKind }) =>
    declarationKind === "export"
  );
}
