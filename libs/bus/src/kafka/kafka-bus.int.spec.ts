import { describe, it } from '@jest/globals';
import { testKafka } from '@sejam/testkit';
import { busContract } from '../bus.contract.js';
import { kafkaBus } from './kafka-bus.js';

const kafka = await testKafka();
if (kafka) busContract('kafka', async () => kafkaBus({ brokers: kafka.brokers, clientId: 'sejam-test' }));
else describe('A kafka bus', () => it.todo('is tested where this machine can have a Kafka'));
