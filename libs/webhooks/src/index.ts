export { publicKeyFault } from './public-key.js';
export { generateSecret, generateSigningKeyPair, parseSecret, publicKeyOf, secretFingerprint, type WebhookKey } from './secret.js';
export { sign, TOLERANCE_SECONDS, verify, type SignedHeaders, type Verdict, type VerifyFault } from './signature.js';
export { ATTEMPTS_MIN, deliverySchedule, nextAttempt, parseRetryAfter, RETRY_AFTER_MAX_MS } from './delivery-schedule.js';
export {
  classifyAttempt,
  GONE_ANSWERS_TO_PAUSE,
  GONE_WINDOW_MS,
  isGoneForGood,
  PROBE_INTERVAL_MS,
  type AttemptFault,
  type AttemptOutcome,
  type AttemptVerdict,
} from './attempt.js';
export { judgeAddress, parseAllowList, urlFault, type AddressVerdict, type AllowList } from './address.js';
export { type ConnectionOptions, type ResolvedAddress } from './vetted-connection.js';
export { createSender, type Message, type Sender, type SenderOptions } from './sender.js';
export { createShortLinkFollower, type ShortLinkAnswer, type ShortLinkFollower, type ShortLinkOptions } from './short-link.js';
