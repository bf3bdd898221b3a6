// The partners' time: what they promised comes due when the business travels. A real receiver takes the callbacks.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { pause, systemClock } from '../../../runtime/clock.ts';
import { httpPartners } from '../index.ts';
import { secretOf, verify } from '../signature.ts';
import { type Simulator, startSimulator } from './server.ts';

const SECRET = 'a secret of the test';
const DAY_MS = 86_400_000;

async function waitUntil(what: string, holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 8_000; waited += 10) {
    if (holds()) return;
    await pause(systemClock, 10);
  }
  throw new Error(`not within 8 s: ${what}`);
}

t.test('T2: a travel brings pending callbacks near, once and for good, and no signature goes with it', async (t) => {
  const received: { readonly verdict: string }[] = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const { headers } = request;
      received.push({ verdict: verify([secretOf(SECRET, 'kyc')], { headers, body }, systemClock.wall()).kind });
      response.end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => receiver.once('listening', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'emboss-time-'));
  let running: Simulator | undefined;
  t.teardown(async () => {
    await running?.close();
    receiver.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async (): Promise<Simulator> => {
    running = await startSimulator({
      clock: systemClock,
      folder,
      port: 0,
      callbackUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
      secret: SECRET,
      timeScale: 1,
      faults: { latencyMs: [0, 0] },
    });
    return running;
  };
  const time = async (url: string, travelledMs?: unknown) => {
    const how = travelledMs === undefined ? {} : { method: 'POST', body: JSON.stringify({ travelledMs }) };
    const response = await fetch(`${url}/control/time`, how);
    return { status: response.status, ...((await response.json()) as { travelledMs?: number }) };
  };
  const ask = (url: string, orderId: string) =>
    httpPartners({
      url,
      clock: systemClock,
      people: {
        readPerson: async () => ({
          userId: 'usr_1',
          givenName: 'A',
          familyName: 'B',
          birthDate: '1990-02-03',
          phone: '+420601234567',
        }),
        readAddress: async () => undefined,
      },
    }).screening.startKyc({
      input: { orderId, attempt: 1, personRef: 'ppl_1' },
      key: `key ${orderId}`,
      signal: new AbortController().signal,
    });

  const first = await start();
  t.match(await ask(first.url, 'ord_1'), { kind: 'done' });
  t.same(await time(first.url, 1), { status: 200, travelledMs: 1 });
  t.same(received, [], 'a check takes hours');
  t.same(await time(first.url, DAY_MS), { status: 200, travelledMs: DAY_MS });
  await waitUntil('the verdict is told', () => received.length === 1);
  t.equal(received[0]?.verdict, 'valid', 'signed by the wall');
  t.same(await time(first.url, 5), { status: 200, travelledMs: DAY_MS }, 'nobody goes back');
  t.equal((await time(first.url, -1)).status, 400);
  t.equal((await time(first.url, 'a day')).status, 400);

  await ask(first.url, 'ord_2');
  await first.close();
  const second = await start();
  t.same(await time(second.url), { status: 200, travelledMs: DAY_MS }, 'a restart keeps the time');
  t.same(received.length, 1, 'what was promised after the travel is due by the new time');
  await time(second.url, 2 * DAY_MS);
  await waitUntil('the second verdict is told', () => received.length === 2);
});
