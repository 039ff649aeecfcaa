import { afterAll } from '@jest/globals';
import { testEventStore } from '@sejam/testkit';
import { busContract } from '../bus.contract.js';
import { logBus } from './log-bus.js';

const record = await testEventStore();
afterAll(() => record.stop());
busContract('log', async () => logBus({ store: record.connect() }));
