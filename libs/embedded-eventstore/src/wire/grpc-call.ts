import { gunzipSync, inflateSync } from 'node:zlib';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { MalformedMessage } from './protobuf.js';
import { Code, RpcError } from './status.js';

const MAX_MESSAGE_BYTES = 20 * 1024 * 1024;
const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity,gzip,deflate' };

/**
 * One gRPC call on one HTTP/2 stream. Messages sent in the same turn leave in one write. A call ends exactly once: by `end`, by `fail`,
 * or because the client went away, and `signal` is aborted then.
 */
export class GrpcCall {
  private readonly ended = new AbortController();
  private outgoing: Buffer[] = [];
  private outgoingBytes = 0;
  private flushScheduled = false;
  private finished = false;
  private responded = false;

  constructor(
    readonly path: string,
    readonly headers: IncomingHttpHeaders,
    private readonly stream: ServerHttp2Stream,
  ) {
    stream.on('error', () => this.forget());
    stream.on('close', () => this.forget());
    stream.on('aborted', () => this.forget());
    const deadlineMs = timeoutMs(headers['grpc-timeout']);
    if (deadlineMs !== undefined) {
      const timer = setTimeout(() => this.fail(new RpcError(Code.deadlineExceeded, 'Deadline exceeded')), Math.min(deadlineMs, 0x7fff_ffff));
      timer.unref();
      this.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    }
  }

  /** Aborted when the call has ended in whatever way. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  /** Calls `onMessage` for each message in order and `onEnd` after the last one. What either throws ends the call. */
  receive(onMessage: (message: Buffer) => void, onEnd: () => void): void {
    const frames = new MessageFrames(String(this.headers['grpc-encoding'] ?? 'identity'));
    this.stream.on('data', (chunk: Buffer) => {
      if (this.finished) return;
      try {
        frames.push(chunk, onMessage);
      } catch (error) {
        this.fail(error);
      }
    });
    this.stream.on('end', () => {
      if (this.finished) return;
      try {
        frames.end();
        onEnd();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Stops or resumes taking messages from the client; flow control then holds it back. */
  pauseReceiving(paused: boolean): void {
    if (this.finished || this.stream.destroyed) return;
    if (paused) this.stream.pause();
    else this.stream.resume();
  }

  /** Resolves with the only message of a call that takes one. */
  single(): Promise<Buffer> {
    return new Promise((resolve) => {
      let message: Buffer | undefined;
      this.receive(
        (received) => {
          if (message !== undefined) throw new RpcError(Code.invalidArgument, 'This method takes one message');
          message = received;
        },
        () => {
          if (message === undefined) throw new RpcError(Code.invalidArgument, 'This method takes a message');
          resolve(message);
        },
      );
    });
  }

  send(message: Buffer): void {
    const prefix = Buffer.allocUnsafe(5);
    prefix[0] = 0;
    prefix.writeUInt32BE(message.length, 1);
    this.sendFramed(prefix, message);
  }

  /** Sends bytes that carry their five-byte prefixes already. */
  sendFramed(...frames: Buffer[]): void {
    if (this.finished) return;
    for (const frame of frames) {
      this.outgoing.push(frame);
      this.outgoingBytes += frame.length;
    }
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    process.nextTick(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  /** Resolves when the client has taken enough for more to be sent, or the call has ended. */
  async drained(): Promise<void> {
    if (this.finished) return;
    this.flush();
    if (!this.stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.stream.off('drain', done);
        this.signal.removeEventListener('abort', done);
        resolve();
      };
      this.stream.once('drain', done);
      this.signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Bytes that wait for the client. */
  get backlogBytes(): number {
    return this.outgoingBytes + this.stream.writableLength;
  }

  end(): void {
    this.finish(Code.ok, '', {});
  }

  fail(error: unknown): void {
    if (error instanceof RpcError) this.finish(error.code, error.message, error.trailers);
    else if (error instanceof MalformedMessage) this.finish(Code.invalidArgument, error.message, {});
    else this.finish(Code.internal, error instanceof Error ? error.message : 'Internal error', {});
  }

  private finish(code: number, message: string, trailers: Readonly<Record<string, string>>): void {
    if (this.finished) return;
    const status = { 'grpc-status': String(code), 'grpc-message': encodeMessage(message), ...encodeTrailers(trailers) };
    if (!this.responded && this.outgoing.length === 0) {
      this.forget();
      if (this.stream.destroyed || this.stream.headersSent) return;
      this.stream.respond({ ...RESPONSE_HEADERS, ...status }, { endStream: true });
      this.closeReading();
      return;
    }
    this.stream.once('wantTrailers', () => {
      if (!this.stream.destroyed) this.stream.sendTrailers(status);
      this.closeReading();
    });
    this.flush();
    this.forget();
    if (!this.stream.destroyed) this.stream.end();
  }

  /** A client that still sends is told that nobody reads any more; otherwise its half of the stream would stay open. */
  private closeReading(): void {
    this.stream.resume();
    if (this.stream.readableEnded || this.stream.destroyed) return;
    setImmediate(() => {
      if (!this.stream.destroyed && !this.stream.readableEnded) this.stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  private forget(): void {
    this.finished = true;
    if (!this.ended.signal.aborted) this.ended.abort();
  }

  private flush(): void {
    if (this.outgoing.length === 0 || this.stream.destroyed) return;
    if (!this.responded) {
      this.responded = true;
      this.stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
    }
    const bytes = this.outgoing.length === 1 ? this.outgoing[0]! : Buffer.concat(this.outgoing, this.outgoingBytes);
    this.outgoing = [];
    this.outgoingBytes = 0;
    this.stream.write(bytes);
  }
}

/** Cuts the body of a call into messages. */
export class MessageFrames {
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private needed = 5;

  constructor(private readonly encoding: string) {}

  push(chunk: Buffer, onMessage: (message: Buffer) => void): void {
    this.pending.push(chunk);
    this.pendingBytes += chunk.length;
    if (this.pendingBytes < this.needed) return;
    const bytes = this.pending.length === 1 ? chunk : Buffer.concat(this.pending, this.pendingBytes);
    let at = 0;
    this.needed = 5;
    while (bytes.length - at >= 5) {
      const length = bytes.readUInt32BE(at + 1);
      if (length > MAX_MESSAGE_BYTES) throw new RpcError(Code.resourceExhausted, `A message of ${length} bytes is larger than the ${MAX_MESSAGE_BYTES} this server takes`);
      if (bytes.length - at - 5 < length) {
        this.needed = 5 + length;
        break;
      }
      const body = bytes.subarray(at + 5, at + 5 + length);
      const compressed = bytes[at];
      at += 5 + length;
      onMessage(compressed === 0 ? body : this.decompress(body));
    }
    const rest = bytes.subarray(at);
    this.pending = rest.length > 0 ? [rest] : [];
    this.pendingBytes = rest.length;
  }

  end(): void {
    if (this.pendingBytes > 0) throw new RpcError(Code.invalidArgument, 'The last message is cut off');
  }

  private decompress(body: Buffer): Buffer {
    try {
      if (this.encoding === 'gzip') return gunzipSync(body, { maxOutputLength: MAX_MESSAGE_BYTES });
      if (this.encoding === 'deflate') return inflateSync(body, { maxOutputLength: MAX_MESSAGE_BYTES });
    } catch (error) {
      throw new RpcError(Code.invalidArgument, `A compressed message cannot be read: ${(error as Error).message}`);
    }
    throw new RpcError(Code.unimplemented, `Compression ${this.encoding} is not supported; identity, gzip and deflate are`);
  }
}

/** `grpc-timeout` in milliseconds; see the gRPC over HTTP/2 specification. */
export function timeoutMs(header: string | string[] | undefined): number | undefined {
  const match = typeof header === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(header) : null;
  if (!match) return undefined;
  const unit = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }[match[2] as 'H' | 'M' | 'S' | 'm' | 'u' | 'n'];
  return Number(match[1]) * unit;
}

/** Percent-encoding of `grpc-message`: printable ASCII stands for itself, `%` excepted. */
function encodeMessage(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    encoded += byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** A header value must be printable ASCII; a stream name need not be. */
function encodeTrailers(trailers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(trailers).map(([name, value]) => [name, /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value)]));
}
