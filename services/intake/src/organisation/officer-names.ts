import type { SealedColumn } from '@sejam/privacy';

/** A kept table: the record knows an officer by `holder` alone. */
export const sealedOfficerNames: SealedColumn = {
  table: 'officer', column: 'sealed_name', row: 'holder', purposeFrom: ['holder'],
  purpose: (holder = '') => purposeOfName(holder),
};

export function purposeOfName(holder: string): string[] {
  return ['officer', holder];
}
