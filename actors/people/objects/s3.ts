// Objects in an S3-compatible store: four requests over HTTP, signed with AWS Signature Version 4.
//
// Source: AWS, "Signature Version 4 signing process" and "Authenticating Requests (AWS Signature Version 4)". The body is not
// part of the signature (UNSIGNED-PAYLOAD): it is sealed and authenticated by us. A body that ends early is no object: the
// store was told its length.

import { createHash, createHmac } from 'node:crypto';
import { type IncomingMessage, request as plain, type RequestOptions } from 'node:http';
import { request as secure } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { OperatingError } from '../../../runtime/errors.ts';
import { checkedKey, type ObjectStore } from './store.ts';

export interface S3Options {
  /** `http(s)://host[:port]/bucket`, path style. */
  readonly url: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Wall clock in ms: stores refuse a signature that is 15 minutes off. */
  readonly now: () => number;
}

const DEADLINE_MS = 30_000; // 10 MB at 3 Mbit/s.
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const LOOSE_ENDS_MAX = 4_096; // Of an error's body, read so that the socket can be used again.

export function s3Store(options: S3Options): ObjectStore {
  const base = new URL(options.url);
  const ask = (method: string, key: string, body?: { bytes: AsyncIterable<Buffer>; length: number }) =>
    exchange(base, { method, path: `${base.pathname.replace(/\/+$/, '')}/${checkedKey(key)}`, body, options });
  return {
    async put(key, bytes, length) {
      await settled(await ask('PUT', key, { bytes, length }), [200, 201, 204]);
    },
    async get(key) {
      const answer = await ask('GET', key);
      if (answer.statusCode === 200) return answer;
      await settled(answer, [404]);
      return undefined;
    },
    async head(key) {
      const answer = await ask('HEAD', key);
      await settled(answer, [200, 404]);
      return answer.statusCode === 404 ? undefined : { bytes: Number(answer.headers['content-length'] ?? 0) };
    },
    async delete(key) {
      await settled(await ask('DELETE', key), [200, 204, 404]);
    },
  };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: { readonly bytes: AsyncIterable<Buffer>; readonly length: number } | undefined;
  readonly options: S3Options;
}

/** One request. Rejects with what the body threw, else with `objects-unavailable`. */
async function exchange(base: URL, { method, path, body, options }: Asked): Promise<IncomingMessage> {
  const send = base.protocol === 'https:' ? secure : plain;
  const signed = signedHeaders({ method, path, host: base.host, options });
  const headers = { ...signed, ...(body === undefined ? {} : { 'content-length': body.length }) };
  const wanted: RequestOptions = {
    method,
    path,
    headers,
    hostname: base.hostname,
    port: base.port,
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
  const request = send(wanted);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', (cause) => reject(unavailable('it does not answer', cause)));
  });
  answered.catch(() => undefined); // Told below, or by the body.
  if (body === undefined) request.end();
  else {
    let fault: unknown;
    const watched = noting(body.bytes, (error) => {
      fault = error;
    });
    await pipeline(Readable.from(watched), request).catch((cause: unknown) => {
      throw fault ?? unavailable('it took not all', cause);
    });
  }
  return answered;
}

async function* noting(bytes: AsyncIterable<Buffer>, note: (error: unknown) => void): AsyncGenerator<Buffer> {
  try {
    yield* bytes;
  } catch (error) {
    note(error);
    throw error;
  }
}

async function settled(answer: IncomingMessage, good: readonly number[]): Promise<void> {
  let read = 0;
  for await (const chunk of answer) {
    read += (chunk as Buffer).length;
    if (read > LOOSE_ENDS_MAX) answer.destroy();
  }
  if (!good.includes(answer.statusCode ?? 0)) throw unavailable(`it answered ${answer.statusCode}`);
}

/** The headers of a request without query, with its signature. Pure. */
export function signedHeaders({
  method,
  path,
  host,
  options,
}: {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly options: S3Options;
}): Record<string, string> {
  const stamp = new Date(options.now()).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  const signed = { host, 'x-amz-content-sha256': UNSIGNED, 'x-amz-date': stamp };
  const names = Object.keys(signed).join(';');
  const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
  const canonical = [method, path, '', lines.join(''), names, UNSIGNED].join('\n');
  const scope = `${day}/${options.region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', stamp, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = [day, options.region, 's3', 'aws4_request'].reduce<Buffer>(
    (made, part) => mac(made, part),
    Buffer.from(`AWS4${options.secretKey}`),
  );
  const signature = mac(key, text).toString('hex');
  const credential = `Credential=${options.accessKey}/${scope}`;
  return {
    ...signed,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const unavailable = (what: string, cause?: unknown): OperatingError =>
  new OperatingError('objects-unavailable', `the object store: ${what}`, { retry: 'here', cause });
