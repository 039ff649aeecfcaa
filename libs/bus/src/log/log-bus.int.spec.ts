import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { busContract } from '../bus.contract.js';
import { logBus } from './log-bus.js';

const store = memoryEventStore();
busContract('log', async () => logBus({ store }));
