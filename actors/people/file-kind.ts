// What a file is, by its first bytes: what somebody says it is counts for nothing.

export const mediaTypes = ['image/jpeg', 'image/png', 'application/pdf'] as const;
export type MediaType = (typeof mediaTypes)[number];

/** Sources: JPEG ITU-T T.81 (SOI and a marker), PNG ISO/IEC 15948 section 5.2, PDF ISO 32000 section 7.5.2. */
const SIGNATURES: { readonly [type in MediaType]: Buffer } = {
  'image/jpeg': Buffer.from([0xff, 0xd8, 0xff]),
  'image/png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  'application/pdf': Buffer.from('%PDF-', 'latin1'),
};

/** The longest signature: so many bytes decide. */
export const SIGNATURE_BYTES_MAX = 8;

export const isOfType = (first: Buffer, type: MediaType): boolean =>
  first.subarray(0, SIGNATURES[type].length).equals(SIGNATURES[type]);
