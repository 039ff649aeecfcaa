export { ceTypeOf, decode, encode, topics, understand, UnreadableMessage, type Message, type MessageType, type Topic } from './contracts.js';
export {
  actions, categories, contentForms, legalBases, refusalReasons, requestableActions, taxonomyVersion, type Action, type LegalBasis, type RefusalReason,
} from './taxonomy.js';
