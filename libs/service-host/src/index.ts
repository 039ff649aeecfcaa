export { actorOf, Caller, defineAccess, refusalBy, scopeBy, type AccessRow, type Method, type Scope } from './access.js';
export { hashApiKey, keyIdOf, newApiKey, type NewApiKey } from './api-key.js';
export {
  choice,
  ConfigFault,
  flag,
  hostSettings,
  integer,
  list,
  optional,
  port,
  readConfig,
  secret,
  text,
  url,
  type Config,
  type ConfigSpec,
  type Environment,
  type HostConfig,
  type Setting,
} from './config.js';
export { keepConsumerFigures, type ConsumerFiguresOptions } from './consumer-figures.js';
export { readCredentials, type Credentials } from './credentials.js';
export { MayBeAbsent } from './describe-input.js';
export { Health, type HealthOptions, type HealthReport, type ReadinessCheck } from './health.js';
export {
  IdentityDirectory,
  organisationKinds,
  roles,
  type DirectoryKey,
  type DirectoryOrganisation,
  type IdentityEvent,
  type KeyCheck,
  type OrganisationKind,
  type Role,
} from './identity-directory.js';
export { identityMigrations, IdentityTable, keepHeartbeat, keepIdentityEvent, type Queryable } from './identity-table.js';
export { escapePointer, parseJsonBody, type RequestWithRawBody } from './json-body.js';
export { createLogger, type Logger } from './logger.js';
export { Metrics } from './metrics.js';
export { readAnswers, type Answers } from './openapi.js';
export { followCheckpoint, type NewestCheckpoint } from './newest-checkpoint.js';
export { problemOf, RequestRefused, type FieldFault, type Problem } from './problem.js';
export { RateLimiter } from './rate-limit.js';
export { fingerprint, refuseReusedKey, RequestCause, transactorForRequests } from './request-cause.js';
export { currentContext, newTraceparent, withContext, type RequestContext } from './request-context.js';
export { runService, StartFault, startSentence, type ServiceContext } from './run-service.js';
export { runThread, startThread, type ServiceThread, type ThreadContext } from './service-thread.js';
export { startService, type RunningService, type ServiceOptions } from './start-service.js';
export { ValidateInput } from './validate-input.js';
export { busState, connect, connectParts, partSettings, patiently, refuseOtherRecordsTopics, type Connections, type Parts } from './connect-parts.js';
export { followIdentities } from './follow-identities.js';
export { parkedAccess, parkedMessages, withParkedMessages, type ParkedDocument, type ParkedOptions } from './parked-messages.js';
