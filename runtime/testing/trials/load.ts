// Load: seeded clients that command a bounded set of tally actors (trial-chart.ts) one command after the other, read now and
// then, and repeat under the same message id whatever stayed unknown, as a careful caller does.
//
// What a client asks for next depends on its seed alone, never on an answer: under one seed the same commands are given, to
// whatever system. Actors are of two kinds, so that lists stay comparable: `one.c7` counts what clients send, `one.h7`
// only hears what others tell it.

import type { AskOutcome, Client } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import { OperatingError, OutcomeUnknown } from '../../errors.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { Event } from '../../json.ts';
import { pick, type Random, seeded } from '../oracle.ts';
import type { Counts } from './trial.ts';

/** The part of a client that load uses: what a history recorder wraps. */
export type LoadClient = Pick<Client, 'ask' | 'read'>;

export interface LoadOptions {
  readonly seed: number;
  /** One loop of commands each. They share connections where the caller gives the same client twice. */
  readonly clients: readonly LoadClient[];
  /** Namespaces that TELL goes to. The first is the clients' own; actors are named after theirs. */
  readonly namespaces: readonly string[];
  /** Tells this load's commands and processes from another's on the same actors. Default: none other is there. */
  readonly name?: string;
  /** Default true. False for clients of a server whose reads are known to be old: nothing is read there. */
  readonly reads?: boolean;
  /** The counting actors that are commanded. Default: `actors` of them. */
  readonly among?: readonly ActorId[];
  /** Counting actors; hearing ones are a quarter as many. Default 60. */
  readonly actors?: number;
  /** Pause between two commands of a client, ms. Default 5 to 25. */
  readonly thinkMs?: readonly [from: number, to: number];
  /** Of one ask. Default 2,000. */
  readonly timeoutMs?: number;
}

const ACTORS = 60;
const HOT = 6; // Every second command goes to one of so many actors: commands on one actor meet.
const THINK_MS = [5, 25] as const;
const TIMEOUT_MS = 2_000;
const REPEATS_MAX = 60; // With the pause below: half a minute and more of a system that does not answer.
const REPEAT_MS = 250;
const LATENCIES_MAX = 200_000;

export class Load {
  readonly counts: Counts = { ok: 0, refused: 0, rejected: 0, unknown: 0 };
  /** Of asks that were answered at the first try, ms. */
  readonly latencies: number[] = [];
  /** Actors that only these clients' commands reach, and those that only hear. */
  readonly counting: readonly ActorId[];
  readonly hearing: readonly ActorId[];
  readonly #options: LoadOptions;
  readonly #loops: readonly Promise<void>[];
  readonly #since = new Map<number, number>();
  #longestMs = 0;
  #stopped = false;

  /** Begins at once. */
  constructor(options: LoadOptions) {
    this.#options = options;
    const count = options.actors ?? ACTORS;
    const [own = ''] = options.namespaces;
    this.counting = options.among ?? Array.from({ length: count }, (_, i) => actorId(`${own}.c${i}`));
    this.hearing = this.#hearingIn(own);
    this.#loops = options.clients.map((client, i) => this.#loop(client, i));
  }

  get answered(): number {
    return this.counts.ok + this.counts.refused;
  }

  /** The longest that any promise given by a client was pending so far, those pending now included. ms */
  get longestPendingMs(): number {
    const now = systemClock.monotonic();
    return Math.max(this.#longestMs, ...[...this.#since.values()].map((since) => now - since));
  }

  /** Each client ends what it is at; what stays unknown after its repeats stays so. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(client: LoadClient, index: number): Promise<void> {
    const random = seeded(this.#options.seed * 1_000 + index);
    const { name, reads } = this.#options;
    const [least, most] = this.#options.thinkMs ?? THINK_MS;
    for (let n = 0; !this.#stopped; n += 1) {
      const id = name === undefined ? `${index}-${n}` : `${name}-${index}-${n}`;
      const deed = this.#draw(random, id);
      if (deed.kind === 'read' && reads === false) continue;
      if (deed.kind === 'read') await this.#timed(index, () => client.read(deed.actor)).catch(expected);
      else await this.#command(client, index, deed, id);
      await pause(systemClock, least + random() * (most - least));
    }
  }

  async #command(client: LoadClient, index: number, { actor, event }: Command, messageId: string): Promise<void> {
    const command = { actor, event, messageId, create: { machine: 'tally', input: {} } };
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    for (let tries = 0; tries <= REPEATS_MAX; tries += 1) {
      const begun = systemClock.monotonic();
      const told = await this.#timed(index, () => client.ask(command, { timeoutMs })).catch(unanswered);
      const word = wordOf(told);
      this.counts[word] += 1;
      if (word === 'ok' || word === 'refused') {
        if (tries === 0 && this.latencies.length < LATENCIES_MAX) this.latencies.push(systemClock.monotonic() - begun);
        return;
      }
      if (this.#stopped && tries > 0) return;
      await pause(systemClock, REPEAT_MS);
    }
  }

  async #timed<T>(index: number, run: () => Promise<T>): Promise<T> {
    const begun = systemClock.monotonic();
    this.#since.set(index, begun);
    try {
      return await run();
    } finally {
      this.#since.delete(index);
      this.#longestMs = Math.max(this.#longestMs, systemClock.monotonic() - begun);
    }
  }

  #hearingIn(namespace: string): readonly ActorId[] {
    const count = Math.ceil((this.#options.actors ?? ACTORS) / 4);
    return Array.from({ length: count }, (_, i) => actorId(`${namespace}.h${i}`));
  }

  /** The next thing a client does. Which events are refused depends on where the actor stands. */
  #draw(random: Random, id: string): Command | { readonly kind: 'read'; readonly actor: ActorId } {
    const hot = this.counting.slice(0, HOT);
    const actor = random() < 0.5 ? pick(random, hot) : pick(random, this.counting);
    const dice = random() * 100;
    const command = (event: Event): Command => ({ kind: 'command', actor, event });
    if (dice < 12) return { kind: 'read', actor: dice < 10 ? actor : pick(random, this.hearing) };
    if (dice < 52) return command({ type: 'ADD', id });
    if (dice < 62) {
      const namespace = pick(random, this.#options.namespaces);
      return command({
        type: 'TELL',
        to: pick(random, this.#hearingIn(namespace)),
        namespace,
        ids: [`${id}.a`, `${id}.b`],
      });
    }
    if (dice < 72) return command({ type: 'POST', id });
    if (dice < 80) return command({ type: 'WORK', id });
    if (dice < 86) return command({ type: 'ARM' });
    if (dice < 88) return command({ type: 'NAP' });
    if (dice < 94) return command({ type: 'DISARM' });
    if (dice < 97) return command({ type: 'UNDO' });
    return command({ type: 'LEAVE' }); // Nearly always refused.
  }
}

interface Command {
  readonly kind: 'command';
  readonly actor: ActorId;
  readonly event: Event;
}

type Told = AskOutcome | { readonly kind: 'unavailable' };

function wordOf(told: Told): keyof Counts {
  switch (told.kind) {
    case 'answered':
      return told.answer.kind === 'applied' ? 'ok' : told.answer.kind === 'refused' ? 'refused' : 'rejected';
    case 'unknown':
    case 'running':
      return 'unknown';
    case 'key-reused':
    case 'rejected':
    case 'unavailable':
      return 'rejected';
  }
}

/** A server that is away on purpose is no failure of the trial; anything else is. */
export function unanswered(error: unknown): Told {
  if (error instanceof OutcomeUnknown) return { kind: 'unknown' };
  if (error instanceof OperatingError) return { kind: 'unavailable' };
  throw error;
}

function expected(error: unknown): undefined {
  unanswered(error);
  return undefined;
}
