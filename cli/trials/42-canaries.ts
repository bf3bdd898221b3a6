// Trial 42, run by the runtime's runner (docs/trials.md): real orders of people whose data are canaries, and a search of all
// that is on disk and in logs. Then the people are erased, and it is shown that a copy of before does not open any more.
//
// The search is no use unless it can find: at first one person's data are put into the same store by the plain codec, and
// every form of a word into a file, and all of that has to be found.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DocumentResource, PrivacyResource } from '../../actors/contract/personal-dto.ts';
import { openPeople, type People, type Person, plain } from '../../actors/people/index.ts';
import type { RestClient } from '../../api/client/index.ts';
import { Canaries, type CanaryFinding, formsOf, type TrialStage, waitUntil } from '../../runtime/testing/index.ts';
import { askRedis } from '../../runtime/testing/redis-probe.ts';
import { AckLog } from '../demo/acks.ts';
import { Cast } from '../demo/cast.ts';
import { Chance } from '../demo/chance.ts';
import { fate } from '../demo/fate.ts';
import { type Following, following } from '../demo/following.ts';
import { play } from '../demo/play.ts';
import { type Clients, openClients } from '../found.ts';
import { startSystem } from '../supervisor.ts';
import type { System } from '../system.ts';
import { type SecretPerson, secretPerson, sha256 } from './secrets.ts';

const TIME_SCALE = 3_600; // A business day in 24 s.
const ORDER_MS_MAX = 240_000;
const ERASED_MS_MAX = 60_000;
const NO_ABORT = new AbortController().signal;

interface Scene {
  readonly stage: TrialStage;
  readonly system: System;
  readonly clients: Clients;
  readonly vault: People;
  readonly cast: Cast;
  readonly feed: Following;
  readonly dataDir: string;
  readonly log: readonly string[];
}

export async function seekCanaries(stage: TrialStage): Promise<void> {
  const scene = await opened(stage);
  const control = secretPerson(stage.seed, 'control');
  await canFind(scene, control);

  // One gets the card, the other changes his mind: of the second, no law keeps anything.
  const [keeper, leaver] = [secretPerson(stage.seed, 'keeper'), secretPerson(stage.seed, 'leaver')];
  const [kept, left] = await Promise.all([played(scene, keeper, undefined), played(scene, leaver, 'screening')]);
  stage.expect(kept.outcome === 'completed', `the order that should be carried out ended ${kept.outcome}`);
  const people = [
    { person: keeper, ...kept },
    { person: leaver, ...left },
  ] as const;
  const search = new Canaries(
    Object.fromEntries(
      people.flatMap(({ person }, index) =>
        Object.entries(person.words).map(([name, word]) => [`${index === 0 ? 'keeper' : 'leaver'} ${name}`, word]),
      ),
    ),
  );
  await readable(scene, people);
  await searched(scene, search, 'while they are readable');
  const copies = await copied(scene, people);
  await erased(scene, keeper, leaver);
  await unreadable(scene, people, copies);
  await searched(scene, search, 'after they were erased');
}

async function opened(stage: TrialStage): Promise<Scene> {
  const dataDir = mkdtempSync(join(tmpdir(), 'emboss-canaries-'));
  stage.atEnd(async () => rmSync(dataDir, { recursive: true, force: true }));
  const log: string[] = [];
  const system = await startSystem({
    dataDir,
    ports: 'free',
    env: {
      REDIS_URL: '',
      EMBOSS_DURABILITY: 'memory',
      EMBOSS_TIME_SCALE: String(TIME_SCALE),
      EMBOSS_LOG_LEVEL: 'trace',
    },
    say: (words) => stage.say(words),
    write: (line) => log.push(line),
  });
  stage.atEnd(() => system.stop());
  await stage.servedBy(system.redisUrl);
  // What a server packs, a search does not see: a file of its own has to show what is in it.
  await askRedis(system.redisUrl, ['CONFIG', 'SET', 'rdbcompression', 'no']);
  const { settings } = system;
  const urls = { orderingRedisUrl: system.redisUrl, deliveryRedisUrl: system.redisUrl };
  const clients = await openClients({ settings, ...urls });
  stage.atEnd(() => clients.close());
  const cast = new Cast(system.urls, new AckLog());
  const feed = following(system.urls.public, await cast.client('public', 'ops.operator', 'operator'));
  stage.atEnd(() => feed.close());
  const vault = openPeople(clients.ordering, settings);
  return { stage, system, clients, vault, cast, feed, dataDir, log };
}

/** Plants one person in the open, and one word in every form: whoever does not find them finds nothing. */
async function canFind(scene: Scene, { words, userId, applicant }: SecretPerson): Promise<void> {
  const { stage, clients, system, dataDir } = scene;
  const search = new Canaries(words);
  const open = openPeople(clients.ordering, system.settings, { codec: plain });
  const { userInfo, deliveryInfo } = applicant.order;
  const person = { ...userInfo, userId, embossedName: applicant.order.cardInfo.embossedName } as Person; // Checked by the vault.
  await open.storePerson(person, 'ord_control');
  await open.storeAddress(deliveryInfo.address, 'ord_control', { userId });
  const folder = join(dataDir, 'control');
  mkdirSync(folder);
  const forms = formsOf(String(words.familyName));
  for (const [index, [, bytes]] of forms.entries())
    writeFileSync(join(folder, `form-${index}`), Buffer.concat([Buffer.from('…'), bytes]));

  const found = await looked(scene, search);
  const at = (place: RegExp, word: string): boolean => found.some((one) => place.test(one.where) && one.word === word);
  for (const word of ['givenName', 'familyName', 'phone', 'embossedName'])
    stage.expect(at(/\.aof$/, word) && at(/\.rdb$/, word), `the search does not see ${word} in the open`);
  stage.expect(at(/\.aof$/, 'street'), 'the search does not see an address in the open');
  const missed = forms.filter(
    ([form], index) => !found.some((one) => one.where.endsWith(`form-${index}`) && one.form === form),
  );
  stage.expect(missed.length === 0, `the search does not see the forms ${missed.map(([form]) => form).join(', ')}`);
  stage.measure('planted in the open and found', found.length, 'places');
  rmSync(folder, { recursive: true });
  await open.eraseSubject(userId);
}

/** Files and follows an order to its end, with a scan and a word to the desk on the way. */
async function played(scene: Scene, person: SecretPerson, cancelsAt: 'screening' | undefined) {
  const { cast, system, feed, stage } = scene;
  const { userId, applicant } = person;
  const rest = await cast.customer(userId);
  let document: Promise<DocumentResource> | undefined;
  const result = await play({
    stage: { cast, urls: system.urls },
    userId,
    applicant,
    fate: {
      ...fate(new Chance(`fate ${stage.seed}`)),
      cancelsAt,
      doors: [],
      activates: 'in_app',
      reviewers: 'approve',
    },
    name: `canary ${userId}`,
    deadlineMs: ORDER_MS_MAX,
    signal: NO_ABORT,
    woken: feed.woken,
    placed: (orderId) => {
      feed.follow(orderId);
      document = uploaded(scene, rest, orderId, person);
      document.catch(() => undefined); // Told below.
    },
  });
  await rest.call('POST', '/api/v1/me/privacy-requests', {
    body: { kind: 'rectification', note: person.note },
    idempotencyKey: `note ${userId}`.replace(/ /g, '-'),
  });
  stage.say(`${userId}: ${result.outcome}`);
  return { orderId: result.orderId ?? '', outcome: result.outcome, documentId: (await document)?.documentId ?? '' };
}

async function uploaded(
  { system }: Scene,
  rest: RestClient,
  orderId: string,
  { scan, documentNumber }: SecretPerson,
): Promise<DocumentResource> {
  const announced = await rest.call<DocumentResource & { readonly upload: { readonly url: string } }>(
    'POST',
    `/api/v1/orders/${orderId}/documents`,
    {
      body: {
        kind: 'passport',
        mediaType: 'image/jpeg',
        bytes: scan.length,
        sha256: sha256(scan),
        number: documentNumber,
      },
      idempotencyKey: `scan-of-${orderId}`,
    },
  );
  const answer = await fetch(`${system.urls.public}${announced.body.upload.url}`, {
    method: 'PUT',
    headers: { 'content-type': 'image/jpeg' },
    body: scan,
  });
  if (answer.status !== 200) throw new Error(`the upload was answered ${answer.status}`);
  return (await answer.json()) as DocumentResource; // Our own api's.
}

type Kept = readonly { readonly person: SecretPerson; readonly orderId: string; readonly documentId: string }[];

/** The data are there for who may see them: else it is no wonder that nobody finds them. */
async function readable({ vault, cast, stage, system }: Scene, people: Kept): Promise<void> {
  for (const { person, orderId, documentId } of people) {
    const rest = await cast.customer(person.userId);
    const shown = (await rest.order(orderId)).text;
    stage.expect(shown.includes(String(person.words.street)), 'the customer does not see his own address');
    const content = await vault.documents.content(documentId);
    const pieces: Buffer[] = [];
    for await (const piece of content ?? []) pieces.push(piece);
    stage.expect(Buffer.concat(pieces).equals(person.scan), 'the scan is not what was uploaded');
    const copy = await privacyRequest(rest, 'access', (request) => request.download !== undefined);
    const text = await (await fetch(`${system.urls.public}${copy.download?.url ?? ''}`)).text();
    for (const name of ['givenName', 'email', 'city', 'documentNumber', 'note'])
      stage.expect(text.includes(JSON.stringify(String(person.words[name])).slice(1, -1)), `the copy lacks ${name}`);
  }
}

/** Places a request and waits until it is as far as `until` says. */
async function privacyRequest(
  rest: RestClient,
  kind: string,
  until: (request: PrivacyResource) => boolean,
): Promise<PrivacyResource> {
  const path = '/api/v1/me/privacy-requests';
  const placed = await rest.call<PrivacyResource>('POST', path, { body: { kind }, idempotencyKey: `trial-${kind}` });
  let seen = placed.body;
  await waitUntil(
    `the request for ${kind} gets on`,
    async () => {
      seen = (await rest.call<PrivacyResource>('GET', `${path}/${placed.body.requestId}`)).body;
      return until(seen);
    },
    { deadlineMs: ERASED_MS_MAX, everyMs: 100 },
  );
  return seen;
}

/** What somebody has who copied the store before: everything of it but the key, which a backup of keys has, too, until it is rotated. */
async function copied({ clients, dataDir, vault }: Scene, people: Kept) {
  return Promise.all(
    people.map(async ({ documentId, person, orderId }) => {
      const place = documentId.slice(documentId.indexOf('_') + 1);
      const sheet = `person.${place.split('.', 1)[0]}`;
      const file = join(dataDir, 'documents', place.replace('.', '/'));
      const application = await vault.readApplication(orderId, person.userId);
      return { sheet, fields: await clients.ordering.readSheet(sheet), file, content: readFileSync(file), application };
    }),
  );
}

async function erased({ vault, cast, stage }: Scene, keeper: SecretPerson, leaver: SecretPerson): Promise<void> {
  const gone = await privacyRequest(await cast.customer(leaver.userId), 'erasure', ({ status }) => status === 'done');
  stage.expect(gone.kept.length === 0, `something is kept of who never had a card: ${JSON.stringify(gone.kept)}`);
  const partly = await privacyRequest(
    await cast.customer(keeper.userId),
    'erasure',
    ({ status }) => status === 'partly',
  );
  const classes = partly.kept.map(({ dataClass }) => dataClass).sort();
  stage.expect(classes.join() === 'business,document,identity', `of who has a card this is kept: ${classes.join()}`);
  stage.expect(partly.complaint !== undefined, 'he is not told how to complain');
  const { erased: isErased, rememberedMs } = await vault.eraseSubject(keeper.userId); // As the law will once allow.
  stage.expect(isErased, 'the person could not be erased');
  stage.measure('a process may remember an erased key for', rememberedMs, 'ms');
}

async function unreadable(
  { vault, cast, clients, stage }: Scene,
  people: Kept,
  copies: Awaited<ReturnType<typeof copied>>,
): Promise<void> {
  for (const [index, { person, orderId, documentId }] of people.entries()) {
    const { sheet, fields, file, content } = copies[index] as (typeof copies)[number];
    // All that was copied is put back, but the key.
    const { key: _key, rev: _rev, ...records } = fields;
    await clients.ordering.changeSheet(sheet, { set: { ...records, erased: undefined } });
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, content);
    stage.expect((await vault.documents.content(documentId)) === undefined, 'a scan of an erased person opens');
    stage.expect(
      (await vault.readApplication(orderId, person.userId)) === undefined,
      'a record of an erased person opens',
    );
    const shown = (await (await cast.customer(person.userId)).order(orderId)).text;
    const search = new Canaries(person.words);
    stage.expect(search.in(shown, 'answer').length === 0, 'the api shows data of an erased person');
  }
}

async function searched(scene: Scene, search: Canaries, when: string): Promise<void> {
  const found = await looked(scene, search, when);
  for (const { word, form, where } of found) scene.stage.violated(`${when}: ${word} (${form}) in ${where}`);
}

/** Files of the server's, of documents, of the partners; journals; log lines. */
async function looked(
  { stage, system, clients, dataDir, log }: Scene,
  search: Canaries,
  when?: string,
): Promise<readonly CanaryFinding[]> {
  await askRedis(system.redisUrl, ['SAVE'], 60_000);
  const { findings, files, bytes } = search.inFolder(dataDir);
  const lines = [...log];
  const journals: string[] = [];
  for (const [context, client] of Object.entries({ ordering: clients.ordering, delivery: clients.delivery }))
    for (let shard = 0; shard < client.shards; shard += 1)
      journals.push(JSON.stringify([context, await client.journal(shard, 0, 1_000)]));
  if (when !== undefined) {
    stage.measure(`files searched ${when}`, files, 'files');
    stage.measure(`bytes searched ${when}`, bytes, 'bytes');
    stage.measure(`log lines searched ${when}`, lines.length, 'lines');
    stage.expect(lines.length > 50 && bytes > 100_000, 'there was hardly anything to search');
  }
  return [...findings, ...search.in(journals.join('\n'), 'journals'), ...search.in(lines.join('\n'), 'log lines')];
}
