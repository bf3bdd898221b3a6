#!/usr/bin/env node
// The `emboss` command: installs and builds what is missing, then hands over to the compiled command line.

process.argv.splice(2, 0, 'emboss');
await import('./bootstrap.mjs');
