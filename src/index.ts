/* The package's entry. */

export type { Logger } from './base/logger.ts';
export * from './client/index.ts';
export { type OpenOptions, openBroker } from './embedded/open-broker.ts';
