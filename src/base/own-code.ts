/* Where the package's own code lies. The build puts what a thread runs into one file, so a module's
 * own place says little: it may be part of a file in another folder. Any thread. */

const HERE = import.meta.url;
/** The last folder of that name: there may be others above the package. */
const DIST = HERE.slice(0, HERE.lastIndexOf('/dist/') + '/dist/'.length);

/** Where the module is that is `path` in the folder of the built package. */
export function ownModule(path: string): URL {
  return new URL(path, DIST);
}
