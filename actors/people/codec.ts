// How a record lies in the store: the one seam through which every byte of the vault passes.
//
// The first characters name the codec, so that records written by an older one stay readable after a change.

export interface Codec {
  /** Equal ids and texts must give equal bytes: the store tells a repeat from another content by them. */
  encode(id: string, text: string): string;
  decode(id: string, bytes: string): string;
}

const PLAIN = 'p1:';

/** Readable text, for a store that is itself protected. */
export const plain: Codec = {
  encode: (_id, text) => PLAIN + text,
  decode(id, bytes) {
    if (bytes.startsWith(PLAIN)) return bytes.slice(PLAIN.length);
    throw new TypeError(`record ${id} was written by an unknown codec`);
  },
};
