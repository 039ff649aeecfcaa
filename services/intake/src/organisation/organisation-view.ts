import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client } from '@sejam/postgres';
import { applyErasures } from '../erasure/erasure-view.js';
import type { OrganisationEvent } from './organisation.js';

/** Rows of organisations and keys. Each statement may be repeated; an event type that this code does not know is skipped. */
export async function applyOrganisationEvents(client: Client, events: readonly StoredEvent[]): Promise<void> {
  for (const stored of events) {
    const event = stored as StoredEvent<OrganisationEvent>;
    const { at } = event.metadata;
    switch (event.type) {
      case 'OrganisationRegistered': {
        const { organisation, kind, name, partnerKind, executor, products = [] } = event.data;
        await client.query(
          `INSERT INTO organisation (id, revision, kind, name, partner_kind, executor, products) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
          [organisation, event.revision, kind, name, partnerKind ?? null, executor ?? null, products],
        );
        break;
      }
      case 'OfficerAdded':
      case 'ErasureRequested':
      case 'ErasureWithdrawn':
      case 'SubjectErased':
        break;
      case 'KeyIssued': {
        const { organisation, keyId, holder, roles, expiresAt } = event.data;
        await client.query(`INSERT INTO api_key (key_id, organisation, holder, roles, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, [
          keyId, organisation, holder, roles, at, expiresAt ?? null,
        ]);
        break;
      }
      case 'KeyRotated': {
        const { keyId, newKeyId, overlapUntil } = event.data;
        await client.query(
          `INSERT INTO api_key (key_id, organisation, holder, roles, issued_at, expires_at)
           SELECT $2, organisation, holder, roles, $3, expires_at FROM api_key WHERE key_id = $1 ON CONFLICT DO NOTHING`,
          [keyId, newKeyId, at],
        );
        await client.query('UPDATE api_key SET works_until = $2 WHERE key_id = $1', [keyId, overlapUntil]);
        break;
      }
      case 'KeyRevoked':
        await client.query('UPDATE api_key SET revoked_at = $2 WHERE key_id = $1', [event.data.keyId, at]);
        break;
    }
  }
  await applyErasures(client, events);
}
