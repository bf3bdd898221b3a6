// The lock masters of the settings, as URLs that can be used together.

/** Of one server: what a lock master is. */
const SERVER_URL = /^(rediss?:\/\/|redis\+unix:\/\/|unix:\/\/|\/).+/;
const LOCK_MASTERS = [0, 1, 3, 5]; // An even number survives no more failures than one less, and splits its votes.

/** What is wrong with them, in sentences; none is right. URLs are not quoted: they may hold a password. */
export function lockMasterProblems(urls: readonly string[]): readonly string[] {
  const wrong = urls.findIndex((url) => !SERVER_URL.test(url));
  const places = urls.map(placeOf);
  const twice = places.findIndex((place, i) => places.indexOf(place) !== i);
  const problems = [
    ...(LOCK_MASTERS.includes(urls.length) ? [] : [`takes 1, 3 or 5 servers, got ${urls.length}`]),
    ...(wrong < 0 ? [] : [`has a part that is no Redis URL: number ${wrong + 1}`]),
    ...(twice < 0 ? [] : [`names one server twice: number ${twice + 1}; a server has one vote`]),
  ];
  return problems.map((problem) => `LOCK_REDIS_URLS ${problem}`);
}

/** Which server a URL means, whoever logs in and whatever database is named. */
function placeOf(url: string): string {
  if (url.startsWith('/') || !URL.canParse(url)) return url;
  const { host, pathname, hostname, port } = new URL(url);
  return host === '' ? pathname : `${hostname}:${port || '6379'}`;
}
