export type { Bus, ConsumeOptions, Consumption, ReadTopicOptions } from './bus.js';
export { fromEnvelope, isHeartbeat, toEnvelope, type BusMessage, type Envelope, type ReceivedEnvelope } from './message.js';
export type { AppendHandler, TopicHandler, ViewHandler } from './handlers.js';
export { isTransient } from './failure.js';
export { busMigrations, runConsumer, type Consumer, type ConsumerOptions } from './consumer.js';
export { countHeldStreams, listParked, type ParkedCause, type ParkedMessage } from './parking.js';
export { runPublisher, type Publisher, type PublisherOptions, type Worded } from './publisher.js';
export { logBus } from './log/log-bus.js';
export { kafkaBus, type KafkaBusOptions } from './kafka/kafka-bus.js';
