import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { sha256 } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { readBytesFile } from "../../base/read-file.ts";
import { connectToRead } from "../../host/index.ts";
import { importPublicKey } from "../../protocol/index.ts";
import { keyIdOf, readEnvelope, type Verified, verifyProvenance } from "../../release/index.ts";
import type { Io } from "../io.ts";
import type { CommandSpec, Run } from "../spec.ts";

/** Beside the artifact, as a registry directory holds it. */
const BESIDE = "provenance.intoto.json";

export const spec = {
  description:
    "Whether a file is what its provenance says: the signature, and the digest among its subjects. Without --key the key of each runner of this control plane is tried.",
  positionals: [{ name: "artifact", label: "file" }],
  flags: {
    provenance: {
      type: "string",
      value: "FILE",
      about: "the signed envelope",
      defaultText: "provenance.intoto.json beside the artifact",
    },
    key: {
      type: "string",
      value: "KEY",
      about: "the builder's public key: a PEM file, or the 43 characters that `runners show` prints",
    },
  },
  examples: [
    {
      command: "lightflow provenance verify registry/hello/1.0.0/hello-1.0.0.tgz",
      does: "where a published file comes from",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const artifact = resolve(io.cwd, positionals.artifact);
  const bytes = read(artifact);
  const beside = resolve(io.cwd, flags.provenance ?? join(dirname(artifact), BESIDE));
  if (flags.provenance === undefined && !existsSync(beside))
    throw fail("not_found", `${positionals.artifact} has no ${BESIDE} beside it`, {
      hint: "name the envelope with --provenance; what has none is not proved to be by anybody",
    });
  const envelope = readEnvelope(Buffer.from(read(beside)).toString("utf8"));
  const keys = flags.key === undefined ? await runnerKeys(io) : [keyOf(flags.key, io.cwd)];
  const digest = sha256(bytes);
  let failure = fail("provenance_invalid", "it is signed by no runner of this control plane", {
    hint: "name the builder's public key: --key",
  });
  for (const key of keys) {
    let verified: Verified;
    try {
      verified = verifyProvenance(envelope, digest, key);
    } catch (error) {
      const problem = toFailure(error);
      const isSigner = envelope.signatures.some(({ keyid }) => keyid === keyIdOf(key));
      // One of many keys that has nothing to do with it says nothing.
      if (flags.key !== undefined || isSigner) failure = problem;
      // The signature holds, and what it says is something else: no other key makes that better.
      if (problem.code === "artifact_digest_mismatch") {
        failure = problem;
        break;
      }
      continue;
    }
    const { subject, builder, invocation, policyDigest, materials, startedOn, finishedOn } = verified;
    const answer = {
      verified: true,
      subject,
      sha256: digest,
      key_id: keyIdOf(key),
      builder,
      invocation,
      policy_digest: policyDigest,
      materials,
      started_on: startedOn,
      finished_on: finishedOn,
    };
    io.print(answer, () => `${subject} sha256:${digest}\nmade by ${builder}\nin ${invocation}\n`);
    return 0;
  }
  throw failure;
};

const read = (path: string): Uint8Array => new Uint8Array(readBytesFile(path));

function keyOf(text: string, cwd: string): KeyObject {
  try {
    if (/^[A-Za-z0-9_-]{43}$/.test(text)) return importPublicKey(text);
    const path = resolve(cwd, text);
    if (existsSync(path)) return createPublicKey(readFileSync(path));
  } catch {
    // Below, in words.
  }
  throw fail("usage", `--key ${text} is neither a PEM file nor a public key`);
}

async function runnerKeys(io: Io): Promise<KeyObject[]> {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const { runners } = await client.call("listRunners", {});
    const shown = await Promise.all(runners.map(({ runner_id }) => client.call("getRunner", { runner_id })));
    return shown.flatMap(({ public_key }) => (public_key === null ? [] : [importPublicKey(public_key)]));
  } finally {
    await client.close();
  }
}
