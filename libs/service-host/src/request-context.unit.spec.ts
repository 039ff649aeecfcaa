import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';
import { contextFromHeaders, currentContext, withContext } from './request-context.js';

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

describe('the context of a request', () => {
  it('takes over ids that are well-formed, and makes its own for others', () => {
    expect(contextFromHeaders({ 'x-request-id': 'abc-1', traceparent })).toEqual({ requestId: 'abc-1', correlationId: 'abc-1', traceparent });
    const made = contextFromHeaders({ 'x-request-id': 'a\nb', traceparent: `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01` });
    expect(made.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('stays with the work through its waits, and apart from other work', async () => {
    const work = async () => {
      await turn();
      return withContext({ stream: 'report-1' }, async () => {
        await turn();
        return currentContext();
      });
    };
    const [a, b] = await Promise.all(['a', 'b'].map((requestId) => withContext({ requestId }, work)));
    expect(a).toMatchObject({ requestId: 'a', correlationId: 'a', stream: 'report-1' });
    expect(b).toMatchObject({ requestId: 'b' });
    expect(currentContext()).toBeUndefined();
  });
});

describe('a log line', () => {
  it('carries the ids of the work it is written in, and blanks what must not be read', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'intake', destination: { write: (line) => void lines.push(line) } });
    withContext({ requestId: 'r-1', stream: 'report-7', traceparent }, () => {
      log.info({ reporter: { name: 'Siti' }, request: { headers: { authorization: 'Bearer sjm_x' } }, secret: 'whsec_1' }, 'accepted');
    });
    log.debug('not said at level info');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', service: 'intake', requestId: 'r-1', correlationId: 'r-1', stream: 'report-7', msg: 'accepted' });
    expect(lines[0]).not.toMatch(/Siti|sjm_x|whsec_1/);
  });
});
