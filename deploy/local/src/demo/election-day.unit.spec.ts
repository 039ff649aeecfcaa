import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { electionDay, type Figures, type Step } from './election-day.js';

const figures = JSON.parse(readFileSync(new URL('../../data/pilkada-2024.json', import.meta.url), 'utf8')) as Figures;
const day = electionDay(figures, { seed: 1, minutes: 240 });
const submissions = day.filter((step): step is Extract<Step, { do: 'submit' }> => step.do === 'submit');
const accepted = submissions.filter(({ expect: outcome }) => outcome === 'accepted');

describe('a day of the election', () => {
  it('has as many reports as were published, in the order of their time, and is the same for the same seed', () => {
    expect(accepted).toHaveLength(figures.pilkada2024_bawaslu.reports);
    expect(day.map(({ at }) => at)).toEqual(day.map(({ at }) => at).sort((one, other) => one - other));
    expect(electionDay(figures, { seed: 1, minutes: 240 })).toEqual(day);
    expect(electionDay(figures, { seed: 2, minutes: 240 })).not.toEqual(day);
  });

  it('has the published mix of categories and products, within a few percent', () => {
    const share = (part: number) => part / accepted.length;
    expect(share(accepted.filter(({ report }) => report.category === 'hate_speech').length)).toBeCloseTo(295 / 397, 1);
    expect(share(accepted.filter(({ report }) => report.category.startsWith('hoax.')).length)).toBeCloseTo(88 / 397, 1);
    expect(share(accepted.filter(({ report }) => report.contents[0]?.url.includes('tiktok.com')).length)).toBeCloseTo(279 / 397, 1);
  });

  it('has issues that fan out, second reports of a content, retries, and addresses that nobody can route', () => {
    expect(accepted.some(({ report }) => report.issue !== undefined && report.contents.length >= 10)).toBe(true);
    const urls = accepted.flatMap(({ report }) => report.contents.map(({ url }) => url));
    expect(urls.length).toBeGreaterThan(new Set(urls).size);
    expect(submissions.some((step) => step.expect === 'repeated')).toBe(true);
    expect(submissions.some((step) => step.expect === 'unroutable')).toBe(true);
    for (const host of ['tiktok.com', 'facebook.com', 'instagram.com', 'youtu', 't.me', 'snackvideo.com', 'line']) expect(urls.some((url) => url.includes(host))).toBe(true);
  });

  it('has every report decided by another officer, and never by the agency it is about', () => {
    for (const step of day) {
      if (step.do !== 'approve' && step.do !== 'decline') continue;
      expect(step.key.endsWith('Reviewer')).toBe(true);
      expect(step.of.target).not.toBe(`organiser:${step.key.slice(0, -'Reviewer'.length)}`);
    }
  });
});
