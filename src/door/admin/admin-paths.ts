/* Which paths are the admin door's: for telling protocols apart, without loading them. */

/** Where the admin door answers, beside `/` for browsers. */
const ADMIN_PATHS = ['/healthz', '/metrics', '/status.json', '/openapi.json'] as const;
export type AdminPath = (typeof ADMIN_PATHS)[number];

export function isAdminPath(path: string): boolean {
  return (ADMIN_PATHS as readonly string[]).includes(path);
}
