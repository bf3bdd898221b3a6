// One client's connection through the proxy: its requests and replies as frames, each reply matched with its request.
//
// Redis answers in order, so the n-th reply belongs to the n-th request; pushes answer none. A connection that subscribes,
// monitors or switches replies off breaks that rule: from then on its frames are passed on and meet no fault. A replica's
// becomes a stream of bytes, which can be cut and stand still like the others.

import type { Socket } from 'node:net';
import type { FaultRules, HeldCommand, Sentence } from './fault-rules.ts';
import { FrameCutter, isPush, NotRedis, wordsOf } from './frames.ts';
import { Lane } from './lane.ts';

export type Way = 'both' | 'requests' | 'replies';

/** Told of every reply, with the words of its request, before a fault decides what becomes of it. It must not throw. */
export type Tap = (request: readonly string[], reply: Buffer) => void;

/** What is to happen to the reply of a request that was passed on. */
interface Expected {
  readonly words?: readonly string[];
  readonly swallow?: true;
  readonly lose?: Sentence;
  readonly delayMs?: number;
}

const ONE_WAY = /^(P|S)?SUBSCRIBE$|^MONITOR$/i;
const REPLICATION = /^P?SYNC$/i; // What follows is a file and a stream of commands: no frames that are replies.
const PASSED: Expected = {};

export interface WireDoors {
  readonly rules: FaultRules;
  readonly hold: (request: Buffer) => HeldCommand;
  readonly taps: ReadonlySet<Tap>;
}

export class Wire {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #rules: FaultRules;
  readonly #hold: (request: Buffer) => HeldCommand;
  readonly #taps: ReadonlySet<Tap>;
  readonly #requests: Lane;
  readonly #replies: Lane;
  readonly #expected: Expected[] = [];
  #matched = true;
  #isStream = false;
  #cut = false;

  constructor(near: Socket, far: Socket, { rules, hold, taps }: WireDoors) {
    this.#near = near;
    this.#far = far;
    this.#rules = rules;
    this.#hold = hold;
    this.#taps = taps;
    this.#requests = new Lane(near, far);
    this.#replies = new Lane(far, near);
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', () => undefined); // `close` follows.
    const asked = new FrameCutter('requests');
    const answered = new FrameCutter('replies');
    near.on('data', (chunk) =>
      this.#isStream ? this.#requests.pass(chunk) : this.#frames(asked, chunk, (frame) => this.#request(frame)),
    );
    far.on('data', (chunk) =>
      this.#isStream ? this.#replies.pass(chunk) : this.#frames(answered, chunk, (frame) => this.#reply(frame)),
    );
    // What was under way when one side went still arrives: late requests are executed.
    near.on('close', () => this.#requests.finish(() => far.end()));
    far.on('close', () => this.#replies.finish(() => near.end()));
  }

  /** Ends both sides at once; what waits is lost. */
  cut(): void {
    this.#cut = true;
    this.#requests.drop();
    this.#replies.drop();
    this.#near.destroy();
    this.#far.destroy();
  }

  /** Nothing passes that way, and both sockets stay open. */
  stand(way: Way): void {
    if (way !== 'replies') this.#requests.stand();
    if (way !== 'requests') this.#replies.stand();
  }

  go(): void {
    this.#requests.go();
    this.#replies.go();
  }

  #frames(cutter: FrameCutter, chunk: Buffer, each: (frame: Buffer) => void): void {
    try {
      for (const frame of cutter.cut(chunk)) {
        if (this.#cut) return; // A frame before this one was cut at.
        each(frame);
      }
    } catch (error) {
      if (!(error instanceof NotRedis)) throw error;
      this.cut();
    }
  }

  #request(request: Buffer): void {
    const words = this.#matched ? wordsOf(request) : [];
    this.#matched &&= !breaksOrder(words);
    this.#isStream ||= REPLICATION.test(words[0] ?? '');
    if (!this.#matched) this.#requests.pass(request);
    else this.#carryOut(request, words, this.#rules.isEmpty ? undefined : this.#rules.judge(words));
  }

  #carryOut(request: Buffer, words: readonly string[], sentence: Sentence | undefined): void {
    switch (sentence?.fault.kind) {
      case undefined:
        this.#send(request, { words });
        break;
      case 'lose-reply':
        this.#send(request, { words, lose: sentence });
        break;
      case 'lose-request':
        this.cut();
        sentence.done();
        break;
      case 'hold':
        this.cut();
        sentence.done(this.#hold(request));
        break;
      case 'delay': {
        const { requestMs, replyMs } = sentence.fault;
        this.#send(request, { words, delayMs: this.#rules.draw(replyMs) }, this.#rules.draw(requestMs), sentence.done);
        break;
      }
      case 'repeat':
        this.#send(request, { words });
        this.#send(request, { words, swallow: true }, 0, sentence.done);
        break;
      case 'half-open':
        this.stand('both');
        this.#send(request, { words });
        sentence.done();
    }
  }

  #send(request: Buffer, expected: Expected, delayMs = 0, then?: () => void): void {
    this.#expected.push(expected);
    this.#requests.pass(request, delayMs, then);
  }

  #reply(reply: Buffer): void {
    const expected = this.#matched && !isPush(reply) ? (this.#expected.shift() ?? PASSED) : PASSED;
    const { words, swallow, lose, delayMs } = expected;
    if (words !== undefined) for (const tap of this.#taps) tap(words, reply);
    if (lose !== undefined) this.#lose(lose);
    else if (!swallow) this.#replies.pass(reply, delayMs);
  }

  /** The reply is here, so the request was executed. Those before it are told first. */
  #lose({ done }: Sentence): void {
    this.#replies.finish(() => {
      this.cut();
      done();
    });
  }
}

/** True for a request after which replies can no longer be counted. */
const breaksOrder = ([name = '', option = '']: readonly string[]): boolean =>
  ONE_WAY.test(name) || REPLICATION.test(name) || (/^CLIENT$/i.test(name) && /^REPLY$/i.test(option));
