export const sql = `
-- Where a tenant wants to be told, and what is to be told: an outbox, filled by the transaction that something happened in.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_of_tenant ON webhook (tenant_id);
CREATE TABLE webhook_delivery (
  id TEXT PRIMARY KEY,
  webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up')),
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  outcome TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook_id, id);
`;
