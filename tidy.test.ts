// House rules, checked: who may import whom, sizes, what enters only through one file, and what must be written down.
//
// A rule that review has said twice belongs here. Exceptions stand in tables below, each with its reason; a table of
// sizes is a ratchet: its numbers only go down.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import ts from 'typescript';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const ROOMS = ['actors', 'api', 'bench', 'cli', 'runtime', 'state-machines'];
const FILE_LINES_MAX = 500;
const TEST_FILE_LINES_MAX = 1_200; // Test files are few and large on purpose: each costs a second to start.
const FUNCTION_LINES_MAX = 70;

// The arrows. A room may import itself, what `local` names, any Node module, and the packages that `packages` allows.

interface Arrows {
  /** Prefixes of project paths. */
  readonly local: readonly string[];
  /** Allowed packages; undefined: any but those that belong to other rooms. */
  readonly packages?: readonly string[];
}

/** The words of the runtime that those who host charts need: top-level files, never an inner folder. */
const RUNTIME_DOORS = ['index', 'client', 'hosting', 'clock', 'ids', 'json', 'errors', 'messages'].map(
  (name) => `runtime/${name}.ts`,
);
const TEST_KIT = [
  'runtime/testing/index.ts',
  'runtime/testing/redis-server.ts',
  'runtime/testing/redis-probe.ts',
  'runtime/testing/oracle.ts',
];
const PUBLIC_DOORS = [
  'runtime/index.ts',
  'runtime/client.ts',
  ...TEST_KIT,
  'actors/contract/',
  'api/client/',
  'state-machines/',
];
/** How each context hosts its charts: what the bench drives and the audit replays. */
const CONTEXT_DOORS = ['actors/ordering/registration.ts', 'actors/delivery/registration.ts'];

/** What places actors on shards and shards on workers: the bench sets it beside other ways of doing so. */
const PLACEMENT = ['runtime/client/digest.ts', 'runtime/ids.ts', 'runtime/shards/hash.ts', 'runtime/shards/ring.ts'];

/** Files directly in actors/ serve both contexts' workers and know neither. */
const SHARED_BY_CONTEXTS = ['actors/worker.ts', 'actors/effects.ts', 'actors/reconcile.ts', 'actors/tasks.ts'];

const ARROWS: { readonly [room: string]: Arrows } = {
  'state-machines': { local: [], packages: ['xstate'] },
  runtime: { local: [], packages: ['ioredis', 'redlock', 'xxhash-wasm', 'xstate'] },
  'actors/contract': { local: [] },
  'actors/people': { local: ['actors/contract/', ...RUNTIME_DOORS] },
  'actors/partners': { local: ['actors/contract/', 'actors/people/index.ts', ...RUNTIME_DOORS] },
  'actors/ordering': {
    local: [
      ...SHARED_BY_CONTEXTS,
      'actors/contract/',
      'actors/people/index.ts',
      'actors/partners/',
      'state-machines/',
      ...RUNTIME_DOORS,
    ],
  },
  'actors/delivery': {
    local: [
      ...SHARED_BY_CONTEXTS,
      'actors/contract/',
      'actors/people/index.ts',
      'actors/partners/',
      'state-machines/',
      ...RUNTIME_DOORS,
    ],
  },
  actors: {
    local: ['actors/contract/', 'actors/people/index.ts', 'actors/partners/', 'state-machines/', ...RUNTIME_DOORS],
  },
  // The signature is computed alike on both sides; what callbacks mean is said where the partners' words are known.
  api: {
    local: [
      'runtime/client.ts',
      'actors/contract/',
      'actors/people/index.ts',
      'actors/partners/signature.ts',
      'actors/partners/callbacks/index.ts',
      'state-machines/',
    ],
  },
  // The audit reads the partners' ledgers beside Redis; keys are rotated, and canaries planted, in the vault itself.
  cli: {
    local: [...PUBLIC_DOORS, ...RUNTIME_DOORS, ...CONTEXT_DOORS, 'actors/partners/ledger.ts', 'actors/people/index.ts'],
  },
  bench: { local: [...PUBLIC_DOORS, ...CONTEXT_DOORS, ...PLACEMENT, 'cli/supervisor.ts'] },
};

/** Packages that belong to a room, and the places in it. Everybody else reaches them through that room. */
const OWNED: { readonly [name: string]: readonly string[] } = {
  xstate: [
    'state-machines/',
    'runtime/statechart/',
    'runtime/hosting.ts',
    'runtime/example.ts',
    'runtime/testing/',
    'bench/',
  ],
  ioredis: ['runtime/'],
  redlock: ['runtime/shards/'],
  'better-sqlite3': ['api/read-model/'],
};

/** A test may bring up what it needs around its subject: the test kit, the runtime's doors, and other rooms' doors. */
const TESTS_MAY_ALSO = [...RUNTIME_DOORS, ...PUBLIC_DOORS, 'actors/', 'cli/supervisor.ts'];
const TESTS_MAY_USE = ['tap', 'fast-check', 'xstate'];

// What enters only through one place.

/** Real time, timers and randomness (T2). Calls, by file; a prefix ending in / covers a folder. */
const CLOCK_EXCEPTIONS: { readonly [place: string]: string } = {
  'runtime/clock.ts': 'the one clock',
  'api/client/clock.ts': 'the clock of the typed client, which also runs in browsers and imports no runtime',
  'runtime/shards/watchdog.ts': 'a thread that measures whether the event loop of the process stands still',
  'runtime/shards/shards.test.ts': 'moves the wall clock under the runtime to show that nothing rests on it',
  'runtime/testing/simulation/run.ts': 'puts virtual time where redlock reads the wall clock by itself',
  'cli/time.ts': 'processes are supervised in real time',
  'cli/bootstrap/': 'runs before anything is built',
  'bench/': 'measures real time',
};

/** process.env. Everything else takes settings as arguments. */
const ENVIRONMENT_EXCEPTIONS: { readonly [place: string]: string } = {
  'actors/contract/settings.ts': 'the one reader of settings',
  'runtime/testing/redis-server.ts': 'PATH, to find redis-server',
  'runtime/testing/mutants/law-run.ts': 'a test is told by environment which law to run, as tap has it',
  'runtime/testing/crash-points.ts': 'a trial names the crash point in the environment of the process it starts',
  'cli/redis.ts': 'a default argument: PATH and EMBOSS_REDIS before settings exist',
  'cli/bootstrap/': 'runs before anything is built',
};

/** Longer functions that were there when the limit came. Numbers may only go down; a line that is not needed fails. */
const LONG_FUNCTIONS: { readonly [place: string]: number } = {};
const LONG_FILES: { readonly [file: string]: number } = {};

/** Entry points: files that nobody imports because a person, npm or the Procfile runs them. */
const ENTRIES = [
  /(^|\/)main\.ts$/,
  /\.test\.ts$/,
  /\.d\.ts$/,
  /^cli\/settings-docs\.ts$/,
  /^cli\/charts\/(coverage|recording)\.ts$/,
  /^bench\//,
  /^cli\/trials\/\d\d-[^/]*\.ts$/, // Loaded by path: the runner is the runtime's, which knows no cards.
  /^(runtime|api\/client|runtime\/testing)\/index\.ts$/,
  /^runtime\/client\.ts$/,
  /\.worker\.ts$/,
  /example[^/]*\.ts$/,
];

const LAWS = [
  'L1',
  'L2',
  'L3',
  'L4',
  'C1',
  'C2',
  'C3',
  'C4',
  'M1',
  'M2',
  'M3',
  'M4',
  'M5',
  'M6',
  'M7',
  'T1',
  'T2',
  'E1',
  'E2',
  'E3',
  'P1',
  'P2',
  'P3',
];
/** Laws whose subject does not exist yet. */
const LAWS_TO_COME: { readonly [law: string]: string } = { P1: 'comes with the read models' };

// The sources, parsed once.

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

function filesBelow(folder: string, ending: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(path, ending);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

function parse(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const imports: Import[] = [];
  walk(tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ target: resolveFrom(path, specifier), typeOnly: isTypeOnly(node) });
  });
  return { path, text, tree, imports };
}

function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
    return (node.moduleSpecifier as ts.StringLiteral).text; // A module specifier is a string literal by the grammar.
  }
  const dynamic =
    ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
  return dynamic !== undefined && ts.isStringLiteral(dynamic) ? dynamic.text : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node)) return false;
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const names = clause.namedBindings;
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.every((one) => one.isTypeOnly)
  );
}

const resolveFrom = (path: string, specifier: string): string =>
  specifier.startsWith('.')
    ? join(dirname(path), specifier)
    : specifier.startsWith('node:')
      ? 'node:'
      : packageOf(specifier);
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

const isTest = (path: string): boolean => path.endsWith('.test.ts');
const isAt = (path: string, places: readonly string[]): boolean =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
const lineOf = (source: Source, node: ts.Node): number =>
  source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;

const SOURCES = ROOMS.flatMap((room) => filesBelow(room, '.ts')).map(parse);
const BY_PATH = new Map(SOURCES.map((source) => [source.path, source]));

/** Fails once with all findings, so that one run shows everything there is to mend. */
function expectNone(t: Test, findings: readonly string[], rule: string): void {
  t.equal(findings.length, 0, findings.length === 0 ? rule : `${rule}:\n  ${findings.join('\n  ')}`);
}

t.test('imports follow the arrows', async (t) => {
  const findings = SOURCES.flatMap((source) => source.imports.flatMap((one) => faultOf(source.path, one)));
  expectNone(t, findings, 'no forbidden import');
});

function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return `${first}/${second}` in ARROWS ? `${first}/${second}` : first;
}

function faultOf(path: string, { target, typeOnly }: Import): string[] {
  const room = roomOf(path);
  const arrows = ARROWS[room];
  if (target === 'node:')
    return room === 'state-machines' && !isTest(path) ? [`${path}: state-machines import no Node module`] : [];
  if (arrows === undefined) return [`${path}: there is no room ${room}`];
  return target.includes('.ts')
    ? localFault(path, room, arrows, target)
    : packageFault(path, room, arrows, { target, typeOnly });
}

function localFault(path: string, room: string, arrows: Arrows, target: string): string[] {
  if (roomOf(target) === room || isAt(target, arrows.local)) return [];
  if (isTest(path) && room !== 'state-machines' && room !== 'runtime' && isAt(target, TESTS_MAY_ALSO)) return [];
  return [`${path}: ${room} must not import ${target}`];
}

function packageFault(path: string, room: string, arrows: Arrows, { target }: Import): string[] {
  if (isTest(path) && TESTS_MAY_USE.includes(target)) return [];
  if (arrows.packages !== undefined && !arrows.packages.includes(target))
    return [`${path}: ${room} must not import the package ${target}`];
  const places = OWNED[target];
  return places === undefined || isAt(path, places)
    ? []
    : [`${path}: the package ${target} is imported in ${places.join(', ')} only`];
}

t.test('no cycle between files', async (t) => {
  const findings = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) return void findings.add([...trail.slice(at), path].join(' → '));
    if (done.has(path)) return;
    // An import of types alone is gone when the program runs: it makes no cycle.
    for (const one of BY_PATH.get(path)?.imports ?? []) if (!one.typeOnly) visit(one.target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of SOURCES) visit(path, []);
  expectNone(t, [...findings], 'no cycle');
});

t.test('files and functions stay small', async (t) => {
  const findings: string[] = [];
  const used = new Set<string>();
  for (const source of SOURCES) {
    const lines = source.text.split('\n').length - 1;
    const max = LONG_FILES[source.path] ?? (isTest(source.path) ? TEST_FILE_LINES_MAX : FILE_LINES_MAX);
    if (lines > max) findings.push(`${source.path}: ${lines} lines, at most ${max}`);
    if (!isTest(source.path)) findings.push(...longFunctions(source, used));
  }
  for (const place of Object.keys(LONG_FUNCTIONS))
    if (!used.has(place)) findings.push(`${place} is short now: take it off the list`);
  expectNone(t, findings, 'sizes');
});

function longFunctions(source: Source, used: Set<string>): string[] {
  const findings: string[] = [];
  walk(source.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const lines = ownLines(source, node);
    if (lines <= FUNCTION_LINES_MAX) return;
    const name = node.name?.getText(source.tree) ?? `line ${lineOf(source, node)}`;
    const place = `${source.path}#${name}`;
    used.add(place);
    const max = LONG_FUNCTIONS[place] ?? FUNCTION_LINES_MAX;
    if (lines > max) findings.push(`${place}: ${lines} lines, at most ${max}`);
  });
  return findings;
}

/** Lines of a function without the named functions inside it: a factory that returns closures is judged like a class. */
function ownLines(source: Source, node: ts.Node): number {
  let lines = linesOf(source, node);
  const visit = (inner: ts.Node): void => {
    if (isNamedFunction(inner)) lines -= linesOf(source, inner) - 1;
    else ts.forEachChild(inner, visit);
  };
  ts.forEachChild(node, visit);
  return lines;
}

const linesOf = (source: Source, node: ts.Node): number =>
  source.text.slice(node.getStart(source.tree), node.end).split('\n').length;

function isNamedFunction(node: ts.Node): boolean {
  if (!ts.isFunctionLike(node)) return false;
  return node.name !== undefined || ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent);
}

const TIMERS = new Set(['setTimeout', 'setInterval']);

t.test('T2: time and randomness enter through one clock, settings through one file', async (t) => {
  const findings: string[] = [];
  for (const source of SOURCES) {
    const clockAllowed = isAt(source.path, Object.keys(CLOCK_EXCEPTIONS));
    const environmentAllowed = isTest(source.path) || isAt(source.path, Object.keys(ENVIRONMENT_EXCEPTIONS));
    walk(source.tree, (node) => {
      const what = entryOf(node, source.tree);
      if (what === undefined || (what === 'process.env' ? environmentAllowed : clockAllowed)) return;
      findings.push(`${source.path}:${lineOf(source, node)}: ${what}`);
    });
  }
  for (const place of [...Object.keys(CLOCK_EXCEPTIONS), ...Object.keys(ENVIRONMENT_EXCEPTIONS)]) {
    if (!existsSync(join(ROOT, place))) findings.push(`the exception ${place} is gone: take it off the list`);
  }
  expectNone(t, findings, 'no other place reads them');
});

/** Names the clock, the timer, the dice or the environment that a node reaches for. */
function entryOf(node: ts.Node, tree: ts.SourceFile): string | undefined {
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && TIMERS.has(node.expression.text))
    return node.expression.text;
  if (ts.isNewExpression(node) && node.expression.getText(tree) === 'Date' && (node.arguments?.length ?? 0) === 0)
    return 'new Date()';
  if (ts.isImportDeclaration(node) && /^node:timers/.test((node.moduleSpecifier as ts.StringLiteral).text))
    return 'node:timers';
  if (!ts.isPropertyAccessExpression(node)) return undefined;
  const text = node.getText(tree);
  return ['Date.now', 'Math.random', 'performance.now', 'process.env', 'process.hrtime'].includes(text)
    ? text
    : undefined;
}

t.test('Redis keys are built in runtime/redis/keys.ts alone', async (t) => {
  const findings: string[] = [];
  for (const source of SOURCES.filter(
    ({ path }) => path !== 'runtime/redis/keys.ts' && !path.startsWith('bench/') && !isTest(path),
  )) {
    walk(source.tree, (node) => {
      if (!ts.isTemplateExpression(node) && !ts.isStringLiteral(node) && !ts.isNoSubstitutionTemplateLiteral(node))
        return;
      const text = ts.isTemplateExpression(node)
        ? [node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join('x')
        : node.text;
      if (/\{[\w:*-]+\}:/.test(text)) findings.push(`${source.path}:${lineOf(source, node)}: ${text.slice(0, 60)}`);
    });
  }
  for (const path of filesBelow('runtime', '.lua')) {
    const code = readFileSync(join(ROOT, path), 'utf8').replace(/--.*$/gm, '');
    if (/['"]\{|\}:/.test(code)) findings.push(`${path}: makes a key; all keys come in KEYS`);
  }
  expectNone(t, findings, 'no other place makes a key');
});

t.test('Redis functions say what they take, give and cost, beside a wrapper that calls them', async (t) => {
  const findings: string[] = [];
  for (const path of filesBelow('runtime/functions', '.lua')) {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const name = path.slice(path.lastIndexOf('/') + 1, -'.lua'.length);
    const header = text.slice(0, text.search(/^[^-\n]/m));
    if (!header.startsWith(`-- ${name}: `)) findings.push(`${path}: the header begins with "-- ${name}: "`);
    if (!text.includes('redis.register_function')) continue; // Shared code: nobody calls it from outside.
    for (const word of ['KEYS', 'ARGV', 'Reply', 'Cost'])
      if (!header.includes(word)) findings.push(`${path}: the header lacks ${word}`);
    const callers = SOURCES.filter((source) => source.path.startsWith('runtime/') && source.text.includes(`'${name}'`));
    if (callers.length === 0 && name !== 'meta') findings.push(`${path}: no wrapper names '${name}'`);
  }
  expectNone(t, findings, 'headers agree');
});

t.test('every file says what it is for; names are nouns; a to-do has a kind and a place', async (t) => {
  const findings: string[] = [];
  for (const { path, text } of SOURCES) {
    if (!/^(#!.*\n)?\/\/ \S/.test(text)) findings.push(`${path}: begins with a comment that says what the file is for`);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(name)) findings.push(`${path}: file names are kebab-case`);
    if (/\b(manager|helper|helpers|util|utils|common|service|services)\b/.test(name))
      findings.push(`${path}: the noun is not found yet`);
    for (const [todo] of text.matchAll(/\b(TODO|FIXME|XXX|HACK)\b[^\n]{0,40}/g)) {
      if (path !== 'tidy.test.ts' && !/^TODO-[a-z]+\((rfd|issue)-\d+\)/.test(todo))
        findings.push(`${path}: ${todo}: TODO-kind(issue-n)`);
    }
  }
  expectNone(t, findings, 'said');
});

t.test('no file is dead', async (t) => {
  const imported = new Set(SOURCES.flatMap(({ imports }) => imports.map(({ target }) => target)));
  const dead = SOURCES.map(({ path }) => path).filter(
    (path) => !imported.has(path) && !ENTRIES.some((entry) => entry.test(path)),
  );
  expectNone(t, dead, 'everything is used');
});

t.test('each law has a test that begins with its number', async (t) => {
  const titles = SOURCES.filter(({ path }) => isTest(path)).flatMap(titlesOf);
  const findings: string[] = [];
  for (const { place, title } of titles) {
    const [, law] = /^([A-Z]{1,2}\d+)\b/.exec(title) ?? [];
    if (law !== undefined && !/^[A-Z]{1,2}\d+(, [A-Z]{1,2}-?\d+( … [A-Z]{1,2}-?\d+)?)*: \S/.test(title))
      findings.push(`${place}: "${title}": expected "${law}: …"`);
    if (law !== undefined && !LAWS.includes(law) && !/^(CO|DL|PD|TK|O|D|R|I)\d+$/.test(law))
      findings.push(`${place}: there is no law ${law}`);
    if (law === undefined && LAWS.some((one) => new RegExp(`\\b${one}\\b`).test(title)))
      findings.push(`${place}: "${title}": a law's number stands first`);
  }
  const proven = new Set(titles.flatMap(({ title }) => (/^([^:]+):/.exec(title)?.[1] ?? '').split(', ')));
  for (const law of LAWS) {
    if (!proven.has(law) && !(law in LAWS_TO_COME)) findings.push(`${law} has no test`);
    if (proven.has(law) && law in LAWS_TO_COME) findings.push(`${law} has a test: take it off the list`);
  }
  expectNone(t, findings, 'every law is proven');
});

function titlesOf(source: Source): { place: string; title: string }[] {
  const titles: { place: string; title: string }[] = [];
  walk(source.tree, (node) => {
    if (!ts.isCallExpression(node) || !/(^|\.)(test|law)$/.test(node.expression.getText(source.tree))) return;
    const [title] = node.arguments;
    if (title !== undefined && ts.isStringLiteralLike(title))
      titles.push({ place: `${source.path}:${lineOf(source, node)}`, title: title.text });
  });
  return titles;
}

t.test(
  'direct dependencies are pinned, run on the oldest Node we claim, and the lockfile names no registry',
  async (t) => {
    const { dependencies, devDependencies, engines } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as Manifest;
    const findings: string[] = [];
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (!/^(npm:[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        findings.push(`${name}: "${version}" is not an exact version`);
      const installed = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as Manifest;
      const range = installed.engines?.node ?? '*';
      if (!accepts(range, [20, 19, 0])) findings.push(`${name} ${version} excludes Node 20.19: "${range}"`);
    }
    if (/"resolved":/.test(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')))
      findings.push('package-lock.json names download addresses');
    findings.push(...lockfileHoles());
    t.equal(engines?.node, '>=20.19.0');
    expectNone(t, findings, 'packages');
  },
);

/** `npm ci` refuses a lockfile without the packages of other platforms, which some registries do not carry. */
function lockfileHoles(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: { [path: string]: Manifest };
  };
  const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
  const wanted = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
  return [...new Set(wanted)]
    .filter((name) => !names.has(name))
    .map((name) => `package-lock.json lacks ${name}: npm ci would refuse`);
}

interface Manifest {
  readonly optionalDependencies?: { readonly [name: string]: string };
  readonly dependencies?: { readonly [name: string]: string };
  readonly devDependencies?: { readonly [name: string]: string };
  readonly engines?: { readonly node?: string };
}

/** The part of npm's range syntax that engines use: alternatives of comparators, with ^, ~, x and missing parts. */
function accepts(range: string, version: readonly [number, number, number]): boolean {
  return range.split('||').some((all) => {
    const comparators = all
      .trim()
      .replace(/([<>=^~]+)\s+/g, '$1')
      .split(/\s+/);
    return comparators.every((one) => satisfies(one, version));
  });
}

function satisfies(comparator: string, version: readonly [number, number, number]): boolean {
  const [, sign = '', rest = ''] = /^([<>=^~]*)v?(.*)$/.exec(comparator) ?? [];
  if (rest === '' || rest === '*' || rest === 'x') return true;
  const given = rest
    .split('.')
    .filter((part) => part !== 'x' && part !== '*')
    .map(Number);
  const order = version.map((part, i) => part - (given[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
  const sameMajor = version[0] === given[0];
  if (sign === '>=') return order >= 0;
  if (sign === '>') return order > 0;
  if (sign === '<') return order < 0;
  if (sign === '<=') return order <= 0 || given.every((part, i) => part === version[i]);
  if (sign === '^') return sameMajor && order >= 0;
  if (sign === '~') return sameMajor && order >= 0 && (given[1] === undefined || given[1] === version[1]);
  return given.every((part, i) => part === version[i]);
}

t.test('the checks themselves catch what they are for', async (t) => {
  t.ok(accepts('^20.19.0 || >=22.12', [20, 19, 0]));
  t.ok(accepts('20 || >=22', [20, 19, 0]));
  t.ok(accepts('>= 18 <27', [20, 19, 0]));
  t.ok(accepts('20.x || 22.x', [20, 19, 0]));
  t.notOk(accepts('>=22', [20, 19, 0]));
  t.notOk(accepts('^20.20.0', [20, 19, 0]));
  t.same(faultOf('state-machines/ordering/order.ts', { target: 'actors/contract/dto.ts', typeOnly: true }).length, 1);
  t.same(faultOf('actors/ordering/main.ts', { target: 'actors/delivery/slot.ts', typeOnly: false }).length, 1);
  t.same(faultOf('api/routes/orders.ts', { target: 'ioredis', typeOnly: true }).length, 1);
  t.same(faultOf('runtime/journal/tail.ts', { target: 'xstate', typeOnly: true }).length, 1);
  t.same(faultOf('runtime/client.ts', { target: 'pino', typeOnly: false }).length, 1);
  t.same(faultOf('api/app.ts', { target: 'runtime/commit/work.ts', typeOnly: false }).length, 1);
  t.same(faultOf('api/app.ts', { target: 'fastify', typeOnly: false }), []);
  const tree = ts.createSourceFile(
    'x.ts',
    'setTimeout(f); Math.random(); new Date(); new Date(5); a.setTimeout(1);',
    ts.ScriptTarget.ES2023,
    true,
  );
  const seen: string[] = [];
  walk(tree, (node) => {
    const what = entryOf(node, tree);
    if (what !== undefined) seen.push(what);
  });
  t.same(seen, ['setTimeout', 'Math.random', 'new Date()']);
});
