// The door of the WebSocket: who may open one, and how `ws` is set up. What follows is connection.ts's.
//
// Browsers attach no token to an upgrade, so the first frame carries a one-time ticket, and the Origin is checked here:
// CORS does not hold for WebSockets.

import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RawData, WebSocket } from 'ws';
import { ApiProblem } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Parts } from '../parts.ts';
import { closeCodes, SUBPROTOCOL } from './protocol.ts';

export async function registerLive(app: FastifyInstance, parts: Parts): Promise<void> {
  await app.register(websocket, {
    options: {
      maxPayload: limits.frameBytesMax,
      maxFragments: limits.fragmentsMax,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    },
    errorHandler: (_error, socket) => socket.terminate(),
    // The hub has said goodbye before; what is still open now has not read it.
    preClose(done) {
      for (const socket of app.websocketServer.clients) socket.close(closeCodes.restart, 'restart');
      done();
    },
  });

  app.get(
    '/api/v1/ws',
    { websocket: true, config: { allow: 'open' }, preValidation: async (request) => admit(request, parts) },
    (socket) => serve(socket, parts),
  );
}

function admit(request: FastifyRequest, parts: Parts): void {
  if (!request.ws)
    throw new ApiProblem('validation-failed', { errors: [{ pointer: 'header:upgrade', code: 'required' }] });
  if (!parts.accepting()) throw new ApiProblem('overloaded');
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) {
    throw new ApiProblem('validation-failed', {
      errors: [{ pointer: 'header:sec-websocket-protocol', code: 'required' }],
    });
  }
  if (!isOwnOrigin(request, parts.origins)) throw new ApiProblem('forbidden');
}

/** A page of ours, or no page at all: programs send no Origin. */
function isOwnOrigin(request: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** The handlers are attached in the same turn: a frame that comes with the upgrade would be lost otherwise. */
function serve(socket: WebSocket, parts: Parts): void {
  const connection = parts.hub.connect(socket);
  if (connection === undefined) {
    socket.close(closeCodes.restart, 'no room here, try again');
    return;
  }
  socket.on('message', (data: RawData, isBinary: boolean) => connection.receive(isBinary ? undefined : textOf(data)));
  socket.on('close', () => parts.hub.disconnect(connection));
}

const textOf = (data: RawData): string =>
  (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('utf8');
