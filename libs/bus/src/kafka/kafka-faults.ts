import { DomainError } from '@sejam/event-sourcing';

/** What the client throws when a request was wrong, not the moment; more tries give the same answer. */
const FOR_GOOD = /^(MESSAGE_TOO_LARGE|INVALID_|TOPIC_AUTHORIZATION_FAILED|GROUP_AUTHORIZATION_FAILED|CLUSTER_AUTHORIZATION_FAILED|SASL_|UNSUPPORTED_|POLICY_VIOLATION)/;

/**
 * DomainError `bus.unavailable` in place of any error by which the client says that no broker could do it now; other errors as they
 * are. `always`: whatever it is, the bus is not usable.
 */
export function unavailable(error: unknown, always = false): unknown {
  const { name = '', type = '' } = (error ?? {}) as { name?: string; type?: string };
  if (!always && (!name.startsWith('KafkaJS') || FOR_GOOD.test(type))) return error;
  const translated = new DomainError('bus.unavailable', 'unavailable', 'The bus cannot be reached now', { retryAfterSeconds: 2 });
  translated.cause = error;
  return translated;
}
