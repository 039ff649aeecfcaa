import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { hashFromBase64, hashToBase64, judgeAddCheckpoint, type NoteSigner, type NoteVerifier, type TreeHead } from '@sejam/transparency-log';

// An old size, 63 hashes and a note with a hundred signatures fit easily.
const BODY_BYTES_MAX = 64 * 1024;

interface Seen {
  readonly size: number;
  readonly root: string;
  /** The note with the log's signature and ours, for monitors. */
  readonly checkpoint: string;
}

export interface WitnessOptions {
  readonly signer: NoteSigner;
  readonly logs: readonly NoteVerifier[];
  /** The whole memory of the witness. Losing it is losing the promise: keep it as safe as the key. */
  readonly stateFile: string;
  now(): Date;
  onAnswer?(status: number, detail: string): void;
}

/**
 * A C2SP tlog-witness: `POST /add-checkpoint`, and `GET /<hex SHA-256 of the origin>/checkpoint` for monitors. Judging and storing happen
 * without anything between them, so that no two requests can roll a log back; a cosignature leaves only after its checkpoint is on disk.
 */
export function createWitnessServer({ signer, logs, stateFile, now, onAnswer }: WitnessOptions): Server {
  const seen = new Map<string, Seen>(existsSync(stateFile) ? Object.entries(JSON.parse(readFileSync(stateFile, 'utf8')) as Record<string, Seen>) : []);

  const addCheckpoint = (body: string): { status: number; body: string; type?: string } => {
    const answer = judgeAddCheckpoint(body, {
      logs, signer, timestamp: Math.floor(now().getTime() / 1000),
      latest: (origin) => headOf(seen.get(origin)),
    });
    if (answer.status === 409) return { status: 409, body: answer.body, type: 'text/x.tlog.size' };
    if (answer.status !== 200) return answer;
    const entry = { size: answer.head.size, root: hashToBase64(answer.head.root), checkpoint: answer.checkpoint };
    // On disk before in memory: a checkpoint that could not be kept must not be cosigned, nor remembered as if it were.
    store(stateFile, Object.fromEntries(new Map(seen).set(answer.origin, entry)));
    seen.set(answer.origin, entry);
    return { status: 200, body: answer.body };
  };

  return createServer((request, response) => {
    const reply = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      onAnswer?.(status, `${request.method} ${request.url}: ${status === 200 ? 'cosigned' : body.trim()}`);
      send(response, status, body, type);
    };
    const monitored = /^\/([0-9a-f]{64})\/checkpoint$/.exec(request.url ?? '')?.[1];
    if (request.method === 'GET' && monitored !== undefined) {
      const found = [...seen].find(([origin]) => createHash('sha256').update(origin).digest('hex') === monitored);
      return send(response, found ? 200 : 404, found ? found[1].checkpoint : 'This log was never cosigned here\n');
    }
    if (request.method !== 'POST' || request.url !== '/add-checkpoint') return send(response, 404, 'POST /add-checkpoint, GET /<origin hash>/checkpoint\n');
    readBody(request).then(
      (body) => {
        const answer = body === undefined ? { status: 413, body: 'The request is too large\n' } : addCheckpoint(body);
        reply(answer.status, answer.body, answer.type);
      },
    ).catch(() => reply(500, 'The witness could not keep the checkpoint and has not cosigned it\n'));
  });
}

function headOf(entry: Seen | undefined): TreeHead | undefined {
  return entry && { size: entry.size, root: hashFromBase64(entry.root)! };
}

function store(path: string, state: object): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}
