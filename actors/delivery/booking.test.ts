// Goal: DL8 for real, and a catalogue that is data. Method: a Redis server, delivery workers as processes of their own, 200
// deliveries that ask for one slot at the same moment, and workers started anew over other files.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { type ActorView, type Client, connect } from '../../runtime/client.ts';
import { actorId } from '../../runtime/ids.ts';
import { startRedis, waitUntil } from '../../runtime/testing/index.ts';
import { windowsAt } from '../contract/calendar.ts';
import { type Catalogue, DEFAULT_CATALOGUE, loadCatalogue, type Zone, zoneOf } from '../contract/catalogue.ts';
import { DELIVERY, type DeliveryInput, ORDERING } from '../contract/index.ts';
import { DEVELOPMENT_SECRET, readSettings } from '../contract/settings.ts';
import { openPeople } from '../people/index.ts';

const SHARDS = 8;
const WRITERS = 200;
const CAPACITY = 17;
const WITHIN = { deadlineMs: 40_000 }; // Starts of Node and 200 deliveries, on a busy machine.
const by = 'usr_1';

/** A folder with the project's catalogue, changed. */
function catalogueWith(t: Test, change: (zones: { [field: string]: unknown }[]) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-catalogue-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  cpSync(DEFAULT_CATALOGUE, folder, { recursive: true });
  const zones = JSON.parse(readFileSync(join(folder, 'zones.json'), 'utf8')) as { [field: string]: unknown }[];
  change(zones);
  writeFileSync(join(folder, 'zones.json'), JSON.stringify(zones));
  return folder;
}

interface Worker {
  stop(): Promise<number | null>;
}

async function worker(t: Test, url: string, id: string, catalogue: string): Promise<Worker> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./main.js', import.meta.url))], {
    env: {
      ...{ PATH: process.env.PATH, REDIS_URL: url, EMBOSS_WORKER_ID: id, EMBOSS_SHARDS: String(SHARDS) },
      ...{ EMBOSS_CATALOGUE_DIR: catalogue, EMBOSS_PARTNERS_URL: 'http://127.0.0.1:9' }, // Nobody answers there.
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await waitUntil(`${id} is ready`, () => said.includes('"msg":"ready"'), WITHIN);
  return {
    stop: async () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

let asked = 0;
/** Says something, however often it has to be said: only its having been taken counts. */
async function say(client: Client, actor: string, event: { readonly type: string }, input?: DeliveryInput) {
  const messageId = `t.${++asked}`;
  const create = input === undefined ? {} : { create: { machine: 'delivery', input: input as never } };
  const command = { actor: actorId(actor), event: event as never, messageId, ...create };
  for (;;) {
    const outcome = await client.ask(command, { timeoutMs: 5_000 });
    if (outcome.kind === 'answered') return outcome.answer;
    if (outcome.kind === 'key-reused') throw new Error('key-reused');
  }
}

const stateOf = ({ states }: ActorView, region: string): string =>
  states.find((state) => state.startsWith(`${region}.`)) ?? '';

/** A delivery whose address lies in Berlin, as far as its zone. */
async function delivery(client: Client, addressRef: string, n: number): Promise<string> {
  const deliveryId = `dlv_${String(n).padStart(22, '0')}_1`;
  const input: DeliveryInput = {
    ...{ deliveryId, orderId: `ord_${n}`, seq: 1, envelopeId: `ENV-${n}`, method: 'courier', personRef: 'ppl_nobody' },
    ...{ addressRef, country: 'DE', locale: 'de', attemptsMax: 3 },
    verification: { idCheck: false, otp: false, signature: true, photo: false },
  };
  await say(client, deliveryId, { type: 'delivery.create' }, input);
  return deliveryId;
}

async function settled(client: Client, ids: readonly string[], isSettled: (view: ActorView) => boolean) {
  let views: readonly (ActorView | undefined)[] = [];
  await waitUntil(
    'all deliveries have settled',
    async () => {
      views = await client.readMany(ids.map(actorId));
      return views.every((view) => view !== undefined && isSettled(view));
    },
    WITHIN,
  );
  return views.filter((view) => view !== undefined);
}

const isServed = (view: ActorView): boolean => /^transport\.(awaiting|refused)/.test(stateOf(view, 'transport'));
const isDecided = (view: ActorView): boolean => !stateOf(view, 'appointment').endsWith('.reserving');
const berlin = (catalogue: Catalogue): Zone => zoneOf(catalogue, 'de-berlin') as Zone; // It comes with the project.

test('DL8: 200 racing writers never overbook a slot, and other files mean other zones without a build', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const config = { shards: SHARDS, timeScale: 1 };
  const open = (namespace: string) => connect({ namespace, url: redis.url, secret: DEVELOPMENT_SECRET, config });
  const [client, ordering] = await Promise.all([open(DELIVERY), open(ORDERING)]);
  t.teardown(() => Promise.all([client.close(), ordering.close()]));
  const vault = openPeople(ordering, readSettings({}));
  const owner = { userId: by };
  const { addressRef } = await vault.storeAddress({ countryCode: 'DE', postalCode: '10117' }, 'home', owner);
  const folder = catalogueWith(t, (zones) => {
    for (const zone of zones) zone.capacity = CAPACITY;
  });
  const workers = await Promise.all(['delivery.1', 'delivery.2'].map((id) => worker(t, redis.url, id, folder)));

  const numbers = Array.from({ length: WRITERS }, (_, i) => i);
  const ids = await Promise.all(numbers.map((n) => delivery(client, addressRef, n)));
  await settled(client, ids, isServed);
  const window = windowsAt(berlin(loadCatalogue(folder)), client.domainNow())[0];
  if (window === undefined) throw new Error('no window is on offer');
  const { slotId, from, to } = window;
  const choose = (id: string, of = { slotId, from, to }) =>
    say(client, id, { type: 'SLOT_CHOSEN', by, ...of } as never);
  await Promise.all(ids.map((id) => choose(id)));
  const views = await settled(client, ids, isDecided);
  const confirmed = views.filter(
    (view) => stateOf(view, 'appointment') === 'appointment.confirmed' || view.states.includes('appointment.confirmed'),
  );
  t.equal(confirmed.length, CAPACITY, 'as many as there are places, and no more');
  const holders = async (id = slotId): Promise<readonly string[]> =>
    Object.keys((await client.read(actorId(id)))?.context.taken ?? {}).sort();
  t.same(await holders(), confirmed.map(({ actor }) => actor).sort(), 'the slot and the deliveries agree');

  const [one, two] = confirmed.map(({ actor }) => actor);
  const rest = ids.filter((id) => !confirmed.some(({ actor }) => actor === id));
  await say(client, one ?? '', { type: 'delivery.cancel', reason: 'test' } as never);
  await say(client, two ?? '', { type: 'RESCHEDULE', by, role: 'operator' } as never);
  await waitUntil('two places are free', async () => (await holders()).length === CAPACITY - 2, WITHIN);
  await Promise.all(rest.slice(0, 50).map((id) => choose(id)));
  const again = await settled(client, rest.slice(0, 50), isDecided);
  t.equal(again.filter(({ states }) => states.includes('appointment.confirmed')).length, 2, 'each is given once again');
  t.equal((await holders()).length, CAPACITY);

  // Other files, the same build.
  t.same(await Promise.all(workers.map((each) => each.stop())), [0, 0]);
  const other = catalogueWith(t, (zones) => {
    for (const zone of zones.filter(({ id }) => id === 'de-berlin')) zone.capacity = 1;
    for (const zone of zones.filter(({ id }) => id === 'de')) zone.methods = ['post'];
  });
  await worker(t, redis.url, 'delivery.1', other);
  const later = windowsAt(berlin(loadCatalogue(other)), client.domainNow())[1];
  if (later === undefined) throw new Error('no second window is on offer');
  await Promise.all(rest.slice(100, 105).map((id) => choose(id, later)));
  const few = await settled(client, rest.slice(100, 105), isDecided);
  t.equal(few.filter(({ states }) => states.includes('appointment.confirmed')).length, 1);
  const munich = await vault.storeAddress({ countryCode: 'DE', postalCode: '80331' }, 'away', owner);
  const [refused] = await settled(client, [await delivery(client, munich.addressRef, 900)], isServed);
  t.ok(refused?.states.includes('transport.refused'), 'no courier goes there any more');
});
