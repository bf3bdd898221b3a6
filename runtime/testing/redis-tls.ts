// Keys and certificates for one test run, and a Redis server that speaks TLS only. The authority is made by openssl, which has
// to be on PATH; it lives as long as its folder.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';

/** Paths of PEM files. Server and client show the same certificate, which is good for 127.0.0.1 and localhost. */
export interface TrialCertificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** What a Redis server of any topology needs to speak TLS, towards its replicas and its cluster, too. */
  readonly args: readonly string[];
  /** The part of a URL behind its address: whom to trust, and who we are. */
  readonly query: string;
  remove(): void;
}

const run = promisify(execFile);
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'] as const;

/** About 50 ms. Rejects with what openssl said, or that it is not there. */
export async function makeCertificates(): Promise<TrialCertificates> {
  const dir = mkdtempSync(join(tmpdir(), 'emboss-tls-'));
  const file = (name: string): string => join(dir, name);
  const [ca, caKey, cert, key] = ['ca.pem', 'ca.key', 'cert.pem', 'cert.key'].map(file) as [
    string,
    string,
    string,
    string,
  ];
  await run('openssl', ['req', '-x509', ...CURVE, '-keyout', caKey, '-out', ca, '-subj', '/CN=trial authority']);
  const [request, names] = [file('cert.csr'), file('names')];
  writeFileSync(names, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await run('openssl', ['req', ...CURVE.slice(0, 5), '-keyout', key, '-out', request, '-subj', '/CN=trial server']);
  const signed = ['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2'];
  await run('openssl', [...signed, '-extfile', names, '-out', cert]);
  return {
    ...{ ca, cert, key },
    args: [
      ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca],
      ...['--tls-replication', 'yes', '--tls-cluster', 'yes'],
    ],
    query: `?ca=${ca}&cert=${cert}&key=${key}`,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A server without a plain port, to which clients have to show a certificate. */
export async function startTlsRedis(
  certificates: TrialCertificates,
  options: Pick<RedisServerOptions, 'args' | 'dir'> = {},
): Promise<RedisServer> {
  const { args = [], ...more } = options;
  return await startRedis({
    ...more,
    url: (at) => `rediss://127.0.0.1:${at}${certificates.query}`,
    argsAt: (at) => ['--port', '0', '--tls-port', String(at), ...certificates.args, ...args],
  });
}
