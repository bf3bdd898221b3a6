// The live feed of all orders, as an operator's screen has it: wakes whoever plays an order, and counts statuses.

import WebSocket from 'ws';
import { LiveClient, type LiveSocket, type RestClient } from '../../api/client/index.ts';

export interface Following {
  /** Resolves with true at the order's next event, with false when `wait` is aborted. */
  woken(orderId: string, wait: AbortSignal): Promise<boolean>;
  /** Last status of each followed order. */
  readonly statuses: ReadonlyMap<string, string>;
  readonly events: number;
  readonly reconnections: number;
  follow(orderId: string): void;
  close(): Promise<void>;
}

/** Connects at once and for as long as it is not closed; until it is connected, nobody is woken. */
export function following(publicUrl: string, desk: RestClient): Following {
  const statuses = new Map<string, string>();
  const waiting = new Map<string, Set<() => void>>();
  let events = 0;
  let connections = 0;
  const wake = (orderId: string): void => {
    for (const resume of waiting.get(orderId) ?? []) resume();
  };
  const live = new LiveClient({
    url: liveUrl(publicUrl),
    ticket: () => desk.ticket(),
    connect: openSocket,
    onState: (state) => {
      if (state === 'live') connections += 1;
    },
  });
  live.subscribe({
    topic: 'ops.orders',
    onEvent: ({ orderId, data }) => {
      events += 1;
      if (statuses.has(orderId) && typeof data.status === 'string') statuses.set(orderId, data.status);
      wake(orderId);
    },
    onSnapshot: () => {
      for (const orderId of waiting.keys()) wake(orderId);
    },
  });
  return {
    statuses,
    get events() {
      return events;
    },
    get reconnections() {
      return Math.max(0, connections - 1);
    },
    follow: (orderId) => void statuses.set(orderId, statuses.get(orderId) ?? 'in_review'),
    woken: (orderId, wait) =>
      new Promise((resolve) => {
        const own = waiting.get(orderId) ?? new Set();
        waiting.set(orderId, own);
        const end = (heard: boolean): void => {
          own.delete(resume);
          if (own.size === 0 && waiting.get(orderId) === own) waiting.delete(orderId);
          resolve(heard);
        };
        const resume = (): void => end(true);
        own.add(resume);
        if (wait.aborted) end(false);
        else wait.addEventListener('abort', () => end(false), { once: true });
      }),
    close: () => live.close(),
  };
}

export const liveUrl = (publicUrl: string): string => `${publicUrl.replace(/^http/, 'ws')}/api/v1/ws`;

/** The socket of `ws`: what the live client uses of it is the same as the browser's. */
export const openSocket = (url: string, protocol: string): LiveSocket =>
  new WebSocket(url, protocol) as unknown as LiveSocket;
