export type { Bus, ConsumeOptions, Consumption, ReadTopicOptions } from './bus.js';
export { fromEnvelope, isHeartbeat, toEnvelope, type BusMessage, type Envelope, type ReceivedEnvelope } from './message.js';
export type { AppendHandler, TopicHandler, ViewHandler } from './handlers.js';
