/**
 * The public modules of the package, as they lie in their chapters.
 *
 * @module
 */

/** The chapters with public modules, lowest first. */
export const PUBLIC_CHAPTERS: readonly string[] = [
  "primitives",
  "patterns",
  "io",
  "testing",
];

/** All directories with code that is published. */
export const LIBRARY_DIRS: readonly string[] = [
  "_internal",
  ...PUBLIC_CHAPTERS,
];

/** The modules whose names may be those of others: `mod.ts` leaves them out. */
const OWN_NAMES: readonly string[] = ["primitives/iter.ts"];

/** A public module. */
export interface Module {
  /** Where it lies, as in `primitives/task_group.ts`. */
  readonly path: string;
  /** The name of its file without the extension. */
  readonly name: string;
  /** Its key in `exports`, as in `./task-group`. */
  readonly entry: string;
  /** Whether `mod.ts` leaves it out. */
  readonly entryOnly: boolean;
  /** Whether its names may mean something else in other modules. */
  readonly ownNames: boolean;
}

/** Lists the public modules by path. */
export function publicModules(root: URL): Module[] {
  return PUBLIC_CHAPTERS.flatMap((chapter) =>
    filesIn(root, chapter)
      .filter((file) => file.endsWith(".ts") && !file.startsWith("_"))
      .map((file) => {
        const name = file.replace(/\.ts$/, "");
        const path = `${chapter}/${file}`;
        const ownNames = OWN_NAMES.includes(path);
        return {
          path,
          name,
          entry: `./${name.replaceAll("_", "-")}`,
          entryOnly: chapter === "testing" || ownNames,
          ownNames,
        };
      })
  ).sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Lists all files of the library by path, private ones included. */
export function libraryFiles(root: URL): string[] {
  return LIBRARY_DIRS.flatMap((dir) =>
    filesIn(root, dir)
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${dir}/${file}`)
  );
}

/** Lists the files of a directory by name: none if it does not exist. */
function filesIn(root: URL, dir: string): string[] {
  try {
    return [...Deno.readDirSync(new URL(`${dir}/`, root))]
      .filter(({ isFile }) => isFile)
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
