import { startEmbeddedPostgres } from '@sejam/postgres';

export interface TemporaryPostgres {
  readonly url: string;
  stop(): Promise<void>;
}

/** The embedded database for as long as a copy takes. It ends with this process, unless that is killed: then whoever needs the folder next ends it. */
export async function temporaryPostgres(dataFolder: string): Promise<TemporaryPostgres> {
  const server = await startEmbeddedPostgres({ dataFolder });
  const end = (): void => {
    try {
      process.kill(server.pid, 'SIGINT');
    } catch {
      // It has ended already.
    }
  };
  process.once('exit', end);
  return {
    url: server.url,
    async stop() {
      await server.stop();
      process.off('exit', end);
    },
  };
}
