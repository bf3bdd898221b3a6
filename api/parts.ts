// What a surface is built from. Tests pass their own parts; `main.ts` passes the real ones.

import type { Logger } from 'pino';
import type { People } from '../actors/people/index.ts';
import type { ActorView, AskOutcome, Client, Command } from '../runtime/client.ts';
import type { Tokens } from './auth/tokens.ts';
import type { Ticker } from './client/clock.ts';
import type { Hub } from './live/hub.ts';
import type { PartnerControls } from './partner-controls.ts';
import type { Readiness } from './readiness.ts';

export type ActorId = Command['actor'];
export type Event = Command['event'];
export type JournalEntry = Awaited<ReturnType<Client['journal']>>[number];
export type Answer = Extract<AskOutcome, { kind: 'answered' }>['answer'];
export type JsonObject = ActorView['context'];

export interface Parts {
  readonly ordering: Client;
  readonly delivery: Client;
  readonly people: People;
  readonly tokens: Tokens;
  readonly hub: Hub;
  /** One for all surfaces, so that asking on each costs no more than asking on one. */
  readonly readiness: Readiness;
  readonly ticker: Ticker;
  readonly log: Logger;
  /** Verifies the signature header of a partner's callback over the raw body (actors/partners/signature.ts). */
  readonly callbackSecret: string;
  /** Of the partner simulators; undefined where there are none to play with: in production, and in real time. */
  readonly controls?: PartnerControls | undefined;
  /** Origins whose pages may open the WebSocket; a client without an Origin header is no browser. `*` allows all. */
  readonly origins: readonly string[];
  /** False once the process drains: `/readyz` fails and no WebSocket is accepted. */
  readonly accepting: () => boolean;
}
