// The embedded event store as a process of its own: `event-store.js <data folder> <port>`.
import { startEventStore } from '@sejam/embedded-eventstore';
import { runPart } from './part-program.js';

const [dataFolder = '', port = ''] = process.argv.slice(2);
await runPart(() => startEventStore({ dataFolder, port: Number(port) }));
