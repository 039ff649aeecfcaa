import { isDomainError } from '@sejam/event-sourcing';
import { publicKeyOf } from './secret.js';

// The curve of ed25519 (RFC 8032, 5.1): −x² + y² = 1 + d·x²·y² over the integers modulo p.
const p = 2n ** 255n - 19n;
const d = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;

/**
 * Why somebody's public key is not to be trusted with proving who said something; undefined when nothing speaks against it. Node takes any 32
 * bytes for a key. Under a point of small order a signature of every message can be found without any private key. Libraries differ in whether
 * they refuse that, as they do over points that are written in a second way or are none, and an auditor with another one must come to our verdict.
 */
export function publicKeyFault(publicKey: string): string | undefined {
  if (publicKey.startsWith('whsk_')) return 'this is the private half, which nobody but its owner may see: it is spoilt now, make another pair';
  if (!publicKey.startsWith('whpk_')) return 'a public key begins with whpk_';
  let raw: Buffer;
  try {
    raw = Buffer.from(publicKeyOf(publicKey).slice('whpk_'.length), 'base64');
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return 'whpk_ must be followed by the base64 of a 32-byte ed25519 public key';
  }
  const encoded = BigInt(`0x${raw.reverse().toString('hex')}`);
  const y = encoded & (2n ** 255n - 1n);
  if (y >= p) return 'it is not in the one form that a point is written in';
  // Euler: what is no square has no root, so there is no point with this y.
  if (power(xSquared(y), (p - 1n) / 2n) > 1n) return 'it is no point of the curve';
  // Eight times a point of small order is the neutral element, whose y is 1.
  if (yOfDouble(yOfDouble(yOfDouble(y))) === 1n) return 'it is a point of small order, under which anybody can sign';
  return undefined;
}

function xSquared(y: bigint): bigint {
  const square = (y * y) % p;
  return modulo((square - 1n) * inverse(d * square + 1n));
}

/** Of the point added to itself; its x is not needed for that. */
function yOfDouble(y: bigint): bigint {
  const [x2, y2] = [xSquared(y), (y * y) % p];
  return modulo((y2 + x2) * inverse(2n - y2 + x2));
}

const modulo = (value: bigint): bigint => ((value % p) + p) % p;
const inverse = (value: bigint): bigint => power(modulo(value), p - 2n);

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, modulo(base)];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
}
