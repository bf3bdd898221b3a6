// Settings of personal data: keys, regions, and where documents lie. Part of the one schema in settings.ts.

import { Type } from 'typebox';

export const personalSettings = {
  EMBOSS_MASTER_KEYS: Type.Optional(
    Type.String({
      description:
        'Master keys that wrap the keys of persons, `id:base64` of 32 bytes each, separated by commas: the first wraps, all ' +
        'unwrap (docs/personal-data.md). Default: made from `EMBOSS_SECRET`. Required when NODE_ENV is `production`.',
      pattern: '^[A-Za-z0-9_-]{1,40}:[A-Za-z0-9+/_-]{43}=?(,[A-Za-z0-9_-]{1,40}:[A-Za-z0-9+/_-]{43}=?)*$',
    }),
  ),
  EMBOSS_REGIONS: Type.String({
    description:
      'Regions, as countries separated by commas, that the store of personal data is in. Data of a person whose law asks for ' +
      'another one are refused. `*`: all.',
    pattern: '^(\\*|[A-Z]{2}(,[A-Z]{2})*)$',
    default: '*',
  }),
  EMBOSS_OBJECTS_URL: Type.Optional(
    Type.String({
      description:
        'Where documents lie: `s3+https://host[:port]/bucket?region=name` of an S3-compatible store. Default: the folder ' +
        '`documents` of `EMBOSS_DATA_DIR`. They are sealed before they leave the process.',
      pattern: '^s3\\+https?://[^/ ]+/[^/ ?]+(\\?region=[a-z0-9-]+)?$',
    }),
  ),
  EMBOSS_OBJECTS_KEY: Type.Optional(
    Type.String({
      description: 'Access key and secret key of that store, `access:secret`. Required with `EMBOSS_OBJECTS_URL`.',
      pattern: '^[^:]+:.+$',
    }),
  ),
} as const;

/** An S3-compatible store. `url` is `http(s)://host[:port]/bucket`. */
export interface ObjectsPlace {
  readonly url: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The place of documents out of the two settings; undefined: a folder. */
export function objectsPlace(raw: {
  readonly EMBOSS_OBJECTS_URL?: string;
  readonly EMBOSS_OBJECTS_KEY?: string;
}): ObjectsPlace | undefined {
  const { EMBOSS_OBJECTS_URL: place, EMBOSS_OBJECTS_KEY: key } = raw;
  if (place === undefined || key === undefined) return undefined;
  const url = new URL(place.slice('s3+'.length));
  const at = key.indexOf(':');
  const region = url.searchParams.get('region') ?? 'us-east-1'; // What S3 itself takes for none.
  url.search = '';
  return { url: url.href, region, accessKey: key.slice(0, at), secretKey: key.slice(at + 1) };
}
