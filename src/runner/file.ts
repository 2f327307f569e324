import { type Static, Type } from "@sinclair/typebox";
import { closed } from "../protocol/index.ts";
import { RunnerConfig } from "./config.ts";

const Path = Type.String({ pattern: "^/", maxLength: 4096 });
const { runnerId, tenantId, hostId, runnerPools, executionProfiles, dataDirectory, slots, ...rest } =
  RunnerConfig.properties;

/**
 * `runner.yaml`: what the runner is told about itself, and how it reaches its controller. A secret never stands in it,
 * only where one is to be read. `runnerId`, and no more, has to be there for a file of a runner that `describe` shows.
 */
export const RunnerFile = closed({
  version: Type.Literal(1),
  controllerUrl: Type.Optional(Type.String({ pattern: "^https?://", maxLength: 2048 })),
  /** The enrolment token: mode 0600, owned by the runner's user, no link. For the first start alone. */
  credentialFile: Type.Optional(Path),
  tls: Type.Optional(
    closed({
      ca: Type.Optional(Path),
      certificate: Type.Optional(Path),
      /** Mode 0600. */
      key: Type.Optional(Path),
    }),
  ),
  runnerId,
  tenantId: Type.Optional(tenantId),
  hostId: Type.Optional(hostId),
  runnerPools: Type.Optional(runnerPools),
  executionProfiles: Type.Optional(executionProfiles),
  dataDirectory: Type.Optional(dataDirectory),
  slots: Type.Optional(slots),
  ...rest,
});
export type RunnerFile = Static<typeof RunnerFile>;
