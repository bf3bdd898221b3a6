// The simulated partners behind one HTTP listener: their operations, the phones, the ledger and the controls.
//
//   POST /kyc/v1/applicants …            one per effect and carrier (operation.ts); Idempotency-Key required
//   GET  /phone/{number, address or personRef}/messages
//   GET  /carrier/couriers
//   GET  /ledger?effect=&subject=        ../ledger.ts
//   …    /control/…                      controls.ts
//   GET  /livez, /readyz

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../../runtime/clock.ts';
import type { JsonObject } from '../../../runtime/json.ts';
import { account } from './account.ts';
import { billing } from './billing.ts';
import { Book } from './book.ts';
import { bureau } from './bureau.ts';
import { carrierOperations, couriers } from './carriers.ts';
import { controlled, ok } from './controls.ts';
import { Desk, type DeskReply, problem } from './desk.ts';
import { calm, type Faults } from './faults.ts';
import { hub } from './hub.ts';
import { issuer } from './issuer.ts';
import { kyc } from './kyc.ts';
import { NextFailures } from './next-failures.ts';
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
  /** What api and partners share: each partner's callback secret is made from it. */
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
    faults: () => faults,
    log,
  });
  const failures = new NextFailures();
  const controls = {
    clock,
    time,
    book,
    teller,
    failures,
    faults: {
      get: () => faults,
      set: (next: Faults) => {
        faults = next;
      },
    },
  };
  const desk = new Desk(
    {
      clock,
      timeScale,
      book,
      faults: () => faults,
      failures,
      onMessage: (recipients, message) => phones.receive(recipients, message),
      onPlanned: (callback) => teller.take(callback),
      onWithdrawn: (eventId) => teller.drop(eventId),
    },
    [...kyc, ...screening, ...issuer, ...billing, ...bureau, ...hub, ...carrierOperations, ...notifications],
  );

  const read: Routes = {
    '/livez': () => ok({ status: 'alive' }),
    '/readyz': () => ok({ status: 'ready' }),
    '/carrier/couriers': () => ok({ couriers }),
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
    if (request.method === 'GET' && read[url.pathname] !== undefined)
      return read[url.pathname]?.(url) ?? problem(404, 'not_found', url.pathname);

    const text = await textOf(request);
    if (text === undefined) return problem(413, 'too_large');
    if (url.pathname.startsWith('/control/')) {
      const body = parsed(text);
      if (body === MALFORMED) return problem(400, 'malformed_json');
      return controlled(request.method ?? '', url, body, controls) ?? problem(404, 'not_found', url.pathname);
    }
    if (request.method !== 'POST' || !desk.knows(url.pathname)) return problem(404, 'not_found', url.pathname);
    const key = request.headers['idempotency-key'];
    return desk.answer(url.pathname, typeof key === 'string' ? key : undefined, text);
  }

  teller.open();
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
          (result) => sent(request, response, result),
          () => request.socket.destroy(),
        );
    },
  };
}

type Routes = { readonly [path: string]: (url: URL) => DeskReply };

const MALFORMED = Symbol('malformed');

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return MALFORMED;
  }
}

/** The body as text; undefined when it is longer than any request of ours. */
async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Sends an answer as whole as it may leave. */
function sent(request: IncomingMessage, response: ServerResponse, result: DeskReply): void {
  if (result.spoilt === undefined) reply(response, result);
  else if (result.spoilt === 'lost') request.socket.destroy();
  else if (result.spoilt === 'malformed')
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>');
  else {
    const text = textIn(result);
    response.writeHead(result.status, { 'content-length': Buffer.byteLength(text) });
    response.write(text.slice(0, text.length / 2), () => request.socket.destroy());
  }
}

const textIn = ({ body }: DeskReply): string => (typeof body === 'string' ? body : JSON.stringify(body));

function reply(response: ServerResponse, result: DeskReply): void {
  const type = typeof result.body === 'string' ? 'text/plain' : 'application/json';
  response.writeHead(result.status, { 'content-type': type, ...result.headers });
  response.end(textIn(result));
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
