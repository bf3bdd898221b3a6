// What the tests of the partners share: simulators inside the process, a receiver of callbacks, and calls as the runtime makes them.
//
// Real HTTP on the loopback. Conditions are waited for, with a deadline; nothing sleeps.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { pause, systemClock } from '../../runtime/clock.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import type { JsonObject } from '../../runtime/json.ts';
import type { CarrierEvent, HubScan } from '../contract/callbacks.ts';
import { carriers, type EffectInput } from '../contract/index.ts';
import type { People, Person } from '../people/index.ts';
import { readFile, type Told, toldByBureau, toldByCarrier, toldByHub, toldByKyc } from './callbacks/index.ts';
import { httpPartners, type Ledger, readLedger, secretOf, verify } from './index.ts';
import type { Partners } from './ports.ts';
import type { Faults } from './simulator/faults.ts';
import { startSimulator } from './simulator/server.ts';

export const clock = systemClock;
export const SECRET = 'a secret of the test';
export const FAST = 3_600_000; // An hour in a millisecond.
const UNTIL_MS_MAX = 8_000;

export const person: Person = {
  userId: 'usr_1',
  givenName: 'Anna',
  familyName: 'Novak',
  birthDate: '1990-02-03',
  phone: '+420601234567',
};
export const known: Pick<People, 'readPerson' | 'readAddress'> = {
  readPerson: async (ref) => (ref === 'ppl_gone' ? undefined : person),
  readAddress: async () => ({ countryCode: 'CZ', city: 'Praha', line1: 'Dlouhá 5' }),
};

/** A call as the runtime makes it: each has a signal of its own. */
export const call = <I>(key: string, input: I): { input: I; key: string; signal: AbortSignal } => ({
  input,
  key,
  signal: new AbortController().signal,
});

export const card = (orderId: string): EffectInput<'card.create'> => ({
  orderId,
  personRef: 'ppl_1',
  productCode: 'debit_classic',
  paymentSystem: 'visa',
  designId: 'blue',
  currency: 'CZK',
});
export const job = (orderId: string, n = 1): EffectInput<'bureau.submit'> => ({
  orderId,
  jobId: `job_${orderId.slice(4)}_${n}`,
  batchId: 'bat_1',
  cardId: 'crd_1',
  personRef: 'ppl_1',
  productCode: 'debit_classic',
  designId: 'blue',
});
export const booking = (
  deliveryId: string,
  more: Partial<EffectInput<'carrier.createShipment'>> = {},
): EffectInput<'carrier.createShipment'> => ({
  orderId: 'ord_1',
  deliveryId,
  seq: 1,
  envelopeId: 'EMB-A',
  method: 'courier',
  personRef: 'ppl_1',
  addressRef: 'ppl_2',
  country: 'CZ',
  ...more,
});
export const advice = (deliveryId: string, envelopeId = 'EMB-A'): EffectInput<'carrier.preadvise'> => ({
  orderId: 'ord_1',
  deliveryId,
  envelopeId,
  method: 'courier',
  country: 'CZ',
});
export const fee = (orderId: string): EffectInput<'fee.charge'> => ({
  orderId,
  userId: 'usr_1',
  feeType: 'issue',
  amountMinor: '19900',
  currency: 'CZK',
});

export const outputOf = (outcome: EffectOutcome): unknown => (outcome.kind === 'done' ? outcome.output : outcome);

export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'emboss-partners-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Setup {
  readonly faults?: Partial<Faults>;
  readonly callbackUrl?: string;
  readonly folder?: string;
  readonly timeScale?: number;
}

export interface Simulated {
  readonly url: string;
  readonly partners: Partners;
  readonly ledger: () => Promise<Ledger>;
  /** Sends a wish to the controls and gives the answer's body. Throws for anything but 200. */
  readonly control: (method: 'PUT' | 'POST', path: string, body: unknown) => Promise<JsonObject>;
  readonly close: () => Promise<void>;
}

export async function simulator(t: Test, setup: Setup = {}): Promise<Simulated> {
  const running = await startSimulator({
    clock,
    folder: setup.folder ?? folder(t),
    port: 0,
    callbackUrl: setup.callbackUrl ?? 'http://127.0.0.1:1',
    secret: SECRET,
    timeScale: setup.timeScale ?? FAST,
    faults: { latencyMs: [0, 0], ...setup.faults },
  });
  t.teardown(() => running.close());
  const { url } = running;
  const notes = new Map<string, string>();
  const bookings = {
    putRecord: async (id: string, bytes: string) => void notes.set(id, bytes),
    getRecord: async (id: string) => notes.get(id),
  };
  return {
    url,
    partners: httpPartners({ url, people: known, clock, bookings }),
    ledger: () => readLedger(url),
    close: () => running.close(),
    async control(method, path, body) {
      const response = await fetch(`${url}/control/${path}`, { method, body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
      return (await response.json()) as JsonObject; // The controls' own form.
    },
  };
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < UNTIL_MS_MAX; waited += 10) {
    if (await holds()) return;
    await pause(clock, 10);
  }
  throw new Error(`not within ${UNTIL_MS_MAX} ms: ${what}`);
}

export interface Received {
  readonly path: string;
  readonly id: string;
  readonly text: string;
  readonly verdict: string;
  /** In our words, as the api reads it; none of a broken file. */
  readonly told: readonly Told[];
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Types of the events that came, in order. */
  readonly types: () => readonly string[];
  readonly eventOf: (type: string) => JsonObject | undefined;
}

/** A receiver of callbacks; `answer` decides each status. A forged signature is answered 401 and not noted as told. */
export async function receiver(
  t: Test,
  answer: (received: Received, count: number) => number = () => 204,
): Promise<Receiver> {
  const received: Received[] = [];
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const path = request.url ?? '';
    const id = String(request.headers['webhook-id']);
    const verdict = verify([secretOf(SECRET, senderOf(path))], { headers: request.headers, body: text }, clock.wall());
    const told = verdict.kind === 'valid' ? toldIn(path, id, text) : [];
    const one: Received = { path, id, text, verdict: verdict.kind, told };
    received.push(one);
    response.writeHead(verdict.kind === 'valid' ? answer(one, received.length) : 401).end();
  }
  const url = await listen(
    t,
    createServer((request, response) => void receive(request, response)),
  );
  const events = () => received.flatMap(({ told }) => told.flatMap(({ event }) => event ?? []));
  return {
    url,
    received,
    types: () => events().map(({ type }) => type),
    eventOf: (type) => events().find((event) => event.type === type) as JsonObject | undefined,
  };
}

const senderOf = (path: string): string => {
  const [, , partner = '', , code = ''] = path.split('/');
  return partner === 'carrier' ? code : partner;
};

function toldIn(path: string, id: string, text: string): readonly Told[] {
  const sender = senderOf(path);
  if (sender === 'bureau') {
    const file = readFile(text);
    if (typeof file === 'string') throw new Error(file);
    const told = toldByBureau(file, id);
    return told === 'broken' ? [] : told;
  }
  const body: unknown = JSON.parse(text);
  if (sender === 'kyc') return [toldByKyc(body as Parameters<typeof toldByKyc>[0], id)];
  if (sender === 'hub') return [toldByHub(body as HubScan, id)];
  const carrier = carriers.find(({ code }) => code === sender);
  if (carrier === undefined) throw new Error(`nobody tells us at ${path}`);
  return [toldByCarrier(carrier, body as CarrierEvent)];
}

export async function listen(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
