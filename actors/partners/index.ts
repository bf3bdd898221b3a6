// The partners room: ports, their HTTP adapters, retry policies, callback signatures and the ledger's reader.

export { type HttpPartnersOptions, httpPartners } from './http.ts';
export { doubledActs, type Ledger, type LedgerEntry, type LedgerQuery, readLedger } from './ledger.ts';
export { KEYS_KEPT_MS, type PartnerEffect, policies } from './policies.ts';
export type {
  BillingPort,
  BureauPort,
  CarrierPort,
  IssuerPort,
  NotificationsPort,
  Partners,
  ScreeningPort,
  Try,
} from './ports.ts';
export { SIGNATURE_TOLERANCE_MS, type SignatureVerdict, secretOf, sign, verify } from './signature.ts';
