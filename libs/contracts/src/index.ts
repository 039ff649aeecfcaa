export { ceTypeOf, decode, encode, topics, UnreadableMessage, type Message, type MessageType, type Topic } from './contracts.js';
