/** A secret is known to the record only by its id and its fingerprint (SHA-256, hex, first 16 characters). */
export interface SecretReference {
  secretId: string;
  fingerprint: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type PlatformEvent =
  | { type: 'PlatformRegistered'; data: { platform: string; name: string; products: string[] } }
  | {
      type: 'EndpointSet';
      data: { platform: string; url: string; test: boolean; secrets: { orders: SecretReference; answers: SecretReference } };
    }
  | { type: 'EndpointRemoved'; data: { platform: string } }
  | { type: 'EndpointPaused'; data: { platform: string; cause: string } }
  | { type: 'EndpointResumed'; data: { platform: string; by: 'probe' | 'request' } }
  /** The previous secret stays valid until `overlapUntil` (wall time). */
  | {
      type: 'SecretRotated';
      data: { platform: string; direction: 'orders' | 'answers'; secret: SecretReference; previousSecretId: string; overlapUntil: string };
    };
