// Goal: everyone who watches sees each version once and in order, whatever happens to sockets, hubs and journals (P2).
// Method: the hub over played journals and in-process wires, time moved by hand; then real sockets; then random interleavings
// against an array. The seed is printed; SEED=… replays it.

import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { createSurface } from '../app.ts';
import type { Principal } from '../auth/tokens.ts';
import { LiveClient, type LiveSocket } from '../client/index.ts';
import { limits } from '../limits.ts';
import type { JsonObject } from '../parts.ts';
import { picturesOf } from '../pictures.ts';
import { handTicker, NOW, PlayedClient, playedParts, playedView } from '../testing.ts';
import type { Connection, Socket } from './connection.ts';
import { createHub, type Hub } from './hub.ts';
import type { Cursor, EventFrame, ServerFrame } from './protocol.ts';

const anna: Principal = { subject: 'usr_anna', role: 'customer', expiresAt: NOW + 3_600_000 };
const desk: Principal = { subject: 'usr_op', role: 'operator', expiresAt: NOW + 3_600_000 };
const mine = (status = 'in_review'): JsonObject => ({ owner: 'usr_anna', status, statusGroup: 'in_progress' });

/** Lets everything that is ready run: the played store answers in microtasks. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 40; i++) await Promise.resolve();
};

class PlayedSocket implements Socket {
  readyState = 1;
  bufferedAmount = 0;
  readonly frames: ServerFrame[] = [];
  closedWith: number | undefined;
  send(text: string): void {
    this.frames.push(JSON.parse(text) as ServerFrame);
  }
  close(code: number): void {
    this.closedWith ??= code;
    this.readyState = 3;
  }
  terminate(): void {
    this.close(1006);
  }
  of<K extends ServerFrame['kind']>(kind: K): Extract<ServerFrame, { kind: K }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { kind: K }> => frame.kind === kind);
  }
  versions(): number[] {
    return this.of('event').map(({ version }) => version);
  }
}

/** Where a client stands that has seen this position of the journal. */
const cursorAt = (store: PlayedClient, position: number): Cursor => ({
  0: [position, store.entries.find((entry) => entry.position === position)?.token ?? ''],
});

function stage(t: Test) {
  const store = new PlayedClient();
  const client = store.asClient();
  const ticker = handTicker();
  const failures: unknown[] = [];
  const hub = createHub({ client, ticker, pictures: picturesOf(client), failed: (error) => void failures.push(error) });
  t.teardown(() => hub.feed.close());
  const say = (connection: Connection, frame: object) => connection.receive(JSON.stringify(frame));
  const enter = async (principal: Principal, over: Hub = hub) => {
    const socket = new PlayedSocket();
    const connection = over.connect(socket) as Connection;
    say(connection, { kind: 'hello', ticket: await over.ticket(principal) });
    await settle();
    return { socket, connection, say: (frame: object) => say(connection, frame) };
  };
  return { store, client, ticker, hub, enter, failures };
}

t.test(
  'P2: a snapshot and then every later version, once and in order, whatever is committed in between',
  async (t) => {
    const { store, hub, enter } = stage(t);
    await hub.start();
    store.announce('ord_1', mine());
    const { socket, say } = await enter(anna);
    t.match(socket.frames[0], { kind: 'welcome', heartbeatMs: 25_000 });

    say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
    store.announce('ord_1', mine('approved'), { silentSteps: 3 }); // While the snapshot is being read.
    await settle();
    store.announce('ord_1', mine('in_production'), { silentSteps: 2 });
    store.announce('ord_2', mine());
    await settle();
    const [snapshot] = socket.of('snapshot');
    t.match(snapshot, { id: 'a', version: 5, state: { orderId: 'ord_1', status: 'approved' } });
    t.same(socket.versions(), [8]);
    t.match(socket.of('event')[0], {
      topic: 'order:ord_1',
      previous: 5,
      eventId: 'ord_1:8-1',
      data: { status: 'in_production' },
    });
    t.notMatch(JSON.stringify(socket.frames), /usr_anna/, 'the owner is taken off');

    say({ kind: 'unsubscribe', id: 'a' });
    await settle();
    store.announce('ord_1', mine('ready_to_ship'));
    await settle();
    t.same(socket.versions(), [8]);
  },
);

t.test('P2: who resumes at a version gets each later one once; where history is gone, one snapshot', async (t) => {
  const { store, hub, enter } = stage(t);
  await hub.start();
  for (let i = 0; i < 6; i++) store.announce('ord_1', mine(`s${i}`), { silentSteps: 1 }); // Versions 2, 4, … 12.
  const { socket, say } = await enter(anna);
  const from = async (id: string, frame: object) => {
    socket.frames.length = 0;
    say({ kind: 'subscribe', id, topic: 'order:ord_1', ...frame });
    await settle();
    return socket.frames;
  };
  t.same(
    (await from('a', { since: 4, cursor: cursorAt(store, 4) })).map(({ kind }) => kind),
    ['event', 'event', 'event', 'event'],
  );
  t.same(socket.versions(), [6, 8, 10, 12]);
  t.same(await from('b', { since: 12, cursor: cursorAt(store, 12) }), [], 'nothing new, nothing said');
  t.same(
    (await from('c', { since: 5, cursor: cursorAt(store, 5) })).map((frame) => frame.kind === 'event' && frame.version),
    [6, 8, 10, 12],
    'a version that showed nothing',
  );
  t.same((await from('d', { since: 4, lastEventId: 'ord_1:4-1' })).length, 4);
  t.same(
    (await from('0', { since: 0 })).map((frame) => frame.kind === 'event' && frame.version),
    [2, 4, 6, 8, 10, 12],
    'before the first, nothing can be undone',
  );
  say({ kind: 'unsubscribe', id: '0' });

  store.announce('ord_1', mine('s6'));
  await settle();
  t.same(
    socket.of('event').map(({ id }) => id),
    ['0', '0', '0', '0', '0', '0', 'a', 'b', 'c', 'd'],
    'all go on',
  );

  store.trimmedBelow = 9;
  t.match(await from('e', { since: 4, cursor: cursorAt(store, 4) }), [
    { kind: 'gap', from: 4, to: 13 },
    { kind: 'snapshot', version: 13 },
  ]);
  t.match(
    await from('f', { since: 99 }),
    [{ kind: 'gap' }, { kind: 'snapshot', version: 13 }],
    'a version that does not exist',
  );
});

t.test(
  'P2: after a rewind the versions that were issued again are told as a gap and a snapshot, never as a repeat',
  async (t) => {
    const { store, hub, enter } = stage(t);
    await hub.start();
    for (let i = 0; i < 4; i++) store.announce('ord_1', mine(`s${i}`));
    const { socket, say, connection } = await enter(anna);
    say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
    await settle();
    store.announce('ord_1', mine('lost'));
    await settle();
    t.same(socket.versions(), [5]);

    store.rewind(3);
    store.announce('ord_1', mine('again4'));
    store.announce('ord_1', mine('again5'));
    await settle();
    t.equal(connection.closed, false);
    t.same(socket.versions(), [5], 'no second version 5 as an event');
  },
);

t.test('P2: a subscriber is brought up to date after a rewind', async (t) => {
  const { store, hub, enter, ticker } = stage(t);
  await hub.start();
  for (let i = 0; i < 4; i++) store.announce('ord_1', mine(`s${i}`));
  const { socket, say } = await enter(anna);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
  await settle();
  store.announce('ord_1', mine('lost'));
  await settle();
  store.rewind(3);
  store.announce('ord_1', mine('again'));
  store.announce('ord_1', mine('again'));
  await settle();
  ticker.advance(200);
  await settle();
  t.match(socket.frames.slice(-2), [{ kind: 'gap' }, { kind: 'snapshot', version: 5, state: { status: 'again' } }]);
  store.announce('ord_1', mine('after'));
  await settle();
  t.same(socket.versions(), [5, 6]);

  const late = await enter(anna);
  late.say({ kind: 'subscribe', id: 'b', topic: 'order:ord_1', since: 5, lastEventId: 'ord_1:5-1' });
  await settle();
  t.match(
    late.socket.frames.slice(1),
    [{ kind: 'gap' }, { kind: 'snapshot', version: 6 }],
    'version 5 of the owner before is another version 5',
  );
});

t.test(
  'P2: a rewind is told to all who follow its shard, in one picture each, before anything is written again',
  async (t) => {
    const { store, hub, enter, ticker } = stage(t);
    await hub.start();
    for (let i = 0; i < 4; i++) store.announce('ord_1', mine(`s${i}`));
    store.announce('ord_far', mine());
    store.elsewhere.add('ord_far');
    store.views.set('apl_anna', { ...playedView('apl_anna', 'usr_anna'), context: { active: { debit: 'ord_1' } } });
    const { socket, say } = await enter(anna);
    const staff = await enter(desk);
    say({ kind: 'subscribe', id: 'one', topic: 'order:ord_1' });
    say({ kind: 'subscribe', id: 'me', topic: 'me.orders' });
    say({ kind: 'subscribe', id: 'far', topic: 'order:ord_far' });
    staff.say({ kind: 'subscribe', id: 'all', topic: 'ops.orders' });
    await settle();
    const shown = async (): Promise<unknown[]> => {
      ticker.advance(200);
      await settle();
      const frames = [...socket.frames, ...staff.socket.frames].filter((frame) => frame.kind !== 'welcome');
      socket.frames.length = 0;
      staff.socket.frames.length = 0;
      return frames.map((frame) => [
        'id' in frame ? frame.id : undefined,
        frame.kind,
        frame.kind === 'snapshot' || frame.kind === 'event' ? frame.version : undefined,
      ]);
    };
    await shown();

    // The last claim was lost too, so the next owner has the same counter: only the reader of the journal can tell.
    store.rewind(2, { sameCounter: true });
    await settle();
    const once = [
      ['one', 'gap', undefined],
      ['one', 'snapshot', 2],
      ['me', 'gap', undefined],
      ['me', 'snapshot', 0],
      ['all', 'gap', undefined],
      ['all', 'snapshot', 0],
    ];
    t.same(await shown(), once, 'nothing of the other shard');
    t.same(await shown(), [], 'once');

    store.announce('ord_1', mine('again3'));
    store.announce('ord_1', mine('again4'));
    await settle();
    t.same(await shown(), [
      ['one', 'event', 3],
      ['me', 'event', 3],
      ['one', 'event', 4],
      ['me', 'event', 4],
      ['all', 'event', 3],
      ['all', 'event', 4],
    ]);

    // Written again up to the same version before anybody looks: the picture comes all the same.
    store.rewind(3, { sameCounter: true });
    store.announce('ord_1', mine('other4'));
    await settle();
    t.same(
      await shown(),
      once.map(([id, kind, version]) => [id, kind, version === 2 ? 4 : version]),
    );

    store.rewind(2, { sameCounter: true });
    store.isGone = true; // The journals are followed again before the store can be read.
    await settle();
    t.same(await shown(), []);
    t.same(await shown(), []);
    store.isGone = false;
    await settle();
    t.same(await shown(), once, 'nobody is sent away with versions that are undone');

    store.rewind(0);
    await settle();
    t.match(await shown(), [['one', 'error'], ['me', 'gap'], ['me', 'snapshot'], ['all'], ['all']], 'undone whole');
  },
);

t.test(
  'P2: who was away while the tail was lost and written again gets one picture, whatever the versions say',
  async (t) => {
    const { store, client, ticker, hub, enter } = stage(t);
    await hub.start();
    for (let i = 0; i < 4; i++) store.announce('ord_1', mine(`s${i}`));
    const before = await enter(anna);
    before.say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
    const staff = await enter(desk);
    staff.say({ kind: 'subscribe', id: 'all', topic: 'ops.orders' });
    await settle();
    const [picture] = before.socket.of('snapshot');
    const [all] = staff.socket.of('snapshot');
    store.announce('ord_1', mine('lost'));
    await settle();
    const { version, at, eventId } = before.socket.of('event')[0] as EventFrame;
    for (const { socket } of [before, staff]) socket.close(1006);

    // Written past everything that was seen, under the counter of before: only the tokens of the entries tell.
    store.rewind(2, { sameCounter: true });
    for (let i = 0; i < 5; i++) store.announce('ord_1', mine(`again${i}`));
    const next = createHub({ client, ticker, pictures: picturesOf(client), failed: () => undefined });
    t.teardown(() => next.feed.close());
    await next.start();

    const one = { topic: 'order:ord_1' };
    const many = { topic: 'ops.orders' };
    const seen = { [String(at[0])]: at.slice(1) };
    const resync = ['gap', 'snapshot'];
    for (const [principal, frame, expected] of [
      [anna, { ...one, since: version, cursor: seen }, resync],
      [anna, { ...one, since: picture?.version, cursor: picture?.cursor }, resync], // It saw no event, only the picture.
      [anna, { ...one, since: 2, cursor: cursorAt(store, 2) }, Array(5).fill('event')],
      [anna, { ...one, since: 7, cursor: cursorAt(store, 7) }, []],
      [anna, { ...one, since: version }, resync], // As clients said it before there were tokens.
      [anna, { ...one, since: version, lastEventId: `${eventId.slice(0, -1)}9` }, resync],
      [desk, { ...many, cursor: { ...all?.cursor, ...seen } }, resync],
      [desk, { ...many, cursor: all?.cursor }, resync],
      [desk, { ...many, cursor: { 0: at[1] } }, resync],
      [desk, { ...many, cursor: { 0: [7, 'other'] } }, resync], // At the head, where nothing is read.
      [desk, { ...many, cursor: { 0: 0 } }, Array(7).fill('event')],
      [desk, { ...many, cursor: cursorAt(store, 2) }, Array(5).fill('event')],
      [desk, { ...many, cursor: cursorAt(store, 7) }, []],
    ] as const) {
      const { socket, say } = await enter(principal, next);
      say({ kind: 'subscribe', id: 'b', ...frame });
      await settle();
      t.same(
        socket.frames.slice(1).map(({ kind }) => kind),
        expected,
        JSON.stringify(frame),
      );
    }
  },
);

t.test('P2: what was undone while the journals could not be followed is told as well', async (t) => {
  const { store, hub, enter, ticker, failures } = stage(t);
  await hub.start();
  for (let i = 0; i < 4; i++) store.announce('ord_1', mine(`s${i}`));
  const { socket, say } = await enter(anna);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
  await settle();
  store.breakWatches();
  await settle();
  t.equal(failures.length, 1);
  t.equal(hub.feed.isFailing, true);
  store.rewind(2);
  ticker.advance(600);
  await settle();
  ticker.advance(200);
  await settle();
  t.match(socket.frames.slice(-2), [{ kind: 'gap' }, { kind: 'snapshot', version: 2 }]);
  store.announce('ord_1', mine('again'));
  await settle();
  t.same(socket.versions(), [3], 'and followed from there');

  store.breakWatches();
  await settle();
  store.announce('ord_1', mine('meanwhile'));
  ticker.advance(600);
  await settle();
  t.same(socket.versions(), [3, 4], 'a break alone undoes nothing');
  ticker.advance(20_000);
  t.equal(hub.feed.isFailing, false);
});

t.test(
  'P2: many orders on one topic: a cursor carries it through a restart of the hub, each change once',
  async (t) => {
    const { store, client, ticker, hub, enter } = stage(t);
    await hub.start();
    const first = await enter(desk);
    first.say({ kind: 'subscribe', id: 'all', topic: 'ops.orders' });
    await settle();
    store.announce('ord_1', mine());
    store.announce('ord_2', { owner: 'usr_bob', status: 'approved' });
    await settle();
    t.match(first.socket.of('snapshot'), [{ version: 0, cursor: { 0: [0, ''] }, state: { population: {} } }]);
    t.same(
      first.socket.of('event').map(({ orderId, at }) => [orderId, at]),
      [
        ['ord_1', [0, 1, '1:test0']],
        ['ord_2', [0, 2, '1:test0']],
      ],
    );

    const drained = hub.drain();
    ticker.advance(1_000);
    await drained;
    t.equal(first.socket.of('goaway').length, 1);
    t.equal(first.socket.closedWith, 1012);
    store.announce('ord_1', mine('approved'));
    store.announce('ord_3', mine());

    const next = createHub({ client, ticker, pictures: picturesOf(client), failed: () => undefined });
    t.teardown(() => next.feed.close());
    await next.start();
    const second = await enter(desk, next);
    second.say({ kind: 'subscribe', id: 'all', topic: 'ops.orders', cursor: cursorAt(store, 2) });
    await settle();
    store.announce('ord_2', { owner: 'usr_bob', status: 'in_production' });
    await settle();
    t.same(
      second.socket.of('event').map(({ orderId, version }) => [orderId, version]),
      [
        ['ord_1', 2],
        ['ord_3', 1],
        ['ord_2', 2],
      ],
    );

    store.trimmedBelow = 4;
    const third = await enter(desk, next);
    third.say({ kind: 'subscribe', id: 'all', topic: 'ops.orders', cursor: cursorAt(store, 2) });
    await settle();
    t.same(
      third.socket.frames.map(({ kind }) => kind),
      ['welcome', 'gap', 'snapshot'],
    );

    const own = await enter(anna, next);
    own.say({ kind: 'subscribe', id: 'me', topic: 'me.orders' });
    await settle();
    store.announce('ord_2', { owner: 'usr_bob', status: 'x' });
    store.announce('ord_3', mine('approved'));
    await settle();
    t.same(
      own.socket.of('event').map(({ orderId }) => orderId),
      ['ord_3'],
      'own orders only',
    );
  },
);

t.test('who may follow what: asked at every subscribe', async (t) => {
  const { store, hub, enter } = stage(t);
  await hub.start();
  store.announce('ord_1', mine());
  const refusal = async (principal: Principal, topic: string) => {
    const { socket, say } = await enter(principal);
    say({ kind: 'subscribe', id: 'a', topic });
    await settle();
    store.announce('ord_1', mine());
    await settle();
    t.same(
      socket.of('event').length + socket.of('snapshot').length,
      0,
      `${principal.subject} hears nothing of ${topic}`,
    );
    return socket.of('error')[0]?.problem.code;
  };
  const bob: Principal = { ...anna, subject: 'usr_bob' };
  t.equal(await refusal(bob, 'order:ord_1'), 'P-23');
  t.equal(await refusal(bob, 'order:ord_unknown'), 'P-23', 'like one that does not exist');
  t.equal(await refusal(anna, 'ops.orders'), 'P-21');
  t.equal(await refusal(desk, 'me.orders'), 'P-21');
  t.equal(await refusal(anna, 'secrets'), 'P-23');
});

t.test('bounds of a connection: hello, tickets, frames, subscriptions, heartbeat, end of the token', async (t) => {
  const { store, hub, enter, ticker } = stage(t);
  await hub.start();
  store.announce('ord_1', mine());
  const silent = new PlayedSocket();
  hub.connect(silent);
  ticker.advance(limits.helloWaitMs + 1);
  t.equal(silent.closedWith, 4401, 'no hello in time');

  const rude = new PlayedSocket();
  hub.connect(rude)?.receive(JSON.stringify({ kind: 'subscribe', id: 'a', topic: 'me.orders' }));
  t.equal(rude.closedWith, 4401, 'hello comes first');

  const ticket = await hub.ticket(anna);
  for (const [expected, text] of [
    [undefined, 'first'],
    [4401, 'second'],
  ] as const) {
    const socket = new PlayedSocket();
    hub.connect(socket)?.receive(JSON.stringify({ kind: 'hello', ticket }));
    await settle();
    t.equal(socket.closedWith, expected, `${text} use of a ticket`);
  }
  for (const bad of [
    '{',
    '[]',
    '{"kind":"dance"}',
    '{"kind":"ping","t":1,"x":2}',
    '{"kind":"subscribe","id":"a","topic":"me.orders","since":-1}',
    '{"kind":"subscribe","id":"a","topic":"me.orders","cursor":{"0":[1]}}',
    '{"kind":"subscribe","id":"a","topic":"me.orders","cursor":{"0":[1,"a b"]}}',
    '{"kind":"hello","ticket":"t"}',
    undefined,
  ]) {
    const { socket, connection } = await enter(anna);
    connection.receive(bad);
    t.equal(socket.closedWith, 4400, String(bad));
  }

  const greedy = await enter(anna);
  for (let i = 0; i <= limits.subscriptionsMax; i++)
    greedy.say({ kind: 'subscribe', id: `s${i}`, topic: 'order:ord_1' });
  for (let i = 0; i < 20; i++) await settle();
  t.equal(greedy.socket.closedWith, 4429, 'too many subscriptions');
  const flood = await enter(anna);
  for (let i = 0; i < limits.framesBurst + 5; i++) flood.say({ kind: 'ping', t: i });
  t.equal(flood.socket.closedWith, 4429, 'too many frames');

  const quiet = await enter(anna);
  ticker.advance(limits.heartbeatMs * 2 + 10);
  t.equal(quiet.socket.closedWith, undefined);
  ticker.advance(limits.heartbeatMs);
  t.equal(quiet.socket.closedWith, 4408, 'two heartbeats missed');
  const lively = await enter(anna);
  for (let i = 0; i < 4; i++) {
    ticker.advance(limits.heartbeatMs);
    lively.say({ kind: 'pong', t: i });
  }
  t.equal(lively.socket.closedWith, undefined);
  const brief = await enter({ ...anna, expiresAt: ticker.now() + 10_000 });
  ticker.advance(10_001);
  t.equal(brief.socket.closedWith, 4401, 'the token has expired');
});

t.test('P2: a slow consumer is left alone, then resumed where it stood; one that stays slow is closed', async (t) => {
  const { store, hub, enter, ticker, failures } = stage(t);
  await hub.start();
  store.announce('ord_1', mine());
  const { socket, say } = await enter(anna);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
  await settle();
  socket.bufferedAmount = limits.bufferedBytesMax;
  for (let i = 0; i < 5; i++) store.announce('ord_1', mine(`s${i}`));
  await settle();
  t.same(socket.versions(), [], 'nothing more is put into a full buffer');
  ticker.advance(1_000);
  socket.bufferedAmount = 0;
  ticker.advance(200);
  await settle();
  store.announce('ord_1', mine('after'));
  await settle();
  t.same(socket.versions(), [2, 3, 4, 5, 6, 7]);

  socket.bufferedAmount = limits.bufferedBytesMax;
  store.announce('ord_1', mine('more'));
  await settle();
  ticker.advance(limits.slowConsumerMs + 500);
  t.equal(socket.closedWith, 4409);
  t.same(failures, []);
});

t.test('P2: a client that does not acknowledge gets pictures instead of changes, until it does', async (t) => {
  const { store, hub, enter, ticker } = stage(t);
  await hub.start();
  store.announce('ord_1', mine());
  const { socket, say } = await enter(anna);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
  await settle();
  for (let i = 0; i < limits.unackedMax + 10; i++) {
    store.announce('ord_1', mine(`s${i}`));
    await settle();
  }
  t.equal(socket.versions().length, limits.unackedMax);
  ticker.advance(limits.conflateMs + 200);
  await settle();
  t.match(socket.of('snapshot').at(-1), { version: limits.unackedMax + 11 });
  store.announce('ord_1', mine('last'));
  say({ kind: 'ack', eventId: socket.of('event').at(-1)?.eventId });
  ticker.advance(200);
  await settle();
  t.equal(socket.versions().at(-1), limits.unackedMax + 12, 'changes again');
  t.same(new Set(socket.versions()).size, socket.versions().length);
});

t.test('P2: what was undone while a client does not acknowledge is told as a gap before the picture', async (t) => {
  const { store, hub, enter, ticker } = stage(t);
  await hub.start();
  store.announce('ord_1', mine());
  const { socket, say } = await enter(anna);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1' });
  await settle();
  for (let i = 0; i < limits.unackedMax + 10; i++) {
    store.announce('ord_1', mine(`s${i}`));
    await settle();
  }
  const shown = async (): Promise<ServerFrame[]> => {
    socket.frames.length = 0;
    ticker.advance(limits.conflateMs + 200);
    await settle();
    return socket.frames;
  };
  const last = limits.unackedMax + 11;
  t.match(await shown(), [{ kind: 'snapshot', version: last }]);
  store.rewind(100);
  await settle();
  const undone = await shown();
  t.match(undone, [
    { kind: 'gap', id: 'a', from: last, to: 100 },
    { kind: 'snapshot', version: 100 },
  ]);
  t.equal(undone.length, 2);
  t.same(await shown(), [], 'told once');
});

t.test('P2: a takeover while history is read for who resumes undoes nothing', async (t) => {
  const { store, client, ticker, enter, failures } = stage(t);
  let isTaken = false;
  const history: typeof client.history = async (...call) => {
    if (!isTaken) {
      isTaken = true;
      store.counter++; // Another owner, who lost nothing.
      store.announce('ord_1', mine('taken'));
      await settle();
    }
    return client.history(...call);
  };
  const slow = { ...client, history };
  const failed = (error: unknown): void => void failures.push(error);
  const hub = createHub({ client: slow, ticker, pictures: picturesOf(client), failed });
  t.teardown(() => hub.feed.close());
  await hub.start();
  for (let i = 0; i < 3; i++) store.announce('ord_1', mine(`s${i}`));
  await settle();
  const { socket, say } = await enter(anna, hub);
  say({ kind: 'subscribe', id: 'a', topic: 'order:ord_1', since: 1, cursor: cursorAt(store, 1) });
  await settle();
  await settle();
  await settle();
  ticker.advance(200);
  await settle();
  t.same(
    socket.frames.slice(1).map((frame) => [frame.kind, 'version' in frame ? frame.version : undefined]),
    [2, 3, 4].map((version) => ['event', version]),
    'each version once, no gap',
  );
  t.same(failures, []);
});

t.test(
  'P2: many orders on one topic: without an ack the latest picture of them once a second, then changes again',
  async (t) => {
    for (const [principal, topic] of [
      [anna, 'me.orders'],
      [desk, 'ops.orders'],
    ] as const) {
      const { store, hub, enter, ticker } = stage(t);
      await hub.start();
      store.announce('ord_1', mine());
      store.views.set('apl_anna', { ...playedView('apl_anna', 'usr_anna'), context: { active: { debit: 'ord_1' } } });
      const { socket, say } = await enter(principal);
      say({ kind: 'subscribe', id: 'many', topic });
      await settle();
      for (let i = 0; i < limits.unackedMax + 10; i++) {
        store.announce('ord_1', mine(`s${i}`));
        await settle();
      }
      t.equal(socket.versions().length, limits.unackedMax, topic);
      t.equal(socket.of('snapshot').length, 1, topic);
      ticker.advance(limits.conflateMs + 200);
      await settle();
      const head = store.entries.length;
      t.match(
        socket.frames.slice(-2),
        [
          { kind: 'gap', id: 'many' },
          { kind: 'snapshot', cursor: cursorAt(store, head) },
        ],
        topic,
      );
      if (topic === 'me.orders')
        t.match(socket.of('snapshot').at(-1)?.state, { orders: [{ status: `s${limits.unackedMax + 9}` }] });
      ticker.advance(limits.conflateMs * 3);
      await settle();
      t.equal(socket.of('snapshot').length, 2, `${topic}: nothing new, nothing said`);
      store.announce('ord_1', mine('more'));
      await settle();
      ticker.advance(limits.conflateMs + 200);
      await settle();
      t.equal(socket.of('snapshot').length, 3, topic);

      store.announce('ord_1', mine('last'));
      say({ kind: 'ack', eventId: socket.of('event').at(-1)?.eventId });
      ticker.advance(200);
      await settle();
      t.equal(socket.versions().length, limits.unackedMax + 1, `${topic}: only what came after the picture`);
      t.equal(socket.versions().at(-1), limits.unackedMax + 13, topic);
    }
  },
);

// --- Both ends ---

/** A wire between a LiveClient and a hub: delivers in order, may be cut, loses what is under way then. */
class Wire extends PlayedSocket implements LiveSocket {
  connection: Connection | undefined;
  readonly #listeners: { [type: string]: ((event: never) => void)[] } = {};
  #isCut = false;
  addEventListener(type: string, listener: (event: never) => void): void {
    const list = this.#listeners[type] ?? [];
    this.#listeners[type] = [...list, listener];
  }
  emit(type: string, event: object = {}): void {
    for (const listener of this.#listeners[type] ?? []) listener(event as never);
  }
  attach(hub: Hub): void {
    this.connection = hub.connect(this.serverSide());
    if (this.connection === undefined) {
      this.cut(1012);
      return;
    }
    queueMicrotask(() => this.emit('open'));
  }
  serverSide(): Socket {
    const deliver = (text: string): void => queueMicrotask(() => this.#isCut || this.emit('message', { data: text }));
    const cut = (code: number): void => this.cut(code);
    const isCut = (): boolean => this.#isCut;
    return {
      get readyState() {
        return isCut() ? 3 : 1;
      },
      bufferedAmount: 0,
      send: deliver,
      close: cut,
      terminate: () => cut(1006),
    };
  }
  override send(text: string): void {
    queueMicrotask(() => this.#isCut || this.connection?.receive(text));
  }
  override close(code = 1000): void {
    this.cut(code);
  }
  cut(code: number): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.readyState = 3;
    this.connection?.ended();
    queueMicrotask(() => this.emit('close', { code, reason: '' }));
  }
}

const seed = Number(process.env.SEED ?? Math.floor(NOW % 2 ** 31));

/** A small generator, so that a seed gives the same run everywhere (mulberry32). */
function randomOf(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function startedHub(
  client: Parameters<typeof picturesOf>[0],
  ticker: ReturnType<typeof handTicker>,
): Promise<Hub> {
  const hub = createHub({ client, ticker, pictures: picturesOf(client), failed: () => undefined });
  await hub.start();
  return hub;
}

t.test(
  `P2: client and hub together, cut and restarted at random, hand on each version once and in order (seed ${seed})`,
  async (t) => {
    for (let run = 0; run < 60; run++) {
      const random = randomOf(seed + run);
      const { store, client, ticker } = stage(t);
      const newHub = (): Promise<Hub> => startedHub(client, ticker);
      let hub = await newHub();
      let wire: Wire | undefined;
      const versions = new Map<string, number[]>([
        ['ord_1', []],
        ['ord_2', []],
      ]);
      const announce = (orderId: string): void => {
        const { announced } = store.announce(orderId, mine(), { silentSteps: Math.floor(random() * 3) });
        versions.get(orderId)?.push(announced);
      };
      announce('ord_1');
      const live = new LiveClient({
        url: 'ws://played',
        ticket: () => hub.ticket(desk),
        ticker,
        connect: () => {
          wire = new Wire();
          wire.attach(hub);
          return wire;
        },
      });
      const one: number[] = [];
      const all = new Map<string, number[]>([
        ['ord_1', []],
        ['ord_2', []],
      ]);
      let firstSnapshot = 0;
      live.subscribe({
        topic: 'order:ord_1',
        onSnapshot: ({ version }) => {
          if (firstSnapshot === 0) firstSnapshot = version;
          else one.push(-version); // A second picture would be a gap, and there is none.
        },
        onEvent: ({ version }) => void one.push(version),
      });
      let knownBefore: Map<string, number> | undefined;
      live.subscribe({
        topic: 'ops.orders',
        onSnapshot: () => {
          knownBefore = new Map([...versions].map(([orderId, list]) => [orderId, list.at(-1) ?? 0]));
        },
        onEvent: ({ orderId, version }) => void all.get(orderId)?.push(version),
      });
      for (let i = 0; i < 60; i++) {
        const dice = random();
        if (dice < 0.6) announce(random() < 0.7 ? 'ord_1' : 'ord_2');
        else if (dice < 0.7) wire?.cut(1006);
        else if (dice < 0.75) {
          await Promise.all([hub.drain(), settle().then(() => ticker.advance(200))]);
          hub = await newHub();
        } else ticker.advance(Math.floor(random() * 2_000));
        if (random() < 0.5) await settle();
      }
      for (let i = 0; i < 40; i++) {
        ticker.advance(300); // Less than the wait for a hello, more in sum than the longest back-off.
        await settle();
      }
      const expected = (versions.get('ord_1') ?? []).filter((version) => version > firstSnapshot);
      if (!t.same(one, expected, `run ${run}: one order`)) return;
      for (const [orderId, list] of versions) {
        const floor = knownBefore?.get(orderId) ?? 0;
        const seen = all.get(orderId) ?? [];
        // The picture of many orders holds no versions: what was under way when it was taken may be in the events or not.
        if (
          !t.same(
            seen.filter((version) => version > floor),
            list.filter((version) => version > floor),
            `run ${run}: ${orderId} among all`,
          )
        )
          return;
        t.same(
          seen,
          [...new Set(seen)].sort((a, b) => a - b),
          `run ${run}: ${orderId} once and in order`,
        );
      }
      const closed = live.close();
      wire?.cut(1000);
      await settle();
      await closed;
      const drained = hub.drain();
      await settle();
      ticker.advance(1_000);
      await drained;
    }
  },
);

t.test(
  `P2: after rewinds at random, seen or slept through, who follows has every change since its last picture (seed ${seed})`,
  async (t) => {
    for (let run = 0; run < 60; run++) {
      const random = randomOf(seed + 1_000 + run);
      const { store, client, ticker } = stage(t);
      const newHub = (): Promise<Hub> => startedHub(client, ticker);
      let hub = await newHub();
      let wire: Wire | undefined;
      let n = 0;
      const announce = (): void => void store.announce('ord_1', mine(`s${n++}`));
      announce();
      const live = new LiveClient({
        url: 'ws://played',
        ticket: () => hub.ticket(desk),
        ticker,
        connect: () => {
          wire = new Wire();
          wire.attach(hub);
          return wire;
        },
      });
      let one: unknown[] = []; // Versions with what they say, from the last picture on.
      live.subscribe({
        topic: 'order:ord_1',
        onSnapshot: ({ version, state }) => {
          one = [[version, state.status]];
        },
        onEvent: ({ version, data }) => void one.push([version, data.status]),
      });
      let all: unknown[] = []; // A picture of many orders holds no versions.
      live.subscribe({
        topic: 'ops.orders',
        onSnapshot: () => {
          all = [];
        },
        onEvent: ({ version, data }) => void all.push([version, data.status]),
      });
      for (let i = 0; i < 40; i++) {
        const dice = random();
        if (dice < 0.5) announce();
        else if (dice < 0.6) wire?.cut(1006);
        else if (dice < 0.7) {
          await Promise.all([hub.drain(), settle().then(() => ticker.advance(200))]);
          if (random() < 0.7) rewind();
          hub = await newHub();
        } else if (dice < 0.75) rewind();
        else ticker.advance(Math.floor(random() * 2_000));
        if (random() < 0.5) await settle();
      }
      function rewind(): void {
        store.rewind(Math.max(1, store.entries.length - Math.floor(random() * 4)), { sameCounter: random() < 0.5 });
        for (let i = Math.floor(random() * 6); i > 0; i--) announce();
      }
      const rest = async (): Promise<void> => {
        for (let i = 0; i < 40; i++) {
          ticker.advance(300); // As above.
          await settle();
        }
      };
      await rest();
      announce();
      await rest();
      const kept = store.entries.map(({ sequence, announcement }) => [sequence, announcement?.data.status]);
      if (!t.same(one, kept.slice(-one.length), `run ${run}: one order`)) return;
      if (!t.same(all, kept.slice(-all.length), `run ${run}: among all`)) return;
      const closed = live.close();
      wire?.cut(1000);
      await settle();
      await closed;
      const drained = hub.drain();
      await settle();
      ticker.advance(1_000);
      await drained;
    }
  },
);

t.test('a client whose frames cannot be read gives up; after any other close it comes again', async (t) => {
  const { hub, ticker } = stage(t);
  await hub.start();
  let wires = 0;
  let wire: Wire | undefined;
  const states: string[] = [];
  const live = new LiveClient({
    url: 'ws://played',
    ticket: () => hub.ticket(desk),
    ticker,
    connect: () => {
      wires++;
      wire = new Wire();
      wire.attach(hub);
      return wire;
    },
    onState: (state, detail) => void states.push(state === 'closed' ? `closed ${detail.trim()}` : state),
  });
  await settle();
  wire?.cut(1012);
  await settle();
  ticker.advance(5_000);
  await settle();
  t.equal(wires, 2);
  wire?.cut(4400);
  await settle();
  ticker.advance(60_000);
  await settle();
  t.equal(wires, 2, 'the same frames would be refused again');
  t.equal(states.at(-1), 'closed 4400');
  await live.close();
});

t.test(
  'real sockets: the upgrade is checked, and a client follows an order through a restart of the api',
  async (t) => {
    const { systemTicker } = await import('../client/clock.ts');
    const played = playedParts(systemTicker);
    played.ordering.announce('ord_1', mine());
    const open = async (port: number) => {
      const hub = createHub({
        client: played.parts.ordering,
        ticker: systemTicker,
        pictures: picturesOf(played.parts.ordering),
        failed: () => undefined,
      });
      await hub.start();
      const app = await createSurface('public', { ...played.parts, hub });
      await app.listen({ host: '127.0.0.1', port });
      const { port: bound } = app.server.address() as { port: number };
      return { app, hub, port: bound };
    };
    let api = await open(0);
    const { port } = api;
    const url = `ws://127.0.0.1:${port}/api/v1/ws`;
    const refused = (headers: Record<string, string>, protocol = 'cardorder.v1') =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(url, protocol, { headers });
        socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        socket.on('open', () => resolve(101));
        socket.on('open', () => socket.close());
        socket.on('error', () => undefined);
      });
    t.equal(await refused({ origin: 'https://evil.example' }), 403);
    t.equal(await refused({ origin: 'https://app.example' }), 101);
    t.equal(await refused({}, 'other.v1'), 400);

    const { RestClient } = await import('../client/index.ts');
    const rest = new RestClient({
      baseUrl: `http://127.0.0.1:${port}`,
      token: await played.token('usr_anna', 'customer', 3_000),
    });
    const seen: number[] = [];
    let wake: () => void = () => undefined;
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise<void>((resolve) => (wake = resolve));
    };
    const live = new LiveClient({
      url,
      ticket: () => rest.ticket(),
      connect: (to, protocol) => new WebSocket(to, protocol) as unknown as LiveSocket,
      onState: () => wake(),
    });
    live.subscribe({
      topic: 'order:ord_1',
      onSnapshot: ({ version }) => {
        seen.push(version);
        wake();
      },
      onEvent: ({ version }) => {
        seen.push(version);
        wake();
      },
    });
    await until(() => seen.length === 1);
    played.ordering.announce('ord_1', mine('approved'));
    await until(() => seen.length === 2);

    await api.hub.drain();
    await api.app.close();
    played.ordering.announce('ord_1', mine('in_production'));
    played.ordering.announce('ord_1', mine('ready_to_ship'), { silentSteps: 2 });
    api = await open(port);
    await until(() => seen.length === 4);
    played.ordering.announce('ord_1', mine('in_transit'));
    await until(() => seen.length === 5);
    t.same(seen, [1, 2, 3, 6, 7]);

    await live.close();
    const large = new WebSocket(url, 'cardorder.v1');
    const code = await new Promise<number>((resolve) => {
      large.on('open', () => large.send('x'.repeat(limits.frameBytesMax + 1)));
      large.on('close', resolve);
      large.on('error', () => undefined);
    });
    t.equal(code, 1009, 'a frame above 16 KB');
    await api.hub.drain();
    await api.app.close();
  },
);
