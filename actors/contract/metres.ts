// How far apart two places are.

export interface Geo {
  readonly lat: number;
  readonly lon: number;
}

const EARTH_METRES = 6_371_000;

/** Great-circle distance (haversine), in metres. */
export function metresBetween(a: Geo, b: Geo): number {
  const rad = (degrees: number): number => (degrees * Math.PI) / 180;
  const half =
    Math.sin(rad(b.lat - a.lat) / 2) ** 2 +
    Math.cos(rad(a.lat)) * Math.cos(rad(b.lat)) * Math.sin(rad(b.lon - a.lon) / 2) ** 2;
  return 2 * EARTH_METRES * Math.asin(Math.min(1, Math.sqrt(half)));
}
