import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { connectToRead } from "../../host/index.ts";
import type { WorkflowDocument } from "../../workflow/index.ts";
import type { Io } from "../io.ts";

const REFERENCE = /^([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})(?:@(.+))?$/;

export interface PublishedWorkflow {
  namespace: string;
  name: string;
  version: string;
  digest: string;
  document: JsonObject;
}

/** `NAMESPACE/NAME` or `NAMESPACE/NAME@VERSION` as what is published under it. */
export async function readPublished(reference: string, io: Io): Promise<PublishedWorkflow> {
  const match = REFERENCE.exec(reference);
  if (match === null)
    throw fail("usage", `${reference} is not NAMESPACE/NAME or NAMESPACE/NAME@VERSION`, {
      hint: "`lightflow workflow list` shows what is published",
    });
  const [, namespace, name, version] = match;
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    return await client.call("getPublication", {
      namespace,
      name,
      ...(version === undefined ? {} : { version }),
    });
  } finally {
    await client.close();
  }
}

/** What a document is published as. */
export const referenceOf = ({ document }: WorkflowDocument): string =>
  `${document.namespace}/${document.name}`;
