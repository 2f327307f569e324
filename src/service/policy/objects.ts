import { type TSchema, Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { Name, Sentence } from "../../protocol/common.ts";
import {
  listPolicyObjects,
  type PolicyKind,
  publishPolicyObject,
  readPolicyObject,
  revokePolicyObject,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer } from "../shapes.ts";
import { byWhom, operatorOnly, PolicyVersion, Published, policyVersion } from "./view.ts";

const Version = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** The four operations of one kind of published thing; a version never changes. */
export function objectOperations<Document extends TSchema>(
  kind: PolicyKind,
  plural: string,
  document: Document,
  check: (context: ServiceContext, document: JsonObject) => Promise<void> = async () => {},
) {
  const publish = defineOperation({
    name: `${kind}.publish`,
    scope: "admin",
    summary: `Publish a new version of a ${kind}; the same content again is the same version`,
    method: "POST",
    path: `/admin/${plural}`,
    input: closed({ document }),
    output: Published,
    async run(context, input) {
      operatorOnly(context);
      const body = (input as unknown as { document: JsonObject }).document;
      await check(context, body);
      const id = String(body["id"]);
      return {
        kind,
        id,
        ...(await context.records.write(publishPolicyObject, { kind, id, body, ...byWhom(context) })),
      };
    },
  });
  const list = defineOperation({
    name: `${kind}.list`,
    scope: "admin",
    summary: `The newest version of each ${kind}, or every version`,
    method: "GET",
    path: `/admin/${plural}`,
    input: closed({ all: Type.Optional(Type.Boolean()) }),
    output: closed({ versions: Type.Array(PolicyVersion) }),
    run(context, input) {
      operatorOnly(context);
      const versions = context.views.read(listPolicyObjects, { kind, all: input.all === true });
      return { versions: versions.map(policyVersion) };
    },
  });
  const get = defineOperation({
    name: `${kind}.get`,
    scope: "admin",
    summary: `One version of a ${kind}; the newest where none is said`,
    method: "GET",
    path: `/admin/${plural}/:id`,
    input: closed({ id: Name, version: Type.Optional(Version) }),
    output: PolicyVersion,
    run(context, input) {
      operatorOnly(context);
      const { id, version } = input;
      const found = context.views.read(readPolicyObject, {
        kind,
        id,
        ...(version === undefined ? {} : { version }),
      });
      if (found === null)
        throw fail("not_found", `there is no ${kind} ${id}${version === undefined ? "" : `@${version}`}`);
      return policyVersion(found);
    },
  });
  const revoke = defineOperation({
    name: `${kind}.revoke`,
    scope: "admin",
    summary: `Take a ${kind} back at once: nothing starts under it, what waits fails, what runs is stopped`,
    method: "POST",
    path: `/admin/${plural}/:id/revoke`,
    input: closed({ id: Name, version: Type.Optional(Version), reason: Type.Optional(Sentence) }),
    output: closed({ versions: Type.Array(Integer), requests: Integer, leases: Integer }),
    async run(context, input) {
      operatorOnly(context);
      return await context.records.write(revokePolicyObject, {
        kind,
        id: input.id,
        version: input.version ?? null,
        reason: input.reason ?? "an operator said so",
        ...byWhom(context),
      });
    },
  });
  return { publish, list, get, revoke };
}
