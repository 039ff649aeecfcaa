import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import serverFeaturesRpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import gossipRpc from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { credentials, status as codes, type ServiceError } from '@grpc/grpc-js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { collect, eventually, type ServerUnderTest } from './server-under-test.js';

const { BatchAppendReq, ReadReq, ReadResp } = streams;
type BatchResponse = InstanceType<typeof streams.BatchAppendResp>;

const uuid = (text: string) => {
  const message = new shared.UUID();
  message.setString(text);
  return message;
};
const identifier = (stream: string) => {
  const message = new shared.StreamIdentifier();
  message.setStreamName(Buffer.from(stream).toString('base64'));
  return message;
};

interface Fragment {
  stream?: string;
  events?: number;
  isFinal?: boolean;
  deadline?: Date;
  withoutType?: boolean;
}

function fragment(correlationId: string, { stream, events = 0, isFinal = false, deadline, withoutType }: Fragment) {
  const request = new BatchAppendReq();
  request.setCorrelationId(uuid(correlationId));
  if (stream !== undefined) {
    const options = new BatchAppendReq.Options();
    options.setStreamIdentifier(identifier(stream));
    options.setNoStream(new empty.Empty());
    if (deadline) {
      const at = new timestamp.Timestamp();
      at.fromDate(deadline);
      options.setDeadline(at);
    }
    request.setOptions(options);
  }
  request.setProposedMessagesList(
    Array.from({ length: events }, () => {
      const message = new BatchAppendReq.ProposedMessage();
      message.setId(uuid(randomUUID()));
      if (!withoutType) message.getMetadataMap().set('type', 'Raw');
      message.getMetadataMap().set('content-type', 'application/json');
      message.setData(Buffer.from('{}').toString('base64'));
      return message;
    }),
  );
  request.setIsFinal(isFinal);
  return request;
}

export function rawProtocolConformance(server: () => ServerUnderTest): void {
  describe('BatchAppend', () => {
    function open() {
      const call = server().raw.batchAppend();
      const answers: BatchResponse[] = [];
      call.on('data', (answer: BatchResponse) => answers.push(answer));
      call.on('error', () => undefined);
      const ended = new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code)));
      return { call, answers, ended };
    }
    const far = () => new Date(Date.now() + 10_000);

    it('answers each append once, whatever order its fragments come in among those of others', async () => {
      const { call, answers, ended } = open();
      const appends = Array.from({ length: 3 }, () => ({ id: randomUUID(), stream: server().newStream() }));
      for (const { id, stream } of appends) call.write(fragment(id, { stream, events: 2, deadline: far() }));
      for (const { id } of [...appends].reverse()) call.write(fragment(id, { events: 1 }));
      for (const { id } of appends) call.write(fragment(id, { events: 1, isFinal: true }));
      call.end();
      expect(await ended).toBe(codes.OK);
      expect(answers.map((answer) => answer.getCorrelationId()!.getString()).sort()).toEqual(appends.map(({ id }) => id).sort());
      for (const answer of answers) expect(answer.getSuccess()!.getCurrentRevision()).toBe('3');
      for (const { stream } of appends) expect(await collect(server().client.readStream(stream))).toHaveLength(4);
    });

    it('answers an append whose deadline has passed with Timeout, and appends nothing', async () => {
      const { call, answers } = open();
      const [late, stream] = [randomUUID(), server().newStream()];
      call.write(fragment(late, { stream, events: 1, isFinal: true, deadline: new Date(Date.now() - 1000) }));
      await eventually(() => expect(answers).toHaveLength(1));
      expect(answers[0]!.getError()!.getDetails()!.getTypeName()).toBe('event_store.client.Timeout');
      call.write(fragment(randomUUID(), { stream, events: 1, isFinal: true, deadline: far() }));
      await eventually(() => expect(answers[1]?.getSuccess()?.getCurrentRevision()).toBe('0'));
      call.end();
    });

    it('answers an append that is never finished with Timeout, once', async () => {
      const { call, answers, ended } = open();
      const id = randomUUID();
      call.write(fragment(id, { stream: server().newStream(), events: 1, deadline: new Date(Date.now() + 300) }));
      await eventually(() => expect(answers).toHaveLength(1));
      expect(answers[0]!.getError()!.getDetails()!.getTypeName()).toBe('event_store.client.Timeout');
      call.write(fragment(id, { events: 1, isFinal: true }));
      call.end();
      await ended;
      expect(answers).toHaveLength(1);
    });

    it('gives every refusal its details, and takes further appends after it', async () => {
      const { call, answers } = open();
      const stream = server().newStream();
      call.write(fragment(randomUUID(), { stream, events: 1, isFinal: true, deadline: far() }));
      call.write(fragment(randomUUID(), { stream, events: 1, isFinal: true, deadline: far() }));
      call.write(fragment(randomUUID(), { stream: server().newStream(), events: 1, isFinal: true, withoutType: true, deadline: far() }));
      call.write(fragment(randomUUID(), { stream: server().newStream(), events: 1, isFinal: true, deadline: far() }));
      await eventually(() => expect(answers).toHaveLength(4));
      const outcomes = answers.map((answer) => answer.getError()?.getDetails()?.getTypeName() ?? 'success').sort();
      expect(outcomes).toEqual(['event_store.client.BadRequest', 'event_store.client.WrongExpectedVersion', 'success', 'success']);
      call.end();
    });
  });

  describe('Read', () => {
    /** Everything that one request is answered with, and the status at the end. */
    function read(change: (options: InstanceType<typeof ReadReq.Options>) => void): Promise<{ messages: InstanceType<typeof ReadResp>[]; error: ServiceError | undefined }> {
      const options = new ReadReq.Options();
      const ids = new ReadReq.Options.UUIDOption();
      ids.setString(new shared.Empty());
      options.setUuidOption(ids);
      options.setNoFilter(new shared.Empty());
      options.setCount('100');
      change(options);
      const request = new ReadReq();
      request.setOptions(options);
      return new Promise((resolve) => {
        const messages: InstanceType<typeof ReadResp>[] = [];
        const call = server().raw.read(request);
        call.on('data', (message: InstanceType<typeof ReadResp>) => messages.push(message));
        call.on('error', (error) => resolve({ messages, error: error as ServiceError }));
        call.on('end', () => resolve({ messages, error: undefined }));
      });
    }
    const ofStream = (stream: string) => (options: InstanceType<typeof ReadReq.Options>) => {
      const from = new ReadReq.Options.StreamOptions();
      from.setStreamIdentifier(identifier(stream));
      from.setStart(new shared.Empty());
      options.setStream(from);
    };

    it('gives ids as two numbers when asked to', async () => {
      const stream = server().newStream();
      const { events } = await server().append(stream, ['A']);
      const { messages } = await read((options) => {
        ofStream(stream)(options);
        const ids = new ReadReq.Options.UUIDOption();
        ids.setStructured(new shared.Empty());
        options.setUuidOption(ids);
      });
      const id = messages[0]!.getEvent()!.getEvent()!.getId()!.getStructured()!;
      const hex = [id.getMostSignificantBits(), id.getLeastSignificantBits()].map((bits) => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0')).join('');
      expect(hex).toBe(events[0]!.id.replaceAll('-', ''));
    });

    it('answers a missing stream with a message of its own and OK', async () => {
      const stream = server().newStream();
      const { messages, error } = await read(ofStream(stream));
      expect(error).toBeUndefined();
      expect(messages).toHaveLength(1);
      expect(Buffer.from(messages[0]!.getStreamNotFound()!.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe(stream);
    });

    it('ends with the last revision when the client knows of it', async () => {
      const stream = server().newStream();
      await server().append(stream, ['A', 'B']);
      const { messages } = await read((options) => {
        ofStream(stream)(options);
        const control = new ReadReq.Options.ControlOption();
        control.setCompatibility(1);
        options.setControlOption(control);
      });
      expect(messages.map((message) => message.getContentCase())).toEqual([ReadResp.ContentCase.EVENT, ReadResp.ContentCase.EVENT, ReadResp.ContentCase.LAST_STREAM_POSITION]);
      expect(messages.at(-1)!.getLastStreamPosition()).toBe('1');
    });

    it('without saying how it wants ids is refused', async () => {
      const { error } = await read((options) => {
        ofStream(server().newStream())(options);
        options.clearUuidOption();
      });
      expect(error!.code).toBe(codes.INVALID_ARGUMENT);
    });
  });

  describe('the node', () => {
    it('says which methods it has', async () => {
      const client = new serverFeaturesRpc.ServerFeaturesClient(new URL(server().url.replace(/^esdb(\+discover)?:/, 'http:')).host, credentials.createInsecure());
      const supported = await new Promise<string[]>((resolve, reject) =>
        client.getSupportedMethods(new shared.Empty(), (error, answer) => (error ? reject(error) : resolve(answer.getMethodsList().map((method) => `${method.getServiceName()}/${method.getMethodName()}`.toLowerCase())))),
      );
      for (const method of ['read', 'append', 'batchappend']) expect(supported).toContain(`event_store.client.streams.streams/${method}`);
      client.close();
    });

    it('is alive in its own gossip, at the address it was asked at', async () => {
      const { host } = new URL(server().url.replace(/^esdb(\+discover)?:/, 'http:'));
      const client = new gossipRpc.GossipClient(host, credentials.createInsecure());
      const members = await new Promise<{ isAlive: boolean; port: number }[]>((resolve, reject) =>
        client.read(new shared.Empty(), (error, answer) =>
          error ? reject(error) : resolve(answer.getMembersList().map((member) => ({ isAlive: member.getIsAlive(), port: member.getHttpEndPoint()!.getPort() }))),
        ),
      );
      expect(members).toContainEqual({ isAlive: true, port: Number(host.split(':').at(-1)) });
      client.close();
    });
  });
}
