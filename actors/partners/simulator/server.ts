// The simulated partners behind one HTTP listener: their operations, the phones, the ledger and the controls.
//
//   POST /kyc/verifications …            one per effect (operation.ts); Idempotency-Key required
//   GET  /phone/{number or personRef}/messages
//   GET  /carrier/couriers
//   GET  /ledger?effect=&subject=        ../ledger.ts
//   GET, PUT /control/faults             faults.ts;  POST /control/reset puts the book aside
//   GET, POST /control/time {travelledMs}  partner-time.ts: how far the business has travelled in all
//   GET  /livez, /readyz

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../../runtime/clock.ts';
import type { JsonObject } from '../../../runtime/json.ts';
import { account } from './account.ts';
import { Book } from './book.ts';
import { bureau } from './bureau.ts';
import { carrier } from './carrier.ts';
import { Desk, type DeskReply, problem } from './desk.ts';
import { calm, changed, type Faults } from './faults.ts';
import { issuer } from './issuer.ts';
import { notifications, Phones } from './notifications.ts';
import { PartnerTime } from './partner-time.ts';
import { screening } from './screening.ts';
import { Teller } from './teller.ts';

export interface SimulatorOptions {
  readonly clock: Clock;
  /** Folder of the book. Two simulators must not share one. */
  readonly folder: string;
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Base URL of the api's partner surface, for callbacks. */
  readonly callbackUrl: string;
  /** Key of the callbacks' signature. */
  readonly secret: string;
  /** Divides simulated times of processing. 1 is real time. */
  readonly timeScale: number;
  readonly faults?: Partial<Faults>;
  readonly log?: (line: { readonly [field: string]: unknown }) => void;
}

export interface Simulator {
  readonly url: string;
  faults(): Faults;
  /** Stops listening and telling. What is pending stays in the book. */
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 65_536;
const KEEP_ALIVE_MS = 65_000; // Longer than any client's, so that a reused connection is not closed under its request.
const COURIERS = [
  'cur_anna',
  'cur_boris',
  'cur_chen',
  'cur_dana',
  'cur_elif',
  'cur_femi',
  'cur_goran',
  'cur_hana',
] as const;

/** Starts the partners: listens first, so that a second one on the same port never touches the book. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  let handle = (_request: IncomingMessage, response: ServerResponse): void => reply(response, problem(503, 'starting'));
  const server = createServer((request, response) => handle(request, response));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listening(server, options.port, options.host ?? '127.0.0.1');

  let partners: ReturnType<typeof open>;
  try {
    partners = open(options);
  } catch (error) {
    server.close(); // A book that cannot be read: the port is nobody's.
    throw error;
  }
  handle = partners.handle;
  const { port } = server.address() as AddressInfo; // A TCP listener's address is never a text.
  return {
    url: `http://${options.host ?? '127.0.0.1'}:${port}`,
    faults: partners.faults,
    async close() {
      partners.stop();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      partners.close();
    },
  };
}

function open(options: SimulatorOptions) {
  const { timeScale } = options;
  const time = new PartnerTime(options.clock, join(options.folder, 'time.json'), timeScale);
  const { clock } = time;
  let faults: Faults = { ...calm, ...options.faults };
  let closed = false;
  const book = new Book(join(options.folder, 'book.ndjson'));
  const phones = new Phones();
  const log = options.log ?? (() => {});
  const teller = new Teller({
    clock: options.clock,
    time: clock,
    book,
    url: options.callbackUrl,
    secret: options.secret,
    seed: () => faults.seed,
    log,
  });
  const desk = new Desk(
    {
      clock,
      timeScale,
      book,
      couriers: COURIERS,
      faults: () => faults,
      onMessage: (recipients, message) => phones.receive(recipients, message),
      onCallbacks: () => teller.look(),
    },
    [...screening, ...issuer, ...bureau, ...carrier, ...notifications],
  );

  const read: Routes = {
    '/livez': () => ok({ status: 'alive' }),
    '/readyz': () => ok({ status: 'ready' }),
    '/carrier/couriers': () => ok({ couriers: [...COURIERS] }),
    '/control/time': () => ok({ travelledMs: time.travelledMs }),
    '/control/faults': () => ok(faults as unknown as JsonObject), // Faults are JSON by their schema.
    '/ledger': (url) =>
      ok(
        account(book, faults.seed, clock.wall(), {
          effect: url.searchParams.get('effect') ?? undefined,
          subject: url.searchParams.get('subject') ?? undefined,
        }),
      ),
  };

  async function answer(request: IncomingMessage): Promise<DeskReply> {
    const url = new URL(request.url ?? '/', 'http://partners');
    const phone = /^\/phone\/([^/]{1,100})\/messages$/.exec(url.pathname)?.[1];
    if (request.method === 'GET' && phone !== undefined)
      return ok({ messages: phones.read(decodeURIComponent(phone)) as unknown as JsonObject[] });
    if (request.method === 'GET') return read[url.pathname]?.(url) ?? problem(404, 'not_found', url.pathname);

    const body = await bodyOf(request);
    if (body.kind === 'bad') return body.reply;
    if (request.method === 'PUT' && url.pathname === '/control/faults') {
      const next = changed(faults, body.value);
      if ('wrong' in next) return problem(400, 'malformed_faults', next.wrong.join('; '));
      faults = next;
      return ok(faults as unknown as JsonObject);
    }
    if (request.method === 'POST' && url.pathname === '/control/time') {
      const { travelledMs } = (body.value ?? {}) as { travelledMs?: unknown };
      if (!Number.isSafeInteger(travelledMs) || (travelledMs as number) < 0)
        return problem(400, 'malformed_request', 'travelledMs: domain milliseconds in all, 0 or more');
      if (time.travelTo(travelledMs as number)) teller.hasten(); // An integer: just checked.
      return ok({ travelledMs: time.travelledMs });
    }
    if (request.method === 'POST' && url.pathname === '/control/reset') {
      book.reset(String(clock.wall()));
      teller.look();
      return ok({ reset: true });
    }
    if (request.method !== 'POST' || !desk.knows(url.pathname)) return problem(404, 'not_found', url.pathname);
    const key = request.headers['idempotency-key'];
    return desk.answer(url.pathname, typeof key === 'string' ? key : undefined, body.value);
  }

  teller.look();
  return {
    faults: () => faults,
    stop() {
      closed = true;
      teller.stop();
    },
    close: () => book.close(),
    handle(request: IncomingMessage, response: ServerResponse): void {
      answer(request)
        .catch((error: unknown) => {
          log({ level: 'error', msg: 'partner broke', error: error instanceof Error ? error.name : 'unknown', closed });
          return problem(500, 'internal_error');
        })
        .then(
          (result) => (result.lost ? request.socket.destroy() : reply(response, result)),
          () => request.socket.destroy(),
        );
    },
  };
}

type Routes = { readonly [path: string]: (url: URL) => DeskReply };

const ok = (body: object): DeskReply => ({ status: 200, body: body as JsonObject }); // Answers are built from JSON values.

type Body = { readonly kind: 'body'; readonly value: unknown } | { readonly kind: 'bad'; readonly reply: DeskReply };

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return { kind: 'bad', reply: problem(413, 'too_large') };
    chunks.push(chunk);
  }
  if (size === 0) return { kind: 'body', value: undefined };
  try {
    return { kind: 'body', value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch {
    return { kind: 'bad', reply: problem(400, 'malformed_json') };
  }
}

function reply(response: ServerResponse, { status, body, headers }: DeskReply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
