// What the API's tests stand on: parts over an in-process client, a ticker that is moved by hand, and a good order.
//
// The in-process client is an array and two maps: it plays the failures that a real server does not give on demand, and
// the journals that were trimmed or rewound. Everything that can be tested against real workers is.

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCatalogue } from '../actors/contract/catalogue.ts';
import type { OrderRequest, Role } from '../actors/contract/dto.ts';
import { openPeople } from '../actors/people/index.ts';
import type {
  ActorView,
  AskOutcome,
  Client,
  Command,
  JournalPosition,
  SendOutcome,
  ShardView,
} from '../runtime/client.ts';
import { developmentTokens } from './auth/tokens.ts';
import type { Ticker } from './client/clock.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import type { ActorId, JournalEntry, JsonObject, Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';

export const NOW = Date.UTC(2026, 10, 22, 12);

/** A clock that stands until it is moved; due tasks then run in order. */
export interface HandTicker extends Ticker {
  advance(ms: number): void;
}

export function handTicker(start = NOW): HandTicker {
  let now = start;
  let tasks: { readonly at: number; readonly task: () => void }[] = [];
  return {
    now: () => now,
    random: () => 0.5,
    after(ms, task) {
      const entry = { at: now + Math.max(0, ms), task };
      tasks.push(entry);
      return () => {
        tasks = tasks.filter((each) => each !== entry);
      };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const next = tasks.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        tasks = tasks.filter((each) => each !== next);
        now = Math.max(now, next.at);
        next.task();
      }
      now = end;
    },
  };
}

/** One shard's journal with its actors, and answers on demand. */
export class PlayedClient {
  readonly entries: JournalEntry[] = [];
  readonly views = new Map<string, ActorView>();
  readonly sheets = new Map<string, Map<string, string>>();
  readonly kept = new Map<string, string>();
  readonly commands: Command[] = [];
  /** First position that is still there. */
  trimmedBelow = 1;
  counter = 1;
  rewinds = 0;
  isGone = false;
  /** Who hears nothing, although entries are there: all watches and the shared tail, or the watches that began at a position. */
  deaf: 'none' | 'all' | 'from' = 'none';
  /** The shared tail cannot be opened. */
  isTailless = false;
  shardViewReads = 0;
  reads = 0;
  /** Orders of another shard than the journal's. */
  readonly elsewhere = new Set<string>();
  onAsk: (command: Command) => AskOutcome = () => ({ kind: 'unknown' });
  onSend: (command: Command) => SendOutcome = () => ({ kind: 'accepted', position: 1 });
  #heard: JournalPosition | undefined;
  #breaks = 0;
  readonly #waiting = new Set<() => void>();

  /** Commits a visible change of an order and wakes the readers. */
  announce(
    orderId: string,
    data: JsonObject,
    options: { readonly silentSteps?: number; readonly type?: string } = {},
  ): ActorView {
    const before = this.views.get(orderId);
    for (let i = 0; i < (options.silentSteps ?? 0); i++) this.#append(orderId, undefined, undefined);
    const previous = before?.announced ?? 0;
    const announcement = { type: options.type ?? 'order.changed', data };
    const entry = this.#append(orderId, announcement, previous);
    const view: ActorView = {
      ...playedView(orderId, String(data.owner)),
      ...before,
      version: entry.sequence as ActorView['version'],
      counter: this.counter,
      announced: entry.sequence ?? 0,
      announcement,
    };
    this.views.set(orderId, view);
    this.wake();
    return view;
  }

  /** The owner's: another one after each rewind, be it under the same counter. */
  get token(): string {
    return `${this.counter}:test${this.rewinds}`;
  }

  #append(orderId: string, announcement: JournalEntry['announcement'], previous: number | undefined): JournalEntry {
    const sequence = this.#sequenceOf(orderId) + 1;
    const entry = {
      shard: 0,
      position: this.entries.length + 1,
      token: this.token,
      kind: 'moved',
      actor: orderId,
      sequence,
      at: NOW + this.entries.length,
      ...(announcement === undefined ? {} : { announcement, previous }),
    } as JournalEntry; // Ids are branded; these are made up.
    this.entries.push(entry);
    return entry;
  }

  #sequenceOf(orderId: string): number {
    return this.entries.findLast((entry) => entry.actor === orderId)?.sequence ?? 0;
  }

  /** Lets the watches look again. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Ends all watches with an error. */
  breakWatches(): void {
    this.#breaks++;
    this.wake();
  }

  /**
   * Loses everything above a position, as a server without its tail does; a new owner writes on, under a new counter unless the
   * last claim was lost too.
   */
  rewind(position: number, { sameCounter = false } = {}): void {
    this.entries.length = position;
    this.rewinds++;
    if (!sameCounter) this.counter++;
    for (const [orderId, view] of this.views) {
      const last = this.entries.findLast((entry) => entry.actor === orderId && entry.announcement !== undefined);
      if (last === undefined) this.views.delete(orderId);
      else {
        const sequence = this.#sequenceOf(orderId) as ActorView['version'];
        this.views.set(orderId, {
          ...view,
          version: sequence,
          announced: last.sequence ?? 0,
          counter: this.counter,
          announcement: last.announcement,
        });
      }
    }
    this.wake();
  }

  /** The client's face. What the tests do not use is not there. */
  asClient(): Client {
    const client: Partial<Client> = {
      shards: 1,
      timeScale: 1,
      durability: 'memory',
      reached: true,
      virtualTime: false,
      travelledMs: 0,
      now: () => NOW,
      domainNow: () => NOW,
      derive: (prefix, ...parts) => `${prefix}_${digest(prefix, ...parts).slice(0, 26)}` as ActorId,
      digest: (...parts) => digest(...parts),
      shardOf: (actor) => (this.elsewhere.has(actor) ? 1 : 0),
      read: async (actor) =>
        this.#up(() => {
          this.reads++;
          return this.views.get(actor);
        }),
      readMany: async (actors) => this.#up(() => actors.map((actor) => this.views.get(actor))),
      history: async (actor, { after = 0, limit = 200 } = {}) =>
        this.#up(() =>
          this.#kept()
            .filter((entry) => entry.actor === actor && (entry.sequence ?? 0) > after)
            .slice(0, limit),
        ),
      journal: async (_shard, after, limit) =>
        this.#up(() =>
          this.#kept()
            .filter(({ position }) => position > after)
            .slice(0, limit),
        ),
      shardViews: async () =>
        this.#up(() => {
          this.shardViewReads++;
          return [{ shard: 0, head: this.entries.length, token: this.token } as ShardView];
        }),
      population: async () => this.#up(() => new Map([['fulfilment.screening', this.views.size]])),
      inState: async () => [],
      heard: async () => this.#up(() => this.#positions()),
      head: async () => this.#up(() => this.#head),
      watch: ({ from, signal } = {}) => this.#watch(from?.get(0), signal),
      ask: async (command) => this.#up(() => this.#noted(command, this.onAsk)),
      send: async (command) => this.#up(() => this.#noted(command, this.onSend)),
      limit: async () => ({ allowed: true, retryAfterMs: 0 }),
      keep: async (key, value) => this.#up(() => void this.kept.set(key, value)),
      take: async (key) =>
        this.#up(() => {
          const value = this.kept.get(key);
          this.kept.delete(key);
          return value;
        }),
      readSheet: async (id, fields) =>
        this.#up(() => {
          const sheet = this.sheets.get(id) ?? new Map<string, string>();
          return Object.fromEntries([...sheet].filter(([name]) => fields?.includes(name) ?? true));
        }),
      changeSheet: async (id, { when = {}, set }) =>
        this.#up(() => {
          const sheet = this.sheets.get(id) ?? new Map<string, string>();
          const other = Object.entries(when).find(([name, value]) => sheet.get(name) !== value);
          if (other !== undefined) return { kind: 'other', field: other[0] } as const;
          for (const [name, value] of Object.entries(set))
            if (value === undefined) sheet.delete(name);
            else sheet.set(name, value);
          const revision = Number(sheet.get('rev') ?? 0) + 1;
          this.sheets.set(id, sheet.set('rev', String(revision)));
          return { kind: 'swapped', revision } as const;
        }),
      ping: async () => this.#up(() => 1),
      close: async () => undefined,
    };
    return client as Client;
  }

  #kept(): JournalEntry[] {
    return this.entries.filter(({ position }) => position >= this.trimmedBelow);
  }
  /** Of the shared tail: opened at the present by who asks first. */
  #positions(): ReadonlyMap<number, JournalPosition> {
    if (this.isTailless) throw new Error('the tail cannot be opened');
    if (this.#heard === undefined || this.deaf !== 'all') this.#heard = this.#head;
    return new Map([[0, this.#heard]]);
  }
  #noted<Outcome>(command: Command, answer: (command: Command) => Outcome): Outcome {
    this.commands.push(command);
    return answer(command);
  }
  #up<Value>(value: () => Value): Value {
    if (!this.isGone) return value();
    throw Object.assign(new Error('connection refused 10.0.0.1'), {
      name: 'OperatingError',
      code: 'redis-unavailable',
    });
  }

  get #head(): JournalPosition {
    const last = this.entries.at(-1);
    return { number: last?.position ?? 0, token: last?.token ?? '' };
  }
  /** Whether the entry at a position was lost; trimmed is not lost. */
  #isUndone({ number, token }: JournalPosition): boolean {
    const there = this.#kept().find(({ position }) => position >= number);
    return number > 0 && (there === undefined || (there.position === number && there.token !== token));
  }

  #watch(from: JournalPosition | undefined, signal: AbortSignal | undefined): ReturnType<Client['watch']> {
    let at = from ?? this.#head;
    const breaks = this.#breaks;
    let isClosed = false;
    const isDeaf = (): boolean => this.deaf === 'all' || (this.deaf === 'from' && from !== undefined);
    const next = async (): Promise<IteratorResult<JournalEntry>> => {
      for (;;) {
        if (isClosed || signal?.aborted === true) return { done: true, value: undefined };
        if (breaks !== this.#breaks) throw new Error('the watch broke');
        // A reader that finds the tail gone says so, and goes on from what is there.
        if (!isDeaf() && this.#isUndone(at)) {
          at = this.#head;
          return { done: false, value: { shard: 0, position: at.number, token: at.token, kind: 'rewound', at: 0 } };
        }
        const entry = isDeaf() ? undefined : this.entries.find(({ position }) => position > at.number);
        if (entry !== undefined) {
          at = { number: entry.position, token: entry.token };
          return { done: false, value: entry };
        }
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            this.#waiting.delete(wake);
            signal?.removeEventListener('abort', wake);
            resolve();
          };
          this.#waiting.add(wake);
          signal?.addEventListener('abort', wake, { once: true });
        });
      }
    };
    return {
      [Symbol.asyncIterator]: () => ({ next }),
      close: () => {
        isClosed = true;
        this.wake();
      },
    };
  }
}

const digest = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\u0000')).digest('hex');

export function playedView(orderId: string, owner: string): ActorView {
  return {
    actor: orderId,
    machine: 'order',
    machineVersion: '1',
    version: 2,
    counter: 1,
    value: 'screening',
    context: {
      orderId,
      userId: owner,
      personRef: 'ppl_none',
      addressRef: 'ppl_none2',
      productCode: 'debit_classic',
      method: 'courier',
      times: { created: NOW },
      card: null,
      delivery: { seq: 0, deliveryId: null, open: false, attempts: 0, slot: null },
    },
    status: 'active',
    states: ['fulfilment.screening'],
    parked: false,
    updatedAt: NOW,
    announced: 2,
    announcement: {
      type: 'order.changed',
      data: { owner, status: 'in_review', statusGroup: 'in_progress', allowedActions: ['cancel'] },
    },
  } as unknown as ActorView; // Ids are branded; these are made up.
}

export interface Played {
  readonly parts: Parts;
  readonly ordering: PlayedClient;
  readonly delivery: PlayedClient;
  /** Everything logged so far. */
  readonly logged: () => string;
  token(subject: string, role: Role, ttlSeconds?: number): Promise<string>;
}

/** Parts over in-process clients. `ticker` is the real one's shape, standing at NOW unless it is moved. */
export function playedParts(ticker: Ticker = handTicker()): Played {
  const ordering = new PlayedClient();
  const delivery = new PlayedClient();
  const lines: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line: string) => void lines.push(line) } });
  const tokens = developmentTokens('a-secret-for-tests-only', ticker);
  const client = ordering.asClient();
  const hub = createHub({
    client,
    ticker,
    pictures: picturesOf(client),
    failed: (error) => log.warn({ err: error }, 'live'),
  });
  const watched = { ordering: client, delivery: delivery.asClient(), hub, ticker, accepting: () => true };
  const parts: Parts = {
    ...watched,
    readiness: createReadiness(watched),
    people: openPeople(client, {
      secret: 'a-secret-for-tests-only',
      masterKeys: undefined,
      regions: ['*'],
      objects: undefined,
      dataDir: join(tmpdir(), 'emboss-played'), // Made with the first document, of which the played tests have none.
    }),
    catalogue: loadCatalogue(),
    tokens,
    log,
    callbackSecret: 'a-partner-secret-for-tests',
    callbackSecretBefore: 'the-secret-before-the-change',
    origins: ['https://app.example'],
  };
  return {
    parts,
    ordering,
    delivery,
    logged: () => lines.join(''),
    async token(subject, role, ttlSeconds = 600) {
      const issued = await tokens.issue?.(subject, role, ttlSeconds);
      if (issued === undefined) throw new Error('the development issuer issues tokens');
      return issued.token;
    },
  };
}

/** A complete order in the given script. */
export function goodOrder(over: Partial<OrderRequest> = {}): OrderRequest {
  return {
    clientReference: 'app-17',
    cardInfo: {
      productCode: 'debit_classic',
      cardType: 'debit',
      paymentSystem: 'mir',
      embossedName: { line1: 'ANNA-MARIA OREKHOVA' },
      currency: 'RUB',
    },
    userInfo: {
      givenName: 'Анна-Мария',
      familyName: 'Орехова',
      birthDate: '1990-04-12',
      citizenship: 'RU',
      residence: 'RU',
      phone: '+79161234567',
      email: 'anna@example.org',
      locale: 'ru-RU',
      timeZone: 'Europe/Moscow',
    },
    legalInfo: {
      consents: [
        { type: 'personal_data', textVersion: '2026-01', acceptedAt: '2026-11-22T11:59:00.000Z', channel: 'app' },
        { type: 'contract', textVersion: '2026-01', acceptedAt: '2026-11-22T11:59:00.000Z', channel: 'app' },
      ],
      documents: [{ kind: 'passport', issuingCountry: 'RU', numberMasked: '•••••••123' }],
    },
    deliveryInfo: {
      method: 'courier',
      address: {
        countryCode: 'RU',
        postalCode: '101000',
        city: 'Москва',
        street: 'Мясницкая',
        house: '13',
        flat: '4',
        geo: { lat: 55.7648, lon: 37.6381 },
      },
      recipient: { name: 'Анна-Мария Орехова', phone: '+79161234567', relation: 'self' },
    },
    ...over,
  };
}
