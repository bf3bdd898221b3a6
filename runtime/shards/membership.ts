// Membership: this worker's entry among the workers of a namespace, and what it sees of the others (L1).
//
// A process that ends with the word that it comes back leaves its entry behind: for so long nobody takes its shards, and its
// successor takes the place without asking anybody (decision 0015).
//
// Ids are static, and a second live process under one id refuses to start: it watches the entry it finds. An entry whose
// connection the server knows to be closed is taken over at once, so a restart after SIGKILL waits for nothing; one that
// stands still for the dead limit is taken over then; one that moves belongs to somebody.

import { type Clock, pause } from '../clock.ts';
import { InvariantBroken, OperatingError } from '../errors.ts';
import { beat } from '../functions/beat.ts';
import type { Call } from '../functions/call.ts';
import { join } from '../functions/join.ts';
import { leave } from '../functions/leave.ts';
import { libraryName } from '../functions/library.ts';
import type { Namespace, WorkerId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import type { Connection } from '../redis/connection.ts';
import { namespaceKeys } from '../redis/keys.ts';
import { serverIdentity } from '../redis/server.ts';
import { FOUNDED } from './config.ts';
import type { ShardLimits } from './limits.ts';
import { createObserver, type Judgement, type Sign } from './liveness.ts';
import type { ServerClock } from './server-clock.ts';

/** A member's entry as it stands in Redis. Wire format: add fields, never change them; `incarnation` stays the first. */
export interface MemberEntry {
  /** New with each process. */
  readonly incarnation: string;
  /** Grows with each beat. */
  readonly seq: number;
  /** `away`: the process has ended in order and comes back; see `holdMs`. */
  readonly state: 'active' | 'leaving' | 'away';
  /** With `away`: for so many ms after this beat, by the clock of whoever hears it, its shards stay its own. */
  readonly holdMs?: number;
  readonly weight: number;
  /** Server's clock in ms, and the version of the program. */
  readonly startedAt: number;
  readonly version: string;
  /** The library of functions that it calls. Left out by programs of before there were two. */
  readonly library?: string;
  /** `run_id` of the server and id of our connection there, by which it can tell whether we are gone. */
  readonly server: string;
  readonly client: number;
  readonly stats: JsonObject;
}

export interface MemberView extends MemberEntry, Judgement {
  readonly worker: WorkerId;
}

export interface Look {
  readonly members: readonly MemberView[];
  /** Text of the key that was read in the same breath *before* the members; null when it does not exist. */
  readonly assignment: string | null;
  /** The namespace's mark, read with it; null when it is gone. */
  readonly founded: string | null;
}

export interface Membership {
  /** New with each process. */
  readonly incarnation: string;
  /** The process whose place was taken. Undefined where there was none, or where its connection was not seen to end. */
  replaced(): string | undefined;
  /** Takes the place of this worker. Throws OperatingError `worker-id-taken` when another process lives there. */
  join(): Promise<void>;
  /** Beats once and looks around. Throws `worker-id-taken` when displaced. One round trip, a second for newcomers and the silent. */
  look(): Promise<Look>;
  /** From the next beat on the entry says that this worker gives up its shards. */
  markLeaving(): void;
  /** Removes the entry if it is still ours. Never rejects. */
  leave(): Promise<void>;
  /** Leaves the entry, with the word that the shards are held for the next process under this id. Never rejects. */
  goAway(): Promise<void>;
}

export interface MembershipOptions {
  readonly namespace: Namespace;
  readonly worker: WorkerId;
  readonly weight: number;
  readonly version: string;
  readonly connection: Connection;
  readonly serverClock: ServerClock;
  readonly limits: ShardLimits;
  readonly clock: Clock;
  readonly stats: () => JsonObject;
}

const INCARNATION_BYTES = 8;
const JOIN_LOOK_MS = 50;

export function createMembership(options: MembershipOptions): Membership {
  const { worker, connection, serverClock, limits, clock } = options;
  const keys = namespaceKeys(options.namespace);
  const incarnation = clock.nonce(INCARNATION_BYTES);
  const prefix = JSON.stringify({ incarnation }).slice(0, -1);
  const observer = createObserver(limits);
  const deadSince = new Map<string, number>();
  /** Member → mark at the last look. The server is asked about who is new, or has not been heard of since. */
  const seen = new Map<string, string>();
  let predecessor: string | undefined;
  let state: MemberEntry['state'] = 'active';
  let seq = 0;
  let startedAt = 0;
  let place = { generation: 0, server: '', client: 0 };

  /** Who we are at the server; asked again after each reconnection. */
  async function ownPlace(): Promise<typeof place> {
    const { generation } = connection;
    if (place.generation === generation) return place;
    const identity = await serverIdentity(connection);
    const client = Number(await connection.call('CLIENT ID', (redis) => redis.client('ID')));
    place = { generation, server: identity.runId, client };
    return place;
  }

  async function entryText(): Promise<string> {
    const { server, client } = await ownPlace();
    seq += 1;
    const { weight, version } = options;
    return JSON.stringify({
      incarnation,
      seq,
      state,
      ...(state === 'away' ? { holdMs: limits.restartMs } : {}),
      weight,
      startedAt,
      version,
      library: libraryName,
      server,
      client,
      stats: options.stats(),
    } satisfies MemberEntry);
  }

  /** Of entries written to this same server: is their connection still there? Where it cannot be told, `unknown`. */
  async function connectionsOf(entries: readonly MemberEntry[]): Promise<readonly Sign['connection'][]> {
    const { server } = await ownPlace();
    const asked = entries.filter((entry) => entry.server === server).map((entry) => String(entry.client));
    if (asked.length === 0) return entries.map(() => 'unknown');
    const list = await connection
      .call('CLIENT LIST', (redis) => redis.call('CLIENT', 'LIST', 'ID', ...asked))
      .then(String, () => undefined); // A user without that right learns it by watching.
    if (list === undefined) return entries.map(() => 'unknown');
    const open = new Set(Array.from(list.matchAll(/^id=(\d+) /gm), (match) => Number(match[1])));
    return entries.map((entry) => (entry.server !== server ? 'unknown' : open.has(entry.client) ? 'open' : 'closed'));
  }

  const run = <Reply>(what: string, call: Call<Reply>): Promise<Reply> =>
    connection.call(what, async (redis) => call.decode(await redis.call(...call.command)));

  async function joinPlace(): Promise<void> {
    startedAt = serverClock.now();
    let found = await readEntry();
    let sameSince = clock.monotonic();
    for (;;) {
      const closed = found !== '' && (parseEntry(found)?.state === 'away' || (await isClosed(found)));
      const free = found === '' || closed || clock.monotonic() - sameSince >= limits.deadMs;
      if (free && (await run('join', join(keys, worker, found, await entryText())))) {
        if (closed) predecessor = parseEntry(found)?.incarnation;
        return;
      }
      await pause(clock, JOIN_LOOK_MS);
      const now = await readEntry();
      if (now === found) continue;
      if (isSameProcess(found, now)) throw taken(worker, now); // It moved.
      found = now; // Gone, or another newcomer: watch that one.
      sameSince = clock.monotonic();
    }
  }

  const readEntry = async (): Promise<string> =>
    (await connection.call('HGET members', (redis) => redis.hget(keys.members, worker))) ?? '';

  async function isClosed(text: string): Promise<boolean> {
    const entry = parseEntry(text);
    return entry === undefined || (await connectionsOf([entry]))[0] === 'closed';
  }

  async function look(): Promise<Look> {
    const text = await entryText();
    const call = beat(keys, worker, prefix, text);
    const sentAt = clock.monotonic();
    // In this order: what the members are is then never older than the assignment it is compared with.
    const [assignment, founded, reply] = await connection.call('beat', async (redis) => {
      const pipeline = redis.pipeline().get(keys.assignment).hget(keys.config, FOUNDED);
      const replies = await pipeline.call(...call.command).exec();
      return (replies ?? []).map(([error, value]) => {
        if (error !== null) throw error;
        return value;
      });
    });
    const receivedAt = clock.monotonic();
    const answer = call.decode(reply);
    if (answer.kind === 'displaced') throw taken(worker, answer.entry);
    serverClock.sample(answer.at, sentAt, receivedAt);
    const members = await judged(answer.entries, receivedAt);
    bury(members, answer.entries, receivedAt);
    return { members, assignment: textOf(assignment), founded: textOf(founded) };
  }

  async function judged(texts: readonly (readonly [string, string])[], at: number): Promise<readonly MemberView[]> {
    const entries = texts.flatMap(([name, text]) => {
      const entry = parseEntry(text);
      return entry === undefined ? [] : [{ name, entry }];
    });
    for (const name of seen.keys()) if (!entries.some((present) => present.name === name)) seen.delete(name);
    const asked = entries.filter(({ name, entry }) => seen.get(name) === undefined || seen.get(name) === markOf(entry));
    const known = asked.length === 0 ? [] : await connectionsOf(asked.map(({ entry }) => entry));
    for (const { name, entry } of entries) seen.set(name, markOf(entry));
    const signs = entries.map(({ name, entry }): Sign => {
      const index = asked.findIndex((one) => one.name === name);
      const connection = name === worker ? 'open' : (known[index] ?? 'unknown');
      return { worker: name, mark: markOf(entry), connection, holdMs: holdOf(entry) };
    });
    const judgements = observer.observe(signs, at);
    return entries.map(({ name, entry }) => {
      const judgement = judgements.get(name);
      if (judgement === undefined) throw new InvariantBroken(`L1: member ${name} was not judged`);
      return { ...entry, ...judgement, worker: name as WorkerId }; // A field name written by a checked id.
    });
  }

  /** Removes entries long dead, so that nobody who starts later has to wonder about them. */
  function bury(members: readonly MemberView[], texts: readonly (readonly [string, string])[], at: number): void {
    for (const { worker: name, liveness } of members) {
      if (liveness !== 'dead') deadSince.delete(name);
      else if (!deadSince.has(name)) deadSince.set(name, at);
      if (at - (deadSince.get(name) ?? at) < limits.buryMs) continue;
      const text = texts.find(([other]) => other === name)?.[1];
      deadSince.delete(name);
      if (text !== undefined) run('leave', leave(keys, name, text)).catch(() => undefined); // Tried again after another while.
    }
  }

  return {
    incarnation,
    replaced: () => predecessor,
    join: joinPlace,
    look,
    markLeaving() {
      state = 'leaving';
    },
    async goAway() {
      state = 'away';
      const said = entryText().then((text) => run('beat', beat(keys, worker, prefix, text)));
      await said.catch(() => undefined); // Not said: then we are gone like anybody whose connection ends.
    },
    leave: () =>
      run('leave', leave(keys, worker, prefix)).then(
        () => undefined,
        () => undefined,
      ),
  };
}

const textOf = (reply: unknown): string | null => (typeof reply === 'string' ? reply : null);

/** Which beat of which process: equal marks mean that nothing was heard in between. */
export const markOf = (entry: MemberEntry | undefined): string =>
  entry === undefined ? '' : `${entry.incarnation}:${entry.seq}`;

/** Undefined for a process that has not announced its return. */
export const holdOf = ({ state, holdMs = 0 }: MemberEntry): number | undefined =>
  state === 'away' ? holdMs : undefined;

/** Undefined for text that is no entry: a stranger's field must not stop the workers. */
export function parseEntry(text: string): MemberEntry | undefined {
  try {
    const entry = JSON.parse(text) as Partial<MemberEntry> | null; // Our own format, written by every version alike.
    if (entry === null || typeof entry.incarnation !== 'string' || typeof entry.seq !== 'number') return undefined;
    return {
      state: 'active',
      weight: 1,
      startedAt: 0,
      version: '',
      server: '',
      client: 0,
      stats: {},
      ...entry,
    } as MemberEntry;
  } catch {
    return undefined;
  }
}

function isSameProcess(before: string, now: string): boolean {
  const incarnation = parseEntry(before)?.incarnation;
  return incarnation !== undefined && incarnation === parseEntry(now)?.incarnation;
}

function taken(worker: WorkerId, entry: string): OperatingError {
  const other = parseEntry(entry);
  return new OperatingError(
    'worker-id-taken',
    `another live process is worker ${worker} (incarnation ${other?.incarnation ?? 'unreadable'}, started at ${new Date(other?.startedAt ?? 0).toISOString()}); ` +
      'give this one another EMBOSS_WORKER_ID or stop the other',
  );
}
