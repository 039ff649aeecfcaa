/**
 * Tells on stderr how far long work is, at most once a second, so that stdout stays the report. Silent where nobody reads it (`quiet`), and for
 * work that is done within the first second.
 */
export function progressOf(verb: string, { quiet }: { quiet: boolean }): (share: number, events: number) => void {
  let [told, begun] = [Date.now(), false];
  return (share, events) => {
    const now = Date.now();
    if (quiet || now - told < 1000 || (share >= 1 && !begun)) return;
    [told, begun] = [now, true];
    process.stderr.write(`${verb}: ${events.toLocaleString('en')} events, ${Math.floor(share * 100)} %\n`);
  };
}
