import { ProtoReader } from '../wire/protobuf.js';
import { invalidArgument } from '../wire/status.js';
import { readStreamName } from './append-request.js';

export type From = 'start' | 'end' | number;

export interface EventFilter {
  /** Whether events are chosen by their stream or by their type. */
  readonly by: 'stream' | 'type';
  matches(name: string): boolean;
}

export interface ReadRequest {
  /** Undefined: `$all`. */
  readonly stream: string | undefined;
  /** A revision, or a position of `$all`. */
  readonly from: From;
  readonly backwards: boolean;
  readonly resolveLinks: boolean;
  /** Undefined: a subscription. */
  readonly count: number | undefined;
  readonly filter: EventFilter | undefined;
  /** Events that a filtered subscription considers between two checkpoints. */
  readonly checkpointInterval: number;
  readonly structuredIds: boolean;
  /** What the client understands beyond the first protocol: 1 adds the last revision of a stream to the answer. */
  readonly compatibility: number;
}

const DEFAULT_WINDOW = 32;

/** ReadReq, checked as EventStoreDB checks it. */
export function readReadRequest(bytes: Buffer): ReadRequest {
  const outer = new ProtoReader(bytes);
  let options: ProtoReader | undefined;
  while (outer.next()) {
    if (outer.field === 1) options = outer.message();
    else outer.skip();
  }
  if (!options) throw invalidArgument('Required argument options is missing.');
  let stream: string | undefined;
  let from: From | undefined;
  let backwards = false;
  let resolveLinks = false;
  let count: number | undefined;
  let isSubscription = false;
  let filtered: ReturnType<typeof readFilter> | undefined;
  let structuredIds: boolean | undefined;
  let compatibility = 0;
  while (options.next()) {
    switch (options.field) {
      case 1:
        ({ stream, from } = readStreamOptions(options.message()));
        break;
      case 2:
        stream = undefined;
        from = readAllOptions(options.message());
        break;
      case 3:
        backwards = options.uint() === 1;
        break;
      case 4:
        resolveLinks = options.bool();
        break;
      case 5:
        count = options.uint();
        isSubscription = false;
        break;
      case 6:
        options.skip();
        count = undefined;
        isSubscription = true;
        break;
      case 7:
        filtered = readFilter(options.message());
        break;
      case 9:
        structuredIds = readUuidOption(options.message());
        break;
      case 10:
        compatibility = readCompatibility(options.message());
        break;
      default:
        options.skip();
    }
  }
  if (from === undefined) throw invalidArgument('Required argument stream option is missing.');
  if (structuredIds === undefined) throw invalidArgument('Required argument uuidOption is missing.');
  if (count === undefined && !isSubscription) throw invalidArgument('Required argument count option is missing.');
  if (isSubscription && backwards) throw invalidArgument('A subscription goes forwards.');
  if (stream !== undefined && filtered) throw invalidArgument('Only $all can be filtered.');
  return {
    stream,
    from,
    backwards,
    resolveLinks,
    count,
    filter: filtered?.filter,
    checkpointInterval: filtered?.checkpointInterval ?? DEFAULT_WINDOW,
    structuredIds,
    compatibility,
  };
}

function readStreamOptions(reader: ProtoReader): { stream: string; from: From | undefined } {
  let stream = '';
  let from: From | undefined;
  while (reader.next()) {
    if (reader.field === 1) stream = readStreamName(reader.message());
    else if (reader.field === 2) from = reader.uint();
    else if (reader.field === 3 || reader.field === 4) {
      from = reader.field === 3 ? 'start' : 'end';
      reader.skip();
    } else reader.skip();
  }
  if (stream === '') throw invalidArgument('Required argument stream identifier is missing.');
  return { stream, from };
}

function readAllOptions(reader: ProtoReader): From | undefined {
  let from: From | undefined;
  while (reader.next()) {
    if (reader.field === 1) from = readPosition(reader.message());
    else if (reader.field === 2 || reader.field === 3) {
      from = reader.field === 2 ? 'start' : 'end';
      reader.skip();
    } else reader.skip();
  }
  return from;
}

function readPosition(reader: ProtoReader): number {
  let commit = 0;
  let prepare = 0;
  while (reader.next()) {
    if (reader.field === 1) commit = reader.uint();
    else if (reader.field === 2) prepare = reader.uint();
    else reader.skip();
  }
  if (commit < prepare) throw invalidArgument('The commit position cannot be less than the prepare position');
  return commit;
}

function readFilter(reader: ProtoReader): { filter: EventFilter; checkpointInterval: number } {
  let filter: EventFilter | undefined;
  let window = DEFAULT_WINDOW;
  let multiplier = 1;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        filter = { by: 'stream', matches: readExpression(reader.message()) };
        break;
      case 2:
        filter = { by: 'type', matches: readExpression(reader.message()) };
        break;
      case 3:
        window = reader.uint();
        break;
      case 4:
        window = DEFAULT_WINDOW;
        reader.skip();
        break;
      case 5:
        multiplier = reader.uint();
        break;
      default:
        reader.skip();
    }
  }
  if (!filter) throw invalidArgument('A filter is by stream or by type.');
  return { filter, checkpointInterval: Math.max(1, window) * Math.max(1, multiplier) };
}

function readExpression(reader: ProtoReader): (name: string) => boolean {
  let regex = '';
  const prefixes: string[] = [];
  while (reader.next()) {
    if (reader.field === 1) regex = reader.string();
    else if (reader.field === 2) prefixes.push(reader.string());
    else reader.skip();
  }
  if (regex === '') return (name) => prefixes.some((prefix) => name.startsWith(prefix));
  const compiled = compile(regex);
  return (name) => compiled.test(name);
}

/** Clients write .NET regular expressions; the common ones mean the same here. `(?i)` and its kin in front become flags. */
function compile(pattern: string): RegExp {
  const inline = /^\(\?([ims]+)\)/.exec(pattern);
  const source = (inline ? pattern.slice(inline[0].length) : pattern).replaceAll('\\A', '^').replaceAll(/\\[zZ]/g, '$');
  try {
    return new RegExp(source, inline ? [...new Set(inline[1])].join('') : '');
  } catch (error) {
    throw invalidArgument(`The filter's regular expression cannot be read: ${(error as Error).message}`);
  }
}

function readUuidOption(reader: ProtoReader): boolean {
  let structured = true;
  while (reader.next()) {
    structured = reader.field !== 2;
    reader.skip();
  }
  return structured;
}

function readCompatibility(reader: ProtoReader): number {
  let compatibility = 0;
  while (reader.next()) {
    if (reader.field === 1) compatibility = reader.uint();
    else reader.skip();
  }
  return compatibility;
}
