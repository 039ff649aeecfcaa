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
const ofTheInstallation = {
  bootstrap: '../local/dist/bootstrap.js',
  backup: '../local/dist/backup/cli.js',
  restore: '../local/dist/backup/cli.js',
  keys: '../../services/intake/bin/sejam-keys.mjs',
};
if (service === 'backup' || service === 'restore') process.argv.splice(2, 0, service);
await import(ofTheInstallation[service] ?? `../../services/${service}/dist/main.js`);
