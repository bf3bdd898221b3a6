// A picture of a bench: drawn without a screen, kept twice, as SVG for people and as PNG for pages that cannot show it.

import { mkdir, writeFile } from 'node:fs/promises';
import { Resvg } from '@resvg/resvg-js';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

export type Picture = TopLevelSpec;
/** One part of a picture. */
export type Panel = Extract<TopLevelSpec, { hconcat: unknown }>['hconcat'][number];

/** Colour of text and of what needs no colour of its own. */
export const INK = '#334155';

// A renderer that knows none of the names falls back to a serif face: the last one is what bare machines have.
const FONT = 'Inter, Helvetica, Arial, DejaVu Sans, sans-serif';

/** The picture as SVG text. Pure; tens of milliseconds. */
export function svgOf(picture: Picture): Promise<string> {
  const { spec } = compile({
    ...picture,
    background: 'white',
    padding: 16,
    config: { view: { stroke: null }, font: FONT, ...picture.config },
  });
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}

/** Writes bench/results/NAME.svg and .png, the latter at twice the size. */
export async function save(name: string, picture: Picture): Promise<void> {
  const svg = await svgOf(picture);
  const font = { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' };
  const png = new Resvg(svg, { fitTo: { mode: 'zoom', value: 2 }, font }).render().asPng();
  await mkdir('bench/results', { recursive: true });
  await writeFile(`bench/results/${name}.svg`, svg);
  await writeFile(`bench/results/${name}.png`, png);
}
