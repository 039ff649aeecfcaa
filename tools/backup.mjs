// `npm run backup` and `npm run restore`: builds what is not built, then hands over in the same process.
import { buildWhatIsNotBuilt } from './build.mjs';

buildWhatIsNotBuilt();
await import('../deploy/local/dist/backup/cli.js');
