import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { EventRecord } from '../dist/record/event-record.js';

/**
 * Appends to a record and says so on standard output, until it is killed: `node append-until-killed.mjs <folder> <stream>=<next> …`.
 * Each append repeats what an earlier process may have left unanswered: the same ids at the same revision.
 */
const [folder, ...streams] = process.argv.slice(2);

/** The id of a revision, the same in every process. */
function idOf(stream, revision) {
  const hex = createHash('sha256').update(`${stream} ${revision}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const record = await EventRecord.open({ folder, segmentBytes: 60_000, indexLag: 20, log: (message) => writeSync(1, `said ${message}\n`) });
writeSync(1, 'open\n');

for (const argument of streams) {
  const [stream, next] = argument.split('=');
  appendFrom(stream, Number(next));
}

function appendFrom(stream, next) {
  const size = 1 + (next % 3);
  const events = Array.from({ length: size }, (_, index) => ({
    id: idOf(stream, next + index),
    type: 'Counted',
    isJson: false,
    metadata: Buffer.alloc(0),
    data: Buffer.alloc((next * 131) % 3000, next % 251),
  }));
  record.append(
    stream,
    next === 0 ? 'no-stream' : next - 1,
    events,
    (outcome) => {
      // The revision asked for is told, not the one answered: a repetition must have the place of the first.
      writeSync(1, `${outcome.kind} ${stream} ${next + size - 1} ${outcome.revision ?? outcome.current} ${outcome.position}\n`);
      appendFrom(stream, next + size);
    },
    (error) => writeSync(1, `failed ${stream} ${error.message}\n`),
  );
}
