// Where documents lie: a port of four verbs. What it is given is sealed already; it knows neither people nor keys.

/** Keys are paths of `a–z 0–9 . _ -` words. All verbs reject with OperatingError `objects-unavailable` when nobody answers. */
export interface ObjectStore {
  /** Stores `length` bytes under a key, whole or not at all; replaces what was there. Rejects with what `bytes` threw. */
  put(key: string, bytes: AsyncIterable<Buffer>, length: number): Promise<void>;
  /** Undefined when there is none. Whoever begins to read it reads to the end, or ends the iteration. */
  get(key: string): Promise<AsyncIterable<Buffer> | undefined>;
  head(key: string): Promise<{ readonly bytes: number } | undefined>;
  /** Gone afterwards, also when it was not there. */
  delete(key: string): Promise<void>;
}

const KEY = /^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/;

/** Throws TypeError for what is no key: nothing leaves the store's own place. */
export function checkedKey(key: string): string {
  if (key.length > 200 || !KEY.test(key) || key.split('/').some((word) => /^\.+$/.test(word)))
    throw new TypeError('an object key is a path of lower-case words');
  return key;
}
