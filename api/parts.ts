// What a surface is built from. Tests pass their own parts; `main.ts` passes the real ones.

import type { Logger } from 'pino';
import type { Catalogue } from '../actors/contract/catalogue.ts';
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
  /** Zones and windows: the same that the delivery workers read. */
  readonly catalogue: Catalogue;
  readonly tokens: Tokens;
  readonly hub: Hub;
  /** One for all surfaces, so that asking on each costs no more than asking on one. */
  readonly readiness: Readiness;
  readonly ticker: Ticker;
  readonly log: Logger;
  /** Every partner's callback secret is made from it (actors/partners/signature.ts). */
  readonly callbackSecret: string;
  /** The one before, while it is changed: what was signed with it counts too. */
  readonly callbackSecretBefore?: string | undefined;
  /** Of the partner simulators; undefined where there are none to play with: in production, and in real time. */
  readonly controls?: PartnerControls | undefined;
  /** Origins whose pages may open the WebSocket; a client without an Origin header is no browser. `*` allows all. */
  readonly origins: readonly string[];
  /** False once the process drains: `/readyz` fails and no WebSocket is accepted. */
  readonly accepting: () => boolean;
}
