export { SealBroken } from './seal.js';
export { addMasterKey, createMasterKeyFile, dropOldMasterKeys, loadMasterKey, MasterKey, MasterKeyFault, sealedUnder } from './master-key.js';
export {
  checkSubjectKeys,
  createSubjectKey,
  decryptFields,
  encryptFields,
  forgetSubjects,
  privacyMigrations,
  readSubjectKey,
  resealSubjectKeys,
  type FieldPlace,
  type SubjectKey,
} from './subject-key.js';
export { openSecret, resealSecret, sealSecret } from './secret-at-rest.js';
