// `npm run demo`: builds what is not built, then plays a day of the 2024 election.
import { buildWhatIsNotBuilt } from './build.mjs';

buildWhatIsNotBuilt();
await import('../deploy/local/dist/demo/run-demo.js');
