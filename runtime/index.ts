// The host door: everything needed to host statecharts. The client door is client.ts, the test kit testing/index.ts.

export { type Cancel, type Clock, pause, systemClock } from './clock.ts';
export type { Log } from './commit/scene.ts';
export { InvariantBroken, NotHostable, OperatingError, OutcomeUnknown, storedError } from './errors.ts';
export { dropFunctions, functionLibraries, type LibraryView, loadFunctions } from './functions/operator.ts';
export type { Host, HostOptions } from './host.ts';
export {
  type Announcement,
  type EffectCall,
  type EffectOutcome,
  type EffectRegistration,
  effect,
  type Hosted,
  type LateFollowUp,
  type MessageRegistration,
  message,
  type NoteRegistration,
  note,
  type RetryPolicy,
  type Send,
  type StateView,
} from './hosting.ts';
export { type ActorId, actorId, isActorId, namespace } from './ids.ts';
export { canonical, type Event, type Json, type JsonObject } from './json.ts';
export type { Answer, JournalEntry, JournalPosition, Message } from './messages.ts';
export { aclLine, type Entrance, type UserRights, userRights } from './redis/users.ts';
export { host } from './worker.ts';
