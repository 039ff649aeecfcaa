export { SealBroken } from './seal.js';
export { addMasterKey, createMasterKeyFile, dropOldMasterKeys, loadMasterKey, MasterKey, MasterKeyFault, sealedUnder } from './master-key.js';
export {
  createSubjectKey,
  decryptFields,
  encryptFields,
  forgetSubjects,
  privacyMigrations,
  readSubjectKey,
  sealedSubjectKeys,
  type FieldPlace,
  type SubjectKey,
} from './subject-key.js';
export { openSecret, purposeOfSecret, sealSecret } from './secret-at-rest.js';
export { countSealed, resealAll, type SealedColumn, type SealedCount } from './sealed-column.js';
