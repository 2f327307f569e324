import type { Call, ServiceContext } from "../../service/index.ts";
import { encodeFrame } from "../../stream/index.ts";
import { previewFrame } from "./preview.ts";

/** What a stream of frames holds beside the events of a run. */
export interface Extras {
  /** Frames that have not been given yet; none when all have. */
  next(): Promise<Uint8Array[]>;
}

const PAGE = 200;

/** The trace of a run, line by line, and a preview of each picture that its steps hand over. */
export function frameExtras(context: ServiceContext, call: Call, runId: string): Extras {
  let traced = 0;
  const shown = new Set<string>();
  return {
    async next() {
      const { lines } = await call("runTrace", { run_id: runId, after: traced, limit: PAGE });
      traced = lines.at(-1)?.seq ?? traced;
      const frames = lines.map((line) =>
        encodeFrame({
          kind: "RunTrace",
          runId,
          status: line.event,
          sequence: line.seq,
          timestampMs: Date.parse(line.ts),
          payload: JSON.stringify(line),
        }),
      );
      const { artifacts } = await call("getArtifacts", { run_id: runId });
      const picture = artifacts.find(
        ({ sha256, media_type }) => media_type.startsWith("image/") && !shown.has(sha256),
      );
      if (picture !== undefined) {
        shown.add(picture.sha256);
        // One that cannot be read is none to show; its event is in the stream all the same.
        const frame = await previewFrame(context, runId, picture.sha256).catch(() => null);
        if (frame !== null) frames.push(frame);
        else if (frames.length === 0) return await this.next();
      }
      return frames;
    },
  };
}
