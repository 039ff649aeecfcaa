import { testKafka } from '@sejam/testkit';
import { conversationContract } from './conversation.contract.js';
import { kafkaBus, logBus } from './index.js';

conversationContract('log', async (record) => logBus({ store: record.connect() }));

const kafka = await testKafka();
if (kafka) conversationContract('kafka', async () => kafkaBus({ brokers: kafka.brokers, clientId: 'sejam-test' }));
