// Effects as both contexts register them: the handler, with the retry policy and the circuit that belong to its name.

import type { RetryPolicy } from '../runtime/hosting.ts';
import {
  type EffectCall,
  type EffectOutcome,
  type EffectRegistration,
  effect,
  type LateFollowUp,
} from '../runtime/hosting.ts';
import { type EffectInput, type EffectName, effects } from './contract/index.ts';
import { policies } from './partners/policies.ts';

export interface Performance<N extends EffectName> {
  /** One try. May be repeated; never rejects for what a partner did. */
  readonly run: (call: EffectCall<EffectInput<N>>) => Promise<EffectOutcome>;
  /** What an outcome leads to that comes when the chart has gone on. Most need nothing: the chart has seen to it. */
  readonly onLate?: (outcome: EffectOutcome, input: EffectInput<N>) => LateFollowUp;
}

/** The registration of one effect of the contract. */
export function performed<N extends EffectName>(name: N, { run, onLate }: Performance<N>): EffectRegistration {
  const policy = (policies as { readonly [effect: string]: RetryPolicy | undefined })[name];
  const { partner } = effects[name];
  return effect<EffectInput<N>>(run, {
    ...(policy === undefined ? {} : { policy }),
    ...(partner === 'local' ? {} : { circuit: partner }),
    ...(onLate === undefined ? {} : { onLate }),
  });
}

/** For those who step or replay charts and reach nobody: every try stays open. */
export const unconnected = async (): Promise<EffectOutcome> => ({ kind: 'unknown', reason: 'no partner is connected' });
