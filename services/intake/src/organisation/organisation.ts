export type OrganisationKind = 'agency' | 'partner' | 'platform' | 'auditor' | 'operator';
export type PartnerKind = 'media' | 'civil_society' | 'academia' | 'religious' | 'creator';
export type Role = 'reporter' | 'reviewer' | 'issuer' | 'platform' | 'auditor' | 'operator' | 'consumer';

// Events are permanent: add optional fields freely, never rename or remove one.
export type OrganisationEvent =
  | {
      type: 'OrganisationRegistered';
      data: {
        organisation: string;
        kind: OrganisationKind;
        name: string;
        partnerKind?: PartnerKind;
        /** An agency whose decisions another agency carries out: that one stands as `issuedBy` in its orders. */
        executor?: string;
        products?: string[];
      };
    }
  /** The officer's name lies outside the record; here it is only an id, `officer:<uuid>`. */
  | { type: 'OfficerAdded'; data: { organisation: string; holder: string } }
  /** `secretSha256` is the SHA-256 of the whole key (`sjm_…`), hex. `expiresAt` is wall time. */
  | {
      type: 'KeyIssued';
      data: { organisation: string; keyId: string; holder: string; roles: Role[]; secretSha256: string; expiresAt?: string };
    }
  /** The old key keeps working until `overlapUntil` (wall time). The new one has the holder, roles and expiry of the old. */
  | {
      type: 'KeyRotated';
      data: { organisation: string; keyId: string; newKeyId: string; secretSha256: string; overlapUntil: string };
    }
  | { type: 'KeyRevoked'; data: { organisation: string; keyId: string } };
