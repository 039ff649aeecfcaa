import { createServer as createHttp1Server } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createNetServer, type AddressInfo, type Socket } from 'node:net';
import { GrpcCall } from './grpc-call.js';
import { Code, RpcError } from './status.js';

const TLS_HANDSHAKE = 0x16;
/** "handshake_failure", fatal: a client that speaks TLS gives up at once instead of waiting for its time-out. */
const TLS_ALERT = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]);
/** Enough for the last statuses to arrive. */
const CLOSE_MS = 300;
const WINDOW_BYTES = 4 * 1024 * 1024;

export type Handler = (call: GrpcCall) => void | Promise<void>;

export interface GrpcServerOptions {
  host: string;
  port: number;
  /** By path, such as `/event_store.client.streams.Streams/Read`. */
  handlers: ReadonlyMap<string, Handler>;
  /** Called for a method that is not in `handlers`; the call then ends UNIMPLEMENTED. */
  onUnknownMethod(path: string): void;
  /** What a plain HTTP GET of this path shows, as JSON; undefined is a 404. */
  page(path: string): unknown;
  log(message: string): void;
}

export interface GrpcServer {
  readonly port: number;
  /** Ends every open call with UNAVAILABLE, then every connection; resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * gRPC over plain HTTP/2, on nothing but Node: the HTTP/2 layer of Node does framing and flow control, and this does messages, statuses
 * and deadlines. HTTP/1.1 on the same port answers health checks; TLS is recognised and refused in one sentence.
 */
export async function listen(options: GrpcServerOptions): Promise<GrpcServer> {
  const calls = new Set<GrpcCall>();
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  let closing = false;

  const http2 = createHttp2Server({
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: 100_000 },
    maxSessionMemory: 1000,
    // A client ends a read that has found no stream by resetting it: the limits against reset floods would cut off an honest one.
    streamResetBurst: 1_000_000,
    streamResetRate: 1_000_000,
    maxSessionInvalidFrames: 1_000_000,
    maxSessionRejectedStreams: 1_000_000,
  });
  http2.on('session', (session) => {
    session.setLocalWindowSize(WINDOW_BYTES * 2);
    sessions.add(session);
    session.on('error', () => session.destroy());
    session.on('close', () => sessions.delete(session));
  });
  http2.on('sessionError', () => undefined);
  http2.on('stream', (stream, headers) => {
    const path = headers[':path'] ?? '';
    const call = new GrpcCall(path, headers, stream);
    if (headers[':method'] !== 'POST' || !String(headers['content-type'] ?? '').startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      return;
    }
    calls.add(call);
    call.signal.addEventListener('abort', () => calls.delete(call), { once: true });
    if (closing) {
      call.fail(new RpcError(Code.unavailable, 'The server is shutting down'));
      return;
    }
    const handler = options.handlers.get(path);
    if (!handler) {
      options.onUnknownMethod(path);
      stream.resume();
      call.fail(new RpcError(Code.unimplemented, `${path} is not offered by this server`));
      return;
    }
    void (async () => {
      try {
        await handler(call);
      } catch (error) {
        if (!(error instanceof RpcError) && (error as Error).name !== 'MalformedMessage') options.log(`${path} failed: ${(error as Error).stack ?? String(error)}`);
        call.fail(error);
      }
    })();
  });

  const http1 = createHttp1Server((request, response) => {
    const page = request.method === 'GET' || request.method === 'HEAD' ? options.page((request.url ?? '/').split('?')[0]!) : undefined;
    const body = page === undefined ? 'This port speaks gRPC; there is nothing here to browse.\n' : `${JSON.stringify(page)}\n`;
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': page === undefined ? 'text/plain' : 'application/json', connection: 'close' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });

  let tlsTold = 0;
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // A client that vanished without a word must not keep its subscriptions for ever.
    socket.setKeepAlive(true, 30_000);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      const bytes = first as Buffer;
      socket.pause();
      if (bytes[0] === TLS_HANDSHAKE) {
        // A client that retries for ever must not fill the log.
        if (Date.now() - tlsTold > 60_000) options.log('A client tried to connect with TLS; this server speaks plain gRPC, so connect with esdb://…?tls=false.');
        tlsTold = Date.now();
        socket.end(TLS_ALERT);
        return;
      }
      socket.unshift(bytes);
      if (bytes[0] === 0x50 && bytes.toString('latin1', 0, 3) === 'PRI') http2.emit('connection', socket);
      else {
        http1.emit('connection', socket);
        socket.resume();
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });

  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const call of [...calls]) call.fail(new RpcError(Code.unavailable, 'The server is shutting down'));
      for (const session of sessions) session.close();
      http1.closeAllConnections();
      // A client that does not hang up is hung up on.
      const leftBehind = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, CLOSE_MS);
      await closed;
      clearTimeout(leftBehind);
    },
  };
}
