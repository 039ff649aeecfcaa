import { describe, expect, it } from '@jest/globals';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { readReadRequest } from './read-request.js';

const { Options } = streams.ReadReq;

/** Everything from the start, once, with ids as text. */
function request(change: (options: InstanceType<typeof Options>) => void): Buffer {
  const options = new Options();
  const all = new Options.AllOptions();
  all.setStart(new shared.Empty());
  options.setAll(all);
  options.setCount('10');
  options.setNoFilter(new shared.Empty());
  const ids = new Options.UUIDOption();
  ids.setString(new shared.Empty());
  options.setUuidOption(ids);
  change(options);
  const message = new streams.ReadReq();
  message.setOptions(options);
  return Buffer.from(message.serializeBinary());
}

function filtered(change: (filter: InstanceType<typeof Options.FilterOptions>, expression: InstanceType<typeof Options.FilterOptions.Expression>) => void): Buffer {
  return request((options) => {
    const filter = new Options.FilterOptions();
    change(filter, new Options.FilterOptions.Expression());
    options.setFilter(filter);
  });
}

describe('a request to read', () => {
  it('of everything says where to begin, how many and how', () => {
    const read = readReadRequest(
      request((options) => {
        const position = new Options.Position();
        position.setCommitPosition('77');
        position.setPreparePosition('70');
        options.getAll()!.setPosition(position);
        options.setReadDirection(Options.ReadDirection.BACKWARDS);
        options.setResolveLinks(true);
      }),
    );
    expect(read).toMatchObject({ stream: undefined, from: 77, backwards: true, resolveLinks: true, count: 10, filter: undefined, structuredIds: false });
  });

  it('of a stream names it', () => {
    const read = readReadRequest(
      request((options) => {
        const stream = new Options.StreamOptions();
        const identifier = new shared.StreamIdentifier();
        identifier.setStreamName(Buffer.from('größe-1').toString('base64'));
        stream.setStreamIdentifier(identifier);
        stream.setEnd(new shared.Empty());
        options.setStream(stream);
      }),
    );
    expect(read).toMatchObject({ stream: 'größe-1', from: 'end' });
  });

  it('is a subscription when it has no count', () => {
    expect(readReadRequest(request((options) => options.setSubscription(new Options.SubscriptionOptions()))).count).toBeUndefined();
  });

  it('counts checkpoints in windows', () => {
    const windows = filtered((filter, expression) => {
      expression.setPrefixList(['a']);
      filter.setStreamIdentifier(expression);
      filter.setMax(10);
      filter.setCheckpointintervalmultiplier(3);
    });
    expect(readReadRequest(windows).checkpointInterval).toBe(30);
  });

  it.each([
    ['prefixes', ['order-', 'case-'], '', { 'case-1': true, 'order-': true, 'xorder-1': false }],
    ['a regular expression', [], '^[^$].*', { $stats: false, order: true }],
    ['a regular expression without regard to case', [], '(?i)^ORDER', { 'order-1': true, 'x-order': false }],
    ['prefixes of no length', [''], '', { anything: true }],
  ])('filters by %s', (_, prefixes, regex, cases) => {
    const { filter } = readReadRequest(
      filtered((message, expression) => {
        expression.setPrefixList(prefixes);
        expression.setRegex(regex);
        message.setEventType(expression);
        message.setCount(new shared.Empty());
      }),
    );
    expect(filter!.by).toBe('type');
    for (const [name, matches] of Object.entries(cases)) expect(filter!.matches(name)).toBe(matches);
  });

  it.each([
    ['without options', Buffer.alloc(0), 'options'],
    ['that does not say how it wants ids', request((options) => options.clearUuidOption()), 'uuidOption'],
    ['without count or subscription', request((options) => options.clearCount()), 'count'],
    ['of neither stream nor everything', request((options) => options.clearAll()), 'stream option'],
    ['with a commit position before its prepare position', request((options) => {
      const position = new Options.Position();
      position.setCommitPosition('1');
      position.setPreparePosition('2');
      options.getAll()!.setPosition(position);
    }), 'commit position'],
    ['with an expression that is none', filtered((filter, expression) => {
      expression.setRegex('(');
      filter.setEventType(expression);
    }), 'regular expression'],
  ])('%s is refused', (_, bytes, words) => {
    expect(() => readReadRequest(bytes)).toThrow(words);
  });
});
