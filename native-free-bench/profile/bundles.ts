/* The build puts the code of each thread into one file. A profile tells lines of that; here the
 * module that such a line comes from is found again, by the source map beside the file. */

import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

const maps = new Map<string, SourceMap | undefined>();

function mapOf(url: string): SourceMap | undefined {
  if (!maps.has(url)) maps.set(url, readMap(url));
  return maps.get(url);
}

function readMap(url: string): SourceMap | undefined {
  if (!url.startsWith('file:')) return undefined;
  const path = `${fileURLToPath(url)}.map`;
  if (!existsSync(path)) return undefined;
  return new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload);
}

/** Where the module would lie without bundling; `url` itself, where it is not known better. Line
 *  and column count from 0. */
export function moduleOf(url: string, line: number, column: number): string {
  const entry = mapOf(url)?.findEntry(line, column);
  if (entry === undefined || !('originalSource' in entry)) return url;
  const source = new URL(entry.originalSource, url).href;
  if (source.includes('/node_modules/')) return source;
  return source.replace(/\/src\/(.*)\.ts$/, '/dist/$1.js');
}
