import { openCheckpoint, parseCheckpoint, parseTreeSize } from './checkpoint.js';
import { EMPTY_ROOT, hashToBase64, sameHash, type Hash } from './hashing.js';
import { verifyConsistency, type TreeHead } from './merkle-proof.js';
import { formatSignatureLine, NoteRefused, parseNote, parseSignatureLine, verifySignatures, type NoteSigner, type NoteVerifier, type VerifiedSignature } from './signed-note.js';
import { parseHashLines } from './tlog-proof.js';

/** C2SP tlog-witness: the body of `POST <prefix>/add-checkpoint`. */
export interface AddCheckpoint {
  /** The size of the newest checkpoint this witness is thought to have cosigned; 0 when it has cosigned none. */
  readonly oldSize: number;
  readonly proof: readonly Hash[];
  /** A signed note. */
  readonly checkpoint: string;
}

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${hashToBase64(hash)}\n`).join('')}\n${checkpoint}`;
}

/** Throws NoteRefused `malformed`. */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const end = body.indexOf('\n\n');
  const [old, ...hashes] = end < 0 ? [] : body.slice(0, end).split('\n');
  if (!old?.startsWith('old ')) throw new NoteRefused('malformed', 'The request does not begin with the old size');
  return { oldSize: parseTreeSize(old.slice('old '.length)), proof: parseHashLines(hashes), checkpoint: body.slice(end + 2) };
}

/** What a witness answers. With 200, `head` and `checkpoint` must be durable before `body` leaves the house. */
export type WitnessAnswer =
  | { readonly status: 200; readonly body: string; readonly head: TreeHead; readonly origin: string; readonly checkpoint: string }
  | { readonly status: 409; readonly body: string; readonly size: number }
  | { readonly status: 400 | 403 | 404 | 422; readonly body: string };

/**
 * The whole of a witness's judgement (C2SP tlog-witness). `latest` is what it has cosigned of an origin before; asking and storing must be
 * one step, or two requests at once could roll the log back.
 */
export function judgeAddCheckpoint(
  body: string,
  { logs, signer, latest, timestamp }: { logs: readonly NoteVerifier[]; signer: NoteSigner; latest: (origin: string) => TreeHead | undefined; timestamp: number },
): WitnessAnswer {
  let request: AddCheckpoint;
  let origin: string;
  try {
    request = parseAddCheckpoint(body);
    ({ origin } = parseCheckpoint(parseNote(request.checkpoint).text));
  } catch (error) {
    return refuse(400, messageOf(error));
  }
  const keys = logs.filter((log) => log.name === origin);
  if (keys.length === 0) return refuse(404, `The log ${origin} is not known here`);
  let checkpoint: TreeHead;
  try {
    checkpoint = openCheckpoint(request.checkpoint, { log: keys });
  } catch (error) {
    return refuse(403, messageOf(error));
  }
  if (request.oldSize > checkpoint.size) return refuse(400, 'The old size is larger than the checkpoint');
  const known = latest(origin) ?? { size: 0, root: EMPTY_ROOT };
  if (request.oldSize !== known.size) return { status: 409, body: `${known.size}\n`, size: known.size };
  if (checkpoint.size === 0 && !sameHash(checkpoint.root, EMPTY_ROOT)) return refuse(422, 'The root of an empty tree is the hash of nothing');
  if (!verifyConsistency(known, checkpoint, request.proof)) return refuse(422, 'The checkpoint is not shown to extend the one cosigned before');
  const note = parseNote(request.checkpoint);
  const cosignature = formatSignatureLine(signer.sign(note.text, timestamp));
  const logLines = verifySignatures(note.text, note.signatures, keys).map(({ signature }) => formatSignatureLine(signature));
  return { status: 200, body: cosignature, head: { size: checkpoint.size, root: checkpoint.root }, origin, checkpoint: `${note.text}\n${logLines.join('')}${cosignature}` };
}

/** The cosignatures that a witness's answer adds to `checkpoint`; those of unknown keys are left out. Throws NoteRefused. */
export function readCosignatures(checkpoint: string, answer: string, witnesses: readonly NoteVerifier[]): VerifiedSignature[] {
  const lines = answer.split('\n');
  if (lines.pop() !== '') throw new NoteRefused('malformed', 'The answer of the witness does not end in a newline');
  return verifySignatures(parseNote(checkpoint).text, lines.map(parseSignatureLine), witnesses);
}

function refuse(status: 400 | 403 | 404 | 422, message: string): WitnessAnswer {
  return { status, body: `${message}\n` };
}

function messageOf(error: unknown): string {
  if (error instanceof NoteRefused) return error.message;
  throw error;
}
