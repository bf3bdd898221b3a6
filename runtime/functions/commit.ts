// Wrapper of commit.lua: steps of many actors of one shard in one call (C1, C4).

import type { ActorId, Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall, unexpected } from './call.ts';

export type Verdict = 'COMMITTED' | 'DUPLICATE' | 'CONFLICT' | 'GONE' | 'EARLY' | 'PARKED' | 'SKIPPED';

export type CommitReply =
  | { readonly kind: 'ok'; readonly head: number; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'rewound'; readonly head: number }
  | { readonly kind: 'damaged' }; // The inbox is gone: claim anew, which says so.

export type StepKind = 'C' | 'M' | 'R' | 'P' | 'Q' | 'D' | 'V' | 'X' | 'L';

/** One step as commit.lua reads it; what is left out is empty. Texts are opaque to Redis. */
export interface CommitStep {
  readonly kind: StepKind;
  readonly actor: ActorId;
  readonly cause: 'I' | 'T' | 'W' | 'E' | 'N';
  readonly causeId: string;
  readonly generation?: string | undefined;
  readonly sequence: number;
  readonly snapshot?: string | undefined;
  readonly record?: string | undefined;
  readonly body?: string | undefined;
  /** Of the message that is the cause, as is `asked`: when it was accepted, and digest of its caller's command (M6). */
  readonly messageId?: string | undefined;
  readonly asked?: string | undefined;
  /** What the caller is answered, as JSON; kept in the dedupe record and told in the journal. */
  readonly answer?: string | undefined;
  readonly entry?: string | undefined;
  readonly why?: string | undefined;
  readonly left?: readonly string[] | undefined; // Keys of state sets.
  readonly entered?: readonly string[] | undefined;
  readonly timersSet?:
    | readonly {
        readonly member: string;
        readonly generation: string;
        readonly dueAt: number;
        readonly resume: string;
        readonly event: string;
      }[]
    | undefined;
  readonly timersCleared?: readonly { readonly member: string; readonly generation: string }[] | undefined;
  readonly effects?: readonly { readonly key: string; readonly dueAt: number; readonly record: string }[] | undefined;
  readonly stops?: readonly string[] | undefined;
  readonly sends?:
    | readonly {
        readonly lane: string;
        readonly actor: ActorId;
        readonly messageId: string;
        readonly body: string;
      }[]
    | undefined;
  readonly own?: readonly { readonly actor: ActorId; readonly messageId: string; readonly body: string }[] | undefined;
}

export interface CommitRequest {
  readonly token: Token;
  /** Unique per call of this claim: a repeat under the same id gets the first answer (C3). */
  readonly call: string;
  readonly head: number;
  readonly reading: string;
  /** The worker's estimate of the server's clock in ms: what is written down beside the step. */
  readonly now: number;
  readonly steps: readonly CommitStep[];
}

/** One round trip. After an unknown outcome: claim anew first, read back second (C3). */
export function commit(keys: ShardKeys, request: CommitRequest): Call<CommitReply> {
  const builder = new Builder(keys);
  for (const step of request.steps) builder.add(step);
  return builder.call(request);
}

/** Puts steps into keys and arguments: short facts in one head, long texts by themselves (common.lua says what each costs). */
class Builder {
  readonly #keys: ShardKeys;
  readonly #names: string[];
  readonly #places = new Map<string, number>();
  readonly #args: (string | number)[] = ['', '', '', '', '', ''];
  #timers = 0;
  #effects = 0;
  #outbox = 0;
  #actors = 0;

  constructor(keys: ShardKeys) {
    this.#keys = keys;
    this.#names = [keys.owner, keys.inbox, keys.journal, keys.backlog, keys.dedupe, keys.parked];
  }

  call({ token, call, head, now, reading }: CommitRequest): Call<CommitReply> {
    const args = this.#args;
    args[0] = token;
    args[1] = call;
    args[2] = head;
    args[3] = Math.floor(now);
    args[4] = reading;
    if (this.#timers + this.#outbox + this.#actors > 0)
      args[5] = `${this.#timers} ${this.#effects} ${this.#outbox} ${this.#actors}`;
    return ownersFcall('commit', this.#names, args, decode);
  }

  add(step: CommitStep): void {
    const { kind, cause, actor, sequence, answer, generation } = step;
    const keys = this.#keys;
    if (cause === 'T' || filled(step.timersSet) || filled(step.timersCleared))
      this.#timers ||= this.#group(keys.timers, keys.rows, keys.resumable);
    if (cause === 'E' || filled(step.effects) || filled(step.stops)) {
      this.#timers ||= this.#group(keys.timers, keys.rows, keys.resumable);
      this.#effects ||= this.#group(keys.effects, keys.attempts);
    }
    if (filled(step.sends)) this.#outbox ||= this.#group(keys.outbox, keys.lanesOut);
    if (sequence === 0 && step.snapshot !== undefined) this.#actors ||= this.#group(keys.actors);
    const parking = kind === 'P' || kind === 'Q' || kind === 'V' || kind === 'X' || cause === 'W';
    const waiting = parking ? this.#place(keys.waiting(actor)) : 0;
    const after = kind === 'M' || kind === 'C' ? sequence + 1 : sequence;

    const record = answer === undefined ? '' : `${step.asked ?? ''} ${answer}`;
    const head =
      this.#args.push(
        '',
        step.causeId,
        step.messageId ?? '',
        step.snapshot ?? '',
        step.record ?? '',
        step.body ?? '',
        record,
      ) - 7;
    if (parking) this.#args.push(step.entry ?? '', step.why ?? '');
    const lists = this.#lists(step);
    const place = this.#place(keys.actor(actor), keys.positions(actor));
    const rarer =
      parking || lists > 0 || filled(generation) ? ` ${filled(generation) ? generation : '-'} ${waiting} ${lists}` : '';
    this.#args[head] =
      `${kind}${cause} ${place} ${sequence} ${after} ${this.#placesOf(step.left)} ${this.#placesOf(step.entered)}${rarer}`;
  }

  /** Absent lists cost nothing. Returns how many there are. */
  #lists(step: CommitStep): number {
    const args = this.#args;
    const keys = this.#keys;
    let lists = 0;
    const list = <T>(letter: string, items: readonly T[] | undefined, push: (item: T) => void): void => {
      if (items === undefined || items.length === 0) return;
      lists += 1;
      args.push(letter, items.length);
      for (const item of items) push(item);
    };
    list('t', step.timersSet, (row) =>
      args.push(row.member, row.generation, Math.ceil(row.dueAt), row.resume, row.event),
    );
    list('c', step.timersCleared, (row) => args.push(row.member, row.generation));
    list('f', step.effects, (one) => args.push(one.key, Math.ceil(one.dueAt), one.record));
    list('x', step.stops, (key) => args.push(key));
    list('s', step.sends, (one) => args.push(one.lane, one.actor, one.messageId, one.body));
    list('o', step.own, (one) =>
      args.push(this.#place(keys.actor(one.actor), keys.positions(one.actor)), one.actor, one.messageId, one.body),
    );
    return lists;
  }

  #placesOf(keys: readonly string[] | undefined): string {
    return keys === undefined || keys.length === 0 ? '-' : keys.map((key) => this.#place(key)).join(',');
  }

  /** Place of a key in KEYS; those that belong to it stand right behind. */
  #place(key: string, ...behind: readonly string[]): number {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place = this.#group(key, ...behind);
    this.#places.set(key, place);
    return place;
  }

  #group(...names: readonly string[]): number {
    const place = this.#names.length + 1;
    this.#names.push(...names);
    return place;
  }
}

const filled = (items: { readonly length: number } | undefined): boolean => items !== undefined && items.length > 0;

function decode([word, head, verdicts]: readonly string[]): CommitReply {
  switch (word) {
    case 'OK':
      return {
        kind: 'ok',
        head: Number(head),
        verdicts: verdicts === '' ? [] : ((verdicts ?? '').split(',') as Verdict[]),
      };
    case 'FENCED':
      return { kind: 'fenced' };
    case 'REWOUND':
      return { kind: 'rewound', head: Number(head) };
    case 'DAMAGED':
      return { kind: 'damaged' };
    default:
      return unexpected('commit', word);
  }
}
