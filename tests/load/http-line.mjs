// A client that costs the processors as little as HTTP allows, so that what a load test measures is the server.
import { once } from 'node:events';
import { connect } from 'node:net';

/**
 * A connection that is kept and takes one request after the other. Knows answers of a stated length alone, as the services give them; anything
 * else is an error.
 */
export async function httpLine(url, headers) {
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const head = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  let waiting;
  let received = [];
  let missing = Infinity; // bytes of the answer that are still to come, known once its head is there
  socket.on('data', (chunk) => {
    received.push(chunk);
    if (missing === Infinity) {
      const bytes = received.length === 1 ? chunk : Buffer.concat(received);
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = /^content-length: (\d+)/im.exec(bytes.toString('latin1', 0, end))?.[1];
      if (length === undefined) return socket.destroy(new Error('An answer without content-length'));
      missing = end + 4 + Number(length) - bytes.length;
    } else missing -= chunk.length;
    if (missing > 0) return;
    const bytes = Buffer.concat(received);
    const { resolve } = waiting;
    [waiting, received, missing] = [undefined, [], Infinity];
    resolve({ status: Number(bytes.toString('latin1', 9, 12)), text: () => bytes.toString('utf8', bytes.indexOf('\r\n\r\n') + 4) });
  });
  socket.on('error', (error) => waiting?.reject(error));
  socket.on('close', () => waiting?.reject(new Error('The connection was closed')));
  return {
    post: (path, body) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(`POST ${path} HTTP/1.1\r\n${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      }),
    close: () => socket.destroy(),
  };
}
