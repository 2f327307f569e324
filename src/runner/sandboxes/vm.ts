import { fail } from "../../base/errors.ts";
import type { Cgroups } from "./cgroups.ts";
import { processSandbox } from "./process.ts";
import type { SandboxProvider } from "./sandbox.ts";

/**
 * A machine that was prepared for tasks is their boundary: they are processes in it, and nothing else worth protecting
 * is. It says so only of the image that the configuration names, and a controller believes it only where an operator
 * approved that image and this executable by their digests.
 *
 * Tasks are not kept apart from one another, nor from the network: what asks for either is refused.
 */
export function vmSandbox(dataDirectory: string, cgroups: Cgroups | null, imageId: string): SandboxProvider {
  const plain = processSandbox(dataDirectory, cgroups);
  return {
    ...plain,
    capability: {
      ...plain.capability,
      provider: "vm",
      template: imageId,
      boundary: "micro-vm",
      modes: ["none", "workflow-session"],
    },
    validate(request) {
      if (request.mode !== "none" && request.mode !== "workflow-session")
        throw fail(
          "feature_unsupported",
          `a prepared machine runs one task after the other, and ${request.mode} asks for a sandbox of its own`,
        );
      if (request.mode !== "none" && request.network !== "open")
        throw fail("feature_unsupported", "a prepared machine does not close the network of one task");
      plain.validate({ ...request, mode: "none" });
    },
    async prepare(request) {
      this.validate(request);
      await plain.prepare({ ...request, mode: "none" });
    },
  };
}
