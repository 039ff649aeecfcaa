// `npm start`: on the pinned Node, builds what is not built, then hands over to the supervisor in the same process.
import { buildWhatIsNotBuilt } from './build.mjs';

buildWhatIsNotBuilt();
await import('../deploy/local/dist/main.js');
