// TLS to Redis: whom we trust and who we are, from PEM files. Servers are always verified: there is no switch against it.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { OperatingError } from '../errors.ts';

export interface TlsFiles {
  /** Who vouches for the servers; null: whom the system trusts. */
  readonly ca: string | null;
  /** What we show of ourselves, both or neither: for servers with `tls-auth-clients yes`. */
  readonly cert: string | null;
  readonly key: string | null;
}

/** `host` is named to the server before it shows its certificate; an address is not, since RFC 6066 forbids it. */
export function tlsOptions({ ca, cert, key }: TlsFiles, host: string | undefined): ConnectionOptions {
  if ((cert === null) !== (key === null)) {
    throw new OperatingError('redis-url', 'not a usable Redis URL: ?cert= and ?key= belong together');
  }
  return {
    ...(host === undefined || isIP(host) !== 0 ? {} : { servername: host }),
    ...(ca === null ? {} : { ca: pem('ca', ca) }),
    ...(cert === null || key === null ? {} : { cert: pem('cert', cert), key: pem('key', key) }),
  };
}

function pem(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatingError('redis-url', `not a usable Redis URL: ?${what}= names ${path}, which cannot be read`, {
      cause: error,
    });
  }
}
