/* The built package, by its own entries. Its types are those of the sources, so that a type check
 * needs no build. */

type Package = typeof import('../../src/index.ts');
type Client = typeof import('../../src/client/index.ts');

/** Left to the runtime to resolve. */
const PACKAGE: string = 'capstan';
const CLIENT: string = 'capstan/client';

export async function builtPackage(): Promise<Package> {
  return (await import(PACKAGE)) as Package;
}

export async function builtClient(): Promise<Client> {
  return (await import(CLIENT)) as Client;
}
