import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { bytesFromBase64, sha256 } from './hashing.js';
import { isKeyName, NoteRefused, type NoteKeyKind, type NoteSigner, type NoteVerifier } from './signed-note.js';

const TYPE_BYTE: Readonly<Record<NoteKeyKind, number>> = { ed25519: 0x01, 'cosignature/v1': 0x04 };
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const PRIVATE_KEY_PREFIX = 'PRIVATE+KEY+';

/** SHA-256(name, newline, type, key), first four bytes. */
export function noteKeyId(name: string, kind: NoteKeyKind, publicKey: Uint8Array): string {
  return sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(TYPE_BYTE[kind]), publicKey])).toString('hex', 0, 4);
}

export function noteVerifier(name: string, kind: NoteKeyKind, publicKey: Uint8Array): NoteVerifier {
  if (!isKeyName(name)) throw new NoteRefused('malformed', `Not a key name: ${name}`);
  if (publicKey.length !== KEY_BYTES) throw new NoteRefused('malformed', 'An ed25519 public key has 32 bytes');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' });
  const keyId = noteKeyId(name, kind, publicKey);
  return {
    name,
    keyId,
    kind,
    publicKey,
    vkey: `${name}+${keyId}+${Buffer.concat([Buffer.of(TYPE_BYTE[kind]), publicKey]).toString('base64')}`,
    verify: (text, signature) => (kind === 'ed25519' ? { valid: verifyPlain(key, text, signature) } : verifyCosignature(key, text, signature)),
  };
}

/** Reads a vkey. Throws NoteRefused `malformed`, also when its key id is not that of its key. */
export function parseVkey(vkey: string): NoteVerifier {
  const parsed = parseKeyText(vkey);
  if (parsed === undefined) throw new NoteRefused('malformed', `Not an ed25519 verifier key: ${vkey.slice(0, 80)}`);
  const verifier = noteVerifier(parsed.name, parsed.kind, parsed.material);
  if (verifier.keyId !== parsed.keyId) throw new NoteRefused('malformed', `The key id of ${parsed.name} is not that of its key`);
  return verifier;
}

export function generateNoteSigner(name: string, kind: NoteKeyKind): NoteSigner {
  const { d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return noteSigner(name, kind, Buffer.from(d!, 'base64url'));
}

/** From the 32-byte seed of RFC 8032. */
export function noteSigner(name: string, kind: NoteKeyKind, seed: Uint8Array): NoteSigner {
  if (seed.length !== KEY_BYTES) throw new NoteRefused('malformed', 'An ed25519 seed has 32 bytes');
  // PKCS #8 is the only form in which Node takes a bare seed: the prefix is RFC 8410's for ed25519.
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' });
  const verifier = noteVerifier(name, kind, Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url'));
  return {
    verifier,
    secret: `${PRIVATE_KEY_PREFIX}${name}+${verifier.keyId}+${Buffer.concat([Buffer.of(TYPE_BYTE[kind]), seed]).toString('base64')}`,
    sign: (text, timestamp) => ({
      name,
      keyId: verifier.keyId,
      signature: kind === 'ed25519' ? sign(null, Buffer.from(text), key) : cosign(key, text, timestamp),
    }),
  };
}

/** Reads what `secret` gives. Throws NoteRefused `malformed`. The message never holds the secret. */
export function parseSignerSecret(secret: string): NoteSigner {
  const parsed = secret.startsWith(PRIVATE_KEY_PREFIX) ? parseKeyText(secret.trim().slice(PRIVATE_KEY_PREFIX.length)) : undefined;
  if (parsed === undefined) throw new NoteRefused('malformed', 'Not an ed25519 signer key');
  const signer = noteSigner(parsed.name, parsed.kind, parsed.material);
  if (signer.verifier.keyId !== parsed.keyId) throw new NoteRefused('malformed', `The key id of ${parsed.name} is not that of its key`);
  return signer;
}

function parseKeyText(text: string): { name: string; keyId: string; kind: NoteKeyKind; material: Buffer } | undefined {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text);
  const bytes = match === null ? undefined : bytesFromBase64(match[3]!);
  if (match === null || bytes?.length !== 1 + KEY_BYTES) return undefined;
  const kind = bytes[0] === TYPE_BYTE.ed25519 ? 'ed25519' : bytes[0] === TYPE_BYTE['cosignature/v1'] ? 'cosignature/v1' : undefined;
  return kind === undefined ? undefined : { name: match[1]!, keyId: match[2]!, kind, material: bytes.subarray(1) };
}

function verifyPlain(key: KeyObject, text: string, signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && verify(null, Buffer.from(text), key, signature);
}

/** C2SP tlog-cosignature: what a witness signs. */
function cosignedText(text: string, timestamp: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

function cosign(key: KeyObject, text: string, timestamp: number | undefined): Buffer {
  if (timestamp === undefined || !Number.isSafeInteger(timestamp) || timestamp <= 0) throw new RangeError('A cosignature needs the time in seconds since 1970');
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(timestamp));
  return Buffer.concat([time, sign(null, cosignedText(text, BigInt(timestamp)), key)]);
}

function verifyCosignature(key: KeyObject, text: string, signature: Uint8Array): { valid: boolean; timestamp?: number } {
  if (signature.length !== 8 + SIGNATURE_BYTES) return { valid: false };
  const bytes = Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength);
  const timestamp = bytes.readBigUInt64BE(0);
  if (timestamp > BigInt(Number.MAX_SAFE_INTEGER)) return { valid: false };
  return { valid: verify(null, cosignedText(text, timestamp), key, bytes.subarray(8)), timestamp: Number(timestamp) };
}
