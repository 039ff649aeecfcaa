import { afterAll, beforeAll } from '@jest/globals';
import { appendConformance } from './append.js';
import { rawProtocolConformance } from './raw-protocol.js';
import { readConformance } from './read.js';
import { ServerUnderTest } from './server-under-test.js';
import { subscribeConformance } from './subscribe.js';

/**
 * What EventStoreDB documents of its streams, method by method. `connect` says where the server is; it may be in use, the suite looks
 * only at streams of its own. Nothing that this library refuses on purpose is asked here.
 */
export function conformance(connect: () => Promise<string>): void {
  let server: ServerUnderTest | undefined;
  const current = () => {
    if (!server) throw new Error('The server is used before it is there');
    return server;
  };
  beforeAll(async () => {
    server = new ServerUnderTest(await connect());
  });
  afterAll(async () => {
    await server?.dispose();
  });
  appendConformance(current);
  readConformance(current);
  subscribeConformance(current);
  rawProtocolConformance(current);
}
