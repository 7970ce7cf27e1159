/**
 * Finds the TypeScript files of the repository.
 *
 * @module
 */

const IGNORED_REGEXP = /^(\.|node_modules$|coverage$)/;

/** Lists all `.ts` files below a directory, by path: none if it does not exist. */
export function sourceFiles(root: URL, dir = ""): string[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(new URL(dir, root))];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return entries
    .filter(({ name }) => !IGNORED_REGEXP.test(name))
    .flatMap(({ name, isDirectory }) =>
      isDirectory ? sourceFiles(root, `${dir}${name}/`) : [`${dir}${name}`]
    )
    .filter((path) => path.endsWith(".ts"))
    .sort();
}

/** Tells whether a path exists. */
export function fileExists(root: URL, path: string): boolean {
  try {
    return Deno.statSync(new URL(path, root)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
