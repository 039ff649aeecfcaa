import { testKafka } from '@sejam/testkit';
import { kafkaBus, logBus } from './index.js';
import { publisherContract } from './publisher.contract.js';

publisherContract('log', async (record) => logBus({ store: record.connect() }));

const kafka = await testKafka();
if (kafka) publisherContract('kafka', async () => kafkaBus({ brokers: kafka.brokers, clientId: 'sejam-test' }));
