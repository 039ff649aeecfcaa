import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import grpcStatus from '@eventstore/db-client/generated/status_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, Server, ServerCredentials, status, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { EventStore, Position, StoredEvent } from '@sejam/event-sourcing';
import { all, event, until } from '@sejam/event-sourcing/contract';
import googleAny from 'google-protobuf/google/protobuf/any_pb.js';
import emptyMessage from 'google-protobuf/google/protobuf/empty_pb.js';
import { connectEventStore, type EventStoreOptions } from './index.js';

type AppendCall = ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp | Buffer>;
type ReadCall = ServerWritableStream<streams.ReadReq, streams.ReadResp>;

/** A server that does exactly what a test says, so that each fault happens when it is wanted. */
interface Script {
  append?(request: streams.BatchAppendReq, call: AppendCall): void;
  read?(request: streams.ReadReq, call: ReadCall): void;
}

const opened: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

describe('an append to a server that fails', () => {
  it('says that the outcome is unknown when the server never answers, and sends the same append again on a new call', async () => {
    const calls = new Set<AppendCall>();
    const received: string[][] = [];
    const { store } = await serve({
      append: (request, call) => {
        calls.add(call);
        received.push(request.getProposedMessagesList().map((proposal) => proposal.getId()?.getString() ?? ''));
        if (calls.size > 1) call.write(success(request, 0));
      },
    }, { appendTimeoutMs: 200 });
    const events = [event()];
    await expect(store.append('thing-1', events, 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(await store.append('thing-1', events, 'no-stream')).toMatchObject({ revision: 0 });
    expect(received).toEqual([[events[0]?.id], [events[0]?.id]]);
  });

  it('gives up one late append alone while the server answers others, and is not confused by the late answer', async () => {
    let held: (() => void) | undefined;
    const calls = new Set<AppendCall>();
    const { store } = await serve({
      append: (request, call) => {
        calls.add(call);
        if (Buffer.from(request.getOptions()?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString() === 'slow-1') held = () => call.write(success(request, 0));
        else call.write(success(request, 7));
      },
    }, { appendTimeoutMs: 300 });
    const slow = store.append('slow-1', [event()], 'no-stream');
    const failed = expect(slow).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await until(() => held !== undefined);
    await store.append('quick-1', [event()], 6);
    await failed;
    held?.();
    expect(await store.append('quick-1', [event()], 6)).toMatchObject({ revision: 7 });
    expect(calls.size).toBe(1);
  });

  it('gives up each late append when its own time is over', async () => {
    const { store } = await serve({
      append: (request, call) => {
        if (Buffer.from(request.getOptions()?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString() === 'quick-1') call.write(success(request, 7));
      },
    }, { appendTimeoutMs: 200 });
    const given: string[] = [];
    const late = async (stream: string): Promise<void> => {
      await expect(store.append(stream, [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable', message: expect.stringContaining(stream) });
      given.push(stream);
    };
    const early = [late('slow-1'), late('slow-2')];
    await store.append('quick-1', [event()], 6);
    await Promise.all([...early, late('slow-3')]);
    expect(given).toEqual(['slow-1', 'slow-2', 'slow-3']);
  });

  it('says that the outcome is unknown when a server takes the connection and never says a word', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const store = connectEventStore(`esdb://127.0.0.1:${(silent.address() as AddressInfo).port}?tls=false`, { appendTimeoutMs: 100 });
    opened.push(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    }, () => store.close());
    await expect(Promise.all([store.append('thing-1', [event()], 'no-stream'), store.append('thing-2', [event()], 'no-stream')])).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });

  it('takes an answer that cannot be read as an unknown outcome, and works again on the next call', async () => {
    let count = 0;
    const { store } = await serve({
      append: (request, call) => {
        count += 1;
        call.write(count === 1 ? Buffer.alloc(12, 0xff) : success(request, 0));
      },
    }, { appendTimeoutMs: 60_000 });
    await expect(store.append('thing-1', [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(await store.append('thing-1', [event()], 'no-stream')).toMatchObject({ revision: 0 });
  });

  it('says so when the server ends the call as if all were well', async () => {
    const { store } = await serve({ append: (_, call) => call.end() }, { appendTimeoutMs: 60_000 });
    await expect(store.append('thing-1', [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });

  it('says so to everyone who waits when the call breaks, and works again on the next', async () => {
    let count = 0;
    const { store } = await serve({
      append: (request, call) => {
        count += 1;
        if (count < 30) return;
        if (count === 30) call.emit('error', { code: status.UNAVAILABLE, details: 'going down' });
        else call.write(success(request, 0));
      },
    }, { appendTimeoutMs: 60_000 });
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => store.append(`thing-${n}`, [event()], 'no-stream')));
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as Error).name)).toEqual(Array.from({ length: 30 }, () => 'StoreUnavailable'));
    expect(await store.append('thing-1', [event()], 'no-stream')).toMatchObject({ revision: 0 });
  });

  it('does not bring down the appends of another store in the same process', async () => {
    const broken = await serve({ append: (_, call) => call.emit('error', { code: status.UNAVAILABLE, details: 'going down' }) });
    let held: (() => void) | undefined;
    const sound = await serve({ append: (request, call) => (held = () => call.write(success(request, 3))) });
    const waiting = sound.store.append('thing-1', [event()], 2);
    await until(() => held !== undefined);
    await expect(broken.store.append('thing-1', [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    held?.();
    expect(await waiting).toMatchObject({ revision: 3 });
  });

  it('takes an error without details as an unknown outcome', async () => {
    const { store } = await serve({
      append: (request, call) => call.write(new streams.BatchAppendResp().setCorrelationId(request.getCorrelationId()).setError(new grpcStatus.Status().setMessage('a riddle'))),
    });
    await expect(store.append('thing-1', [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });

  it('tells the revision at which the stream really is, and a stream that is not there', async () => {
    for (const actual of [5, 'no-stream'] as const) {
      const wrong = new shared.WrongExpectedVersion();
      if (actual === 'no-stream') wrong.setCurrentNoStream(new emptyMessage.Empty());
      else wrong.setCurrentStreamRevision(String(actual));
      const { store } = await serve({ append: (request, call) => call.write(refusal(request, 'WrongExpectedVersion', wrong.serializeBinary())) }, {}, 'throwOnAppendFailure=false');
      await expect(store.append('thing-1', [event()], 1)).rejects.toMatchObject({ name: 'VersionConflict', expected: 1, actual });
    }
  });

  it('refuses what is too large for the record, which no repetition helps', async () => {
    const { store } = await serve({ append: (request, call) => call.write(refusal(request, 'MaximumAppendSizeExceeded', new shared.MaximumAppendSizeExceeded().serializeBinary())) });
    await expect(store.append('thing-1', [event()], 1)).rejects.toMatchObject({ name: 'DomainError', code: 'record.too-large', kind: 'invalid' });
  });

  it('calls a denied append a defect, not an outage', async () => {
    const { store } = await serve({ append: (request, call) => call.write(refusal(request, 'AccessDenied', new shared.AccessDenied().serializeBinary())) });
    await expect(store.append('thing-1', [event()], 1)).rejects.toMatchObject({ name: 'Error', message: expect.stringContaining('AccessDenied') });
  });

  it('sends a large append in several messages, the last of which is final', async () => {
    const frames: streams.BatchAppendReq[] = [];
    const { store } = await serve({
      append: (request, call) => {
        frames.push(request);
        if (request.getIsFinal()) call.write(success(request, 2));
      },
    });
    const events = Array.from({ length: 3 }, () => event({ text: 'x'.repeat(700_000) }));
    expect(await store.append('thing-1', events, 'no-stream')).toMatchObject({ revision: 2 });
    expect(frames.map((frame) => [frame.hasOptions(), frame.getProposedMessagesList().length, frame.getIsFinal()])).toEqual([[true, 1, false], [false, 1, false], [false, 1, true]]);
  });

  it('says that the record is unavailable when nobody listens', async () => {
    const { store, stop } = await serve({});
    await stop();
    for (const attempt of [() => store.append('thing-1', [event()], 1), () => all(store.read('thing-1')), () => all(store.readAll()), () => store.ping()]) {
      await expect(attempt()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    }
  });
});

describe('a read of a server that fails', () => {
  it('ends when the server falls silent, and says that it is unavailable', async () => {
    let cancelled = false;
    const { store } = await serve({
      read: (_, call) => {
        call.on('cancelled', () => (cancelled = true));
        call.write(recorded(0, 100));
      },
    }, { readIdleMs: 100 });
    const seen: StoredEvent[] = [];
    await expect((async () => {
      for await (const one of store.read('thing-1')) seen.push(one);
    })()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(seen).toHaveLength(1);
    await until(() => cancelled);
  });

  it('hands over the notice of a deleted stream, which has no data and the largest revision there is', async () => {
    const { store } = await serve({
      read: (_, call) => {
        const notice = recorded(0, 200);
        notice.getEvent()?.getEvent()?.setStreamRevision('9223372036854775807').setData(new Uint8Array()).getMetadataMap().set('type', '$streamDeleted').set('content-type', 'application/octet-stream');
        call.write(recorded(0, 100));
        call.write(notice);
        call.end();
      },
    });
    expect((await all(store.readAll())).map(({ type, data }) => ({ type, data }))).toEqual([{ type: 'SomethingHappened', data: { text: 'x' } }, { type: '$streamDeleted', data: {} }]);
  });

  it('does not count the time that the reader itself takes', async () => {
    const { store } = await serve({
      read: (_, call) => {
        for (let revision = 0; revision < 3; revision += 1) call.write(recorded(revision, 100 + revision));
        call.end();
      },
    }, { readIdleMs: 100 });
    const seen: number[] = [];
    for await (const { revision } of store.read('thing-1')) {
      seen.push(revision);
      await new Promise((resolve) => {
        setTimeout(resolve, 80);
      });
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  it('says that it is unavailable when the call breaks, whatever form the error has', async () => {
    const { store } = await serve({ read: (_, call) => call.emit('error', { code: status.UNAVAILABLE, details: 'going down', metadata: new Metadata() }) });
    await expect(all(store.read('thing-1'))).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });

  it('is a defect when the server refuses it', async () => {
    const { store } = await serve({ read: (_, call) => call.emit('error', { code: status.PERMISSION_DENIED, details: 'not yours' }) });
    await expect(all(store.read('thing-1'))).rejects.toMatchObject({ name: 'Error', message: expect.stringContaining('not yours') });
  });

  it('understands ids in either form, and the time of the server', async () => {
    const { store } = await serve({
      read: (_, call) => {
        const response = recorded(0, 100);
        const structured = new shared.UUID.Structured();
        structured.setMostSignificantBits('-8690466096661279233');
        structured.setLeastSignificantBits('-81985529216486896');
        response.getEvent()?.getEvent()?.setId(new shared.UUID().setStructured(structured));
        call.write(response);
        call.end();
      },
    });
    expect(await all(store.read('thing-1'))).toMatchObject([{ id: '87654321-0fed-cdff-fedc-ba9876543210', created: '2024-11-27T00:00:00.123Z', position: { commit: '100', prepare: '100' } }]);
  });
});

describe('a subscription to a server that fails', () => {
  it('goes on for ever from the event handled last, both numbers of its position, whether the call breaks or ends as if all were well', async () => {
    const asked: (Position | 'start')[] = [];
    const { store } = await serve({
      read: (request, call) => {
        const from = positionAsked(request);
        asked.push(from);
        call.write(confirmation());
        if (asked.length > 6) return;
        call.write(recorded(asked.length, 100 * asked.length, 100 * asked.length - 1));
        if (asked.length % 2 === 0) call.end();
        else setTimeout(() => call.emit('error', { code: status.UNAVAILABLE, details: 'going down' }), 20);
      },
    });
    const { revisions, subscription } = subscribeTo(store);
    await until(() => asked.length === 7 && subscription.status().connected);
    expect(revisions).toEqual([1, 2, 3, 4, 5, 6]);
    expect(asked.slice(0, 3)).toEqual(['start', { commit: '100', prepare: '99' }, { commit: '200', prepare: '199' }]);
    expect(subscription.status().after).toEqual({ commit: '600', prepare: '599' });
  });

  it('waits longer after each fault, says so, and is disconnected meanwhile', async () => {
    const warnings: { retryInMs: number }[] = [];
    const { store } = await serve(
      { read: (_, call) => call.emit('error', { code: status.INTERNAL, details: 'broken' }) },
      { backOff: { firstMs: 10, mostMs: 40 }, logger: { warn: (details) => warnings.push(details as never) } },
    );
    const { subscription } = subscribeTo(store);
    await until(() => warnings.length >= 4);
    expect(subscription.status()).toEqual({ caughtUp: false, connected: false });
    const [first, , , fourth] = warnings as [{ retryInMs: number }, unknown, unknown, { retryInMs: number }];
    expect(first.retryInMs).toBeLessThanOrEqual(13);
    expect(fourth.retryInMs).toBeGreaterThanOrEqual(30);
    expect(warnings[0]).toMatchObject({ subscription: 'test' });
  });

  it('tries again when the server does not confirm', async () => {
    let asked = 0;
    const { store } = await serve({
      read: (_, call) => {
        asked += 1;
        if (asked > 1) call.write(confirmation());
      },
    }, { readIdleMs: 50 });
    const { subscription } = subscribeTo(store);
    await until(() => subscription.status().connected);
    expect(asked).toBe(2);
  });

  it('loses no event when a checkpoint runs ahead of events still on their way', async () => {
    const asked: (Position | 'start')[] = [];
    const { store } = await serve({
      read: (request, call) => {
        asked.push(positionAsked(request));
        call.write(confirmation());
        if (asked.length === 1) {
          call.write(recorded(0, 100));
          call.write(checkpoint(300));
          setTimeout(() => call.emit('error', { code: status.UNAVAILABLE, details: 'going down' }), 50);
        }
      },
    });
    const { revisions } = subscribeTo(store);
    await until(() => asked.length === 2);
    expect(revisions).toEqual([0]);
    expect(asked[1]).toEqual({ commit: '100', prepare: '100' });
  });

  it('passes over what its filter leaves out once a second checkpoint confirms the first, never backwards', async () => {
    const { store } = await serve({
      read: (_, call) => {
        call.write(confirmation());
        call.write(recorded(0, 1000));
        for (const at of [400, 500, 2000, 3000, 4000]) call.write(checkpoint(at));
      },
    });
    const { checkpoints, subscription } = subscribeTo(store);
    await until(() => subscription.status().after?.commit === '3000');
    expect(checkpoints.map(Number)).toEqual([...checkpoints.map(Number)].sort((a, b) => a - b));
  });

  it('survives a handler that throws at once, and what follows on having caught up throwing', async () => {
    const { store } = await serve({
      read: (_, call) => {
        call.write(confirmation());
        call.write(recorded(0, 100));
        call.write(new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()));
      },
    });
    let calls = 0;
    let caughtUp = 0;
    const subscription = store.subscribe({
      name: 'test',
      prefixes: ['thing-'],
      handle: () => {
        calls += 1;
        if (calls === 1) throw new Error('at once');
        return Promise.resolve();
      },
      onCaughtUp: () => {
        caughtUp += 1;
        throw new Error('not my fault');
      },
    });
    await until(() => subscription.status().caughtUp && caughtUp === 1);
    expect(calls).toBe(2);
  });

  it('holds the server back while events are handled, so that they do not pile up in memory', async () => {
    let sent = 0;
    let release: () => void = () => undefined;
    const { store } = await serve({
      read: (_, call) => {
        call.write(confirmation());
        const filler = 'x'.repeat(10_000);
        const send = (): void => {
          while (sent < 5_000 && !call.cancelled) {
            sent += 1;
            if (!call.write(recorded(sent, sent, sent, filler))) {
              call.once('drain', send);
              return;
            }
          }
        };
        send();
      },
    });
    let handled = 0;
    store.subscribe({
      name: 'slow',
      prefixes: [],
      batchMax: 50,
      handle: async (events) => {
        handled += events.length;
        if (handled < 5_000) await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await until(() => handled > 0);
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
    }
    expect(sent).toBeLessThan(1_000);
    while (handled < 5_000) {
      release();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  });
});

async function serve(script: Script, options: EventStoreOptions = {}, parameters = ''): Promise<{ store: EventStore; stop(): Promise<void> }> {
  const server = new Server();
  const unused = (): never => {
    throw new Error('Sejam never calls this');
  };
  const batchAppend = { ...StreamsService.batchAppend, responseSerialize: (answer: streams.BatchAppendResp | Buffer) => (Buffer.isBuffer(answer) ? answer : Buffer.from(answer.serializeBinary())) };
  server.addService({ ...StreamsService, batchAppend }, {
    batchAppend: (call: AppendCall) => {
      call.on('error', () => undefined);
      call.on('data', (request: streams.BatchAppendReq) => script.append?.(request, call));
    },
    read: (call: ReadCall) => {
      call.on('error', () => undefined);
      script.read?.(call.request, call);
    },
    append: unused,
    delete: unused,
    tombstone: unused,
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const stop = async (): Promise<void> => server.forceShutdown();
  const store = connectEventStore(`esdb://127.0.0.1:${port}?tls=false${parameters === '' ? '' : `&${parameters}`}`, { backOff: { firstMs: 5, mostMs: 20 }, logger: { warn: () => undefined }, ...options });
  opened.push(stop, () => store.close());
  return { store, stop };
}

function subscribeTo(store: EventStore) {
  const revisions: number[] = [];
  const checkpoints: string[] = [];
  const subscription = store.subscribe({
    name: 'test',
    prefixes: ['thing-'],
    handle: async (events, position) => {
      revisions.push(...events.map(({ revision }) => revision));
      checkpoints.push(position.commit);
    },
  });
  return { subscription, revisions, checkpoints };
}

function success(request: streams.BatchAppendReq, revision: number): streams.BatchAppendResp {
  const done = new streams.BatchAppendResp.Success();
  done.setCurrentRevision(String(revision));
  done.setNoPosition(new emptyMessage.Empty());
  return new streams.BatchAppendResp().setCorrelationId(request.getCorrelationId()).setSuccess(done);
}

function refusal(request: streams.BatchAppendReq, type: string, details: Uint8Array): streams.BatchAppendResp {
  const any = new googleAny.Any();
  any.pack(details, `event_store.client.${type}`);
  return new streams.BatchAppendResp().setCorrelationId(request.getCorrelationId()).setError(new grpcStatus.Status().setCode(6).setDetails(any));
}

function recorded(revision: number, commit: number, prepare = commit, text = 'x'): streams.ReadResp {
  const one = new streams.ReadResp.ReadEvent.RecordedEvent();
  one.setId(new shared.UUID().setString('7d8f6f4b-8f0a-4b8e-9c53-0d1e8c8f8a10'));
  one.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from('thing-1')));
  one.setStreamRevision(String(revision)).setCommitPosition(String(commit)).setPreparePosition(String(prepare));
  one.getMetadataMap().set('type', 'SomethingHappened').set('content-type', 'application/json').set('created', String(BigInt(Date.parse('2024-11-27T00:00:00.123Z')) * 10_000n));
  one.setData(Buffer.from(JSON.stringify({ text })));
  return new streams.ReadResp().setEvent(new streams.ReadResp.ReadEvent().setEvent(one).setCommitPosition(String(commit)));
}

function confirmation(): streams.ReadResp {
  return new streams.ReadResp().setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId('1'));
}

function checkpoint(at: number): streams.ReadResp {
  return new streams.ReadResp().setCheckpoint(new streams.ReadResp.Checkpoint().setCommitPosition(String(at)).setPreparePosition(String(at)));
}

function positionAsked(request: streams.ReadReq): Position | 'start' {
  const at = request.getOptions()?.getAll()?.getPosition();
  return at === undefined ? 'start' : { commit: at.getCommitPosition(), prepare: at.getPreparePosition() };
}
