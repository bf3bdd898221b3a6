// Hash slots of Redis Cluster: which of the 16,384 a key lies in. Source: redis.io/docs/reference/cluster-spec, "Key
// distribution model" and its appendix: CRC16 of the XMODEM kind, over the hash tag where there is one.

export const SLOTS = 16_384;

const POLYNOMIAL = 0x1021;
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL;
  return crc;
});

const known = new Map<string, number>();
const KNOWN_MAX = 10_000; // Tags of shards are few; keys of records and limits are many, and soon forgotten.

export function slotOf(key: string): number {
  const tag = tagOf(key);
  const found = known.get(tag);
  if (found !== undefined) return found;
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] ?? 0);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(tag, crc % SLOTS);
  return crc % SLOTS;
}

/** What stands between the first brace and the next closing one, unless that is nothing; else the whole key. */
function tagOf(key: string): string {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  return open < 0 || close < 0 || close === open + 1 ? key : key.slice(open + 1, close);
}
