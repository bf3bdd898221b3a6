// The settings for readers: the table of docs/settings.md and the text of .env.example, made from the schema. Pure.

import { SettingsSchema } from './settings.ts';

interface Field {
  readonly type?: string;
  readonly description?: string;
  readonly default?: string | number;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

const fields = (): (readonly [string, Field])[] =>
  Object.entries(SettingsSchema.properties as { [name: string]: Field });

/** docs/settings.md. */
export function settingsPage(): string {
  const rows = fields().map(
    ([name, field]) => `| \`${name}\` | ${valuesOf(field)} | ${defaultOf(name, field)} | ${cell(field.description)} |`,
  );
  return [
    '# Settings',
    '',
    'All settings come from the environment. A `.env` file in the project’s folder is read too; the environment wins.',
    'This page is written from the schema in `actors/contract/settings.ts` by `npm run docs:settings`.',
    '',
    '| setting | values | default | what it does |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** .env.example: every setting with its default, commented out. */
export function environmentExample(): string {
  const blocks = fields().map(([name, field]) => {
    const words = wrapped((field.description ?? '').replaceAll('`', ''), 108).map((line) => `# ${line}`);
    return [...words, `#${name}=${field.default ?? ''}`, ''].join('\n');
  });
  return [
    '# Copy to .env and uncomment what you change. Written by `npm run docs:settings`; see docs/settings.md.',
    '',
    ...blocks,
  ].join('\n');
}

function valuesOf(field: Field): string {
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(', ');
  if (field.minimum !== undefined) return `${field.minimum} – ${field.maximum}`;
  return 'text';
}

function defaultOf(name: string, field: Field): string {
  if (name === 'EMBOSS_SECRET') return 'a public one, for development only';
  return field.default === undefined ? '' : `\`${field.default}\``;
}

const cell = (text: string | undefined): string => (text ?? '').replaceAll('|', '\\|');

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}
