import { describe } from '@jest/globals';
import { testKafka } from '@sejam/testkit';
import { busContract } from '../bus.contract.js';
import { kafkaBus } from './kafka-bus.js';

const kafka = await testKafka();
const onKafka = kafka ? describe : describe.skip;
onKafka('Where this machine can have a Kafka', () => {
  busContract('kafka', async () => kafkaBus({ brokers: kafka?.brokers ?? [], clientId: 'sejam-test' }));
});
