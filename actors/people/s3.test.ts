// Goal: documents lie in an S3-compatible store as they do in a folder, and every request is signed as S3 wants it.
// Method: a small store of our own over HTTP, a process's worth of it in this one, which checks signatures by the published rules.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { openStream, s3Store, sealedLength, sealStream } from './index.ts';

const NOW = Date.UTC(2026, 10, 22, 6, 31);
const SECRET = 'a secret key for tests';
const kept = new Map<string, Buffer>();
let refused = 0;
let trouble: 'none' | '503' | 'silent' = 'none';

/** Checks the signature from what arrived alone: AWS, "Authenticating Requests (AWS Signature Version 4)". */
function isSigned({ method = '', url = '', headers }: IncomingMessage): boolean {
  const [, access, scope = '', names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  const lines = names.split(';').map((name) => `${name}:${String(headers[name])}\n`);
  const payload = String(headers['x-amz-content-sha256']);
  const canonical = [method, url, '', lines.join(''), names, payload].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', String(headers['x-amz-date']), scope, digest].join('\n');
  let key = Buffer.from(`AWS4${SECRET}`);
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return (
    access === 'AKTEST' &&
    scope === '20261122/eu-1/s3/aws4_request' &&
    headers['x-amz-date'] === '20261122T063100Z' &&
    names.split(';').includes('host') &&
    createHmac('sha256', key).update(text).digest('hex') === signature
  );
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '' } = request;
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  if (trouble === 'silent') return void response.destroy();
  if (trouble === '503') return void response.writeHead(503).end('slow down');
  if (!isSigned(request)) {
    refused += 1;
    return void response.writeHead(403).end();
  }
  const there = kept.get(url);
  switch (method) {
    case 'PUT':
      kept.set(url, Buffer.concat(pieces));
      return void response.writeHead(200).end();
    case 'DELETE':
      kept.delete(url);
      return void response.writeHead(204).end();
    default:
      if (there === undefined) return void response.writeHead(404).end('<Error/>');
      response.writeHead(200, { 'content-length': there.length });
      return void response.end(method === 'HEAD' ? undefined : there);
  }
}

const server = createServer((request, response) => {
  // A sender that gives up ends the request early: nothing is kept of it.
  answer(request, response).catch(() => response.destroy());
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());

const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cards`;
const options = { url, region: 'eu-1', accessKey: 'AKTEST', secretKey: SECRET, now: () => NOW };
const store = s3Store(options);
async function* pieces(content: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
}
async function whole(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const piece of content) read.push(piece);
  return Buffer.concat(read);
}

t.test('a sealed object is put, found, read and deleted', async (t) => {
  const content = randomBytes(300_000);
  const seal = { key: randomBytes(32), about: 'test' };
  await store.put('abc/def', sealStream(pieces(content), seal), sealedLength(content.length));
  t.same([...kept.keys()], ['/cards/abc/def']);
  t.notOk(kept.get('/cards/abc/def')?.includes(content.subarray(0, 64)));
  t.same(await store.head('abc/def'), { bytes: sealedLength(content.length) });
  const stored = await store.get('abc/def');
  t.ok(stored !== undefined && (await whole(openStream(stored, seal))).equals(content));
  await store.delete('abc/def');
  await store.delete('abc/def');
  t.equal(await store.head('abc/def'), undefined);
  t.equal(await store.get('abc/def'), undefined);
  t.equal(refused, 0);
});

t.test('a content that turns out to be wrong is no object; its own error is told', async (t) => {
  async function* wrong(): AsyncGenerator<Buffer> {
    yield randomBytes(100_000);
    throw new RangeError('not what was announced');
  }
  await t.rejects(store.put('abc/wrong', wrong(), 200_000), { name: 'RangeError' });
  t.equal(kept.size, 0);
});

t.test('another key is refused; a store in trouble is unavailable; a key never leaves the bucket', async (t) => {
  const stranger = s3Store({ ...options, secretKey: 'another' });
  await t.rejects(stranger.head('abc/def'), { code: 'objects-unavailable', message: /403/ });
  const verbs: readonly (() => Promise<unknown>)[] = [
    () => store.get('a'),
    () => store.put('a', pieces(randomBytes(9)), 9),
    () => store.delete('a'),
  ];
  for (trouble of ['503', 'silent'] as const)
    for (const verb of verbs) await t.rejects(verb(), { code: 'objects-unavailable' }, trouble);
  trouble = 'none';
  for (const key of ['../x', 'a//b', '/a', 'A', 'a?b', 'a/../../b'])
    await t.rejects(store.head(key), { name: 'TypeError' });
});
