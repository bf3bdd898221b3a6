// The example of the runtime's documentation: somebody's own chart, hosted whole. Nothing in it is about cards.
//
// A kettle heats its water, which is a call to a device, and keeps it warm for a while, which is a timer. Kill the process
// at any moment and start it again: the water is heated once, and the timer fires once.

import { assign, fromPromise, setup } from 'xstate';
import { effect, type Host, host } from './index.ts';

const kettle = setup({
  types: {} as { context: { degrees: number }; events: { type: 'HEAT' | 'EMPTY' } },
  actors: { heater: fromPromise<number, { from: number }>(async () => 0) }, // A name; the handler is given to the host.
  delays: { keepWarm: 20 * 60_000 },
}).createMachine({
  context: { degrees: 20 },
  initial: 'cold',
  states: {
    cold: { on: { HEAT: 'heating' } },
    heating: {
      invoke: {
        src: 'heater',
        input: ({ context }) => ({ from: context.degrees }),
        onDone: { target: 'hot', actions: assign({ degrees: ({ event }) => event.output }) },
        onError: 'cold',
      },
    },
    hot: { after: { keepWarm: 'cold' }, on: { EMPTY: 'cold' } },
  },
});

/** Hosts kettles on the shards of the namespace `kitchen`. `heat` may be called again with the same key: it heats once. */
export const hostKettles = (url: string, heat: (key: string) => Promise<number>): Promise<Host> =>
  host({
    namespace: 'kitchen',
    worker: 'kettles.1', // Static: who starts again under it gets its own shards back.
    url,
    timeScale: 10_000, // For show: twenty minutes in an eighth of a second. Leave it out, and time is real.
    charts: [
      {
        name: 'kettle',
        version: '1',
        machine: kettle,
        invokes: { heater: effect(async ({ key }) => ({ kind: 'done', output: await heat(key) })) },
      },
    ],
  });
