// Entry point of the image. Secrets lie in files; `{file:/path}` in any variable is replaced by the URL-encoded content of that file, so
// that no address with a password stands in a compose file or a chart.
import { readFileSync } from 'node:fs';

for (const [name, value] of Object.entries(process.env)) {
  process.env[name] = value.replaceAll(/\{file:([^}]+)\}/g, (_, file) => encodeURIComponent(readFileSync(file, 'utf8').trim()));
}

const service = process.env.SERVICE ?? '';
if (!/^[a-z]+$/.test(service)) {
  console.error(`SERVICE must name a service, not "${service}"`);
  process.exit(78);
}
await import(service === 'bootstrap' ? '../local/dist/bootstrap.js' : `../../services/${service}/dist/main.js`);
