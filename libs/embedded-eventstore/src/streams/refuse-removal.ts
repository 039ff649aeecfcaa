import type { GrpcCall } from '../wire/grpc-call.js';
import { ProtoReader } from '../wire/protobuf.js';
import { accessDenied } from '../wire/status.js';
import { readStreamName } from './append-request.js';

/** Streams/Delete and Streams/Tombstone: nothing is ever removed from this record, and the log says who tried. */
export function refuseRemoval(what: 'Deleting' | 'Tombstoning', log: (message: string) => void): (call: GrpcCall) => Promise<void> {
  return async (call) => {
    const stream = streamOf(await call.single());
    log(`${what} stream ${stream} was refused: this record is append-only.`);
    throw accessDenied(`${what} a stream is refused: this record is append-only.`);
  };
}

function streamOf(bytes: Buffer): string {
  const outer = new ProtoReader(bytes);
  while (outer.next()) {
    if (outer.field !== 1) {
      outer.skip();
      continue;
    }
    const options = outer.message();
    while (options.next()) {
      if (options.field === 1) return readStreamName(options.message());
      options.skip();
    }
  }
  return '';
}
