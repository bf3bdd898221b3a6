// The chart of the runtime's own trials: a tally that counts, tells others, calls a partner, waits, and misbehaves on request.
//
// Every law can be tried on it in few events. `seen` lists the ids of the events in the order in which they were applied.
// In a child process the partner keeps its ledger in Redis, where the trial reads it.

import { Redis } from 'ioredis';
import { assign, fromPromise, raise, setup } from 'xstate';
import { type EffectOutcome, type EffectRegistration, effect, type Hosted, message } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import type { JsonObject } from '../json.ts';

interface Tally {
  readonly count: number;
  readonly seen: readonly string[];
  readonly padding: string;
}

type TallyEvent =
  | { type: 'ADD'; id: string; padding?: string }
  | { type: 'TELL'; to: string; namespace: string; ids: readonly string[] }
  | { type: 'POST' | 'KILL'; id: string }
  | { type: 'WORK'; id: string }
  | {
      type:
        | 'LEAVE'
        | 'THROW'
        | 'ARM'
        | 'MINE'
        | 'BOMB'
        | 'NAP'
        | 'REST'
        | 'DISARM'
        | 'REMIND'
        | 'TICK'
        | 'WAIT'
        | 'FORGET'
        | 'CHIME'
        | 'POSTED'
        | 'CLOSE'
        | 'UNDO';
    };

/** Domain milliseconds of the trial's delays. */
export const trialDelays = { fuse: 60, nap: 60_000, rest: 60_000, wait: 60_000, chime: 40, tick: 10 } as const;

const tally = setup({
  types: {} as { context: Tally; events: TallyEvent; input: { readonly startAt?: number } },
  delays: trialDelays,
  actors: { partner: fromPromise<string, { readonly id: string; readonly count: number }>(async () => '') },
  actions: {
    count: assign(({ context, event }) => ({
      count: context.count + 1,
      seen: 'id' in event ? [...context.seen, event.id] : context.seen,
      padding: 'padding' in event ? (event.padding ?? '') : context.padding,
    })),
    tell: (_, _params: { to: string; namespace: string; ids: readonly string[] }) => undefined,
    post: (_, _params: { id: string }) => undefined,
  },
  guards: {
    throws: (): boolean => {
      throw new RangeError('this guard throws');
    },
    explodes: ({ event }): boolean => event.type.startsWith('xstate.after.') && process.kill(process.pid, 'SIGKILL'),
    // Asked without an id it is only asked what is allowed (M4).
    kills: ({ event }): boolean => 'id' in event && event.id === 'now' && process.kill(process.pid, 'SIGKILL'),
  },
}).createMachine({
  id: 'tally',
  context: ({ input }) => ({ count: input.startAt ?? 0, seen: [], padding: '' }),
  initial: 'open',
  on: {
    ADD: { actions: 'count' },
    TELL: { actions: { type: 'tell', params: ({ event }) => event } },
    POST: { actions: { type: 'post', params: ({ event }) => ({ id: event.id }) } },
    POSTED: { actions: 'count' },
    THROW: { guard: 'throws', target: '.open' },
    KILL: { guard: 'kills', target: '.open' },
  },
  states: {
    open: {
      on: {
        WORK: 'working',
        ARM: 'armed',
        MINE: 'mined',
        BOMB: 'bombed',
        NAP: 'napping',
        REST: 'resting',
        WAIT: 'waiting',
        TICK: 'ticking',
        REMIND: 'reminded',
        CLOSE: 'closed',
      },
    },
    working: {
      invoke: {
        src: 'partner',
        input: ({ context, event }) => ({ id: 'id' in event ? event.id : '', count: context.count }),
        onDone: { target: 'worked', actions: 'count' },
        onError: 'failed',
      },
      on: { LEAVE: 'open', WORK: { target: 'working', reenter: true } },
    },
    worked: { on: { WORK: 'working', UNDO: 'open' } },
    failed: { on: { WORK: 'working' } },
    armed: {
      after: { fuse: { target: 'fired', actions: 'count' } },
      on: { DISARM: 'open', ARM: { target: 'armed', reenter: true } },
    },
    mined: { after: { fuse: { guard: 'throws', target: 'fired' } } },
    bombed: { after: { fuse: { guard: 'explodes', target: 'fired' } }, on: { DISARM: 'open' } },
    napping: { after: { nap: { target: 'fired', actions: 'count' } }, on: { DISARM: 'open' } },
    resting: { after: { rest: { target: 'fired', actions: 'count' } }, on: { DISARM: 'open' } },
    waiting: { after: { wait: { target: 'fired', actions: 'count' } }, on: { DISARM: 'open' } },
    ticking: { after: { tick: { target: 'ticking', reenter: true, actions: 'count' } }, on: { DISARM: 'open' } },
    fired: { on: { ARM: 'armed', DISARM: 'open' } },
    reminded: {
      entry: raise({ type: 'CHIME' }, { delay: 'chime', id: 'chime' }),
      on: { CHIME: { actions: 'count' }, REMIND: { target: 'reminded', reenter: true }, FORGET: 'open' },
    },
    closed: { type: 'final' },
  },
});

/** What a trial answers in the partner's place. */
export interface Partners {
  readonly partner?: EffectRegistration;
  readonly post?: EffectRegistration;
}

const done = async (): Promise<EffectOutcome> => ({ kind: 'done', output: null });

/** The registration. `version` differs where a trial wants a chart that is not the stored one. */
export function trialChart({ partner = effect(done), post = effect(done) }: Partners = {}, version = '1'): Hosted {
  return {
    machine: tally,
    name: 'tally',
    version,
    invokes: { partner },
    actions: { post, tell: message(told) },
    resume: { nap: 'remaining', rest: 'restart' },
    answer: ({ context }) => ({ count: context.count ?? 0 }),
    announce: (before, after) => {
      const count = after.context.count ?? 0;
      return before?.context.count === count ? undefined : { type: 'counted', data: { count } };
    },
  };
}

/** One message per id: they travel in one lane, in order. */
function told(params: JsonObject) {
  const { to, namespace, ids } = params as unknown as { to: ActorId; namespace: string; ids: readonly string[] }; // As the event's type says.
  return ids.map((id) => ({
    namespace,
    actor: to,
    event: { type: 'ADD', id },
    create: { machine: 'tally', input: {} },
  }));
}

/** For worker processes: the partner notes each try under its idempotency key in the list `ledger` of the server `url`. */
export function charts({ url, ledger }: JsonObject): readonly Hosted[] {
  const redis = new Redis(String(url), { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  redis.on('connect', () => redis.stream.unref()); // A worker that has stopped ends; this socket does not hold it.
  const noted = (name: string) =>
    effect(
      async ({ key, attempt, actor }) => {
        await redis.rpush(String(ledger), JSON.stringify({ name, key, attempt, actor }));
        return { kind: 'done', output: name };
      },
      { policy: { timeoutMs: 2_000, firstDelayMs: 20, maxDelayMs: 100 } },
    );
  return [trialChart({ partner: noted('partner'), post: noted('post') })];
}
