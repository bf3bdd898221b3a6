// `npm run docs:settings`: writes docs/settings.md and .env.example from the settings' schema.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentExample, settingsPage } from '../actors/contract/settings-docs.ts';
import { projectRoot } from './project.ts';

mkdirSync(join(projectRoot, 'docs'), { recursive: true });
writeFileSync(join(projectRoot, 'docs', 'settings.md'), settingsPage());
writeFileSync(join(projectRoot, '.env.example'), environmentExample());
process.stderr.write('wrote docs/settings.md and .env.example\n');
