import { sha256 } from "../../src/base/canonical.ts";
import { newId } from "../../src/base/ids.ts";
import type { Host } from "../../src/host/index.ts";
import { findRun, type Operation } from "../../src/store/index.ts";
import { appendEvents } from "../../src/store/instances/events.ts";

export const runIdOf = (host: Host, runId: string) =>
  host.context.views.read(findRun, { tenantId: "default", runId }).id;

const append: Operation<{ instanceId: string; count: number; text: string }, void> = (tx, input) =>
  appendEvents(
    tx,
    input.instanceId,
    Date.now(),
    Array.from({ length: input.count }, (_, at) => ({
      event: "test.line",
      step_id: null,
      reference: null,
      detail: { at, text: input.text },
    })),
  );

/** Lines of a run's history as a transition would append them. */
export function appendLines(host: Host, runId: string, count: number, text = ""): Promise<void> {
  return host.context.records.write(append, { instanceId: runIdOf(host, runId), count, text });
}

const insertArtifact: Operation<
  { instanceId: string; name: string; sha256: string; size: number; mediaType: string },
  void
> = (tx, input) => {
  const request = tx.get<{ id: string; tenant_id: string }>(
    "SELECT id, tenant_id FROM request WHERE instance_id = ?",
    input.instanceId,
  )!;
  const known = tx.get<{ id: string }>("SELECT id FROM lease WHERE request_id = ?", request.id);
  const lease = known?.id ?? newId();
  if (known === undefined) {
    tx.run(
      `INSERT INTO lease (id, request_id, instance_id, tenant_id, runner_id, session_id, attempt, fence, state, claim_message_id,
         issued_at, expires_at, deadline_at) VALUES (?, ?, ?, ?, 'r', 's', 1, 1, 'reported', 'c', 0, 0, 0)`,
      lease,
      request.id,
      input.instanceId,
      request.tenant_id,
    );
  }
  tx.run("UPDATE request SET accepted_attempt = 1 WHERE id = ?", request.id);
  tx.run(
    "INSERT INTO artifact (instance_id, lease_id, name, sha256, size, media_type, kind, created_at, tenant_id) VALUES (?, ?, ?, ?, ?, ?, 'artifact', 1, ?)",
    input.instanceId,
    lease,
    input.name,
    input.sha256,
    input.size,
    input.mediaType,
    request.tenant_id,
  );
};

/** An artifact as the accepted attempt of a run's only step hands it over. @returns its digest */
export async function putArtifact(
  host: Host,
  runId: string,
  name: string,
  mediaType: string,
  bytes: Uint8Array,
): Promise<string> {
  const digest = sha256(bytes);
  await host.context.artifacts.put(bytes, digest);
  await host.context.records.write(insertArtifact, {
    instanceId: runIdOf(host, runId),
    name,
    sha256: digest,
    size: bytes.length,
    mediaType,
  });
  return digest;
}
