// The typed client of the API: REST with safe retries, and live events that survive restarts. Browser-safe.

export type {
  Address,
  OrderEvent,
  OrderRequest,
  OrderResource,
  OrderStatus,
  Role,
  Slot,
  Stop,
} from '../../actors/contract/dto.ts';
export { type Problem, type ProblemSlug, problemKinds, problemSlug } from '../../actors/contract/problems.ts';
export {
  type Cursor,
  closeCodes,
  type EventFrame,
  type ServerFrame,
  type SnapshotFrame,
  SUBPROTOCOL,
} from '../live/protocol.ts';
export { pause, systemTicker, type Ticker } from './clock.ts';
export {
  LiveClient,
  type LiveEvent,
  type LiveOptions,
  type LiveSnapshot,
  type LiveSocket,
  type LiveState,
  type LiveSubscription,
  type SubscriptionOptions,
} from './live.ts';
export { type CallOptions, type RestAnswer, RestClient, RestError, type RestOptions } from './rest.ts';
