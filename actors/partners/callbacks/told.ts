// One thing that a partner told us, in our words: for whom, under which id, and what.

import type { DeliveryMessage, OrderMessage } from '../../contract/index.ts';

export interface Told {
  /** Who told it; also names the secret that has to have signed it. */
  readonly partner: string;
  /** Equal ids of one partner are one telling. */
  readonly id: string;
  readonly context: 'ordering' | 'delivery';
  /** The order or delivery that it is about. */
  readonly actor: string;
  /** Undefined: nothing that we want to know, or a word that we do not know. */
  readonly event: OrderMessage | DeliveryMessage | undefined;
  /** The word of theirs that we do not know, for the log. */
  readonly strange?: string;
}
