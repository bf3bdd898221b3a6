// Forecast: which acts would be refused, as far as can be seen without trying: the chart alone decides.

import type { BulkAct } from '../../actors/contract/bulk.ts';
import { taskIdOf } from '../../actors/contract/index.ts';
import type { ActorView, Client } from '../../runtime/client.ts';
import { taskKind, tasks } from '../../state-machines/tasks.ts';
import type { Principal } from '../auth/tokens.ts';
import { holdOf, mayRelease } from '../auth/verbs.ts';
import type { ActorId } from '../parts.ts';

/** Why the act would be refused for this actor; undefined where nothing speaks against it. */
export async function refusalOf(
  act: BulkAct,
  view: ActorView,
  client: Client,
  { role }: Principal,
): Promise<string | undefined> {
  switch (act) {
    case 'redrive':
      return undefined;
    case 'cancel': {
      const actions = view.announcement?.data.allowedActions;
      return Array.isArray(actions) && actions.includes('cancel') ? undefined : 'not-allowed';
    }
    case 'release': {
      const kind = holdOf(view.states);
      if (kind === undefined) return 'not-held';
      return mayRelease(role, kind) ? undefined : `hold-${kind}`;
    }
    case 'retry':
      return (await waitsForRetry(view, client)) ? undefined : 'nothing-to-retry';
  }
}

/** Where RETRY leads out, a task stands open that says so. */
async function waitsForRetry({ actor }: ActorView, client: Client): Promise<boolean> {
  const names = Object.keys(tasks).filter((name) => taskKind(name).verbs.includes('RETRY'));
  const views = await client.readMany(names.map((name) => taskIdOf(actor, name) as ActorId));
  return views.some((view) => view !== undefined && !view.states.includes('work.closed'));
}
