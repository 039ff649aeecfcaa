export { EMPTY_ROOT, HASH_BYTES, hashFromBase64, hashToBase64, leafHash, nodeHash, sameHash, sha256, type Hash } from './hashing.js';
export { completeNodes, type LeafRange, type NodeId } from './tree-shape.js';
export { Frontier, type CompletedNode } from './frontier.js';
export { proveConsistency, proveInclusion, rootAt, verifyConsistency, verifyInclusion, type ReadNodes, type TreeHead } from './merkle-proof.js';
export {
  appendSignatures, formatSignatureLine, NoteRefused, openNote, parseNote, parseSignatureLine, signNote, verifySignatures,
  type NoteKeyKind, type NoteSignature, type NoteSigner, type NoteVerifier, type SignedNote, type VerifiedSignature,
} from './signed-note.js';
export { generateNoteSigner, noteKeyId, noteSigner, noteVerifier, parseSignerSecret, parseVkey } from './note-key.js';
export { formatCheckpoint, openCheckpoint, parseCheckpoint, parseTreeSize, signCheckpoint, type Checkpoint, type OpenedCheckpoint } from './checkpoint.js';
export { formatTlogProof, parseHashLines, parseTlogProof, verifyTlogProof, type TlogProof } from './tlog-proof.js';
export { formatAddCheckpoint, judgeAddCheckpoint, parseAddCheckpoint, readCosignatures, type AddCheckpoint, type WitnessAnswer } from './witness.js';
export { parsePolicy, PolicyRefused, type TlogPolicy } from './policy.js';
export { eventLeaf, eventLeafHash, formatEventLine, isLogged, LEAF_VERSION, loggedEvent, type LoggedEvent, type RecordedEvent } from './event-leaf.js';
