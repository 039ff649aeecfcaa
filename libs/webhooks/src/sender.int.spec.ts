import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { selfSigned } from '../conformance/self-signed.js';
import { parseAllowList } from './address.js';
import { createSender, type Sender, type SenderOptions } from './sender.js';
import { sign, verify } from './signature.js';
import { generateSecret } from './secret.js';

const LOOPBACK = parseAllowList('127.0.0.0/8,::1/128');
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void, tls?: { key: string; cert: string }): Promise<{ port: number; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request);
    handle(request, response);
  };
  return { port: await listen(tls ? createTlsServer(tls, listener) : createServer(listener)), seen };
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

function sender(options: SenderOptions = {}): Sender {
  const made = createSender({ allow: LOOPBACK, timeoutMs: 2_000, ...options });
  closing.push(() => made.close());
  return made;
}

const send = (url: string, options?: SenderOptions) => sender(options).send({ url, headers: {}, body: '{}' });

describe('the sender', () => {
  it('delivers the exact bytes with the signature over them', async () => {
    const secret = generateSecret();
    const body = '{"type":"order.issued","text":"Pemilihan é 🗳"}';
    const received: { body: Buffer; headers: IncomingMessage['headers'] }[] = [];
    const { port } = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        received.push({ body: Buffer.concat(chunks), headers: request.headers });
        response.writeHead(202).end('thank you');
      });
    });
    const outcome = await sender({ alongside: () => ({ 'sejam-checkpoint': 'bm90ZQ==', 'webhook-id': 'never' }) }).send({ url: `http://127.0.0.1:${port}/orders`, headers: { ...sign({ webhookId: 'm1', at: new Date(), body, secrets: [secret] }) }, body });
    expect(outcome).toMatchObject({ kind: 'answered', status: 202, body: 'thank you' });
    expect(received[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': expect.stringMatching(/^Sejam\//), 'sejam-checkpoint': 'bm90ZQ==', 'webhook-id': 'm1' });
    expect(verify({ headers: received[0]!.headers, body: received[0]!.body, secrets: [{ keyId: 'k', secret }], now: new Date() })).toMatchObject({ valid: true, keyId: 'k' });
  });

  it('does not follow redirects', async () => {
    const target = await serve((_, response) => response.writeHead(200).end());
    const { port } = await serve((_, response) => response.writeHead(307, { location: `http://127.0.0.1:${target.port}/` }).end());
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'answered', status: 307 });
    expect(target.seen).toEqual([]);
  });

  it('hands on Retry-After', async () => {
    const { port } = await serve((_, response) => response.writeHead(503, { 'retry-after': '17' }).end());
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 503, retryAfter: '17' });
  });

  it('gives up waiting for an answer', async () => {
    const { port } = await serve(() => {});
    expect(await send(`http://127.0.0.1:${port}/`, { timeoutMs: 150 })).toMatchObject({ kind: 'failed', fault: 'timeout' });
  });

  it('takes the status for the answer, even when the body never ends or is endless', async () => {
    const stalling = await serve((_, response) => response.writeHead(200).write('beginning'));
    expect(await send(`http://127.0.0.1:${stalling.port}/`, { timeoutMs: 300 })).toMatchObject({ kind: 'answered', status: 200, body: 'beginning' });
    let written = 0;
    const endless = await serve((_, response) => {
      response.writeHead(200).on('close', () => (written = -1));
      const more = () => {
        while (response.write('x'.repeat(16_384)) && written >= 0) written++;
        response.once('drain', more);
      };
      more();
    });
    expect(await send(`http://127.0.0.1:${endless.port}/`, { answerBytesMax: 10 })).toMatchObject({ kind: 'answered', status: 200, body: 'xxxxxxxxxx' });
  });

  it('tells a refused, a cut and a senseless connection apart from a good one', async () => {
    const port = await listen(createTcpServer());
    await closing.pop()!();
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'failed', fault: 'connection-refused' });

    let connections = 0;
    const cutting = await listen(createTcpServer((socket) => {
      connections++;
      socket.once('data', () => socket.destroy()).on('error', () => {});
    }));
    expect(await send(`http://127.0.0.1:${cutting}/`)).toMatchObject({ kind: 'failed', fault: 'connection-reset' });
    expect(connections).toBe(2);

    const babbling = await listen(createTcpServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('SSH-2.0-OpenSSH_9.6\r\n'))));
    expect(await send(`http://127.0.0.1:${babbling}/`)).toMatchObject({ kind: 'failed', fault: 'connection-reset' });
  });

  it('tries an idle connection that was just being closed once more', async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      if (++requests === 2) request.socket.destroy();
      else response.end();
    });
    const keeping = sender();
    const message = { url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}' };
    expect(await keeping.send(message)).toMatchObject({ status: 200 });
    expect(await keeping.send(message)).toMatchObject({ status: 200 });
    expect(requests).toBe(3);
  });

  it('ends at once when cancelled', async () => {
    const { port } = await serve(() => {});
    const stop = new AbortController();
    const outcome = sender().send({ url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}' }, { signal: stop.signal });
    stop.abort();
    expect(await outcome).toMatchObject({ kind: 'failed', fault: 'cancelled' });
  });

  it('checks the certificate, for the name and not for the pinned address', async () => {
    const certificate = selfSigned(['hooks.example']);
    const { port } = await serve((_, response) => response.end('ok'), certificate);
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    expect(await send(`https://hooks.example:${port}/`, { resolve, ca: certificate.cert })).toMatchObject({ kind: 'answered', status: 200 });
    expect(await send(`https://hooks.example:${port}/`, { resolve })).toMatchObject({ kind: 'failed', fault: 'tls' });
    expect(await send(`https://other.example:${port}/`, { resolve, ca: certificate.cert })).toMatchObject({ kind: 'failed', fault: 'tls' });
    const plain = await serve((_, response) => response.end());
    expect(await send(`https://hooks.example:${plain.port}/`, { resolve })).toMatchObject({ kind: 'failed', fault: 'tls' });
  });
});

describe('an address that is not public', () => {
  it('is not called in any spelling unless it is allowed', async () => {
    const { port, seen } = await serve((_, response) => response.end());
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '[::ffff:127.0.0.1]', 'localhost']) {
      expect(await send(`https://${host}:${port}/`, { allow: [] })).toMatchObject({ kind: 'failed', fault: 'address-not-allowed' });
    }
    for (const url of [`http://user@127.0.0.1:${port}/`, 'file:///etc/passwd', 'nonsense']) {
      expect(await send(url)).toMatchObject({ kind: 'failed', fault: expect.stringMatching(/^(url|address)-not-allowed$/) });
    }
    expect(seen).toEqual([]);
  });

  it('spoils a name that also has public ones', async () => {
    const resolve = async () => [{ address: '1.1.1.1', family: 4 }, { address: '10.0.0.1', family: 4 }];
    expect(await send('https://hooks.example/', { resolve })).toMatchObject({ fault: 'address-not-allowed', detail: expect.stringContaining('10.0.0.1') });
  });

  it('is not reached by a name server that changes its mind between check and connection', async () => {
    const certificate = selfSigned(['rebind.example']);
    const { port, seen } = await serve((_, response) => response.end(), certificate);
    let asked = 0;
    // Good at first, the victim from then on. 127.0.0.9 refuses the connection, 127.0.0.1 would take it.
    const resolve = async () => [{ address: asked++ === 0 ? '127.0.0.9' : '127.0.0.1', family: 4 }];
    const outcome = await send(`https://rebind.example:${port}/`, { resolve, ca: certificate.cert, allow: parseAllowList('127.0.0.9') });
    expect(outcome).toMatchObject({ kind: 'failed', fault: 'connection-refused' });
    expect(asked).toBe(1);
    expect(seen).toEqual([]);
  });

  it('is not reached in the clear either: http is for allowed addresses alone', async () => {
    const resolve = async () => [{ address: '1.1.1.1', family: 4 }];
    expect(await send('http://hooks.example/', { resolve })).toMatchObject({ fault: 'url-not-allowed' });
  });
});

describe('a host name', () => {
  it('that cannot be resolved, or not in time, is not the platform\'s failure', async () => {
    const reject = async () => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }));
    expect(await send('https://hooks.example/', { resolve: reject })).toMatchObject({ kind: 'failed', fault: 'dns' });
    expect(await send('https://hooks.example/', { resolve: async () => [] })).toMatchObject({ kind: 'failed', fault: 'dns' });
    expect(await send('https://hooks.example/', { resolve: () => new Promise(() => {}), timeoutMs: 50 })).toMatchObject({ kind: 'failed', fault: 'dns' });
  });
});
