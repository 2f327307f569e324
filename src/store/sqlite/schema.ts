import { sql as first } from "./migrations/0001-first.ts";
import { sql as callsAndEvents } from "./migrations/0002-calls-and-events.ts";
import { sql as accessTokens } from "./migrations/0010-access-tokens.ts";
import { sql as uploads } from "./migrations/0011-uploads.ts";
import { sql as webhooks } from "./migrations/0012-webhooks.ts";
import { sql as secrets } from "./migrations/0020-secrets.ts";
import { sql as schedules } from "./migrations/0021-schedules.ts";
import { sql as archives } from "./migrations/0022-archives.ts";
import { sql as queue } from "./migrations/0030-queue.ts";
import { sql as plans } from "./migrations/0040-plans.ts";
import { sql as policy } from "./migrations/0040-policy.ts";
import { sql as stepCache } from "./migrations/0041-step-cache.ts";
import { sql as runRecords } from "./migrations/0042-run-records.ts";
import { sql as approvals } from "./migrations/0050-approvals.ts";
import { sql as agents } from "./migrations/0051-agents.ts";
import { sql as retention } from "./migrations/0060-retention.ts";

/**
 * The run store, one file a migration; a migration that has shipped is never edited.
 * Times are integer milliseconds UTC. JSON columns hold compact text. Tables whose wide rows are looked up by key keep
 * their rowid: without it the whole row would stand in the inner pages of the key. Those that are only appended to and
 * read in order go without, one tree fewer in each commit.
 */
export const MIGRATIONS: readonly string[] = [
  first,
  callsAndEvents,
  accessTokens,
  secrets,
  schedules,
  queue,
  plans,
  policy,
  uploads,
  stepCache,
  archives,
  webhooks,
  runRecords,
  approvals,
  agents,
  retention,
];
