/* Where the package's own files lie. What the command runs is built twice: as modules, in `dist/`,
 * for programs that import them, and with one file for each thread, in `dist/bundle/`, which loads
 * in a fraction of the time. Each kind starts threads of its own kind. Any thread. */

const HERE = import.meta.url;
/** Up to the last folder of such a name: there may be others above the package. */
const PACKAGE = /^(.*\/)(?:dist|src)\//.exec(HERE)![1]!;
const BUNDLES = `${PACKAGE}dist/bundle/`;
const CODE = HERE.startsWith(BUNDLES) ? BUNDLES : `${PACKAGE}dist/`;

/** Where the module is that is `path` in the built package. */
export function ownModule(path: string): URL {
  return new URL(path, CODE);
}

/** Where the file is that is `path` in the package. */
export function packageFile(path: string): URL {
  return new URL(path, PACKAGE);
}
