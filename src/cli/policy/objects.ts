import { fail } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import type { ServiceName } from "../../service/index.ts";
import { withLine } from "../file-place.ts";
import type { Io } from "../io.ts";
import type { Arguments, CommandModule, CommandSpec, IdKind } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { POLICY_FILE, parsePolicy, readPolicyText } from "./read-policy-file.ts";

/** What an operator publishes by name; each has the same four commands. */
interface Published {
  readonly noun: IdKind;
  readonly operations: Readonly<Record<"publish" | "list" | "get" | "revoke", ServiceName>>;
  readonly example: string;
}

const KINDS = {
  profile: {
    noun: "profile",
    operations: {
      publish: "publishProfile",
      list: "listProfiles",
      get: "getProfile",
      revoke: "revokeProfile",
    },
    example: "release",
  },
  template: {
    noun: "template",
    operations: {
      publish: "publishTemplate",
      list: "listTemplates",
      get: "getTemplate",
      revoke: "revokeTemplate",
    },
    example: "release-build",
  },
  pool: {
    noun: "pool",
    operations: { publish: "publishPool", list: "listPools", get: "getPool", revoke: "revokePool" },
    example: "builders",
  },
  tenant: {
    noun: "tenant",
    operations: { publish: "publishTenant", list: "listTenants", get: "getTenant", revoke: "revokeTenant" },
    example: "acme",
  },
} as const satisfies Record<string, Published>;

export type PublishedKind = keyof typeof KINDS;

interface Version {
  kind: string;
  id: string;
  version: number;
  digest: string;
  state: string;
  published_by: string;
  published_at: string;
}

async function call<Answer>(io: Io, name: ServiceName, input: Record<string, unknown>): Promise<Answer> {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    return (await client.call(name, input)) as Answer;
  } finally {
    await client.close();
  }
}

/** `release` or `release@3`. */
function idAndVersion(text: string): { id: string; version?: number } {
  const [id, version, more] = text.split("@") as [string, string | undefined, string | undefined];
  if (id === "" || more !== undefined || (version !== undefined && !/^[1-9]\d{0,14}$/.test(version))) {
    throw fail("usage", `${text} is not a name or a name with a version`, {
      hint: "such as release or release@3",
    });
  }
  return version === undefined ? { id } : { id, version: Number(version) };
}

const WHICH = (noun: IdKind) =>
  ({ name: "id", label: `${noun} id`, ids: noun, about: "with @VERSION for one version" }) as const;

export function publishCommand(kind: PublishedKind): CommandModule {
  const { noun, operations, example } = KINDS[kind];
  const spec = {
    description: `Publishes what the file says as a new version. A version never changes; the same content again is the same version.`,
    positionals: [POLICY_FILE],
    examples: [{ command: `lightflow ${noun} publish ${example}.yaml`, does: "its id, version and digest" }],
  } as const satisfies CommandSpec;
  return {
    spec,
    async run({ positionals }: Arguments<typeof spec>, io: Io) {
      const { file } = positionals;
      const text = await readPolicyText(file, io);
      const document = await parsePolicy(text, file);
      const answer = await call<Version & { created: boolean }>(io, operations.publish, { document }).catch(
        async (error: unknown) => {
          throw await withLine(error, text, file, "document");
        },
      );
      io.print(
        answer,
        () =>
          `${noun} ${answer.id}@${answer.version} ${answer.created ? "published" : "was published before"}\n`,
      );
      return 0;
    },
  };
}

export function listCommand(kind: PublishedKind): CommandModule {
  const { noun, operations } = KINDS[kind];
  const spec = {
    flags: { all: { type: "boolean", about: "every version, not the newest alone" } },
    examples: [{ command: `lightflow ${noun} list`, does: "names, versions, states and digests" }],
  } as const satisfies CommandSpec;
  return {
    spec,
    async run({ flags }: Arguments<typeof spec>, io: Io) {
      const answer = await call<{ versions: Version[] }>(io, operations.list, { all: flags.all });
      io.print(answer, (paint) =>
        answer.versions.length === 0
          ? `no ${noun} is published\n`
          : tableText([
              [noun, "version", "state", "digest", "published", "by"].map((head) => paint.dim(head)),
              ...answer.versions.map((each) => [
                each.id,
                String(each.version),
                each.state === "revoked" ? paint.red(each.state) : each.state,
                each.digest,
                each.published_at,
                each.published_by,
              ]),
            ]),
      );
      return 0;
    },
  };
}

export function getCommand(kind: PublishedKind): CommandModule {
  const { noun, operations, example } = KINDS[kind];
  const spec = {
    positionals: [WHICH(noun)],
    examples: [
      {
        command: `lightflow ${noun} get ${example}@2`,
        does: "the document of one version, and who published it",
      },
    ],
  } as const satisfies CommandSpec;
  return {
    spec,
    async run({ positionals }: Arguments<typeof spec>, io: Io) {
      const answer = await call<Version>(io, operations.get, idAndVersion(positionals.id));
      io.print(answer);
      return 0;
    },
  };
}

export function revokeCommand(kind: PublishedKind): CommandModule {
  const { noun, operations, example } = KINDS[kind];
  const spec = {
    description: `Takes a ${noun} back at once. Nothing starts under it any more, what waits in the queue fails, what runs is stopped and cannot change its run. No older version takes its place: publish a new one.`,
    positionals: [WHICH(noun)],
    flags: {
      reason: { type: "string", value: "TEXT", about: "why, for the audit and for the runs that stop" },
    },
    examples: [
      { command: `lightflow ${noun} revoke ${example} --reason "a key leaked"`, does: "every version of it" },
    ],
  } as const satisfies CommandSpec;
  return {
    spec,
    async run({ positionals, flags }: Arguments<typeof spec>, io: Io) {
      const answer = await call<{ versions: number[]; requests: number; leases: number }>(
        io,
        operations.revoke,
        {
          ...idAndVersion(positionals.id),
          ...(flags.reason === undefined ? {} : { reason: flags.reason }),
        },
      );
      io.print(answer, () =>
        answer.versions.length === 0
          ? `${noun} ${positionals.id} was revoked already\n`
          : `${noun} ${positionals.id}: versions ${answer.versions.join(", ")} are revoked; ${answer.requests} tasks stop, ${answer.leases} of them run\n`,
      );
      return 0;
    },
  };
}
