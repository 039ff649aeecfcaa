'use strict';
// What runs is asked of /health/ready every few seconds. Everything that comes from there is put in as text, never as markup.
const root = document.documentElement;
const at = (id) => document.getElementById(id);

const words = {
  asking: ['Menanyakan…', 'Asking…'],
  ready: ['Siap', 'Ready'],
  degraded: ['Siap, tetapi tertunda', 'Ready, but late'],
  unavailable: ['Belum siap', 'Not ready'],
  away: ['Tidak menjawab', 'Does not answer'],
  allReady: ['Semuanya siap', 'Everything is ready'],
  someLate: ['Siap; sebagian pesan tertunda', 'Ready; some messages are late'],
  notReady: ['Belum semuanya siap', 'Not everything is ready'],
  unreachable: ['Gerbang tidak menjawab', 'The gateway does not answer'],
  lag: ['pesan menunggu', 'messages wait'],
  noBus: ['Bus pesan terputus', 'The message bus is away'],
};

const parts = {
  intake: ['Laporan, keputusan, organisasi dan kunci', 'Reports, decisions, organisations and keys'],
  routing: ['Penanganan dan perintah kepada platform', 'Takedowns and orders to the platforms'],
  sla: ['Tenggat yang berjalan', 'Clocks that run'],
  reporting: ['Papan, statistik, ekspor', 'Board, statistics, exports'],
  audit: ['Bukti dan titik periksa rekaman', 'Proofs and checkpoints of the record'],
  sandbox: ['Memainkan platform, untuk mencoba', 'Plays the platforms, for trying out'],
};

const pair = ([id, en]) => [Object.assign(element('span', id), { className: 't', lang: 'id' }), Object.assign(element('span', en), { className: 't', lang: 'en' })];

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

function stateOf(status) {
  const state = element('span', Object.assign(element('span'), { className: 'dot', ariaHidden: 'true' }), element('span', ...pair(words[status] ?? [status, status])));
  state.className = 'state';
  return state;
}

function setLanguage(language) {
  root.lang = language;
  for (const button of document.querySelectorAll('[data-language]')) button.ariaPressed = String(button.dataset.language === language);
}

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    setLanguage(button.dataset.language);
    try {
      localStorage.setItem('language', button.dataset.language);
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
  });
}
const kept = (() => {
  try {
    return localStorage.getItem('language');
  } catch {
    return null;
  }
})();
setLanguage(kept === 'id' || kept === 'en' ? kept : navigator.languages.some((one) => /^(id|ms|jv|su)\b/.test(one)) || !navigator.languages.some((one) => /^en\b/.test(one)) ? 'id' : 'en');

let shown = '';

function overall(state, text) {
  const line = at('overall');
  // Written only when it changes, since it is read aloud.
  if (shown === `${state} ${text[0]}`) return;
  shown = `${state} ${text[0]}`;
  line.dataset.state = state;
  line.querySelector('strong').replaceChildren(...pair(text));
}

function part([name, { status, missing, bus }]) {
  const item = element('li', element('h3', element('span', name), stateOf(status)));
  item.dataset.state = status;
  item.dataset.part = name;
  item.append(element('p', ...pair(parts[name] ?? ['', ''])));
  const why = Object.entries(missing ?? {}).map(([what, cause]) => `${what}: ${cause}`);
  if (bus?.connected === false) why.push(words.noBus[root.lang === 'id' ? 0 : 1]);
  else if (bus?.lag > 0) item.append(element('p', `${bus.lag} `, ...pair(words.lag)));
  if (why.length > 0) item.append(Object.assign(element('p', why.join('; ')), { className: 'why' }));
  return item;
}

async function ask() {
  let report;
  try {
    report = await (await fetch('/health/ready', { cache: 'no-store' })).json();
  } catch {
    overall('away', words.unreachable);
    return;
  }
  overall(report.status, { ready: words.allReady, degraded: words.someLate }[report.status] ?? words.notReady);
  at('parts').replaceChildren(...Object.entries(report.parts ?? {}).map(part));
  for (const one of document.querySelectorAll('[data-needs]')) one.hidden = report.parts?.[one.dataset.needs] === undefined;
  at('record').hidden = report.record === undefined;
  if (report.record === undefined) return;
  at('record-id').textContent = report.record.id;
  at('speed').textContent = `${report.record.speed} ×`;
  at('domain-time').dateTime = report.record.domainTime;
  at('domain-time').textContent = `${report.record.domainTime.slice(0, 19).replace('T', ' ')} UTC`;
}

async function keepAsking() {
  if (!document.hidden) await ask();
  setTimeout(keepAsking, 3000);
}
void keepAsking();
document.addEventListener('visibilitychange', () => void (document.hidden || ask()));

const { credentials, sandbox } = root.dataset;
if (credentials !== '') {
  at('credentials-file').textContent = credentials;
  at('credentials').hidden = false;
}
if (sandbox !== '') {
  at('sandbox-link').textContent = sandbox;
  at('sandbox-link').href = `${sandbox}/orders`;
  at('sandbox').hidden = false;
}
at('example').textContent = `${credentials === '' ? 'KEY=sjm_…' : `KEY=$(node -p "JSON.parse(require('fs').readFileSync('${credentials}')).keys.bawaslu")`}
curl -s ${location.origin}/v1/reports \\
  -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
  -d '{ "reference": "TRY-1", "category": "hoax.voting_procedure", "contentForm": "video", "region": "32.73",
        "summary": "Claims that voting moved to 28 November", "legalBasis": ["UU-10-2016:69-c"],
        "contents": [{ "url": "https://www.tiktok.com/@x/video/7399295712095227142" }] }'`;
