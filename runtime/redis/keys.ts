// Every Redis key of the runtime. A shard's keys share one hash tag, so that one function may touch them all (design: Redis).
// Wire format: a renamed key is a new library version.

import type { ActorId, Namespace } from '../ids.ts';

export interface ShardKeys {
  /**
   * Hash: token, line (see functions/common.lua), counter, worker, group, claimed, oldest, tries, due, dueTries, found, tried,
   * trying, relayed, travelled.
   */
  readonly owner: string;
  readonly inbox: string;
  readonly journal: string;
  readonly outbox: string;
  /** String: messages of the shard accepted and not handled (M1); an actor's own count stands in its hash. */
  readonly backlog: string;
  /** Hash `actor|message` → time of acceptance, digest, answer (M6, M7). */
  readonly dedupe: string;
  /** Sorted set of due times, and hash of rows: `t|actor|timer` and `e|effect key` (T1, E1). */
  readonly timers: string;
  readonly rows: string;
  /** Hash `t|actor|timer` → resume policy and delay, for the rows whose policy is not `deadline` (T1). */
  readonly resumable: string;
  /** Hash effect key → record; hash effect key → attempt (E1). */
  readonly effects: string;
  readonly attempts: string;
  /** Hashes lane → `token|n`: last record received, last record sent (M3). */
  readonly lanesIn: string;
  readonly lanesOut: string;
  /** Hash actor → how it is treated, and the cause (M5); see functions/common.lua. */
  readonly parked: string;
  /** Sorted set of all actors of the shard by time of their creation. */
  readonly actors: string;
  /** Hash: line (sequence, last entry handled, time), open (messages accepted and not handled), snap, rec. */
  actor(id: ActorId): string;
  /** List of the actor's journal positions, trimmed with the journal (C2). */
  positions(id: ActorId): string;
  /** List of entries that wait while the actor is parked (M5). */
  waiting(id: ActorId): string;
  /** Sorted set of actors in a leaf state, by time of entry (C1). */
  state(machine: string, leaf: string): string;
  /** The lock master's key: on the lock servers, not beside the shard. */
  readonly lock: string;
}

export function shardKeys(ns: Namespace, shard: number): ShardKeys {
  const tag = `{${ns}:${shard}}`;
  return {
    owner: `${tag}:owner`,
    inbox: `${tag}:inbox`,
    journal: `${tag}:journal`,
    outbox: `${tag}:outbox`,
    backlog: `${tag}:backlog`,
    dedupe: `${tag}:dedupe`,
    timers: `${tag}:timers`,
    rows: `${tag}:rows`,
    resumable: `${tag}:resumable`,
    effects: `${tag}:effects`,
    attempts: `${tag}:attempts`,
    lanesIn: `${tag}:lanes:in`,
    lanesOut: `${tag}:lanes:out`,
    parked: `${tag}:parked`,
    actors: `${tag}:actors`,
    actor: (id) => `${tag}:a:${id}`,
    positions: (id) => `${tag}:p:${id}`,
    waiting: (id) => `${tag}:w:${id}`,
    state: (machine, leaf) => `${tag}:ix:${machine}:${leaf}`,
    lock: `lock:${tag}`,
  };
}

export interface NamespaceKeys {
  /**
   * Hash: shards, hashName, timeScale, virtualTime, origin; written once at first start (L1, T2). And travelled: ms of domain
   * time in all.
   */
  readonly config: string;
  /** Hash message id → `ms all time who`: the travels of a namespace with virtual time (T2). */
  readonly travels: string;
  /** String: JSON of the assignment, see shards/assignment.ts (L1). */
  readonly assignment: string;
  /** Hash worker → heartbeat JSON (L1). */
  readonly members: string;
  /** Hash machine → JSON of versions and leaf states, for readers of the index. */
  readonly machines: string;
  /** Hash per dependency (E3). */
  circuit(name: string): string;
  readonly circuits: string;
  limit(key: string): string;
  once(key: string): string;
  keep(key: string): string;
  record(id: string): string;
  /** Hash: a sheet beside the actors, changed by compare-and-set. */
  sheet(id: string): string;
}

export function namespaceKeys(ns: Namespace): NamespaceKeys {
  const tag = `{${ns}}`;
  return {
    config: `${tag}:config`,
    travels: `${tag}:travels`,
    assignment: `${tag}:assignment`,
    members: `${tag}:members`,
    machines: `${tag}:machines`,
    circuits: `${tag}:circuits`,
    circuit: (name) => `${tag}:circuit:${name}`,
    limit: (key) => `{${ns}:limit:${key}}`,
    once: (key) => `{${ns}:once:${key}}`,
    keep: (key) => `{${ns}:keep:${key}}`,
    record: (id) => `{${ns}:record:${id}}`,
    sheet: (id) => `{${ns}:sheet:${id}}`,
  };
}

/** Where a connection leaves a mark for replicas to confirm: under the hash tag of `key`, which is in the same slot. */
export const markBeside = (key: string): string => `${key.slice(0, key.indexOf('}') + 1)}:mark`;

/** What a process leaves at each lock master for a moment, to tell them apart: a key that the users of locks may write. */
export const ballotKey = (ns: Namespace, nonce: string): string => `lock:{${ns}:ballot-${nonce}}`;

/** Key patterns of a namespace, as ACL rules name them: keys of all its shards, its own, those of records and the like, locks. */
export const keyPatterns = {
  shards: (ns: string, name = '*'): string => `{${ns}:*}:${name}`,
  own: (ns: string, name = '*'): string => `{${ns}}:${name}`,
  beside: (ns: string, kind: string): string => `{${ns}:${kind}:*}`,
  locks: (ns: string): string => `lock:{${ns}:*}`,
};
