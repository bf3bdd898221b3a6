// Which errors at the start no restart mends: the process then ends with exit code 2 and its reason as the last line of stderr.

/** Codes of `OperatingError` that come again at every start, until somebody changes a setting, the server or the code. */
export const unmendableCodes: ReadonlySet<string> = new Set([
  'bad-catalogue',
  'bad-setting',
  'config-mismatch',
  'durability-too-weak',
  'library-differs',
  'library-missing',
  'namespace-lost',
  'redis-denied',
  'redis-evicts',
  'redis-too-old',
  'redis-url',
]);
