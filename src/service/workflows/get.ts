import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { findPublished, readDefinition } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Text } from "../shapes.ts";

const Name = Type.String({ minLength: 1, maxLength: 128 });

export const getPublication = defineOperation({
  name: "workflow.get",
  scope: "read",
  summary: "One published document; the highest version where none is named",
  method: "GET",
  path: "/publications/:namespace/:name",
  input: closed({ namespace: Name, name: Name, version: Type.Optional(Name) }),
  output: closed({ namespace: Text, name: Text, version: Text, digest: Text, document: AnyObject }),
  run(context, { namespace, name, version = "latest" }) {
    const found = context.views.read(findPublished, {
      tenantId: context.tenantId,
      namespace,
      name,
      version,
    });
    if (found === undefined)
      throw fail("not_found", `not found: ${namespace}/${name} ${version}`, {
        hint: "`lightflow workflow list` shows what is published",
      });
    const document = context.views.read(readDefinition, found.digest)!;
    return { namespace, name, version: found.version, digest: found.digest, document };
  },
});
