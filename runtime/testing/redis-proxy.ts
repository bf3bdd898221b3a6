// A proxy between clients and one Redis server that understands what passes: it loses, delays, repeats and holds back whole
// requests and replies by rule, cuts, and stands still. Loopback, plain TCP.
//
// It speaks no command of its own: what passes is cut into frames (RESP2 or RESP3, whatever the client asked for with
// HELLO) and handed on byte by byte as it came, in order per connection. Memory is bounded: 8 MB per direction and
// connection, then the sender is no longer read; 64 MB for one frame.

import { connect, createServer, type Server } from 'node:net';
import { systemClock } from '../clock.ts';
import { seeded } from './oracle.ts';
import { type FaultRule, FaultRules, type HeldCommand, type StandingRule } from './proxy/fault-rules.ts';
import { wordsOf } from './proxy/frames.ts';
import { type Tap, type Way, Wire } from './proxy/wire.ts';
import { askRedis } from './redis-probe.ts';

export type { Fault, FaultRule, HeldCommand, Span, StandingRule } from './proxy/fault-rules.ts';
export type { Tap, Way } from './proxy/wire.ts';

export interface RedisProxy {
  readonly url: string;
  /** Connections open through it now. */
  readonly connections: number;
  /** From now on requests that match meet the fault; of several rules the first that matches decides. */
  addRule(rule: FaultRule): StandingRule;
  /** No rule is left. What stands still or is cut stays so. */
  clearRules(): void;
  /** From now on `tap` sees every reply with its request, those that are lost or swallowed, too. Returns how to end it. */
  tap(tap: Tap): () => void;
  /** The next request that contains `text` in a word is executed, its reply never arrives, and its connection is cut. */
  loseReplyOf(text: string): Promise<void>;
  /** The next request that contains `text` in a word does not arrive, and its connection is cut. */
  holdBack(text: string): Promise<HeldCommand>;
  /** Cuts all connections, and refuses new ones until `heal`. What was under way is lost. */
  cut(): void;
  /**
   * All sockets stay open and nothing passes that way, on new connections too, until `heal`; then what was sent meanwhile
   * arrives, late, also from clients that have gone: a partition as TCP sees it. Default `both`.
   */
  halfOpen(way?: Way): void;
  /** Connections are taken again, and what stood still goes on. Rules stay. */
  heal(): void;
  /** Cuts everything and listens no more. Safe to call twice. */
  close(): Promise<void>;
}

export interface RedisProxyOptions {
  /** Of the generator behind `chance` and spans. Default: drawn; print it to play it again. */
  readonly seed?: number;
}

/** Listens on a free loopback port in front of the server at `port`; `url` is where held commands are delivered. */
export async function startRedisProxy(
  target: { readonly url: string; readonly port: number },
  options: RedisProxyOptions = {},
): Promise<RedisProxy> {
  const rules = new FaultRules(seeded(options.seed ?? Math.floor(systemClock.random() * 2 ** 32)));
  const wires = new Set<Wire>();
  const taps = new Set<Tap>();
  let isCut = false;
  let still: Way | undefined;

  const hold = (request: Buffer): HeldCommand => {
    const command = wordsOf(request);
    return { command, deliver: () => askRedis(target.url, command) };
  };
  const server = createServer((near) => {
    if (isCut) return void near.on('error', () => undefined).destroy();
    const far = connect(target.port, '127.0.0.1');
    const wire = new Wire(near, far, { rules, hold, taps });
    wires.add(wire);
    if (still !== undefined) wire.stand(still);
    let open = 2;
    for (const socket of [near, far]) socket.on('close', () => --open === 0 && wires.delete(wire));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (): void => {
    for (const wire of wires) wire.cut();
  };
  const contains =
    (text: string) =>
    (words: readonly string[]): boolean =>
      words.some((word) => word.includes(text));

  return {
    url: `redis://127.0.0.1:${portOf(server)}`,
    get connections() {
      return wires.size;
    },
    addRule: (rule) => rules.add(rule),
    clearRules: () => rules.clear(),
    tap(tap) {
      taps.add(tap);
      return () => taps.delete(tap);
    },
    loseReplyOf: (text) => rules.add({ of: contains(text), times: 1, fault: { kind: 'lose-reply' } }).happened(),
    async holdBack(text) {
      const rule = rules.add({ of: contains(text), times: 1, fault: { kind: 'hold' } });
      await rule.happened();
      return rule.held[0] as HeldCommand; // It has happened, so one is held.
    },
    cut() {
      isCut = true;
      cutAll();
    },
    halfOpen(way = 'both') {
      still = way;
      for (const wire of wires) wire.stand(way);
    },
    heal() {
      isCut = false;
      still = undefined;
      for (const wire of wires) wire.go();
    },
    async close() {
      isCut = true;
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const portOf = (server: Server): number => (server.address() as { readonly port: number }).port; // Listening on TCP.
