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
/** Colour of grid lines. */
export const PALE = '#eef2f7';

/** An axis that is there to be read off: no line and no ticks of its own. */
export const plainAxis = {
  ...{ domain: false, ticks: false, gridColor: PALE, labelFontSize: 12, labelColor: INK },
  ...{ titleColor: INK, titleFontWeight: 'normal' as const },
};

// A renderer that knows none of the names falls back to a serif face: the last one is what bare machines have.
const FONT = 'Inter, Helvetica, Arial, DejaVu Sans, sans-serif';

const TITLE_SIZE = 19;
const SUBTITLE_SIZE = 13;
/** Title and subtitle in lines that fit a picture of this width. */
export const titled = (width: number, text: string, subtitle: string) => ({
  text: wrapped(text, width, TITLE_SIZE),
  subtitle: wrapped(subtitle, width, SUBTITLE_SIZE),
  anchor: 'start' as const,
  fontSize: TITLE_SIZE,
  subtitleFontSize: SUBTITLE_SIZE,
  subtitleColor: INK,
  color: '#0f172a',
  subtitlePadding: 8,
  offset: 20,
});

/** Over one of several panels. */
export const panelTitle = (text: string) => ({
  text,
  anchor: 'start' as const,
  fontSize: 13,
  fontWeight: 600 as const,
  color: INK,
  offset: 10,
});

// Without a screen the renderer takes a letter for 0.8 of its size wide, and makes room for as much: lines keep to that.
function wrapped(text: string, width: number, size: number): string[] {
  const chars = Math.floor(width / (size * 0.8));
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trim();
    if (lines.length > 0 && longer.length <= chars) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

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
