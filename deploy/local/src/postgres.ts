// PostgreSQL as a process of its own, so that it ends with the supervisor however that ends: `postgres.js <data folder> <port>`.
import { startEmbeddedPostgres } from '@sejam/postgres';
import { runPart } from './part-program.js';

const [dataFolder = '', port = ''] = process.argv.slice(2);
await runPart(async () => {
  const { url, ended, stop } = await startEmbeddedPostgres({ dataFolder, port: Number(port) });
  return { url, ended, close: stop };
});
